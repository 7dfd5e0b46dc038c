"""The stage of derived series around a real store: what is written, what late rows change, what a restart changes."""

import json

import numpy as np
import pytest

from ingest.derived.rules import load_rules
from ingest.derived.surroundings import Surroundings
from ingest.derived.tide import Constants
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.quantity import QUANTITIES
from tests.unit.derived_centre import START_NS, Place, announcement, identity, series

RAIN = series("st-1", "rain", "rain_total", modulus=100.0)
LEVEL = series("rv-1", "level", "water_level")
LATE_NS = 31 * SECOND_NS


def minutes(first: int, last: int) -> np.ndarray:
    return START_NS + np.arange(first, last + 1) * MINUTE_NS


def counter(time_ns: np.ndarray) -> np.ndarray:
    """0.2 mm a minute on a counter that starts again at 100 mm."""
    return np.round(((time_ns - START_NS) // MINUTE_NS * 0.2 + 95.0) % 100.0, 3)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, announcement(RAIN, LEVEL))


async def feed(place: Place, first: int, last: int) -> None:
    time_ns = minutes(first, last)
    await place.send(identity("st-1", "rain", "rain_total"), time_ns, counter(time_ns))
    await place.send(identity("rv-1", "level", "water_level"), time_ns, (time_ns - START_NS) / HOUR_NS * 0.5)


async def test_a_tick_writes_what_the_newest_rows_allow_and_catalogue_and_store_know_it(place):
    async with place.running(START_NS):
        await feed(place, 0, 120)
        await place.tick(START_NS + 2 * HOUR_NS + LATE_NS)
        rain, rise = place.stored("st-1", "rain-1h", "rain_sum"), place.stored("rv-1", "level-rise-60min", "rise_rate")
        assert rain[120] == pytest.approx(12.0)
        assert rise[120] == pytest.approx(0.5)
        assert place.stored("st-1", "rain-1h", "completeness")[120] == 100.0
        entry = place.catalogue.entry(identity("st-1", "rain-1h", "rain_sum"))
        assert (entry.source, entry.is_derived, entry.series.period_s) == ("demo/derived", True, 300.0)
        assert "from rain (rain_total) over 1h, a sample each 60 s" in entry.deployments[-1].note


async def test_live_values_are_those_of_computing_all_anew(place):
    """The hot window and a window made from the store agree, across rollover and a gap."""
    async with place.running(START_NS):
        for hour in range(4):
            if hour != 2:
                await feed(place, 60 * hour, 60 * hour + 59)
            for step in range(1, 13):
                await place.tick(START_NS + (60 * hour + 5 * step) * MINUTE_NS + LATE_NS)
        live = {name: place.stored("st-1", name, "rain_sum") for name in ("rain-5min", "rain-1h", "rain-3h")}
        before = place.store.count()
        place.stage.owed.everything(START_NS, START_NS + 4 * HOUR_NS)
        await place.settled()
        for name, values in live.items():
            assert place.stored("st-1", name, "rain_sum") == pytest.approx(values, nan_ok=True)
        assert place.store.count() == before, "what is computed again and is the same is not written"


async def test_late_rows_change_what_they_should_and_nothing_else(place):
    """F: an outage of one gateway is filled later; the past hours are computed again, the later commit wins."""
    async with place.running(START_NS):
        await feed(place, 0, 60)
        for minute in range(5, 245, 5):
            await place.tick(START_NS + minute * MINUTE_NS + LATE_NS)
        assert np.isnan(place.stored("rv-1", "level-rise-60min", "rise_rate")[150])
        before = place.stored("st-1", "rain-1h", "rain_sum")
        await feed(place, 61, 180)
        assert place.stage.owed.members
        await place.settled()
        rise, rain = place.stored("rv-1", "level-rise-60min", "rise_rate"), place.stored("st-1", "rain-1h", "rain_sum")
        assert [rise[minute] for minute in (120, 150, 180)] == pytest.approx([0.5] * 3)
        assert [rain[minute] for minute in (120, 150, 180)] == pytest.approx([12.0] * 3)
        assert {at: rain[at] for at in (30, 60)} == {at: before[at] for at in (30, 60)}


async def test_a_restart_neither_loses_nor_doubles(place):
    """A centre that dies with rows that nobody derived yet, and one whose cursor is old, write each row once."""
    async with place.running(START_NS):
        await feed(place, 0, 60)
        for minute in range(5, 65, 5):
            await place.tick(START_NS + minute * MINUTE_NS + LATE_NS)
        await feed(place, 61, 120)  # committed, and the centre dies before it ticks
        cursor = json.loads((place.folder / "derived.json").read_text())
    place.epoch += 1
    async with place.running(START_NS + 3 * HOUR_NS):
        await place.settled()
        rain = place.stored("st-1", "rain-1h", "rain_sum")
        assert [rain[minute] for minute in (60, 65, 90, 120)] == pytest.approx([12.0] * 4)
        whole, distinct = place.store.count(), place.store.distinct_count()
        assert whole == distinct
    (place.folder / "derived.json").write_text(json.dumps(cursor | {"commit": 0, "until_ns": START_NS}))
    place.epoch += 1
    async with place.running(START_NS + 3 * HOUR_NS):
        await place.settled()
        assert place.store.count() == whole
        assert place.stored("st-1", "rain-1h", "rain_sum") == pytest.approx(rain, nan_ok=True)


async def test_what_is_not_taken_is_sent_again(place, monkeypatch):
    """A full intake, or a store that refuses, delays derived rows and loses none."""
    async with place.running(START_NS):
        await feed(place, 0, 70)
        put, refused = place.intake.put, []
        monkeypatch.setattr(place.intake, "put", lambda message: bool(refused.append(message)))
        monkeypatch.setattr("ingest.derivation.stage._PATIENCE_S", 0.1)
        await place.tick(START_NS + HOUR_NS + LATE_NS)
        assert len({message.payload for message in refused}) == 1
        await place.tick(START_NS + HOUR_NS + 5 * MINUTE_NS + LATE_NS)
        assert len({message.payload for message in refused}) == 1, "what waits has a bound"
        assert not place.stored("st-1", "rain-1h", "rain_sum")
        assert place.stage.figures.problem == "derived rows are not taken"
        monkeypatch.setattr(place.intake, "put", put)
        await place.tick(START_NS + HOUR_NS + 10 * MINUTE_NS + LATE_NS)
        await place.settled()
        rain = place.stored("st-1", "rain-1h", "rain_sum")
        assert [rain[minute] for minute in (60, 65, 70)] == pytest.approx([12.0] * 3)
        assert place.stage.courier.lost_rows == 0


async def test_a_series_that_is_announced_later_is_derived_from_then_on(tmp_path):
    place = Place(tmp_path, announcement(RAIN))
    async with place.running(START_NS):
        time_ns = minutes(0, 60)
        await place.send(identity("st-1", "rain", "rain_total"), time_ns, counter(time_ns))
        await place.tick(START_NS + HOUR_NS + LATE_NS)
        assert place.stage.figures.series == 16
    place.announced, place.epoch = announcement(RAIN, LEVEL), 2
    async with place.running(START_NS + HOUR_NS + MINUTE_NS):
        await feed(place, 61, 120)
        await place.tick(START_NS + 2 * HOUR_NS + LATE_NS)
        assert place.stored("rv-1", "level-rise-30min", "rise_rate")[120] == pytest.approx(0.5)
        assert place.stored("st-1", "rain-1h", "rain_sum")[120] == pytest.approx(12.0)


async def test_one_late_row_changes_every_moment_whose_window_holds_it(place):
    rain = identity("st-1", "rain", "rain_total")
    async with place.running(START_NS):
        time_ns = minutes(0, 180)
        kept = np.delete(time_ns, 100)
        await place.send(rain, kept, counter(kept))
        for minute in range(5, 185, 5):
            await place.tick(START_NS + minute * MINUTE_NS + LATE_NS)
        share = place.stored("st-1", "rain-1h", "completeness")
        assert {minute for minute, found in share.items() if minute > 65 and found < 100} == set(range(100, 160, 5))
        await place.send(rain, time_ns[100:101], counter(time_ns[100:101]))
        await place.settled()
        share = place.stored("st-1", "rain-1h", "completeness")
        assert [found for minute, found in share.items() if minute > 65] == [100.0] * 23


async def test_a_counter_that_speaks_again_right_after_a_moment_had_not_gained_by_then(place):
    """The hot window knows the gain of the gap already; live values must not differ from those computed later."""
    rain = identity("st-1", "rain", "rain_total")
    async with place.running(START_NS):
        before = minutes(0, 60)
        await place.send(rain, before, counter(before))
        await place.tick(START_NS + HOUR_NS + LATE_NS)
        after = START_NS + 3 * HOUR_NS + np.array([20]) * SECOND_NS
        await place.send(rain, after, counter(minutes(180, 180)))
        await place.tick(START_NS + 3 * HOUR_NS + LATE_NS)
        await place.settled()
        assert place.stored("st-1", "rain-3h", "rain_sum")[180] == pytest.approx(12.0)


async def test_after_a_restart_the_last_rows_of_before_still_count(place):
    """Rows that came within the lateness are in commits that the cursor has passed, and no new row follows them."""
    async with place.running(START_NS):
        await feed(place, 0, 64)
        await place.tick(START_NS + HOUR_NS + LATE_NS)
    place.epoch += 1
    async with place.running(START_NS + 3 * HOUR_NS):
        await place.settled()
        assert place.stored("st-1", "rain-5min", "rain_sum")[65] == pytest.approx(0.8)


async def test_a_new_gateway_that_sends_its_past_at_once_has_it_derived(place):
    """Its rows come before the tick that plans its series, and belong to moments that are over."""
    async with place.running(START_NS + 3 * HOUR_NS + LATE_NS):
        await feed(place, 0, 180)
        await place.stage.tick()
        await place.settled()
        rain = place.stored("st-1", "rain-1h", "rain_sum")
        assert [rain[minute] for minute in (60, 120, 180)] == pytest.approx([12.0] * 3)


async def test_every_built_in_rule_gives_values_where_all_is_measured(tmp_path):
    """One station that measures everything for a day: each derived series has a value at its end."""
    slow = sorted(
        {quantity for rule in load_rules() for quantity in rule.inputs.values()} - {"wind_speed", "wind_direction"}
    )
    units = {name: QUANTITIES[name].unit for name in slow}
    measured = [series("st-1", name.replace("_", "-"), name, 180.0, unit=units[name]) for name in slow]
    wind = [series("st-1", name.replace("_", "-"), name, 1.0) for name in ("wind_speed", "wind_direction")]
    constants = Constants(
        station="st-1", point="sea-level", latitude=25, datum="gauge", mean=1, source="test", constituents=()
    )
    place = Place(
        tmp_path,
        announcement(*measured, *wind, kind="river"),
        Surroundings(datum="gauge", tides={("st-1", "sea-level"): constants}),
    )
    async with place.running(START_NS + 24 * HOUR_NS - MINUTE_NS):
        day, end = minutes(0, 1440)[::3], START_NS + 24 * HOUR_NS
        for one in measured:
            await place.send(identity("st-1", one.point, one.quantity), day, np.linspace(6.5, 7.0, len(day)))
        seconds = end - np.arange(600)[::-1] * SECOND_NS
        await place.send(identity("st-1", "wind-speed", "wind_speed"), seconds, np.full(600, 8.0))
        await place.send(identity("st-1", "wind-direction", "wind_direction"), seconds, np.full(600, 350.0))
        await place.tick(end + LATE_NS)
        groups = place.stage.plan.groups
        assert {(group.rule.id, group.lead) for group in groups} == {
            (rule.id, next(iter(rule.inputs))) for rule in load_rules()
        }
        ids = np.concatenate([group.outputs.ravel() for group in groups])
        newest = place.store.samples(ids, end, end + SECOND_NS)
        assert set(newest.series.tolist()) == set(ids.tolist())
        unknown = newest.series[np.isnan(newest.value)].tolist()
        assert unknown == [identity("st-1", "rain-amount-48h", "rain_sum")], (
            "half of its time lies before the first row"
        )
        assert place.stored("st-1", "sea-level-tide", "tide_residual")[1440] == pytest.approx(6.0)
        assert place.stored("st-1", "wind-speed-gust-10min", "wind_gust_peak")[1440] == 8.0
        assert place.stored("st-1", "water-class", "water_class")[1440] == 6.0
