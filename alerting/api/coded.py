"""What the numbers of a series mean, where it is a code with words."""

import math

from alerting.api import dto
from ingest.catalogue import Entry
from telemetry.series import Text


def meaning(entry: Entry, value: float) -> dto.Text | None:
    """What a number means; None without a number, or without words."""
    return None if entry.codes is None or math.isnan(value) else _text(entry.codes.meaning(value))


def states(entry: Entry) -> dict[str, dto.Text]:
    """Words by number."""
    return {} if entry.codes is None else {str(code): _text(one) for code, one in entry.codes.states.items()}


def bits(entry: Entry) -> dict[str, dto.Text]:
    """Words by bit, 0 the lowest."""
    return {} if entry.codes is None else {str(bit): _text(one) for bit, one in entry.codes.bits.items()}


def _text(words: Text) -> dto.Text:
    return dto.Text(zh=words.zh, en=words.en)
