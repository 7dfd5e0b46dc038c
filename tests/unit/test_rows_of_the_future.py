"""Rows whose time can't be are kept, and mute nobody: no rule, no watch over silence, no screen, also after a start."""

import numpy as np
import pytest

from ingest.commit import Commit
from ingest.qc.control import QualityControl
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.quality import Cause, Quality
from tests.unit.centre_things import START_NS, HandWall
from tests.unit.centre_world import SOURCE, World, gas_id, gas_series, world
from tests.unit.engine_things import Desk, commit, desk, reading

DAY = 24 * 60.0
AHEAD = [2 * 60.0, 365 * DAY]


def misdated(one: Desk, minute: float, values: dict[str, float]) -> list:
    """Rows as quality control marks them."""
    flags = np.full(len(values), Quality.SUSPECT, np.uint8), np.full(len(values), Cause.CLOCK, np.uint16)
    return one.take(commit(len(one.commits) + 1, *(batch.flagged(*flags) for batch in reading(values, minute))))


def storm(ahead: float | None) -> Desk:
    """Ten minutes of dry weather, one row of the future, then 8 mm a minute for ten minutes."""
    one = desk(only=["mast"])
    for minute in range(10):
        one.tick(minute)
        one.feed(minute, {"mast/rain": 5.0})
    if ahead is not None:
        misdated(one, 10 + ahead, {"mast/rain": 9.0})
    for minute in range(10, 20):
        one.tick(minute)
        one.feed(minute, {"mast/rain": 5.0 + 8 * (minute - 9)})
    return one


@pytest.mark.parametrize("ahead", [*AHEAD, -3 * 365 * DAY])
def test_a_windowed_rule_does_not_hear_of_the_future(ahead: float) -> None:
    undisturbed, disturbed = storm(None), storm(ahead)
    assert undisturbed.told("rainstorm"), "else it proves nothing"
    assert disturbed.told("rainstorm") == undisturbed.told("rainstorm")
    assert (disturbed.engine.window.too_old, disturbed.engine.late_rows, disturbed.engine.misdated_rows) == (0, 0, 1)


@pytest.mark.parametrize("ahead", AHEAD)
def test_silence_after_a_row_of_the_future_is_silence(ahead: float) -> None:
    """F12."""
    one = desk(only=["river", "tide"])
    one.tick(0)
    one.feed(0, {"river/stage": 1.0, "tide/sea-level": 1.0})
    misdated(one, ahead, {"river/stage": 1.0})
    for minute in range(1, 30):
        one.tick(minute)
        one.feed(minute, {"tide/sea-level": 1.0})
    [raised] = [event for event in one.log if event.hazard == "no_data"]
    assert (raised.subject, raised.outcome) == ("river", "no_data")
    assert one.engine.station_levels()["river"].outcome == "no_data"


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_gauge_that_keeps_living_in_the_future_has_no_data_and_its_gateway_is_not_silent(ahead: float) -> None:
    one = desk(only=["river"])
    one.tick(0)
    for minute in range(30):
        misdated(one, minute + ahead, {"river/stage": 6.5})
        one.tick(minute + 0.5)
    [raised] = one.log
    assert (raised.hazard, raised.subject, raised.outcome) == ("no_data", "river", "no_data")
    assert raised.text.en.endswith("what comes carries an impossible time: look at the clock")
    assert "时间有误" in raised.text.zh
    assert one.engine.station_levels()["river"].outcome == "no_data", "unknown, never normal"
    assert [e.kind for e in one.feed(30, {"river/stage": 1.0}) if e.hazard == "no_data"] == ["cleared"]
    assert one.engine.station_levels()["river"].outcome == "normal"


@pytest.mark.parametrize("quality", [Quality.GOOD, Quality.SUSPECT])
def test_an_honest_row_whose_clock_was_set_late_counts(quality: Quality) -> None:
    """ADR 0007: it is marked with CLOCK all the same."""
    one = desk(only=["river"])
    one.tick(0)
    flags = np.full(1, quality, np.uint8), np.full(1, Cause.CLOCK, np.uint16)
    [batch] = reading({"river/stage": 6.5}, 0.4)
    assert one.take(commit(1, batch.flagged(*flags)))
    assert one.told("flood") == [(0.4, "raised", 2)]


async def poll(place: World, control: QualityControl, values: dict[int, float], ahead_ns: int = 0) -> None:
    """As ``World.poll``, with the real quality control."""
    place.seq += 1
    now_ns = place.clock.now_ns()
    batch = place.batch(values, now_ns + ahead_ns)
    at = np.array(list(values), np.int32)
    batch = batch.flagged(*control.check(at, batch.time_ns, batch.value, batch.quality, batch.cause, now_ns))
    batch = batch.numbered(7, place.seq)
    number = place.store.commit([batch]).number
    await place.service.centre.on_commit(Commit(number=number, batches=(batch,), stored=True))


def quality_control() -> QualityControl:
    control = QualityControl()
    control.limits.put(list(enumerate(gas_series(4).series)))
    return control


async def shown(place: World, station: int) -> dict:
    async with place.client() as client:
        items = (await client.get("/api/v1/stations")).json()["items"]
    [found] = next(item for item in items if item["id"] == f"gas-{station}")["readings"]
    return found


@pytest.mark.parametrize("ahead_ns", [2 * MINUTE_NS, HOUR_NS, 365 * 24 * HOUR_NS])
async def test_the_screen_shows_the_newest_row_whose_time_can_be(tmp_path, ahead_ns: int) -> None:
    """P8: an old value looked fresh for a year, with an age of less than nothing."""
    clock, control = HandWall(START_NS), quality_control()
    async with world(tmp_path, clock=clock, period_s=10.0) as place:
        await poll(place, control, {0: 3.0})
        await poll(place, control, {0: 99.0}, ahead_ns)
        clock.ns += 2 * 10**9
        found = await shown(place, 0)
        assert (found["value"], found["age_s"], found["stale"], found["cause"]) == (3.0, 2.0, False, ["CLOCK"])
        await poll(place, control, {0: 4.0})
        found = await shown(place, 0)
        assert (found["value"], found["cause"], found["quality"]) == (4.0, [], "GOOD")
        for _ in range(6):
            clock.ns += 10 * 10**9
            await poll(place, control, {0: 99.0}, ahead_ns)
        found = await shown(place, 0)
        assert (found["value"], found["quality"], found["cause"], found["stale"]) == (None, "MISSING", ["CLOCK"], True)
        assert found["age_s"] == 60.0
        assert len(place.store.points(gas_id(0), 0, 2**62)) == 9, "all of it is kept"
        assert place.service.centre.board.alarms_by_id == {}


@pytest.mark.parametrize("hours", [0, 2])
async def test_a_start_takes_nothing_from_the_future(tmp_path, hours: int) -> None:
    """Nor what was the future then, and has come to pass while nobody ran."""
    clock, control = HandWall(START_NS), quality_control()
    async with world(tmp_path, clock=clock, period_s=10.0) as place:
        await place.service.centre.tick()
        await poll(place, control, {0: 3.0, 1: 3.0})
        await poll(place, control, {0: 99.0}, HOUR_NS)
        await poll(place, control, {0: 99.0}, 365 * 24 * HOUR_NS)
        await place.service.centre._write()
    clock.ns += hours * HOUR_NS + 15 * 10**9
    async with world(tmp_path, clock=clock, period_s=10.0) as place:
        engine = place.service.centre.engine
        engine.areas()
        slot = engine.window.slots(np.array([gas_id(0)]))
        assert (engine.window.usable_ns[slot], engine.window.time_ns[slot]) == (START_NS, START_NS)
        found = await shown(place, 0)
        assert (found["value"], found["age_s"]) == (3.0, hours * 3600 + 15.0)
        for _ in range(8):
            await place.service.centre.tick()
            clock.ns += 30 * 10**9
        dark = {a.subject for a in place.service.centre.board.alarms_by_id.values() if a.hazard == "no_data"}
        assert dark == {SOURCE}, "the gateway is silent"
