"""Whatever the order in which rows arrive, the window sums what a plain loop over the sorted rows sums."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.window import Window
from telemetry.clock import MINUTE_NS, SECOND_NS
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
