"""The window without a broker: who goes first, when a batch is sent again, when silence is told."""

from itertools import pairwise

import pytest

from gateway.flight import BACKLOG_ROWS, BUNDLED, Flight
from gateway.spool import Limits, Spool
from telemetry.batch import MAX_ROWS
from telemetry.wire import Ack, EpochAck, Lane, Refusal
from tests.unit.gateway_batches import HandClock, make_batch


@pytest.fixture
def spool(tmp_path):
    opened = Spool.open(tmp_path / "spool", Limits(), HandClock())
    yield opened
    opened.close()


@pytest.fixture
def flight(spool):
    return Flight(spool, 10.0)


def send_all(flight, now_s=0.0):
    entries = []
    while (entry := flight.next(now_s)) is not None:
        entries.append(entry)
        assert len(entries) < 1000
    return entries


def committed(spool, *seqs):
    return Ack(epochs=(EpochAck(epoch=spool.epoch, committed=tuple((seq, seq) for seq in seqs)),))


def test_alarms_then_live_then_backlog_each_within_its_window(spool, flight):
    for lane in (Lane.BACKLOG, Lane.LIVE, Lane.ALARM):
        for _ in range(40):
            spool.append(make_batch(), lane)
    sent = send_all(flight)
    assert [entry.lane for entry in sent] == [Lane.ALARM] * 4 + [Lane.LIVE] * 4 + [Lane.BACKLOG] * 24
    flight.take(committed(spool, sent[0].seq, sent[5].seq, sent[10].seq), 0.5)
    assert [entry.lane for entry in send_all(flight, 0.5)] == [Lane.ALARM, Lane.LIVE, Lane.BACKLOG]


def moments(flight, key, first_s, last_s):
    """The seconds at which a batch is sent."""
    return [now_s for now_s in range(first_s, last_s) for sent in send_all(flight, float(now_s)) if sent.key == key]


def test_what_is_overdue_is_sent_again_with_growing_patience(spool, flight):
    (heard, entry) = (spool.append(make_batch(), Lane.LIVE)[0] for _ in range(2))
    send_all(flight, 0.0)
    flight.take(committed(spool, heard.seq), 0.0)
    (late,) = spool.append(make_batch(), Lane.LIVE)
    times = moments(flight, late.key, 0, 1500)
    assert times[:5] == [0, 10, 30, 70, 150]
    assert {b - a for a, b in pairwise(times[6:])} == {320}
    assert not entry.is_gone


def test_a_centre_that_starts_with_us_is_not_waited_for_long(spool, flight):
    (entry,) = spool.append(make_batch(), Lane.LIVE)
    times = moments(flight, entry.key, 0, 2000)
    assert times[:6] == [0, 1, 3, 7, 15, 31]
    assert {b - a for a, b in pairwise(times[9:])} == {320}, "but a silent one does not cost much either"


def test_what_is_acknowledged_is_not_overdue(spool, flight):
    for _ in range(3):
        spool.append(make_batch(), Lane.LIVE)
    send_all(flight)
    assert flight.take(committed(spool, 1, 2, 3), 5.0)
    assert flight.wait_s(5.0) is None
    assert send_all(flight, 100.0) == []


def test_silence_is_counted_from_the_last_acknowledgement(spool, flight):
    for _ in range(3):
        spool.append(make_batch(), Lane.LIVE)
    assert flight.silent_s(50.0) == 0.0
    send_all(flight, 50.0)
    assert flight.silent_s(110.0) == 60.0
    assert not flight.take(committed(spool, 99), 110.0), "it names nothing of ours"
    assert flight.silent_s(110.0) == 60.0
    flight.take(committed(spool, 1), 111.0)
    assert flight.silent_s(115.0) == 4.0
    flight.take(Ack(epochs=(EpochAck(epoch=spool.epoch, committed=((2, 2),), refused=(Refusal(3, "no"),)),)), 116.0)
    assert flight.silent_s(200.0) == 0.0


def test_after_a_reconnect_everything_open_goes_in_order(spool, flight):
    for _ in range(3):
        spool.append(make_batch(), Lane.LIVE)
    assert [entry.seq for entry in send_all(flight)] == [1, 2, 3]
    flight.take(committed(spool, 2), 0.0)
    flight.clear()
    spool.append(make_batch(), Lane.LIVE)
    sent = send_all(flight, 1.0)
    assert [(entry.seq, entry.lane) for entry in sent] == [(4, Lane.LIVE), (1, Lane.BACKLOG), (3, Lane.BACKLOG)]


def test_dropped_batches_leave_the_window(spool, flight):
    for _ in range(30):
        spool.append(make_batch(), Lane.BACKLOG)
    sent = send_all(flight)
    for entry in sent:
        spool.spoil(entry)
    assert len(send_all(flight, 0.1)) == 6


def held(spool, run, *seqs):
    return Ack(epochs=(EpochAck(epoch=spool.epoch, held=tuple((seq, seq) for seq in seqs)),), run=run)


def test_what_the_centre_holds_gives_its_place_to_newer_batches_and_stays(spool, flight):
    """ADR 0005: alarms go on while the centre's disk is full."""
    for seq in range(1, 41):
        spool.append(make_batch(), Lane.LIVE)
        (sent,) = send_all(flight, float(seq) / 100)
        assert (sent.seq, sent.lane) == (seq, Lane.LIVE)
        assert not flight.take(held(spool, 5, seq), float(seq) / 100)
    assert (spool.stats().batches, spool.held_batches(), flight.holding) == (40, 40, True)
    assert flight.silent_s(1.0) == 0.0, "the centre is there"


def test_what_is_held_is_tried_again_one_by_one_with_growing_patience(spool, flight):
    for _ in range(3):
        spool.append(make_batch(), Lane.LIVE)
    send_all(flight)
    flight.take(held(spool, 5, 1, 2, 3), 0.0)
    tried = []
    for now_s in range(1500):
        for entry in send_all(flight, float(now_s)):
            tried.append(now_s)
            assert (entry.seq, entry.lane) == (1, Lane.BACKLOG)
            flight.take(held(spool, 5, 1), float(now_s))
    assert tried[:5] == [10, 30, 70, 150, 310]
    assert {b - a for a, b in pairwise(tried[5:])} == {320}
    assert flight.wait_s(1500.0) > 0


def test_as_soon_as_anything_is_committed_all_that_is_held_goes_as_backlog(spool, flight):
    for lane in (Lane.ALARM, Lane.LIVE, Lane.LIVE):
        spool.append(make_batch(), lane)
    sent = send_all(flight)
    flight.take(held(spool, 5, *(entry.seq for entry in sent)), 0.0)
    (fresh,) = spool.append(make_batch(), Lane.LIVE)
    assert [entry.seq for entry in send_all(flight, 1.0)] == [fresh.seq]
    assert flight.take(committed(spool, fresh.seq), 1.0)
    again = send_all(flight, 1.0)
    assert [(entry.seq, entry.lane) for entry in again] == [(seq, Lane.BACKLOG) for seq in (1, 2, 3)]
    flight.take(committed(spool, 1, 2, 3), 1.0)
    assert (spool.stats().batches, flight.holding, flight.wait_s(1.0)) == (0, False, None)


def test_a_new_run_of_the_centre_hears_again_what_the_former_one_held(spool, flight):
    for _ in range(3):
        spool.append(make_batch(), Lane.LIVE)
    send_all(flight)
    flight.take(held(spool, 5, 1, 2, 3), 0.0)
    spool.append(make_batch(), Lane.LIVE)
    send_all(flight, 1.0)
    flight.take(held(spool, 6, 4), 1.0)
    assert [entry.seq for entry in send_all(flight, 1.0)] == [1, 2, 3]


def test_a_reconnect_tries_one_of_what_is_held_and_not_all(spool, flight):
    for _ in range(30):
        spool.append(make_batch(), Lane.BACKLOG)
    for _ in range(2):
        flight.take(held(spool, 5, *(entry.seq for entry in send_all(flight))), 0.0)
    flight.clear()
    assert [entry.seq for entry in send_all(flight, 1.0)] == [1]


def test_what_the_centre_commits_from_its_memory_is_not_sent_again(spool, flight):
    for _ in range(3):
        spool.append(make_batch(), Lane.LIVE)
    send_all(flight)
    flight.take(held(spool, 5, 1, 2, 3), 0.0)
    assert flight.take(committed(spool, 1, 2), 1.0)
    assert [entry.seq for entry in send_all(flight, 1.0)] == [3]
    assert not flight.take(held(spool, 5, 1, 99), 1.0), "gone, and never ours"
    assert not flight.holding


def bundle_of(flight, now_s=0.0):
    first = flight.next(now_s)
    return [first, *flight.beside(first, now_s)]


def test_backlog_goes_in_bundles_only_where_the_centre_reads_them(spool, flight):
    for lane in (Lane.BACKLOG, Lane.ALARM):
        for _ in range(100):
            spool.append(make_batch(), lane)
    assert [entry.lane for entry in bundle_of(flight)] == [Lane.ALARM]
    flight.take(Ack(bundles=True), 0.0)
    for _ in range(3):
        assert [entry.lane for entry in bundle_of(flight)] == [Lane.ALARM]
    assert [entry.lane for entry in bundle_of(flight)] == [Lane.BACKLOG] * 100
    flight.clear()
    assert len(send_all(flight)) == 4 + 100, "a new connection forgets what was sent, not what the centre reads"


def test_a_bundle_and_the_window_have_bounds(spool, flight):
    """Rows on their way stay below 16,000 whatever a message holds: an alarm waits behind what is being committed."""
    for _ in range(400):
        spool.append(make_batch(100), Lane.BACKLOG)
    flight.take(Ack(bundles=True), 0.0)
    bundles = [bundle_of(flight) for _ in range(2)]
    sizes = [sum(entry.rows for entry in entries) for entries in bundles]
    assert all(size <= MAX_ROWS for size in sizes)
    assert sum(sizes) == BACKLOG_ROWS
    assert flight.next(0.0) is None
    assert all(sum(entry.size for entry in entries[:-1]) < 64 * 1024 for entries in bundles)


def test_a_bundle_waits_until_it_is_worth_a_message(spool, flight):
    """A centre that answers batch by batch does not get them batch by batch; live rows wait for nothing."""
    for _ in range(1500):
        spool.append(make_batch(), Lane.BACKLOG)
    flight.take(Ack(bundles=True), 0.0)
    sent = [*bundle_of(flight), *bundle_of(flight)]
    assert len(sent) == BUNDLED
    for entry in sent[: BUNDLED // 4 - 1]:
        flight.take(committed(spool, entry.seq), 0.0)
        assert flight.next(0.0) is None
    spool.append(make_batch(), Lane.LIVE)
    assert [entry.lane for entry in bundle_of(flight)] == [Lane.LIVE]
    flight.take(committed(spool, sent[BUNDLED // 4 - 1].seq), 0.0)
    assert len(bundle_of(flight)) == BUNDLED // 4


def test_what_is_overdue_goes_alone(spool, flight):
    for _ in range(5):
        spool.append(make_batch(), Lane.BACKLOG)
    flight.take(Ack(bundles=True), 0.0)
    assert len(bundle_of(flight)) == 5
    for _ in range(3):
        spool.append(make_batch(), Lane.BACKLOG)
    for _ in range(5):
        assert len(bundle_of(flight, 1.0)) == 1
    assert len(bundle_of(flight, 1.0)) == 3


def test_a_centre_that_asks_for_the_announcement_may_be_an_older_one(spool, flight):
    for _ in range(50):
        spool.append(make_batch(), Lane.BACKLOG)
    flight.take(Ack(bundles=True), 0.0)
    flight.take(Ack(announce=True), 0.0)
    assert len(bundle_of(flight)) == 1
