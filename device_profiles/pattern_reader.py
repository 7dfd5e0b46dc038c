"""The text of a pattern into its parts (device_profiles.pattern says which language it is)."""

import re
from typing import Final

from device_profiles.pattern import (
    ANY,
    CLASSES,
    EVERY,
    MAX_DEPTH,
    MAX_PATTERN,
    MAX_REPEATS,
    Bytes,
    Chars,
    Choice,
    Group,
    Node,
    Repeat,
    Sequence,
    check,
    groups,
)

_CLASSES: Final = {**CLASSES, "t": frozenset(b"\t"), "r": frozenset(b"\r"), "n": frozenset(b"\n")}
_QUANTIFIER: Final = re.compile(r"[?*+]|\{(\d{1,4})(,?)(\d{0,4})\}")
_NAME: Final = re.compile(r"\(\?P<([A-Za-z_][A-Za-z0-9_]{0,31})>")
_HEX: Final = re.compile(r"x([0-9A-Fa-f]{2})")
_QUANTIFIERS: Final = {"?": (0, 1), "*": (0, None), "+": (1, None)}


def read(text: str, encoding: str) -> Node:
    """The parts of a pattern; raises ValueError: what was found at which character, what was expected."""
    if not text or len(text) > MAX_PATTERN:
        raise ValueError(f"pattern of {len(text)} characters, expected 1 to {MAX_PATTERN}")
    reader = _Reader(text, encoding)
    node = reader.choice(0)
    if reader.at < len(text):
        raise reader.error("no group that it closes")
    names = [group.name for group, _ in groups(node)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"group {twice!r} stands in the pattern twice, expected it once")
    if many := next((group.name for group, repeated in groups(node) if repeated), None):
        raise ValueError(f"group {many!r} stands in a repeat, expected it once in a line")
    check(node)
    return node


class _Reader:
    """Where in the text of a pattern the reading stands."""

    def __init__(self, text: str, encoding: str) -> None:
        self.at = 0
        self._text, self._encoding = text, encoding

    def error(self, expected: str) -> ValueError:
        found = repr(self._text[self.at]) if self.at < len(self._text) else "the end"
        return ValueError(f"{found} at character {self.at + 1} of the pattern, expected {expected}")

    def choice(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(f"at most {MAX_DEPTH} groups inside of one another")
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.at < len(self._text) and self._text[self.at] not in "|)":
            parts.append(self._repeated(self._atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repeated(self, part: Node) -> Node:
        found = _QUANTIFIER.match(self._text, self.at)
        if found is None:
            return part
        least, most = _bounds(found)
        if (most is not None and not max(least, 1) <= most <= MAX_REPEATS) or least > MAX_REPEATS:
            raise self.error(f"repeats from less to more, at most {MAX_REPEATS}")
        self.at = found.end()
        if self.at < len(self._text) and self._text[self.at] in "?*+{":
            raise self.error("one quantifier only (a pattern that is never in doubt needs no lazy or possessive ones)")
        return Repeat(part, least, most)

    def _atom(self, depth: int) -> Node:
        char = self._text[self.at]
        if char == "(":
            return self._group(depth)
        if char == "[":
            return Chars(self._class())
        if char in "?*+{}])":
            raise self.error("a backslash before it, or something to repeat or open first")
        if char in "^$":
            raise self.error("no anchor: a pattern stands for the whole line")
        self.at += 1
        if char == ".":
            return Chars(ANY)
        return Chars(self._escape()) if char == "\\" else self._literal(char)

    def _literal(self, char: str) -> Node:
        try:
            codes = char.encode(self._encoding)
        except UnicodeEncodeError as exc:
            raise ValueError(f"{char!r} in the pattern, expected characters of {self._encoding}") from exc
        parts = tuple(Chars(frozenset((code,))) for code in codes)
        return parts[0] if len(parts) == 1 else Sequence(parts)

    def _group(self, depth: int) -> Node:
        named = _NAME.match(self._text, self.at)
        if named is None and not self._text.startswith("(?:", self.at):
            raise self.error("(?P<name>...) for a number or (?:...) for anything else")
        self.at = named.end() if named else self.at + 3
        part = self.choice(depth + 1)
        if not self._take(")"):
            raise self.error("')' at the end of a group")
        return Group(named[1], part) if named else part

    def _escape(self) -> Bytes:
        """After a backslash."""
        if hexadecimal := _HEX.match(self._text, self.at):
            self.at = hexadecimal.end()
            return frozenset((int(hexadecimal[1], 16),))
        char = self._text[self.at : self.at + 1]
        if char in _CLASSES and char:
            self.at += 1
            return _CLASSES[char]
        if not char or char.isalnum() or not char.isascii():
            raise self.error(r"one of \d \s \w \D \S \W \t \r \n \xHH, or punctuation after a backslash")
        self.at += 1
        return frozenset(char.encode())

    def _class(self) -> Bytes:
        self.at += 1
        negated = self._take("^")
        codes: Bytes = frozenset()
        while not self._take("]"):
            low = self._member()
            if self._text.startswith("-", self.at) and not self._text.startswith("-]", self.at):
                self.at += 1
                low = self._range(low, self._member())
            codes |= low
        if not codes:
            raise self.error("at least one character in a set")
        return EVERY - codes if negated else codes

    def _member(self) -> Bytes:
        char = self._text[self.at : self.at + 1]
        if not char or char == "[" or not char.isascii():
            raise self.error("an ASCII character of a set, and ']' at its end")
        self.at += 1
        return self._escape() if char == "\\" else frozenset(char.encode())

    def _range(self, low: Bytes, high: Bytes) -> Bytes:
        if len(low) != 1 or len(high) != 1 or min(low) > min(high):
            raise self.error("a range from a lower to a higher character before it")
        return frozenset(range(min(low), min(high) + 1))

    def _take(self, text: str) -> bool:
        found = self._text.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found


def _bounds(found: re.Match[str]) -> tuple[int, int | None]:
    if found[0] in _QUANTIFIERS:
        return _QUANTIFIERS[found[0]]
    least = int(found[1])
    return least, least if not found[2] else int(found[3]) if found[3] else None
