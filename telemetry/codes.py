"""Code words: what the numbers of a code mean, or its bits, so that 3 is shown as "3 faulty".

A device's profile knows them; a gateway tells its centre. Thousands of series share few vocabularies, so each is told
once, with the series that it holds for.
"""

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from telemetry.series import Text

READS: Final = ("codes",)
"""Words of an announcement that came after its first version, and that this version reads."""
UNKNOWN: Final = Text(zh="未知代码", en="unknown code")
NONE: Final = Text(zh="无", en="none")
"""Of a bit field in which no bit is set."""

_EXACT: Final = 2.0**53
"""Below this every whole number has a place among the floats."""


class Codes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A vocabulary and the series (identities) that it holds for: words by number, or by bit (0 the lowest)."""

    series: tuple[int, ...] = ()
    states: dict[int, Text] = {}
    bits: dict[int, Text] = {}

    def meaning(self, value: float) -> Text:
        """What a value says; ``UNKNOWN`` for a number without a word, and for one that is no code at all."""
        if not 0 <= value < _EXACT or value != math.floor(value):
            return UNKNOWN
        code = int(value)
        return self.states.get(code, UNKNOWN) if self.states else self._bits(code)

    def _bits(self, code: int) -> Text:
        found = [self.bits.get(bit, _unnamed(bit)) for bit in range(code.bit_length()) if code >> bit & 1]
        if not found:
            return NONE
        return Text(zh="、".join(words.zh for words in found), en=", ".join(words.en for words in found))


def _unnamed(bit: int) -> Text:
    return Text(zh=f"未知位 {bit}", en=f"unknown bit {bit}")


def shared(vocabularies: Iterable[Codes]) -> tuple[Codes, ...]:
    """Each vocabulary once, with all series that it holds for."""
    found: dict[bytes, tuple[Codes, list[int]]] = {}
    for one in vocabularies:
        bare = msgspec.structs.replace(one, series=())
        found.setdefault(msgspec.msgpack.encode(bare), (bare, []))[1].extend(one.series)
    return tuple(msgspec.structs.replace(bare, series=tuple(series)) for bare, series in found.values())
