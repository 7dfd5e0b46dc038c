"""The commands of the README, the tutorials and the how-tos do what the pages say.

Every page is told in a process, a folder and, where the machine allows it, a network namespace of its own, so that the
ports in the commands are free and what is written there is what runs. Without namespaces a page runs on the machine's
own loopback, and is skipped while one of the usual ports is taken.
"""

import re
import shutil
import socket
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests.integration.docs_page import ROOT, Block, blocks, matches, shell_blocks

TOLD = [
    ROOT / "README.md",
    *sorted(path for kind in ("tutorial", "howto") for path in (ROOT / "docs" / kind).glob("*.md")),
]
TWINS = [
    (ROOT / "README.md", ROOT / "README.zh-CN.md"),
    (ROOT / "docs/tutorial/first-storm.md", ROOT / "docs/tutorial/first-storm.zh-CN.md"),
]
PAGES = [page for page in TOLD if not page.name.endswith(".zh-CN.md")]
PORTS = (8460, 8470, 9000, 1883)
LONGEST_S = 120
AT_ONCE = 3
"""Pages told at the same time: most of their time they wait."""
Told = subprocess.CompletedProcess[str]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


LINK = re.compile(r"\]\(([^)\s]+)\)")
NOT_RUN = [(page, block) for page in PAGES for block in shell_blocks(read(page)) if block.not_run is not None]


@cache
def namespace() -> tuple[str, ...]:
    """How a command gets a loopback of its own, as root or as anybody; empty where that is not allowed."""
    for flags in (("-n",), ("--map-current-user", "--keep-caps", "-n")):
        command = (
            "unshare",
            *flags,
            sys.executable,
            "-c",
            "from tests.integration import docs_page as p; p.raise_loopback()",
        )
        if (
            shutil.which("unshare")
            and not subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode
        ):
            return ("unshare", *flags)
    return ()


def taken() -> list[int]:
    """Which of the ports that pages use somebody else has."""
    found = []
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


def tell(page: Path, folder: Path) -> Told:
    command = [*namespace(), sys.executable, "-m", "tests.integration.docs_page", page, folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S, check=False)


@pytest.fixture(scope="module")
def stories(request, tmp_path_factory):
    """The stories that were asked for, under way: those in namespaces at the same time, else one after another."""
    asked = [item.callspec.params["page"] for item in request.session.items if item.originalname == TEST.__name__]
    with ThreadPoolExecutor(AT_ONCE if namespace() else 1) as pool:
        yield {page: pool.submit(tell, page, tmp_path_factory.mktemp(page.stem)) for page in asked}


@pytest.mark.timeout(LONGEST_S * 2)
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_does_what_it_says(page: Path, stories: dict[Path, Future[Told]]) -> None:
    if not namespace() and taken():
        pytest.skip(f"no network namespace here, and somebody listens on {taken()}")
    told = stories[page].result()
    assert told.returncode == 0, told.stdout + told.stderr


TEST = test_a_page_does_what_it_says


@pytest.mark.parametrize(("page", "block"), NOT_RUN, ids=[f"{name(page)}:{block.line}" for page, block in NOT_RUN])
def test_a_block_that_is_not_run_says_why(page: Path, block: Block) -> None:
    """Listed among the skipped tests."""
    assert len(block.not_run or "") > 5
    pytest.skip(f"{name(page)}:{block.line}: {block.not_run}")


@pytest.mark.parametrize(("page", "twin"), TWINS, ids=[name(twin) for _, twin in TWINS])
def test_a_translation_has_the_same_commands(page: Path, twin: Path) -> None:
    """Comments inside commands may be translated."""

    def commands(path: Path) -> list[tuple[str, dict[str, str]]]:
        return [(re.sub(r"\s+# .*", "", block.text), block.notes) for block in blocks(read(path))]

    assert commands(page)
    assert commands(page) == commands(twin)


def test_every_page_is_listed_in_the_index() -> None:
    """By itself, or, what is to look up, with its folder."""
    docs = ROOT / "docs"
    listed = {docs / link for link in LINK.findall(read(docs / "README.md"))}
    pages = [path for path in docs.rglob("*.md") if path != docs / "README.md"]
    assert not [name(path) for path in pages if not {path, *path.parents} & listed]


MARKDOWN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def anchors(page: Path) -> set[str]:
    """As code hosts make them of headings."""
    titles = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", MARKDOWN, ids=name)
def test_every_link_within_the_house_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(read(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: {link}"


def test_what_is_shown_is_held_against_what_is_printed() -> None:
    """The test of the test."""
    assert matches("a  ...\n...\nz\n", "a b\nc\n\nd\nz\n")
    assert matches("a\n...\n", "a\n")
    assert not matches("a\nz\n", "a\nb\nz\n")
    assert not matches("a ... c\n", "a b\nc\n")
    assert not matches("a.c\n", "abc\n")
    story = "<!-- stop -->\n\n<!-- exit: 1 -->\n<!-- within 5 s -->\n```console\n$ a\nb\n$ c\n```\n"
    stop, block = blocks(story)
    assert stop.notes == {"stop": ""}
    assert block.notes == {"exit": "1", "within": "5"}
    assert block.commands == [("a", "b\n"), ("c", "")]
