"""Decoding: messages become batches, all that arrived meanwhile at once.

What a batch costs whatever it holds (a dozen calls of numpy) is most of the cost of a small one, so the columns of all
of them are checked together, and one by one only when something is wrong somewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingest.intake import Message
from telemetry.batch import Batch, check, check_values
from telemetry.bundle import MAX_ROWS_IN_ALL, parts
from telemetry.faults import BadMessageError, Fault
from telemetry.wire import unpack_batch


@dataclass(frozen=True, slots=True)
class Bad:
    """A message, or a part of one, that is no batch."""

    source: str
    payload: bytes
    error: BadMessageError


@dataclass(slots=True)
class Decoded:
    """What messages held, in order of arrival."""

    batches: list[Batch] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)


def decode_all(messages: Iterable[Message]) -> Decoded:
    """All batches in messages of data, and what is none."""
    found = Decoded()
    payloads = list[bytes]()
    for message in messages:
        try:
            inside = parts(message.payload)
        except BadMessageError as exc:
            found.bad.append(Bad(message.source, message.payload, exc))
        else:
            payloads += _unpack(message.source, inside, found)
    if not _all_sound(found.batches):
        _sort_out(found, payloads)
    return found


def _unpack(source: str, inside: Sequence[bytes], found: Decoded) -> list[bytes]:
    """Unpack the parts of one message; the payloads of those that became batches."""
    unpacked, rows = list[bytes](), 0
    for payload in inside:
        try:
            _bound(rows)
            batch, _ = unpack_batch(payload, source)
        except BadMessageError as exc:
            found.bad.append(Bad(source, payload, exc))
        else:
            rows += len(batch)
            found.batches.append(batch)
            unpacked.append(payload)
    return unpacked


def _bound(rows: int) -> None:
    if rows > MAX_ROWS_IN_ALL:
        raise BadMessageError(Fault.TOO_LARGE, f"bundle of more than {MAX_ROWS_IN_ALL} rows, expected fewer")


def _all_sound(batches: Sequence[Batch]) -> bool:
    """Whether every row of all batches keeps the promises of the type."""
    if not batches:
        return True
    try:
        check_values(
            series=np.concatenate([batch.series for batch in batches]),
            time_ns=np.concatenate([batch.time_ns for batch in batches]),
            value=np.concatenate([batch.value for batch in batches]),
            quality=np.concatenate([batch.quality for batch in batches]),
        )
    except BadMessageError:
        return False
    return True


def _sort_out(found: Decoded, payloads: Sequence[bytes]) -> None:
    """Set aside the batches that are not sound."""
    batches, found.batches = found.batches, []
    for batch, payload in zip(batches, payloads, strict=True):
        try:
            check(batch)
        except BadMessageError as exc:
            found.bad.append(Bad(batch.source, payload, exc))
        else:
            found.batches.append(batch)
