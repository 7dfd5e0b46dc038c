"""What must hold of derived quantities whatever is measured."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.derived import slope, wind
from ingest.derived.gains import gained, reach
from ingest.derived.samples import Samples
from ingest.window import Window
from telemetry.quality import Quality
from telemetry.series import Series
from telemetry.span import MINUTE_NS

BEGIN = 1_690_473_600_000_000_000 // MINUTE_NS
FULL = 100.0


@st.composite
def gauges(draw: st.DrawFn) -> tuple[int, list[int], list[float]]:
    """Period in minutes, minutes with a sample, tips of 0.1 mm before each; a counter that starts again at 100 mm."""
    step = draw(st.sampled_from([1, 5]))
    phase = draw(st.integers(0, step - 1))
    most = draw(st.integers(4, 120 // step))
    polls = set(range(most)) - draw(st.sets(st.integers(2, most), max_size=most // 2))
    minutes = sorted(phase + step * poll for poll in polls)
    tips = draw(st.lists(st.integers(0, 8), min_size=len(minutes), max_size=len(minutes)))
    return step, minutes, tips


def window_of(minutes: list[int], counter: np.ndarray, chunks: list[list[int]]) -> Window:
    window = Window(["rain_total"], 400)
    window.announce(
        {
            7: Series(
                station="s", point="r", quantity="rain_total", unit="mm", valid=(0, 1000), period_s=60, modulus=FULL
            )
        }
    )
    for chunk in chunks:
        time_ns = (BEGIN + np.array(minutes)[chunk]) * MINUTE_NS
        n = len(chunk)
        quality = np.full(n, Quality.GOOD, np.uint8)
        window.insert(np.zeros(n, np.int64), time_ns, counter[chunk], quality, np.zeros(n, np.uint16))
    return window


def gain_of(
    step: int, minutes: list[int], counter: np.ndarray, chunks: list[list[int]], at: int, length: int
) -> tuple[float, int]:
    time_ns = (BEGIN + np.array(minutes)) * MINUTE_NS
    n = len(minutes)
    samples = Samples(np.full(n, 7), time_ns, counter, np.ones(n, np.uint8), np.zeros(n, np.uint16))
    between = reach(
        np.array([7]),
        np.array([(BEGIN + at) * MINUTE_NS]),
        np.array([length * MINUTE_NS]),
        np.array([step * MINUTE_NS]),
        samples,
    )
    total, count, _ = gained(window_of(minutes, counter, chunks), "rain_total", between)[0]
    return round(float(total), 6), int(count)


@given(gauge=gauges(), at=st.integers(10, 140), length=st.sampled_from([5, 60, 180]), data=st.data())
@settings(max_examples=40, deadline=None)
def test_rain_is_what_tipped_between_the_samples_however_the_rows_come(gauge, at, length, data):
    """The tips between the sample at the beginning and the newest one, whatever the chunks and their order."""
    step, minutes, tips = gauge
    counter = np.round(np.cumsum(tips) * 0.1 % FULL, 6)
    base = max((m for m in minutes if at - length - 1.5 * step <= m <= at - length), default=None)
    last = max((m for m in minutes if at - length < m <= at), default=None)
    expected = 0.0
    if last is not None:
        begin = base if base is not None else min(m for m in minutes if m > at - length)
        expected = sum(tip for m, tip in zip(minutes, tips, strict=True) if begin < m <= last) * 0.1
    order = data.draw(st.permutations(range(len(minutes))))
    cut = data.draw(st.integers(1, len(minutes)))
    whole = gain_of(step, minutes, counter, [list(range(len(minutes)))], at, length)
    parts = gain_of(step, minutes, counter, [order[:cut], order[cut:]] if cut < len(minutes) else [order], at, length)
    assert whole == parts
    assert math.isclose(whole[0], expected, abs_tol=1e-6)
    assert whole[1] == sum(1 for m in minutes if last is not None and at - length < m <= at)


@given(st.floats(0.2, 80), st.floats(0, 360), st.integers(1, 30))
def test_the_mean_of_a_steady_wind_is_itself(speed, direction, n):
    found = wind.means(np.full((1, n), speed), np.full((1, n), direction))
    assert math.isclose(found.scalar[0], speed, rel_tol=1e-9)
    assert math.isclose(found.vector[0], speed, rel_tol=1e-6)
    turned = (found.direction[0] - direction) % 360
    assert min(turned, 360 - turned) < 1e-6
    assert 0 < found.direction[0] <= 360


@given(st.lists(st.floats(0.2, 50), min_size=1, max_size=20), st.floats(0, 359), st.data())
def test_the_vector_mean_is_never_longer_than_the_scalar_mean(speeds, turn, data):
    ways = data.draw(st.lists(st.floats(0, 360), min_size=len(speeds), max_size=len(speeds)))
    found = wind.means(np.array([speeds]), np.array([ways]))
    assert found.vector[0] <= found.scalar[0] + 1e-9
    turned = wind.means(np.array([speeds]), (np.array([ways]) + turn) % 360)
    assert math.isclose(turned.vector[0], found.vector[0], abs_tol=1e-6)


@given(st.floats(-10, 10), st.floats(-100, 100), st.integers(2, 20))
def test_the_slope_of_a_line_is_its_own(rate, level, n):
    time_s = np.arange(float(n))[None]
    assert math.isclose(slope.theil_sen(time_s, level + rate * time_s)[0], rate, abs_tol=1e-6)
