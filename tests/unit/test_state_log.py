"""The state: events, cursor and deliveries commit together, once, and no line changes unnoticed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from alerting.alarms import Kind
from alerting.outbox import route
from alerting.state import ChainError, Operation, State, StateError
from alerting.state.log import Tick
from tests.unit.centre_things import START_NS, HandWall, PlainSettings, make_event


async def opened(path: Path, **settings: object) -> State:
    return await State.open(path, route([PlainSettings(name="desk", **settings)]), HandWall())


async def all_events(state: State) -> list:
    return [event async for event in state.events()]


async def test_what_is_recorded_is_there_after_a_restart(tmp_path):
    """F5: alarms are not lost on restart."""
    state = await opened(tmp_path / "state.db")
    events = [make_event("a1"), make_event("a2", level=4), make_event("a1", 2, kind=Kind.CLEARED)]
    await state.record(events, 7, [Tick(7, START_NS)])
    await state.close()
    state = await opened(tmp_path / "state.db")
    assert await all_events(state) == events
    assert await state.cursor() == 7
    assert await state.ticks() == [Tick(7, START_NS)]
    assert await state.undelivered()
    assert await state.verify() == 3
    await state.close()


async def test_evaluating_twice_raises_once(tmp_path):
    """F2, F14: what was recorded before is neither recorded nor delivered again."""
    state = await opened(tmp_path / "state.db")
    first = await state.record([make_event("a1"), make_event("a2"), make_event("a1")], 5)
    again = await state.record([make_event("a2"), make_event("a1"), make_event("a3")], 6)
    assert [event.alarm_id for event in first.events] == ["a1", "a2"]
    assert [event.alarm_id for event in again.events] == ["a3"]
    assert (first.queued, again.queued) == (2, 1)
    assert await state.verify() == 3
    await state.close()


async def test_all_or_nothing(tmp_path):
    """A failure anywhere in the transaction leaves no event, no delivery and no step of the cursor."""
    calls = []

    def breaks(event, told, now_ns):
        calls.append(event)
        raise ZeroDivisionError

    state = await State.open(tmp_path / "state.db", breaks, HandWall())
    with pytest.raises(ZeroDivisionError):
        await state.record([make_event()], 9, [Tick(9, START_NS)])
    assert calls
    assert (await all_events(state), await state.cursor(), await state.ticks()) == ([], 0, [])
    assert not await state.undelivered()
    await state.close()


async def test_the_cursor_never_goes_back(tmp_path):
    state = await opened(tmp_path / "state.db")
    await state.record([], 9)
    await state.record([make_event()], 4)
    assert await state.cursor() == 9
    await state.close()


async def test_acknowledgement_stands_in_both_logs(tmp_path):
    state = await opened(tmp_path / "state.db")
    await state.record([make_event()], 1)
    event = make_event(kind=Kind.ACKNOWLEDGED, by="Lin")
    operation = Operation(kind="acknowledged", alarm_id="a1", version=1, by="Lin", time_ns=START_NS, real_ns=START_NS)
    recorded = await state.acknowledge(event, operation)
    twice = await state.acknowledge(event, operation)
    assert (recorded.events, recorded.queued, twice.events) == ([event], 0, [])
    assert await state.operations() == [operation]
    assert (await all_events(state))[-1] == event
    await state.close()


TAMPERING = {
    "a byte of a body": "UPDATE events SET body = replace(body, 'Gale', 'Gile') WHERE seq = 2",
    "a body and its own hash": "UPDATE events SET sha256 = prev WHERE seq = 3",
    "a line in the middle": "DELETE FROM events WHERE seq = 2",
    "the last line": "DELETE FROM events WHERE seq = 3",
    "the beginning": "UPDATE events SET prev = sha256 WHERE seq = 1",
    "an operation": "UPDATE operations SET body = replace(body, 'Lin', 'Wu')",
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
async def test_a_changed_log_is_noticed(tmp_path, statement):
    path = tmp_path / "state.db"
    state = await opened(path)
    await state.record([make_event(f"a{i}") for i in range(3)], 1)
    await state.acknowledge(
        make_event("a0", kind=Kind.ACKNOWLEDGED, by="Lin"),
        Operation(kind="acknowledged", alarm_id="a0", version=1, by="Lin", time_ns=0, real_ns=0),
    )
    assert await state.verify() == 4
    with closing(sqlite3.connect(path)) as other:
        for table in ("events", "operations"):
            for verb in ("update", "delete"):
                other.execute(f"DROP TRIGGER {table}_no_{verb}")
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute(statement)
        other.commit()
    with pytest.raises(ChainError, match=r"(events|operations): .* expected|was changed"):
        await state.verify()
    await state.close()


@pytest.mark.parametrize("verb", ["UPDATE {} SET body = ''", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["events", "operations"])
async def test_logs_are_append_only_in_the_database_itself(tmp_path, verb, table):
    path = tmp_path / "state.db"
    state = await opened(path)
    await state.acknowledge(
        make_event(kind=Kind.ACKNOWLEDGED),
        Operation(kind="acknowledged", alarm_id="a1", version=1, by="Lin", time_ns=0, real_ns=0),
    )
    await state.close()
    with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(verb.format(table))


async def test_a_second_owner_is_refused(tmp_path):
    """F1: two centres on one state would send everything twice."""
    state = await opened(tmp_path / "state.db")
    with pytest.raises(StateError, match="another centre holds it"):
        await opened(tmp_path / "state.db")
    await state.close()
    await (await opened(tmp_path / "state.db")).close()


async def test_a_file_that_is_no_state_is_refused(tmp_path):
    path = tmp_path / "state.db"
    path.write_text("this is not a database, it only looks long enough to be one\n" * 20)
    with pytest.raises(StateError, match=r"state\.db: .*expected a state file"):
        await opened(path)


async def test_a_file_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "state.db"
    await (await opened(path)).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
    with pytest.raises(StateError, match="another version"):
        await opened(path)


async def test_it_is_on_disk_before_it_counts(tmp_path):
    state = await opened(tmp_path / "state.db")
    found = await state._database.run(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    )
    assert found[0] == "wal"
    assert found[1] == 2, "2 is FULL"
    assert found[2] >= 1_000
    await state.close()
