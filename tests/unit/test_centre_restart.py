"""The centre over restarts, failing disks and drills: no alarm lost, none repeated, data time held while it decides."""

import asyncio

import pytest

from alerting.alarms import Kind
from alerting.centre import TICK_NS, Centre
from alerting.state import StateError
from ingest.commit import Commit
from telemetry.clock import LockstepClock
from tests.unit.centre_receiver import receiving
from tests.unit.centre_things import START_NS, HandWall
from tests.unit.centre_world import SECOND, World, world

HOOK = '{{kind: webhook, name: hook, url: "{url}"}}'


async def log_of(centre: Centre) -> list[tuple[str, Kind]]:
    return [(event.subject, event.kind) async for event in centre.state.events()]


async def test_a_commit_that_the_engine_never_saw_is_evaluated_at_the_next_start(tmp_path):
    """F5: the process dies between the store's commit and the engine; the alarm is raised all the same."""
    async with world(tmp_path, clock=HandWall()) as place:
        batch = place.batch({0: 60.0}, START_NS).numbered(7, 1)
        place.store.commit([batch])
    async with world(tmp_path, clock=HandWall()) as place:
        assert await log_of(place.service.centre) == [("gas-0", Kind.RAISED)]


async def test_a_restart_repeats_nothing(tmp_path):
    """F3, F9, F14: after a restart nobody hears of an old alarm again, nor that there is no data."""
    async with receiving() as receiver:
        channels = HOOK.format(url=receiver.url)
        async with world(tmp_path, channels=channels, clock=HandWall()) as place:
            await place.poll({0: 60.0, 1: 1.0})
            await receiver.wait(1)
            await place.service.drained()
        clock = HandWall(START_NS + 60 * SECOND)
        async with world(tmp_path, channels=channels, clock=clock) as place:
            centre = place.service.centre
            await place.poll({0: 61.0, 1: 1.0}, clock.ns)
            await centre.tick()
            await place.service.drained()
            assert await log_of(centre) == [("gas-0", Kind.RAISED)]
            assert [alarm.level for alarm in centre.board.alarms()] == [4]
        assert len(receiver.requests) == 1


async def test_an_all_clear_after_a_restart_reaches_whoever_heard_the_alarm(tmp_path):
    """F6."""
    async with receiving() as receiver:
        channels = HOOK.format(url=receiver.url)
        async with world(tmp_path, channels=channels, clock=HandWall()) as place:
            await place.poll({0: 60.0})
            await place.service.drained()
        clock = HandWall(START_NS + 10 * SECOND)
        async with world(tmp_path, channels=channels, clock=clock) as place:
            for _ in range(30):
                clock.ns += 10 * SECOND
                await place.poll({0: 1.0})
            await place.service.centre.tick()
            await place.service.drained()
        assert [request.json["alarm"]["kind"] for request in receiver.requests] == ["raised", "cleared"]
        assert len({request.json["alarm_id"] for request in receiver.requests}) == 1


async def test_the_acknowledgement_survives(tmp_path):
    async with world(tmp_path, clock=HandWall()) as place:
        await place.poll({0: 60.0})
        async with place.client() as client:
            alarm = (await client.get("/api/v1/alarms")).json()["items"][0]
            await client.post(f"/api/v1/alarms/{alarm['id']}/ack", json={"version": 1, "by": "Lin"})
    async with world(tmp_path, clock=HandWall()) as place, place.client() as client:
        alarm = (await client.get(f"/api/v1/alarms/{alarm['id']}")).json()
        assert (alarm["state"], alarm["acknowledged_by"]) == ("acknowledged", "Lin")


async def test_a_full_disk_silences_no_alarm(tmp_path, monkeypatch):
    """Events that can't be recorded are shown and told at once, and told once (F2)."""
    async with (
        receiving() as receiver,
        world(tmp_path, channels=HOOK.format(url=receiver.url), clock=HandWall()) as place,
    ):
        centre = place.service.centre
        place.service.ingest.subscriber.problem = ""
        await _refuse_once(centre, monkeypatch, place)
        await receiver.wait(1)
        async with place.client() as client:
            assert (await client.get("/api/v1/alarms")).json()["items"][0]["level"] == 4
            health = await client.get("/api/v1/health")
            assert (health.status_code, health.json()["parts"]["engine"]["status"]) == (503, "down")
            place.clock.ns += SECOND
            await place.poll({1: 1.0})
            await place.service.drained()
            assert (await client.get("/api/v1/health")).status_code == 200
        assert [request.json["alarm"]["subject"] for request in receiver.requests] == ["gas-0"]


async def _refuse_once(centre: Centre, monkeypatch: pytest.MonkeyPatch, place: World) -> None:
    async def full(*_: object) -> None:
        raise StateError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(centre.state, "record", full)
        await place.poll({0: 60.0})


async def test_a_cancellation_does_not_part_events_from_the_cursor(tmp_path, monkeypatch):
    """A stop in the middle of recording: what the last write keeps holds the events of its cursor."""
    async with world(tmp_path, clock=HandWall(), run=False) as place:
        centre = place.service.centre
        begun = asyncio.Event()

        async def hangs(*_: object) -> None:
            begun.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            patch.setattr(centre.state, "record", hangs)
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(place.poll({0: 60.0}))
                await begun.wait()
                task.cancel()
        await centre._write()
        assert await centre.state.cursor() == 1
        assert await log_of(centre) == [("gas-0", Kind.RAISED)]


async def test_rows_that_the_store_refused_are_evaluated_and_move_no_cursor(tmp_path):
    async with world(tmp_path, clock=HandWall()) as place:
        centre = place.service.centre
        batch = place.batch({0: 60.0}, START_NS).numbered(7, 1)
        await centre.on_commit(Commit(number=0, batches=(batch,), stored=False))
        assert await log_of(centre) == [("gas-0", Kind.RAISED)]
        assert await centre.state.cursor() == 0
        number = place.store.commit([batch]).number
        await centre.on_commit(Commit(number=number, batches=(batch,), stored=True))
        assert await log_of(centre) == [("gas-0", Kind.RAISED)]


async def test_data_time_is_held_while_a_commit_is_decided(tmp_path):
    holds = []

    class Counting(HandWall):
        def hold(self) -> None:
            holds.append(1)

        def release(self) -> None:
            holds.append(-1)

    async with world(tmp_path, clock=Counting()) as place:
        await place.poll({0: 60.0})
    assert holds == [1, -1]


async def drill(folder, speed: float) -> list[tuple[str, str, int, int]]:
    """Ten minutes in lock step: a leak that comes and goes, and a detector that falls silent."""
    folder.mkdir()
    clock = LockstepClock(START_NS, speed)
    end_ns = START_NS + 600 * SECOND

    async def poll(place: World) -> None:
        while True:
            since = (clock.now_ns() - START_NS) // SECOND
            values = {0: 60.0 if 100 <= since < 200 else 1.0} | ({1: 2.0} if since < 300 else {})
            await place.poll(values)
            await clock.sleep_until(clock.now_ns() + 10 * SECOND)

    async with world(folder, stations=2, clock=clock, period_s=10.0) as place:
        centre = place.service.centre
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(poll(place)), tasks.create_task(centre._tick_for_ever())]
            await clock.run(end_ns)
            for task in working:
                task.cancel()
        assert centre.figures.ticks == 600 * SECOND // TICK_NS
        return [(e.subject, str(e.kind), e.time_ns, e.at_ns) async for e in centre.state.events()]


async def test_a_drill_decides_the_same_whatever_its_speed(tmp_path):
    quick, slow = await drill(tmp_path / "quick", float("inf")), await drill(tmp_path / "slow", 2_000.0)
    assert quick == slow
    assert {(subject, kind) for subject, kind, *_ in quick} >= {("gas-0", "raised"), ("gas-0", "cleared")}
    assert any(subject == "gas-1" for subject, *_ in quick), "silence is told"
