"""The two languages of the console: same keys, same blanks, every key used, and none asked for that is missing."""

import re
from pathlib import Path

import pytest

from alerting.console import STATIC

MODULES = [path for path in STATIC.glob("*.mjs") if path.name != "lib.mjs"] + [STATIC / "i18n" / "index.mjs"]
ENTRY = re.compile(r"^  '([\w.]+)': '(.*)',$")
WHOLE = re.compile(r"""(?<![\w.])t\(\s*'([\w.]+)'""")
CHOSEN = re.compile(r"""\?\s*'([a-z]\w*\.\w+)'\s*:\s*'([a-z]\w*\.\w+)'""")
FAMILY = re.compile(r"""(?:t|knows)\(\s*`([\w.]+)\.\$\{""")
BLANK = re.compile(r"\{(\w+)\}")
CJK = re.compile(r"[\u3400-\u9fff]")


def catalogue(language: str) -> dict[str, str]:
    lines = (STATIC / "i18n" / f"{language}.mjs").read_text(encoding="utf-8").splitlines()
    body = [line for line in lines if line.startswith("  ")]
    found = [ENTRY.match(line) for line in body]
    assert all(found), [line for line, entry in zip(body, found, strict=True) if not entry]
    pairs = [(entry[1], entry[2]) for entry in found if entry]
    assert len(pairs) == len({key for key, _ in pairs}), "a key stands twice"
    return dict(pairs)


def source() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in MODULES)


def asked(known: set[str]) -> set[str]:
    text = source()
    whole = set(WHOLE.findall(text)) | {key for pair in CHOSEN.findall(text) for key in pair}
    families = set(FAMILY.findall(text))
    return whole | {key for key in known if key.rpartition(".")[0] in families}


def test_both_languages_have_the_same_keys() -> None:
    assert list(catalogue("zh")) == list(catalogue("en"))


def test_a_sentence_has_the_same_blanks_in_both() -> None:
    zh, en = catalogue("zh"), catalogue("en")
    assert [key for key in zh if sorted(BLANK.findall(zh[key])) != sorted(BLANK.findall(en[key]))] == []


def test_no_key_is_missing_and_none_is_unused() -> None:
    known = set(catalogue("zh"))
    used = asked(known)
    assert used - known == set(), "asked for and missing"
    assert known - used == set(), "never used"


def test_english_has_no_chinese_and_nothing_is_empty_but_a_letter() -> None:
    en, zh = catalogue("en"), catalogue("zh")
    assert [key for key, text in en.items() if CJK.search(text)] == []
    assert [key for key in en if not (en[key] and zh[key]) and not key.startswith("letter.")] == []


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.mjs")), ids=lambda path: path.name)
def test_words_stand_in_the_catalogues_only(path: Path) -> None:
    """Chinese outside them would be shown in English too; boot.mjs speaks both, before a language is known."""
    if path.name in ("boot.mjs", "header.mjs", "list.mjs"):
        pytest.skip(
            "says a fixed word in both languages: the failure to start, the name of the language, the drill mark"
        )
    assert CJK.search(path.read_text(encoding="utf-8")) is None
