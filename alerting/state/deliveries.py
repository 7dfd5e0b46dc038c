"""The outbox's rows: who must still be told. Functions of an open transaction.

A row is queued, leased while it is being sent, and at last delivered or dead. Versions of one alarm reach a channel in
their order: a row waits until the older ones of its alarm are final, and lends them its priority meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, bindparam, exists, func, insert, select, update

from alerting.alarms import Event
from alerting.state.tables import EVENTS, OUTBOX, Progress

_EVENT: Final = msgspec.json.Decoder(Event)


def _is_open(state: ColumnElement[str]) -> ColumnElement[bool]:
    return (state == Progress.QUEUED) | (state == Progress.LEASED)


# Built once: composing a statement costs more than running it.
_OLDER: Final = OUTBOX.alias("older")
_OVERTAKING: Final = exists().where(
    _OLDER.c.alarm_id == OUTBOX.c.alarm_id,
    _OLDER.c.channel == OUTBOX.c.channel,
    _OLDER.c.event_seq < OUTBOX.c.event_seq,
    _is_open(_OLDER.c.state),
)
_DUE: Final = (
    select(OUTBOX.c.id, OUTBOX.c.channel, OUTBOX.c.key, OUTBOX.c.attempts, OUTBOX.c.deadline_ns, EVENTS.c.body)
    .join(EVENTS, EVENTS.c.seq == OUTBOX.c.event_seq)
    .where(OUTBOX.c.channel == bindparam("channel"), OUTBOX.c.state == Progress.QUEUED)
    .where(OUTBOX.c.next_at_ns <= bindparam("now_ns"), ~_OVERTAKING)
    .order_by(OUTBOX.c.priority.desc(), OUTBOX.c.id)
    .limit(bindparam("slots", type_=Integer))
)
_NEXT: Final = select(func.min(OUTBOX.c.next_at_ns)).where(
    OUTBOX.c.state == Progress.QUEUED, OUTBOX.c.next_at_ns > bindparam("now_ns")
)
_LEASE: Final = (
    update(OUTBOX).where(OUTBOX.c.id == bindparam("b_id")).values(state=Progress.LEASED, attempts=OUTBOX.c.attempts + 1)
)
_SETTLE: Final = (
    update(OUTBOX)
    .where(OUTBOX.c.id == bindparam("b_id"))
    .values({name: bindparam(f"b_{name}") for name in ("state", "next_at_ns", "receipt", "note", "settled_ns")})
)
_QUEUE: Final = insert(OUTBOX)
_LEND: Final = (
    update(OUTBOX)
    .where(OUTBOX.c.alarm_id == bindparam("b_alarm"), OUTBOX.c.channel == bindparam("b_channel"))
    .where(_is_open(OUTBOX.c.state), OUTBOX.c.priority < bindparam("b_priority"))
    .values(priority=bindparam("b_priority"))
)
_TOLD: Final = select(OUTBOX.c.channel).where(OUTBOX.c.alarm_id == bindparam("alarm")).distinct()
_ANY_OPEN: Final = select(exists().where(_is_open(OUTBOX.c.state)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A delivery to be queued: its channel, and until when (real time) it may be tried."""

    channel: str
    deadline_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A leased row: ``key`` is the same at every attempt; times are real."""

    id: int
    channel: str
    key: str
    attempts: int
    deadline_ns: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of an attempt: final, or queued again until ``next_at_ns``."""

    id: int
    state: Progress
    at_ns: int
    next_at_ns: int = 0
    receipt: str | None = None
    note: str | None = None


class Turn(NamedTuple):
    """What to send now, and when the next row that waits for its time is due (None: nothing waits)."""

    leased: list[Delivery]
    next_at_ns: int | None


def delivery_key(event: Event, channel: str) -> str:
    """The identity of a delivery, for ever: receivers that know it have heard it."""
    return f"{event.key}.{channel}"


def told(connection: Connection, alarm_ids: Iterable[str]) -> dict[str, set[str]]:
    """The channels that have heard of an alarm, or will, per alarm."""
    return {alarm: set(connection.execute(_TOLD, {"alarm": alarm}).scalars()) for alarm in alarm_ids}


def queue(connection: Connection, rows: Sequence[tuple[int, Event, Planned]], now_ns: int) -> int:
    """Queue deliveries of events that were just appended; returns how many."""
    if not rows:
        return 0
    values = [_row(seq, event, planned, now_ns) for seq, event, planned in rows]
    connection.execute(_QUEUE, values)
    urgent = [
        {"b_alarm": event.alarm_id, "b_channel": planned.channel, "b_priority": event.level}
        for _, event, planned in rows
        if event.version > 1
    ]
    if urgent:
        connection.execute(_LEND, urgent)
    return len(values)


def _row(seq: int, event: Event, planned: Planned, now_ns: int) -> dict[str, object]:
    return {
        "event_seq": seq,
        "alarm_id": event.alarm_id,
        "channel": planned.channel,
        "state": Progress.QUEUED,
        "priority": event.level,
        "attempts": 0,
        "next_at_ns": now_ns,
        "deadline_ns": planned.deadline_ns,
        "key": delivery_key(event, planned.channel),
        "created_ns": now_ns,
    }


def recover(connection: Connection, channels: Iterable[str], now_ns: int) -> None:
    """After a start: what was being sent is sent again under its key; what has no channel any more is dead."""
    leased = update(OUTBOX).where(OUTBOX.c.state == Progress.LEASED)
    connection.execute(leased.values(state=Progress.QUEUED, next_at_ns=now_ns))
    orphans = update(OUTBOX).where(OUTBOX.c.state == Progress.QUEUED, OUTBOX.c.channel.not_in(list(channels)))
    connection.execute(orphans.values(state=Progress.DEAD, settled_ns=now_ns, note="its channel was removed"))


def turn(connection: Connection, settled: Sequence[Settled], free: Mapping[str, int], now_ns: int) -> Turn:
    """Write down what became of attempts, and lease what is due: most severe first, ``free`` rows a channel."""
    settle(connection, settled)
    leased = [row for channel, limit in free.items() for row in _lease(connection, channel, limit, now_ns)]
    return Turn(leased, connection.execute(_NEXT, {"now_ns": now_ns}).scalar_one())


def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """Write down what became of attempts."""
    if not settled:
        return
    connection.execute(
        _SETTLE,
        [
            {
                "b_id": one.id,
                "b_state": one.state,
                "b_next_at_ns": one.next_at_ns,
                "b_receipt": one.receipt,
                "b_note": one.note,
                "b_settled_ns": None if one.state is Progress.QUEUED else one.at_ns,
            }
            for one in settled
        ],
    )


def _lease(connection: Connection, channel: str, limit: int, now_ns: int) -> list[Delivery]:
    rows = connection.execute(_DUE, {"channel": channel, "now_ns": now_ns, "slots": limit}).all()
    if rows:
        connection.execute(_LEASE, [{"b_id": row.id} for row in rows])
    return [
        Delivery(
            id=row.id,
            channel=row.channel,
            key=row.key,
            attempts=row.attempts + 1,
            deadline_ns=row.deadline_ns,
            event=_EVENT.decode(row.body),
        )
        for row in rows
    ]


def undelivered(connection: Connection) -> bool:
    """Whether any row is not final."""
    return bool(connection.execute(_ANY_OPEN).scalar_one())


def depth(connection: Connection) -> dict[str, dict[Progress, int]]:
    """Rows per channel and state."""
    counted = select(OUTBOX.c.channel, OUTBOX.c.state, func.count()).group_by(OUTBOX.c.channel, OUTBOX.c.state)
    found: dict[str, dict[Progress, int]] = {}
    for channel, state, rows in connection.execute(counted):
        found.setdefault(channel, {})[Progress(state)] = rows
    return found
