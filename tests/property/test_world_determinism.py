"""The world answers the same whoever asked before, one by one or all at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from simulators.scenario import load_scenario
from telemetry.clock import HOUR_NS
from tests.unit.sim_oracle import default_world

SCENARIO = load_scenario("doksuri-2023").settings
Spot = tuple[str, str, str]
ASKED: tuple[Spot, ...] = (
    ("wx-meizhou", "wind-speed", "wind_speed"),
    ("wx-meizhou", "wind-direction", "wind_direction"),
    ("wx-hushi", "rain", "rain_total"),
    ("tide-xiuyu", "level", "sea_level"),
    ("rv-hushi", "level", "water_level"),
    ("pl-lng-out", "flow", "flow"),
    ("pl-lng-in", "pressure", "pipe_pressure"),
    ("gas-lng", "north", "combustible_gas"),
    ("aq-hushi", "pm25", "pm25"),
    ("tide-pinghai", "distance", "empty_distance"),
)
QUESTIONS = st.lists(
    st.tuples(st.sampled_from(ASKED), st.integers(-2 * HOUR_NS, 30 * HOUR_NS)), min_size=1, max_size=12
)
REFERENCE = default_world(SCENARIO)


def ask(world, spot, time_ns):
    station, point, quantity = spot
    return world.observe(station, point, quantity, time_ns)


@settings(max_examples=10, deadline=None)
@given(QUESTIONS)
def test_answers_do_not_depend_on_the_order_of_questions(questions):
    forwards, backwards = default_world(SCENARIO), default_world(SCENARIO)
    moments = [(spot, SCENARIO.start_ns + at) for spot, at in questions]
    first = [ask(forwards, spot, at) for spot, at in moments]
    last = [ask(backwards, spot, at) for spot, at in reversed(moments)]
    assert first == last[::-1] == [ask(REFERENCE, spot, at) for spot, at in moments]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(ASKED), st.lists(st.integers(-2 * HOUR_NS, 30 * HOUR_NS), min_size=1, max_size=20))
def test_many_at_once_are_the_same_as_one_by_one(spot, offsets):
    times = SCENARIO.start_ns + np.array(offsets, np.int64)
    station, point, quantity = spot
    one_by_one = [ask(REFERENCE, spot, int(t)) for t in times]
    assert REFERENCE.series(station, point, quantity, times) == pytest.approx(one_by_one)


def test_another_seed_is_another_storm_with_the_same_physics():
    other = default_world(replace(SCENARIO, seed=1))
    spot = ("wx-hushi", "wind-speed", "wind_speed")
    assert not np.array_equal(REFERENCE.signal(*spot).values, other.signal(*spot).values)
    assert np.array_equal(REFERENCE.nature.sky("wx-hushi").speed, other.nature.sky("wx-hushi").speed)


def test_unknown_place_or_quantity_is_told():
    with pytest.raises(KeyError, match="no station 'nowhere'"):
        REFERENCE.observe("nowhere", "p", "wind_speed", SCENARIO.start_ns)
    with pytest.raises(KeyError, match="knows no 'charm'"):
        REFERENCE.observe("wx-hushi", "p", "charm", SCENARIO.start_ns)
