"""Whatever the order in which rows arrive, the window sums what a plain loop over the sorted rows sums."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.window import Window
from telemetry.clock import MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from telemetry.series import Series

START = 28_000_000 * MINUTE_NS
MODULUS = 100.0


def window() -> Window:
    made = Window(["rain_total", "wind_speed"], minutes=200)
    made.announce(
        {
            identity: Series(
                station="s", point="p", quantity=quantity, unit="m", valid=(0, 1), period_s=60.0, modulus=MODULUS
            )
            for identity, quantity in ((1, "rain_total"), (2, "wind_speed"))
        }
    )
    return made


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[int], list[float], list[int], list[int]]:
    seconds = sorted(draw(st.sets(st.integers(0, 60 * 60), min_size=1, max_size=30)))
    gains = draw(st.lists(st.integers(0, 40), min_size=len(seconds), max_size=len(seconds)))
    order = draw(st.permutations(range(len(seconds))))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(seconds) - 1)), max_size=6)))
    return seconds, [gain / 10 for gain in gains], list(order), cuts


def oracle_gain(seconds: list[int], gains: list[float], minute: int, width: int) -> float:
    """What surely fell in the window: a gain counts from the minute after the sample before it."""
    total = 0.0
    for before, after, gain in zip(seconds, seconds[1:], gains[1:], strict=False):
        since = before // 60 + 1 if after // 60 > before // 60 else after // 60
        total += gain if minute - width < since <= minute else 0.0
    return total


@settings(max_examples=50, deadline=None)
@given(arrivals(), st.integers(1, 70), st.integers(0, 70))
def test_sums_do_not_depend_on_the_order_of_arrival(
    case: tuple[list[int], list[float], list[int], list[int]], width: int, minute: int
) -> None:
    seconds, gains, order, cuts = case
    counter = np.mod(95.0 + np.cumsum(gains), MODULUS)
    hot = window()
    for part in np.split(np.array(order), cuts):
        n = len(part)
        times = START + np.array(seconds, np.int64)[part] * SECOND_NS
        for slot, value in ((0, counter), (1, np.array(gains))):
            hot.insert(np.full(n, slot, np.int64), times, value[part], np.ones(n, np.uint8), np.zeros(n, np.uint16))
    at = np.array([START + minute * MINUTE_NS], np.int64)
    wind = hot.span("wind_speed", np.array([1]), at, width)
    inside = [g for s, g in zip(seconds, gains, strict=True) if minute - width < s // 60 <= minute]
    assert wind.count[0] == len(inside)
    assert abs(wind.total[0] - sum(inside)) < 1e-9
    rain = hot.span("rain_total", np.array([0]), at, width)
    assert abs(rain.total[0] - oracle_gain(seconds, gains, minute, width)) < 1e-9


@given(st.data())
def test_tests_by_hand_bring_nothing_however_the_rows_are_cut_into_commits(data: st.DataObject) -> None:
    """Oracle: a loop that measures each usable row from the row before it, and none to a row made by hand."""
    n = data.draw(st.integers(1, 30))
    seconds = sorted(data.draw(st.lists(st.integers(0, 1200), min_size=n, max_size=n, unique=True)))
    value = np.cumsum(data.draw(st.lists(st.integers(0, 20), min_size=n, max_size=n))) / 10
    hand = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    gains = [
        after - before for before, after, made in zip(value, value[1:], hand[1:].tolist(), strict=False) if not made
    ]
    window = Window(["flow_total"], minutes=60)
    window.announce({1: Series(station="s", point="p", quantity="flow_total", unit="m3", valid=(0, 1e6), period_s=1.0)})
    cuts = sorted(data.draw(st.sets(st.integers(0, n))) | {0, n})
    for first, last in pairwise(cuts):
        part = slice(first, last)
        window.insert(
            np.zeros(last - first, np.int64),
            START + np.array(seconds[part], np.int64) * SECOND_NS,
            value[part],
            np.where(hand[part], Quality.BAD, Quality.GOOD).astype(np.uint8),
            np.where(hand[part], Cause.MANUAL, 0).astype(np.uint16),
        )
    span = window.span("flow_total", np.zeros(1, np.int64), np.array([START + 1200 * SECOND_NS]), 60)
    assert span.total[0] == pytest.approx(sum(gains), abs=1e-6)
    assert span.count[0] == (~hand).sum()
