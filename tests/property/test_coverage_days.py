"""The book of days counts what a plain loop over all readings counts, in whatever order they come, and after a kill."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.catalogue import Catalogue
from ingest.commit import Commit
from ingest.coverage import rates
from ingest.coverage.book import DayBook
from telemetry.batch import rows
from telemetry.quality import Quality
from telemetry.series import Series, Station, Text, series_id
from telemetry.wire import Announce

SOURCE = "demo/gw"
PERIODS_S = (10.0, 60.0, 300.0, 3600.0, 7.5)
TIMELY_MS = 60_000
ZONES = ("Asia/Shanghai", "Europe/Berlin", "UTC")
BEGIN_MS = 1_698_458_400_000  # 2023-10-28 02:00 UTC: the clocks of Berlin go back in the night after it
HOUR_MS = 3_600_000


def catalogue() -> Catalogue:
    made = Catalogue(site="demo", drill=False)
    made.announce(
        SOURCE,
        Announce(
            revision="1",
            drill=False,
            stations=(Station(id="s", name=Text("站", "s"), kind="weather", lat=25.0, lon=119.0, town="1"),),
            series=tuple(
                Series(station="s", point=f"p{i}", quantity="flow", unit="m3/h", valid=(0, 1), period_s=period)
                for i, period in enumerate(PERIODS_S)
            ),
        ),
    )
    return made


IDS = [series_id("demo", "s", f"p{i}", "flow") for i in range(len(PERIODS_S))]


@dataclass(frozen=True)
class Reading:
    series: int
    time_ms: int
    quality: int
    late_ms: int


readings = st.builds(
    Reading,
    series=st.integers(0, len(PERIODS_S) - 1),
    time_ms=st.integers(-3 * HOUR_MS, 50 * HOUR_MS).map(lambda ms: BEGIN_MS + ms)
    | st.integers(0, 600).map(lambda n: BEGIN_MS + n * 300_000),
    quality=st.sampled_from([Quality.UNCHECKED, Quality.GOOD, Quality.SUSPECT, Quality.BAD, Quality.MISSING]),
    late_ms=st.sampled_from([0, TIMELY_MS, TIMELY_MS + 1, 10 * HOUR_MS]),
)


@dataclass
class Brute:
    """The same arithmetic, reading by reading, with sets of nominal times."""

    zone: ZoneInfo
    width: list[int] = field(default_factory=lambda: [max(60_000, round(1000 * period)) for period in PERIODS_S])
    phase: dict[int, int] = field(default_factory=dict)
    opened: dict[date, dict[int, int]] = field(default_factory=dict)
    received: dict[tuple[date, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    timely: dict[tuple[date, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    newest: dict[tuple[date, int], dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def due(self, day: date, series: int) -> list[int]:
        """The nominal times of a day, counted from where counting began."""
        start, end = (datetime(*one.timetuple()[:3], tzinfo=self.zone) for one in (day, day + timedelta(days=1)))
        width, phase = self.width[series], self.opened[day][series]
        begin, stop = max(BEGIN_MS, round(start.timestamp() * 1000)), round(end.timestamp() * 1000)
        return [phase + n * width for n in range((begin - phase) // width - 1, (stop - phase) // width + 2)
                if begin <= phase + n * width < stop]  # fmt: skip

    def commit(self, found: list[Reading], *, dated: bool = True) -> None:
        here = [one for one in found if one.quality != Quality.MISSING]
        for one in here:
            width = self.width[one.series]
            self.phase.setdefault(one.series, 30_000 if width == 60_000 else one.time_ms % width)
        for day in {self.day(one.time_ms + more) for one in here for more in (-HOUR_MS, 0, HOUR_MS)}:
            self.open(day)
        for one in here:
            for day in self.opened:
                width, phase = self.width[one.series], self.opened[day][one.series]
                nominal = phase + (one.time_ms - phase + width // 2) // width * width
                if nominal in self.due(day, one.series):
                    key = day, one.series
                    self.received[key].add(nominal)
                    self.newest[key][nominal] = one.quality
                    if dated and one.late_ms <= TIMELY_MS:
                        self.timely[key].add(nominal)

    def open(self, day: date) -> None:
        if datetime(*(day + timedelta(days=1)).timetuple()[:3], tzinfo=self.zone).timestamp() * 1000 > BEGIN_MS:
            provisional = {i: self.phase.get(i, self.width[i] // 2) for i in range(len(PERIODS_S))}
            self.opened.setdefault(day, provisional)

    def day(self, time_ms: int) -> date:
        return datetime.fromtimestamp(time_ms / 1000, self.zone).date()

    def counts(self, day: date, series: int, until_ms: int) -> tuple[int, int, int, int]:
        due = {nominal for nominal in self.due(day, series) if nominal <= until_ms}
        key = day, series
        good = {nominal for nominal, quality in self.newest[key].items() if quality == Quality.GOOD}
        return len(due), len(due & self.received[key]), len(due & good), len(due & self.timely[key])


def commit(number: int, found: list[Reading], arrived_ms: int) -> Commit:
    batch = rows(
        SOURCE,
        np.array([IDS[one.series] for one in found], np.int64),
        np.array([one.time_ms for one in found], np.int64) * 1_000_000,
        np.where(np.array([one.quality for one in found]) == Quality.MISSING, np.nan, 1.0),
        quality=np.array([one.quality for one in found], np.uint8),
    )
    return Commit(number=number, batches=(batch.numbered(1, number),), stored=True)


class Recorded:
    """What the book asks of a store at the start."""

    def __init__(self, commits: list[Commit]) -> None:
        self.commits = commits

    def last_commit(self) -> int:
        return self.commits[-1].number if self.commits else 0

    def rows_after(self, number: int) -> list[Commit]:
        return [one for one in self.commits if one.number > number]

    def recent(self, since_ns: int) -> list[Commit]:
        kept = [(one, one.batches[0]) for one in self.commits]
        return [Commit(number=one.number, batches=(batch.take(batch.time_ns >= since_ns),), stored=True)
                for one, batch in kept]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    groups=st.lists(st.lists(readings, min_size=1, max_size=12), min_size=1, max_size=8),
    zone=st.sampled_from(ZONES),
    cut=st.integers(0, 8),
    until_ms=st.integers(0, 60 * HOUR_MS).map(lambda ms: BEGIN_MS + ms),
)
def test_the_book_counts_what_a_loop_counts(groups, zone, cut, until_ms):
    """A kill after some commits, of which the file holds those before the last writing: nothing is lost or doubled."""
    brute, commits = Brute(ZoneInfo(zone)), list[Commit]()
    now_ns = BEGIN_MS * 1_000_000
    with TemporaryDirectory() as folder:
        path = Path(folder) / "book.sqlite"
        book = DayBook(path, catalogue(), zone, TIMELY_MS)
        book.restore(Recorded([]), now_ns)
        for number, found in enumerate(groups, 1):
            for one in found:  # one by one, since each has an arrival of its own
                commits.append(commit(len(commits) + 1, [one], 0))
                book.take(commits[-1], (one.time_ms + one.late_ms) * 1_000_000, now_ns)
                brute.commit([one])
            if number == cut:
                book.flush()
                book.close()
                book = DayBook(path, catalogue(), zone, TIMELY_MS)
                book.restore(Recorded(commits), now_ns)
        check(book, brute, until_ms)
        book.close()


def check(book: DayBook, brute: Brute, until_ms: int) -> None:
    for day in [brute.day(BEGIN_MS + 24 * HOUR_MS * n) for n in range(3)]:
        brute.open(day)
        series, counts = book.counts(day, (until_ms + TIMELY_MS) * 1_000_000)
        table = dict(zip(series.tolist(), np.stack(counts, axis=1).tolist(), strict=True))
        for i, key in enumerate(IDS):
            assert tuple(table[key]) == brute.counts(day, i, until_ms), (day, PERIODS_S[i])


@settings(max_examples=20, deadline=None)
@given(groups=st.lists(st.lists(readings, min_size=1, max_size=8), min_size=2, max_size=6), lost=st.integers(1, 5))
def test_a_kill_loses_when_rows_came_and_nothing_else(groups, lost):
    """What is counted again at the start is received, and good where it was; of its time of arrival nothing is said."""
    now_ns = BEGIN_MS * 1_000_000
    commits = [commit(number, found, 0) for number, found in enumerate(groups, 1)]
    with TemporaryDirectory() as folder:
        whole = DayBook(Path(folder) / "whole.sqlite", catalogue(), "UTC", TIMELY_MS)
        killed = DayBook(Path(folder) / "killed.sqlite", catalogue(), "UTC", TIMELY_MS)
        for book in (whole, killed):
            book.restore(Recorded([]), now_ns)
        later_ns = now_ns + 20 * HOUR_MS * 1_000_000  # so that some of what is lost was sampled before the writing
        for one in commits:
            whole.take(one, later_ns, later_ns)
        for one in commits[:-lost]:
            killed.take(one, later_ns, later_ns)
        killed.flush()
        for one in commits[-lost:]:
            killed.take(one, later_ns, later_ns)  # and this is what the kill takes
        again = DayBook(Path(folder) / "killed.sqlite", catalogue(), "UTC", TIMELY_MS)
        again.restore(Recorded(commits), now_ns)
        until_ns = (BEGIN_MS + 72 * HOUR_MS) * 1_000_000
        for day in (date(2023, 10, 28), date(2023, 10, 29), date(2023, 10, 30)):
            (_, expected), (_, found) = whole.counts(day, until_ns), again.counts(day, until_ns)
            for name in ("expected", "received", "good"):
                assert getattr(expected, name).tolist() == getattr(found, name).tolist(), (day, name)
            assert (found.timely <= found.received).all()
        for book in (whole, killed, again):
            book.close()


def test_a_kill_before_the_first_writing_loses_nothing_either(tmp_path):
    """A book begins when its centre does, not when it is written first."""
    now_ns = BEGIN_MS * 1_000_000
    found = [commit(1, [Reading(2, BEGIN_MS + 300_000, Quality.GOOD, 0)], 0)]
    killed = DayBook(tmp_path / "book.sqlite", catalogue(), "UTC", TIMELY_MS)
    killed.restore(Recorded([]), now_ns)
    killed.take(found[0], now_ns, now_ns)
    again = DayBook(tmp_path / "book.sqlite", catalogue(), "UTC", TIMELY_MS)
    again.restore(Recorded(found), now_ns + 600_000 * 1_000_000)
    _, counts = again.counts(date(2023, 10, 28), now_ns + HOUR_MS * 1_000_000)
    assert (counts.received.sum(), counts.good.sum(), counts.timely.sum()) == (1, 1, 0)
    assert again.since_ms == BEGIN_MS
    for book in (killed, again):
        book.close()


@given(
    members=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans(), st.sampled_from(list(Quality))), max_size=30
    )
)
def test_rates_are_those_of_a_loop(members):
    """Unknown never counts as covered: a silent, missing or absent series is no report of anybody."""
    group = np.array([one[0] for one in members], np.int64)
    stale = np.array([one[2] for one in members], bool)
    state = rates.states(stale, np.array([one[3] for one in members], np.uint8))
    stations = rates.of_stations(group, state, 4)
    for n in range(4):
        mine = [(late, quality) for g, _, late, quality in members if g == n]
        reports = [not late and quality != Quality.MISSING for late, quality in mine]
        good = [not late and quality == Quality.GOOD for late, quality in mine]
        assert (stations[n] >= rates.DOUBTFUL) == any(reports)
        assert (stations[n] == rates.WELL) == (bool(mine) and all(good))
        assert (stations[n] == rates.ABSENT) == (not mine)
    need = np.array([one[1] for one in members], np.int64)
    needs = rates.of_needs(need, state, 3)
    sources, partly = rates.of_sources(np.array([0, 1, 1]), needs, 2)
    best = [max([int(s) for s, n in zip(state, need, strict=True) if n == i], default=0) for i in range(3)]
    assert needs.tolist() == best
    assert sources.tolist() == [best[0], min(best[1], best[2])]
    assert partly.tolist() == [False, min(best[1:]) == 0 and max(best[1:]) > 0]
