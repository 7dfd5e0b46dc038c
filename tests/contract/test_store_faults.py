"""A server of rows that refuses, is cut off or is killed in mid-write: nothing is lost, nothing doubled after it."""

import base64
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from ingest.store.protocol import StoreError, StoreOpenError, StoreRefusedError, Tally
from ingest.store.server.address import Address, check_url
from ingest.store.server.opening import trouble
from ingest.store.server.store import ServerStore
from ingest.store.server.victoriametrics import VictoriaMetrics
from telemetry.batch import MILLISECOND_NS, Batch, rows
from telemetry.clock import HOUR_NS, SECOND_NS
from telemetry.quality import Quality
from telemetry.tls import TlsFiles
from tests.contract.cutting import Proxy, cutting
from tests.contract.store_servers import FLAGS, Metrics, victoria_metrics
from tests.integration.certificates import Authority
from tests.unit.ingest_data import SOURCE, START_NS, announce, batch, ids, level

NAN = float("nan")
ROWS = 600
REQUEST = 2_000
GROUP = 5
"""Batches: more rows than one request takes here."""


@dataclass
class Hand:
    """Seconds that move by hand."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Place:
    """One server, the way to it, and the folder of the journal."""

    server: Metrics
    proxy: Proxy
    folder: Path
    time: Hand = field(default_factory=Hand)
    opened: list[ServerStore] = field(default_factory=list)

    def open(self) -> ServerStore:
        talk = VictoriaMetrics(Address(url=self.proxy.url))
        store = ServerStore(talk, self.folder / "journal", place="here", now_ns=lambda: START_NS, now_s=self.time)
        self.opened.append(store)
        return store

    def again(self) -> ServerStore:
        """As after the death of the process: nothing of it but the files."""
        self.opened[-1].close()
        return self.open()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr("ingest.store.server.lines.BODY_ROWS", REQUEST)
    with victoria_metrics(tmp_path / "vm") as server, cutting(server.port) as proxy:
        place = Place(server, proxy, tmp_path)
        yield place
        for store in place.opened:
            store.close()


def large(seq: int) -> Batch:
    """A batch that names itself in each of its rows, some of them missing."""
    series = np.arange(1, ROWS + 1, dtype=np.int64)
    value = np.where(series % 7 == 0, NAN, seq + 0.5)
    return rows(SOURCE, series, np.full(ROWS, START_NS + seq * SECOND_NS), value).numbered(7, seq)


def assert_held(place: Place, store: ServerStore, numbers: range, *, raw: int | None = None) -> None:
    """The server by itself has each row of these batches, once; and so says the store."""
    expected = len(numbers) * ROWS
    assert (store.count(), store.distinct_count()) == (raw or expected, expected)
    assert store.missing_count() == len(numbers) * (ROWS // 7)
    place.server.show()
    held = place.opened[-1]._server.read(None, 0, 2**43)
    assert len(held) == expected
    for found in (held.value, store.samples(large(1).series, 0, 2**62).value):
        counted = dict(zip(*np.unique(found[~np.isnan(found)], return_counts=True), strict=True))
        assert counted == {seq + 0.5: ROWS - ROWS // 7 for seq in numbers}


def test_a_server_that_is_away_is_said_in_one_line_and_the_group_is_taken_later(place):
    store = place.open()
    place.server.kill()
    group = [large(seq) for seq in range(1, 3)]
    for _ in range(3):
        with pytest.raises(StoreRefusedError, match=r"^http://127\.0\.0\.1:\d+: .*, expected a server that answers$"):
            store.commit(group)
    with pytest.raises(StoreRefusedError):
        store.points(1, 0, 2**62)
    assert not store.is_committed(SOURCE, 7, 1)
    place.server.start()
    result = store.commit(group)
    assert (result.number, result.fresh, result.rows) == (1, (True, True), 2 * ROWS)
    assert_held(place, store, range(1, 3))


@pytest.mark.parametrize("after", [0, 1, 200, 7_000, 50_000, 100_000, 140_000])
def test_a_write_that_is_cut_anywhere_is_finished_as_it_was_begun(place, after):
    """Within the head, the first request, the second, or none: the group is the same, and so are its rows."""
    store = place.open()
    store.commit([large(1)])
    assert GROUP * ROWS > REQUEST
    group = [large(seq) for seq in range(2, 2 + GROUP)]
    place.proxy.after = after
    with pytest.raises(StoreRefusedError):
        store.commit(group)
    assert place.proxy.cuts == 1
    assert not any(store.is_committed(SOURCE, 7, one.seq) for one in group)
    place.proxy.heal()
    result = store.commit([*group, large(9)])
    assert (result.number, result.rows) == (3, (GROUP + 1) * ROWS)
    assert all(result.fresh)
    store.commit(group)
    assert [commit.number for commit in store.rows_after(0)] == [1, 2, 3]
    held = place.opened[-1]
    assert len(held._delivery.layers) == 1
    assert (store.count(), store.distinct_count()) == (7 * ROWS, 7 * ROWS)


def test_an_answer_that_is_lost_doubles_nothing(place):
    store = place.open()
    store.commit([large(1)])
    place.proxy.answers = False
    for _ in range(2):
        with pytest.raises(StoreRefusedError, match="expected a server that answers"):
            store.commit([large(2)])
    place.proxy.heal()
    assert store.commit([large(2)]).fresh == (True,)
    assert_held(place, store, range(1, 3))


def test_what_a_killed_server_had_only_in_its_memory_is_sent_again(place):
    """It answered 204 and was killed: by itself it has lost those rows. Nobody resends them but the journal."""
    store = place.open()
    store.commit([large(1)])
    place.server.restart()
    place.server.show()
    assert len(place.opened[-1]._server.read(None, 0, 2**43)) == 0, "lost at the server"
    assert len(store.samples(large(1).series, 0, 2**62)) == ROWS, "and yet read"
    place.time.now_s += 30.0
    store.commit([large(2)])
    assert_held(place, store, range(1, 3))


def test_a_server_killed_between_two_commits_of_one_second_loses_nothing_once_it_is_looked_at(place):
    store = place.open()
    for seq in range(1, 3):
        store.commit([large(seq)])
        place.server.restart()
    place.time.now_s += 30.0
    store.commit([])
    assert_held(place, store, range(1, 3))


def test_a_process_that_dies_at_any_point_of_a_commit_leaves_a_whole_one(place):
    """Its group is in the journal: whatever of it the server had, it is committed, once, and the engine finds it."""
    for seq, after in ((1, 100), (2, 30_000)):
        store = place.open() if seq == 1 else place.again()
        store.commit([])
        place.proxy.after = after
        with pytest.raises(StoreRefusedError):
            store.commit([large(seq), large(seq + 10)])
        place.proxy.heal()
    store = place.again()
    assert all(store.is_committed(SOURCE, 7, seq) for seq in (1, 11, 2, 12))
    assert [commit.number for commit in store.rows_after(0)] == [1, 2]
    assert store.commit([large(1), large(12)]).fresh == (False, False)
    assert (store.count(), store.distinct_count()) == (4 * ROWS, 4 * ROWS)


def test_a_resent_batch_whose_verdict_changed_counts_once_and_is_the_later(place):
    """Held rows are checked again when they come again: the first try may be half at the server already."""
    first = large(1)
    second = first.flagged(np.full(ROWS, Quality.SUSPECT, np.uint8), np.ones(ROWS, np.uint16))
    store = place.open()
    place.proxy.after = 20_000
    with pytest.raises(StoreRefusedError):
        store.commit([first])
    place.proxy.heal()
    store.commit([second])
    assert (store.count(), store.distinct_count()) == (ROWS, ROWS)


def test_the_journal_lets_go_what_the_engine_has_passed_and_the_server_has_on_its_disk(place):
    store = place.open()
    for seq in range(1, 5):
        store.commit([batch(seq, [float(seq), 1.0], time_ns=START_NS + seq * SECOND_NS)])
    store.passed(3)
    store.commit([])
    assert [commit.number for commit in store.rows_after(0)] == [1, 2, 3, 4], "not on its disk yet"
    place.time.now_s += 30.0
    store.commit([])
    assert [commit.number for commit in store.rows_after(0)] == [4]
    assert store.tally(SOURCE, 3) == Tally(rows=2, distinct=2, missing=0)
    with pytest.raises(StoreError, match="commits up to 3 are past"):
        store.tally(SOURCE, 2)


def test_what_the_engine_has_passed_stays_until_the_server_has_it_on_its_disk(place):
    store = place.open()
    for seq in range(1, 4):
        store.commit([batch(seq, [float(seq), 1.0], time_ns=START_NS + seq * SECOND_NS)])
        place.time.now_s += 6.0
    store.passed(3)
    store.commit([])
    assert [commit.number for commit in store.rows_after(0)] == [3], "twelve seconds are enough, six are not"


def test_a_server_too_busy_to_say_since_when_it_runs_goes_on_taking_rows(place, monkeypatch):
    store = place.open()
    store.commit([large(1)])

    def busy(_: VictoriaMetrics) -> str:
        raise StoreRefusedError("timed out")

    monkeypatch.setattr(VictoriaMetrics, "incarnation", busy)
    place.time.now_s += 30.0
    assert store.commit([large(2)]).number == 2
    assert len(place.opened[-1]._delivery.unsettled()) == 2, "and nothing is let go"


def test_a_server_that_comes_back_with_other_flags_gets_no_row(place):
    store = place.open()
    store.commit([large(1)])
    place.server.flags = ("-retentionPeriod=100y",)
    place.server.restart()
    place.time.now_s += 30.0
    for _ in range(2):
        with pytest.raises(StoreRefusedError, match="expected -dedup"):
            store.commit([large(2)])
    place.server.flags = FLAGS
    place.server.restart()
    store.commit([large(2)])
    assert_held(place, store, range(1, 3))


def test_layers_outlive_the_commits_that_made_them(place):
    store = place.open()
    for seq in range(1, 5):
        store.commit([batch(seq, [float(seq), 1.0], time_ns=START_NS + seq * SECOND_NS)])
    store.passed(4)
    place.time.now_s += 30.0
    store.commit([])
    assert list(store.rows_after(0)) == []
    store = place.again()
    late = batch(5, [-9.0, 9.0], time_ns=START_NS + 2 * SECOND_NS)
    assert store.commit([late]).number == 5
    place.time.now_s += 30.0
    store.commit([])
    place.server.show()
    assert store.points(int(ids("a")[0]), 0, 2**62).value.tolist() == [1.0, -9.0, 3.0, 4.0]
    assert (store.count(), store.distinct_count()) == (10, 8), "beside the former rows, in a layer of their own"


def test_a_lost_journal_goes_on_above_what_the_server_has(place):
    store = place.open()
    store.commit([batch(1, [1.0, 1.0]), batch(2, [2.0, 2.0])])
    store.close()
    place.server.show()
    (place.folder / "journal").unlink()
    store = place.open()
    assert store.commit([batch(2, [5.0, 5.0])]).number == 1
    place.time.now_s += 30.0
    store.commit([])
    place.server.show()
    assert store.points(int(ids("a")[0]), 0, 2**62).value.tolist() == [5.0]


def test_times_that_the_server_drops_in_silence_are_counted(place):
    """1970 and earlier (zero would become now), and more than two days ahead; the rest of the batch is kept."""
    store = place.open()
    time_ns = np.array(
        [-SECOND_NS, 0, MILLISECOND_NS, START_NS, START_NS + 24 * HOUR_NS, START_NS + 72 * HOUR_NS], np.int64
    )
    sent = rows(SOURCE, np.full(6, 5, np.int64), time_ns, np.arange(6.0)).numbered(7, 1)
    assert store.commit([sent]).fresh == (True,)
    assert store.figures.unkept == 3
    assert store.points(5, 0, 2**62).value.tolist() == [2.0, 3.0, 4.0]
    only = rows(SOURCE, np.full(1, 5, np.int64), time_ns[:1], np.ones(1)).numbered(7, 2)
    assert store.commit([only]).fresh == (True,)
    assert store.is_committed(SOURCE, 7, 2)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("-retentionPeriod=100y",), "-dedup.minScrapeInterval=1ms"),
        (("-dedup.minScrapeInterval=1ms",), "-retentionPeriod, e.g. 100y"),
    ],
)
def test_a_server_that_would_lose_or_double_rows_is_refused(tmp_path, flags, expected):
    with victoria_metrics(tmp_path / "vm", flags) as server:
        talk = VictoriaMetrics(Address(url=server.url))
        store = ServerStore(talk, tmp_path / "journal", now_ns=lambda: START_NS)
        with pytest.raises(StoreRefusedError, match=f"^{server.url}: .* expected {expected}$") as found:
            store.commit([large(1)])
        store.close()
        assert trouble("victoriametrics", Address(url=server.url), tmp_path / "journal") == str(found.value)
    assert "expected a server that answers" in str(trouble("victoriametrics", Address(url=server.url), tmp_path / "j"))
    assert not (tmp_path / "j").exists()


def test_a_password_is_asked_for_and_stands_in_no_text(tmp_path):
    flags = (
        "-retentionPeriod=100y",
        "-dedup.minScrapeInterval=1ms",
        "-httpAuth.username=us",
        "-httpAuth.password=s3cret",
    )
    with victoria_metrics(tmp_path / "vm", flags) as server:
        wrong = Address(url=server.url, user="us", token="hunter2")
        right = Address(url=server.url, user="us", token="s3cret")
        assert "hunter2" not in f"{wrong} {wrong!r}"
        store = ServerStore(VictoriaMetrics(wrong), tmp_path / "journal", now_ns=lambda: START_NS)
        with pytest.raises(StoreRefusedError, match="401") as found:
            store.commit([large(1)])
        hidden = base64.b64encode(b"us:hunter2").decode()
        assert not any(word in str(found.value) for word in ("hunter2", hidden))
        store.close()
        store = ServerStore(VictoriaMetrics(right), tmp_path / "journal2", now_ns=lambda: START_NS)
        store.commit([large(1)])
        assert len(store.samples(large(1).series, 0, 2**62)) == ROWS
        store.close()


@pytest.mark.parametrize(
    "url", ["ftp://h:1", "http://", "http://u:pw@h:1", "http://h:0", "http://h:1?a=b", "http://h:x"]
)
def test_an_address_that_can_not_be_meant_is_refused_without_its_password(url):
    with pytest.raises(ValueError, match="expected http://host:port") as found:
        check_url(url)
    assert "pw" not in str(found.value)


def test_tls_is_that_of_the_authority_we_name(tmp_path):
    """Lines and questions alike; and a server of another authority is refused in one line."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    made = ours.issue("server")
    flags = (*FLAGS, "-tls", f"-tlsCertFile={made.certificate}", f"-tlsKeyFile={made.key}")
    with victoria_metrics(tmp_path / "vm", flags) as server:
        url = f"https://127.0.0.1:{server.port}"
        for authority, expected in ((theirs, "certificate verify failed"), (ours, None)):
            talk = VictoriaMetrics(Address(url=url, files=TlsFiles(ca=authority.certificate)))
            store = ServerStore(talk, authority.folder / "journal", now_ns=lambda: START_NS)
            if expected is None:
                store.commit([large(1)])
                assert store.count() == ROWS
            else:
                with pytest.raises(StoreRefusedError, match=expected):
                    store.commit([large(1)])
            store.close()


def test_a_server_that_hangs_holds_a_commit_up_for_its_time_and_no_longer(place, monkeypatch):
    """Stopped, not dead: it still takes connections, as one whose disk hangs does."""
    monkeypatch.setattr("ingest.store.server.connection.WRITE_S", 0.3)
    monkeypatch.setattr("ingest.store.server.victoriametrics._PROBE_S", 0.2)
    store = place.open()
    store.commit([large(1)])
    place.server.process.send_signal(signal.SIGSTOP)
    try:
        for most_s in (0.3, 0.2, 0.2):
            begun_s = time.monotonic()
            with pytest.raises(StoreRefusedError, match="timed out"):
                store.commit([large(2)])
            assert time.monotonic() - begun_s < most_s + 1.0
    finally:
        place.server.process.send_signal(signal.SIGCONT)
    assert store.commit([large(2)]).fresh == (True,)
    assert_held(place, store, range(1, 3))


def test_people_find_their_series_by_name_and_names_change_nothing(place):
    """Names are part of what an identity is made of: they come with the first announcement, and stay."""
    store = place.open()
    store.save_announcement(SOURCE, "r1", _payload())
    store.commit([batch(1, [1.0, NAN])])
    store = place.again()
    store.save_announcement(SOURCE, "r2", b"unreadable")
    store.commit([batch(2, [2.0, 2.0], time_ns=START_NS + SECOND_NS)])
    place.server.show()
    talk = VictoriaMetrics(Address(url=place.server.url))
    found = talk._ask('sum(count_over_time(petrel_value{station="st-1",quantity="water_level"}[130y])) by (point)')
    talk.close()
    assert {one.metric["point"]: one.value[1] for one in found} == {"a": "2", "b": "1"}


def _payload() -> bytes:
    from telemetry.wire import encode

    return encode(announce(level("a"), level("b")))


def test_a_second_owner_and_a_foreign_file_are_refused(place, tmp_path):
    place.open()
    with pytest.raises(StoreOpenError, match="in use by another process"):
        place.open()
    (tmp_path / "foreign").write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreOpenError, match=r"foreign: can't be opened .*expected the journal of a store"):
        ServerStore(VictoriaMetrics(Address(url=place.server.url)), tmp_path / "foreign", now_ns=lambda: START_NS)
