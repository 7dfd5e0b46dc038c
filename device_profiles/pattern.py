"""Regular expressions that can't be slow: a part of the usual language, read from left to right without a doubt.

Text of a device is matched by a pattern that somebody wrote into a profile, on a box that must never stall. A pattern
that backtracks can take seconds for one line (``(a+)+b``). So a pattern is taken only when the next byte always decides
what it belongs to (deterministic, or one-unambiguous, expressions: Brueggemann-Klein and Wood, Information and
Computation 142, 1998): whatever ends or leaves out a repeat must begin differently from what it repeats, and
alternatives must begin differently or be plain words. Then no attempt is made twice, and the time grows with the
length of the line alone.

The language: literal characters, ``.``, ``[...]``, ``\\d \\s \\w`` (ASCII) and their opposites, ``\\t \\r \\n \\xHH``,
a backslash before punctuation, ``(?P<name>...)``, ``(?:...)``, ``|``, ``? * + {n} {n,} {n,m}``. A pattern stands for
the whole line, so ``^`` and ``$`` are not needed. Everything works on bytes: a character beyond ASCII is its bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MAX_PATTERN: Final = 1000
"""Characters."""
MAX_DEPTH: Final = 20
"""Groups inside of groups."""
MAX_REPEATS: Final = 1024

Bytes = frozenset[int]
EVERY: Final = frozenset(range(256))
_DIGITS: Final = frozenset(b"0123456789")
_BLANKS: Final = frozenset(b" \t\n\r\f\v")
_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") | _DIGITS
CLASSES: Final = {
    "d": _DIGITS,
    "s": _BLANKS,
    "w": _LETTERS,
    "D": EVERY - _DIGITS,
    "S": EVERY - _BLANKS,
    "W": EVERY - _LETTERS,
}
"""Sets with a letter of their own, the same as in ``re`` for bytes."""
ANY: Final = EVERY - frozenset(b"\n")
_PREFERRED: Final = b" 0A"
"""What stands for a set of bytes in an example, where the set has it."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One byte out of a set."""

    codes: Bytes


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts after one another; none: nothing at all."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    branches: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part several times; ``most`` None: without an end."""

    part: "Node"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """A part with a name."""

    name: str
    part: "Node"


Node = Chars | Sequence | Choice | Repeat | Group


def check(node: Node, follow: Bytes = frozenset()) -> None:
    """Raises ValueError where the next byte would not decide; ``follow`` are the bytes that can come afterwards."""
    match node:
        case Sequence(parts):
            for part in reversed(parts):
                check(part, follow)
                follow = first(part) | follow if nullable(part) else first(part)
        case Group(_, part):
            check(part, follow)
        case Choice(branches):
            _check_choice(branches)
            for branch in branches:
                check(branch, follow)
        case Repeat():
            _check_repeat(node, follow)


def _check_repeat(node: Repeat, follow: Bytes) -> None:
    begins = first(node.part)
    if nullable(node.part):
        raise ValueError(f"{source(node)} repeats what may be nothing, expected something in it")
    if node.least != node.most and (clash := begins & follow):
        raise ValueError(
            f"{source(node)} can end before or after {_shown(clash)}, expected a set without what comes next"
        )
    check(node.part, follow if node.most == 1 else begins | follow)


def _check_choice(branches: tuple[Node, ...]) -> None:
    words = [_word(branch) for branch in branches]
    if None not in words:
        _check_words(sorted(word for word in words if word is not None))
        return
    seen: Bytes = frozenset()
    for branch in branches:
        if nullable(branch):
            raise ValueError("an alternative may be nothing, expected '(?:...)?' instead")
        if clash := seen & first(branch):
            raise ValueError(f"two alternatives begin with {_shown(clash)}, expected a different beginning of each")
        seen |= first(branch)


def _check_words(words: list[bytes]) -> None:
    for shorter, longer in pairwise(words):
        if longer.startswith(shorter):
            raise ValueError(f"alternative {longer!r} begins with {shorter!r}, expected neither in the other")


def _word(node: Node) -> bytes | None:
    """The only text of a node, None for one that has several."""
    match node:
        case Chars(codes):
            return bytes(codes) if len(codes) == 1 else None
        case Sequence(parts):
            texts = [_word(part) for part in parts]
            return None if None in texts else b"".join(text for text in texts if text is not None)
    return None


def nullable(node: Node) -> bool:
    """Whether nothing at all matches."""
    match node:
        case Sequence(parts):
            return all(map(nullable, parts))
        case Choice(branches):
            return any(map(nullable, branches))
        case Repeat(part, least, _):
            return least == 0 or nullable(part)
        case Group(_, part):
            return nullable(part)
    return False


def first(node: Node) -> Bytes:
    """The bytes with which a match can begin."""
    match node:
        case Chars(codes):
            return codes
        case Choice(branches):
            return frozenset().union(*map(first, branches))
        case Repeat(part, _, _) | Group(_, part):
            return first(part)
        case Sequence(parts):
            found: Bytes = frozenset()
            for part in parts:
                found |= first(part)
                if not nullable(part):
                    break
            return found


def shortest(node: Node) -> int:
    """Bytes of the shortest text that matches."""
    match node:
        case Sequence(parts):
            return sum(map(shortest, parts))
        case Choice(branches):
            return min(map(shortest, branches))
        case Repeat(part, least, _):
            return least * shortest(part)
        case Group(_, part):
            return shortest(part)
    return 1


def source(node: Node) -> str:
    """The pattern of a node in the language of ``re``, for bytes (written with characters below 256)."""
    match node:
        case Chars(codes):
            return _set(codes)
        case Sequence(parts):
            return "".join(map(source, parts))
        case Choice(branches):
            return f"(?:{'|'.join(map(source, branches))})"
        case Group(name, part):
            return f"(?P<{name}>{source(part)})"
        case Repeat(part, least, most):
            inner = source(part) if isinstance(part, Chars) else f"(?:{source(part)})"
            return inner + _times(least, most)


def _times(least: int, most: int | None) -> str:
    short = {(0, 1): "?", (0, None): "*", (1, None): "+"}
    return short.get((least, most)) or f"{{{least},{'' if most is None else most}}}"


def _set(codes: Bytes) -> str:
    if len(codes) == 1:
        return _escaped(min(codes))
    if codes in (ANY, EVERY):
        return "." if codes == ANY else r"[\x00-\xff]"
    if letter := next((letter for letter, known in CLASSES.items() if known == codes), None):
        return f"\\{letter}"
    return f"[^{_ranges(EVERY - codes)}]" if len(codes) > 128 else f"[{_ranges(codes)}]"


def _ranges(codes: Bytes) -> str:
    """Bytes as ranges: neighbours differ by as much as their places do."""
    runs: dict[int, list[int]] = {}
    for place, code in enumerate(sorted(codes)):
        runs.setdefault(code - place, []).append(code)
    texts = (_escaped(run[0]) + (f"-{_escaped(run[-1])}" if len(run) > 1 else "") for run in runs.values())
    return "".join(texts)


def _escaped(code: int) -> str:
    char = chr(code)
    if not " " <= char <= "~":
        return f"\\x{code:02x}"
    return char if char.isalnum() or char in " ,;:_%#@!=" else f"\\{char}"


def _shown(codes: Bytes) -> str:
    return repr(chr(min(codes)))


def groups(node: Node, *, repeated: bool = False) -> Iterator[tuple[Group, bool]]:
    """All named groups, each with whether it can occur more than once."""
    match node:
        case Group(_, part):
            yield node, repeated
            yield from groups(part, repeated=repeated)
        case Repeat(part, _, most):
            yield from groups(part, repeated=repeated or most != 1)
        case Sequence(parts) | Choice(parts):
            for part in parts:
                yield from groups(part, repeated=repeated)


def example(node: Node, texts: dict[str, bytes]) -> bytes:
    """A text that matches, with these texts in the named groups and as little as possible everywhere else."""
    match node:
        case Chars(codes):
            return bytes((next((code for code in _PREFERRED if code in codes), min(codes)),))
        case Sequence(parts):
            return b"".join(example(part, texts) for part in parts)
        case Choice(branches):
            return example(next((branch for branch in branches if _names(branch, texts)), branches[0]), texts)
        case Repeat(part, least, _):
            return example(part, texts) * max(least, int(_names(part, texts)))
        case Group(name, part):
            return texts[name] if name in texts else example(part, texts)


def _names(node: Node, texts: dict[str, bytes]) -> bool:
    return any(group.name in texts for group, _ in groups(node))


def compiled(node: Node) -> re.Pattern[bytes]:
    """The pattern for use with ``fullmatch``; raises ValueError for one that ``re`` does not take."""
    try:
        return re.compile(source(node).encode("latin-1"))
    except re.error as exc:
        raise ValueError(f"{exc}, expected a regular expression") from exc
