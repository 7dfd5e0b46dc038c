"""The append-only logs: events with the engine's cursor, and operations. Functions of an open transaction."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection, Table, bindparam, insert, select, update

from alerting.alarms import Event
from alerting.state.tables import CURSOR, EVENTS, OPERATIONS, TICKS
from telemetry import chain

M = TypeVar("M", bound=msgspec.Struct)
_CANONICAL: Final = msgspec.json.Encoder(order="sorted")
_EVENT: Final = msgspec.json.Decoder(Event)
_CHUNK: Final = 400
_CHAINED: Final = (EVENTS, OPERATIONS)

# Built once: composing a statement costs more than running it.
_KNOWN: Final = select(EVENTS.c.key).where(EVENTS.c.key.in_(bindparam("keys", expanding=True)))
_READ_CURSOR: Final = select(CURSOR.c.commit_number)
_MOVE_CURSOR: Final = (
    update(CURSOR).where(CURSOR.c.commit_number < bindparam("b_commit")).values(commit_number=bindparam("b_commit"))
)
_APPEND: Final = {table.name: insert(table) for table in _CHAINED}
_READ_HEAD: Final = {
    table.name: select(CURSOR.c[f"{table.name}_seq"], CURSOR.c[f"{table.name}_sha256"]) for table in _CHAINED
}
_MOVE_HEAD: Final = {
    table.name: update(CURSOR).values(
        {f"{table.name}_seq": bindparam("b_seq"), f"{table.name}_sha256": bindparam("b_sha256")}
    )
    for table in _CHAINED
}


class Tick(NamedTuple):
    """The engine was told that it is ``time_ns`` (data time) after the commit of that number."""

    after_commit: int
    time_ns: int


def append_events(connection: Connection, events: Sequence[Event]) -> list[tuple[int, Event]]:
    """Append what is not there yet, in order; returns what was new with its numbers."""
    known = _known(connection, [event.key for event in events])
    new: dict[str, Event] = {}
    for event in events:
        if event.key not in known:
            new.setdefault(event.key, event)
    bodies = [_CANONICAL.encode(event).decode() for event in new.values()]
    first = _append(connection, EVENTS, bodies, [{"key": key} for key in new])
    return list(enumerate(new.values(), first))


def append_operation(connection: Connection, operation: msgspec.Struct) -> None:
    """Append one line of what a person did."""
    _append(connection, OPERATIONS, [_CANONICAL.encode(operation).decode()], [{}])


def read_events(connection: Connection, after: int, limit: int) -> list[tuple[int, Event]]:
    """Events with a number above ``after``, oldest first, with their numbers."""
    query = select(EVENTS.c.seq, EVENTS.c.body).where(EVENTS.c.seq > after).order_by(EVENTS.c.seq).limit(limit)
    return [(seq, _EVENT.decode(body)) for seq, body in connection.execute(query)]


def read_operations(connection: Connection, kind: type[M]) -> list[M]:
    """Everything that people did, oldest first."""
    query = select(OPERATIONS.c.body).order_by(OPERATIONS.c.seq)
    return [msgspec.json.decode(body, type=kind) for (body,) in connection.execute(query)]


def read_cursor(connection: Connection) -> int:
    """The number of the newest commit that was evaluated."""
    return int(connection.execute(_READ_CURSOR).scalar_one())


def write_cursor(connection: Connection, commit: int, ticks: Iterable[Tick]) -> None:
    """Move the cursor, never backwards, and append the ticks."""
    connection.execute(_MOVE_CURSOR, {"b_commit": commit})
    if rows := [tick._asdict() for tick in ticks]:
        connection.execute(insert(TICKS), rows)


def read_ticks(connection: Connection, after_commit: int) -> list[Tick]:
    """The ticks that the engine was given at or after a commit, in order."""
    query = select(TICKS.c.after_commit, TICKS.c.time_ns).where(TICKS.c.after_commit >= after_commit)
    return [Tick(*row) for row in connection.execute(query.order_by(TICKS.c.seq))]


def verify(connection: Connection) -> int:
    """Check both chains; the number of events. Raises chain.ChainError."""
    counts = []
    for table in _CHAINED:
        query = select(table.c.seq, table.c.body, table.c.prev, table.c.sha256).order_by(table.c.seq)
        links = (chain.Link(*row) for row in connection.execute(query))
        counts.append(chain.verify(table.name, links, _head(connection, table)))
    return counts[0]


def _known(connection: Connection, keys: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(keys), _CHUNK):
        known |= set(connection.execute(_KNOWN, {"keys": keys[start : start + _CHUNK]}).scalars())
    return known


def _append(connection: Connection, table: Table, bodies: Sequence[str], names: Sequence[dict[str, str]]) -> int:
    """Append lines and move the head; the number of the first."""
    links = list(chain.extend(*_head(connection, table), bodies))
    if not links:
        return 0
    connection.execute(_APPEND[table.name], [link._asdict() | name for link, name in zip(links, names, strict=True)])
    connection.execute(_MOVE_HEAD[table.name], {"b_seq": links[-1].seq, "b_sha256": links[-1].sha256})
    return links[0].seq


def _head(connection: Connection, table: Table) -> tuple[int, str]:
    row = connection.execute(_READ_HEAD[table.name]).one()
    return row[0], row[1]
