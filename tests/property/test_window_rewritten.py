"""Of two rows of one series and time the later one counts, in whatever order they come and however they are cut.

The oracle of plain sums is a loop over the last row of each moment; that of totalisers a window that never saw another
row than these. Hours are those of the minutes, and those that the store hands back.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.window import Window
from ingest.window.filling import PastHours
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.quality import Quality
from telemetry.series import Series

START = 28_000_020 * MINUTE_NS
"""Twenty minutes into an hour."""
RAIN, WIND = 0, 1
MINUTES = 300
SPAN = 240

Row = tuple[int, float, int]
"""Second, value, quality."""


def window(minutes: int = MINUTES) -> Window:
    made = Window(["rain_total", "wind_speed"], minutes=minutes)
    made.announce(
        {
            identity: Series(
                station="s", point="p", quantity=quantity, unit="m", valid=(0, 1), period_s=60.0, modulus=100.0
            )
            for identity, quantity in ((1, "rain_total"), (2, "wind_speed"))
        }
    )
    return made


def put(hot: Window, slot: int, found: list[Row]) -> None:
    if not found:
        return
    seconds, value, quality = (np.array(column) for column in zip(*found, strict=True))
    n = len(found)
    value = np.where(quality == Quality.MISSING, np.nan, value)
    times = START + seconds.astype(np.int64) * SECOND_NS
    hot.insert(np.full(n, slot), times, value, quality.astype(np.uint8), np.zeros(n, np.uint16))


@st.composite
def minutely(draw: st.DrawFn, counter: bool, most: int = 12) -> list[list[Row]]:
    """One sample in a minute, some of them written again with another quality or value; in any order, in commits."""
    minutes = draw(st.lists(st.integers(0, SPAN), min_size=1, max_size=most, unique=True))
    gains = draw(st.lists(st.integers(0, 30), min_size=len(minutes), max_size=len(minutes)))
    value = dict(zip(sorted(minutes), np.mod(90 + np.cumsum(gains) / 10, 100.0).tolist(), strict=True))
    qualities = st.sampled_from([Quality.GOOD, Quality.SUSPECT, Quality.BAD, Quality.MISSING])
    written = draw(st.lists(st.sampled_from(minutes), max_size=12))
    order = draw(st.permutations(minutes + written))
    found = [
        (minute * 60 + minute % 7, value[minute] + (0 if counter else draw(st.integers(0, 3))), draw(qualities))
        for minute in order
    ]
    cuts = sorted(draw(st.sets(st.integers(0, len(found)), max_size=8)) | {0, len(found)})
    return [found[a:b] for a, b in pairwise(cuts)]


def last_of(commits: list[list[Row]]) -> list[Row]:
    return sorted({row[0]: row for commit in commits for row in commit}.values())


def spans(hot: Window, quantity: str, slot: int) -> list[tuple[float, int, int]]:
    found = []
    for minute in range(0, SPAN + 60, 7):
        for width in (1, 11, 250):
            span = hot.span(quantity, np.array([slot]), np.array([START + minute * MINUTE_NS]), width)
            found.append((round(float(span.total[0]), 6), int(span.count[0]), int(span.suspect[0])))
    return found


@settings(max_examples=60, deadline=None)
@given(minutely(counter=False))
def test_a_plain_sum_holds_the_last_row_of_every_moment(commits: list[list[Row]]) -> None:
    hot = window()
    for commit in commits:
        put(hot, WIND, commit)
    usable = [row for row in last_of(commits) if row[2] <= Quality.SUSPECT]
    oracle = []
    for minute in range(0, SPAN + 60, 7):
        for width in (1, 11, 250):
            inside = [row for row in usable if minute - width < row[0] // 60 <= minute]
            doubtful = sum(row[2] == Quality.SUSPECT for row in inside)
            oracle.append((round(sum(row[1] for row in inside), 6), len(inside), doubtful))
    assert spans(hot, "wind_speed", WIND) == oracle


@settings(max_examples=60, deadline=None)
@given(minutely(counter=True))
def test_a_totaliser_sums_as_if_only_the_last_rows_had_ever_come(commits: list[list[Row]]) -> None:
    hot, oracle = window(), window()
    for commit in commits:
        put(hot, RAIN, commit)
    put(oracle, RAIN, last_of(commits))
    assert hot.blurred == 0
    assert spans(hot, "rain_total", RAIN) == spans(oracle, "rain_total", RAIN)


@settings(max_examples=40, deadline=None)
@given(minutely(counter=False, most=8), minutely(counter=True, most=8))
def test_hours_are_the_sums_of_their_minutes_and_count_what_is_spoiled(wind: list[list[Row]], rain: list[list[Row]]):
    """DESIGN 3: buckets keep a count per quality, so one missed poll does not spoil an hour."""
    hot = window()
    for slot, commits in ((WIND, wind), (RAIN, rain)):
        for commit in commits:
            put(hot, slot, commit)
    for name, slot, commits in (("wind_speed", WIND, wind), ("rain_total", RAIN, rain)):
        newest = max(row[0] for row in last_of(commits))
        at = np.array([START + newest * SECOND_NS])
        hours = hot.each_hour(name, np.array([slot]), at, 6)
        end = START + newest * SECOND_NS
        for back in range(5):
            hour = end // HOUR_NS - back
            last = np.array([(hour + 1) * HOUR_NS - MINUTE_NS])
            minutes = hot.span(name, np.array([slot]), last, 60)
            assert hours.total[0, 5 - back] == pytest.approx(minutes.total[0], abs=1e-6)
            assert hours.count[0, 5 - back] == minutes.count[0]
            assert hours.suspect[0, 5 - back] == minutes.suspect[0]
            rows = [row for row in last_of(commits) if (START + row[0] * SECOND_NS) // HOUR_NS == hour]
            assert hours.missing[0, 5 - back] == sum(row[2] == Quality.MISSING for row in rows)
            assert hours.bad[0, 5 - back] == sum(row[2] == Quality.BAD for row in rows)


def test_rows_of_one_minute_are_told_apart_while_they_are_remembered() -> None:
    """Quality control flags a row by the next one or two: ten a minute, the last of them written again."""
    hot = window()
    for second in range(0, 120, 6):
        put(hot, WIND, [(second, float(second), Quality.GOOD)])
        if second:
            put(hot, WIND, [(second - 6, float(second - 6), Quality.SUSPECT)])
    at = np.array([START + MINUTE_NS])
    span = hot.span("wind_speed", np.array([WIND]), at, 2)
    assert (span.total[0], span.count[0], span.suspect[0]) == (sum(range(0, 120, 6)), 20, 19)
    assert hot.replaced == 19


def test_the_newest_reading_that_is_taken_back_is_no_longer_the_newest_usable_one() -> None:
    hot = window()
    put(hot, WIND, [(0, 1.0, Quality.GOOD)])
    put(hot, WIND, [(60, 2.0, Quality.GOOD)])
    put(hot, WIND, [(60, 2.0, Quality.BAD)])
    assert hot.usable_ns[WIND] == START
    assert (hot.quality[WIND], hot.time_ns[WIND]) == (Quality.BAD, START + MINUTE_NS)


def test_a_row_older_than_the_window_is_counted_and_its_series_named() -> None:
    hot = window()
    put(hot, WIND, [(0, 1.0, Quality.GOOD)])
    put(hot, WIND, [(-MINUTES * 60, 1.0, Quality.GOOD)])
    assert (hot.too_old, hot.outdated) == (1, {WIND})


@pytest.mark.parametrize(("quantity", "slot"), [("wind_speed", WIND), ("rain_total", RAIN)])
def test_hours_of_the_store_go_on_with_those_of_the_minutes(quantity: str, slot: int) -> None:
    """Rebuilt: minutes from raw rows, the days before them from hourly aggregates, sums as without a restart."""
    rng = np.random.default_rng(5)
    minutes = np.arange(0, 40 * 60, 10)
    value = np.mod(np.cumsum(rng.integers(0, 4, len(minutes))) / 10, 100.0)
    lived, born = window(60 * 80), window()
    put(lived, slot, [(m * 60, v, Quality.GOOD) for m, v in zip(minutes.tolist(), value.tolist(), strict=True)])
    fresh = minutes >= minutes[-1] - MINUTES + 1
    put(
        born,
        slot,
        [(m * 60, v, Quality.GOOD) for m, v in zip(minutes[fresh].tolist(), value[fresh].tolist(), strict=True)],
    )
    hour = (START + minutes * MINUTE_NS) // HOUR_NS
    each = np.unique(hour)
    born.load_hours(
        PastHours(
            slots=np.full(len(each), slot),
            time_ns=each * HOUR_NS,
            mean=np.array([value[hour == one].mean() for one in each]),
            maximum=np.array([value[hour == one].max() for one in each]),
            by_quality=np.array([[0, (hour == one).sum(), 0, 0, 0] for one in each]),
        )
    )
    at = np.array([START + int(minutes[-1]) * MINUTE_NS])
    ours, theirs = (hot.each_hour(quantity, np.array([slot]), at, 45) for hot in (born, lived))
    np.testing.assert_array_equal(ours.count, theirs.count)
    if quantity == "wind_speed":
        np.testing.assert_allclose(ours.total, theirs.total, atol=1e-6)
    else:  # what fell in the first hour nobody knows by its highest reading
        assert ours.total.sum() == pytest.approx(value[-1] - value[hour == each[0]].max(), abs=1e-6)
    long = [hot.span(quantity, np.array([slot]), at, 45 * 60) for hot in (born, lived)]
    assert long[0].count[0] == long[1].count[0] == len(minutes)
