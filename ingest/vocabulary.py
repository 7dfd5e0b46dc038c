"""The code words of an announcement, as far as they can be shown: a series counts whatever is wrong with its words."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from telemetry.codes import Codes
from telemetry.series import Text
from telemetry.wire import Announce

_MOST: Final = 1_000
"""Vocabularies in one announcement."""
_MOST_WORDS: Final = 256
_MOST_IN_ALL: Final = 20_000
_LONGEST: Final = 64
_STATES: Final = range(2**32)
_BITS: Final = range(64)


class Vocabulary(NamedTuple):
    """Per series its words (they name no series any more), and what was wrong with others."""

    words: Mapping[int, Codes]
    doubts: tuple[str, ...]


def vocabulary(announce: Announce) -> Vocabulary:
    """The words that can be shown."""
    if announce.codes is msgspec.UNSET:
        return Vocabulary({}, ())
    in_all = sum(len(codes.states) + len(codes.bits) for codes in announce.codes)
    if len(announce.codes) > _MOST or in_all > _MOST_IN_ALL:
        found = f"{len(announce.codes)} vocabularies with {in_all} words"
        return Vocabulary({}, (f"code words: {found}, expected at most {_MOST} with {_MOST_IN_ALL}",))
    words: dict[int, Codes] = {}
    doubts = []
    for at, codes in enumerate(announce.codes):
        if problem := _problem(codes):
            doubts.append(f"code words {at}: {problem}")
            continue
        bare = msgspec.structs.replace(codes, series=())
        words |= dict.fromkeys(codes.series, bare)
    return Vocabulary(words, tuple(doubts))


def _problem(codes: Codes) -> str | None:
    if len(codes.states) > _MOST_WORDS:
        return f"{len(codes.states)} words, expected at most {_MOST_WORDS}"
    if bool(codes.states) is bool(codes.bits):
        return f"{'both' if codes.states else 'neither'} of states and bits, expected one of them"
    for numbers, allowed in ((codes.states, _STATES), (codes.bits, _BITS)):
        for number in numbers:
            if number not in allowed:
                return f"{number}, expected {allowed[0]} to {allowed[-1]}"
    return _unfit([*codes.states.values(), *codes.bits.values()])


def _unfit(words: Iterable[Text]) -> str | None:
    """A word that can't be shown: control characters, marks that turn the writing round, whole pages."""
    for text in words:
        for one in (text.zh, text.en):
            if not 0 < len(one) <= _LONGEST or not one.isprintable():
                return f"word {one[:_LONGEST]!a}, expected printable text of 1 to {_LONGEST} characters"
    return None
