"""The spool and its disk: caps, corruption, a full disk, two processes, group sync."""

import asyncio
import errno
import os
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from gateway.spool import Limits, Loss, Spool, SpoolError, holder, keep_synced, peek
from gateway.spool.store import FileStore
from telemetry.batch import MAX_ROWS
from telemetry.clock import HOUR_NS, MINUTE_NS, SystemClock
from telemetry.wire import MAX_PAYLOAD, Lane, Refusal
from tests.unit.gateway_batches import START_NS, HandClock, content, drain, make_batch


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def open_spool(tmp_path, clock):
    opened = []

    def open_(limits=None, folder=tmp_path / "spool"):
        opened.append(Spool.open(folder, limits or Limits(), clock))
        return opened[-1]

    yield open_
    for spool in opened:
        spool.close()


def segments(folder):
    return sorted(folder.glob("*.samples"))


def test_a_large_batch_is_split_into_messages_that_brokers_take(open_spool):
    spool = open_spool()
    entries = spool.append(make_batch(2 * MAX_ROWS + 5), Lane.LIVE)
    assert [entry.rows for entry in entries] == [MAX_ROWS, MAX_ROWS, 5]
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert all(len(spool.read(entry)) <= MAX_PAYLOAD for entry in entries)
    sent = [value for entry in entries for value in content(spool, entry)]
    assert sent == make_batch(2 * MAX_ROWS + 5).value.tolist()


def test_a_batch_that_waits_costs_little_memory(tmp_path):
    """A month without a centre is millions of small batches, on a box with half a gigabyte."""
    spool, batch, n = Spool.open(tmp_path / "spool", Limits(), SystemClock()), make_batch(), 5000
    tracemalloc.start()
    try:
        for _ in range(n):
            spool.append(batch, Lane.BACKLOG)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        spool.close()
    assert kept / n < 64


def test_alarms_and_live_batches_are_handed_out_apart_and_in_order(open_spool):
    spool = open_spool()
    for lane in (Lane.BACKLOG, Lane.LIVE, Lane.ALARM, Lane.LIVE, Lane.BACKLOG, Lane.ALARM):
        spool.append(make_batch(), lane)
    assert [entry.seq for entry in drain(spool, Lane.ALARM)] == [3, 6]
    assert [entry.seq for entry in drain(spool, Lane.LIVE)] == [2, 4]
    assert [entry.seq for entry in drain(spool, Lane.BACKLOG)] == [1, 5]
    spool.rewind()
    assert [entry.seq for entry in drain(spool)] == [3, 6, 1, 2, 4, 5], "after a reconnect what was live is backlog"


def test_segments_that_are_acknowledged_leave_the_disk(open_spool, tmp_path):
    spool = open_spool(Limits(max_bytes=256 * 1024))
    for _ in range(100):
        spool.append(make_batch(100), Lane.BACKLOG)
    before = len(segments(spool.folder))
    assert before > 3
    spool.acknowledge(spool.epoch, [(1, 100)])
    assert len(segments(spool.folder)) == 1, "only the one that grows is left"
    assert spool.stats().batches == spool.stats().rows == 0
    spool.close()
    assert segments(spool.folder) == []


def test_a_full_spool_drops_the_oldest_samples_first_and_alarms_last(open_spool):
    spool = open_spool(Limits(max_bytes=64 * 1024))
    alarm = spool.append(make_batch(10), Lane.ALARM)[0]
    for k in range(200):
        spool.append(make_batch(100, start=1000 * k), Lane.BACKLOG)
    stats = spool.stats()
    assert stats.disk_bytes <= 64 * 1024
    assert stats.dropped_rows == stats.lost_rows[Loss.FULL] == 200 * 100 + 10 - stats.rows
    left = drain(spool, Lane.BACKLOG)
    assert [entry.seq for entry in left] == list(range(202 - len(left), 202)), "the newest are kept"
    assert [entry.key for entry in drain(spool, Lane.ALARM)] == [alarm.key]


def test_alarms_go_when_nothing_else_is_left(open_spool):
    spool = open_spool(Limits(max_bytes=64 * 1024))
    for _ in range(200):
        spool.append(make_batch(100), Lane.ALARM)
    left = drain(spool, Lane.ALARM)
    assert [entry.seq for entry in left] == list(range(201 - len(left), 201))
    assert spool.stats().disk_bytes <= 64 * 1024


def test_data_older_than_the_cap_is_given_up(open_spool, clock):
    spool = open_spool(Limits(max_age_h=1.0))
    spool.append(make_batch(3, time_ns=START_NS), Lane.BACKLOG)
    clock.time_ns += HOUR_NS // 2
    spool.append(make_batch(4, time_ns=clock.time_ns), Lane.BACKLOG)
    clock.time_ns += HOUR_NS // 2 + 2 * MINUTE_NS
    spool.append(make_batch(5, time_ns=clock.time_ns), Lane.BACKLOG)
    assert [entry.rows for entry in drain(spool)] == [4, 5]
    assert spool.stats().lost_rows == {Loss.OLD: 3}
    assert spool.stats().oldest_ns == START_NS + HOUR_NS // 2


def test_dropping_frees_a_drill_that_waits_for_delivery(open_spool, clock):
    spool = open_spool(Limits(max_bytes=64 * 1024))
    for _ in range(200):
        spool.append(make_batch(100), Lane.BACKLOG)
    assert clock.holds == spool.stats().batches < 200


def test_it_tells_how_long_an_outage_it_survives(open_spool, clock):
    """P13: how much is buffered, will it last six hours?"""
    spool = open_spool(Limits(max_bytes=10_000_000, max_age_h=1e6))
    assert spool.stats().hours_until_full is None
    for _ in range(31):
        spool.append(make_batch(1000), Lane.BACKLOG)
        clock.time_ns += 10 * 10**9
    stats = spool.stats()
    a_record = stats.disk_bytes / 31
    expected = (10_000_000 - stats.payload_bytes) / (a_record * 360)
    assert stats.hours_until_full == pytest.approx(expected, rel=0.05)


def test_hours_are_bounded_by_the_age_cap(open_spool, clock):
    spool = open_spool(Limits(max_age_h=6.0))
    for _ in range(31):
        spool.append(make_batch(1), Lane.BACKLOG)
        clock.time_ns += 10 * 10**9
    assert spool.stats().hours_until_full == 6.0


def test_two_gateways_on_one_spool_are_refused(open_spool, tmp_path):
    spool = open_spool()
    with pytest.raises(SpoolError, match=rf"in use by process {os.getpid()}, expected one gateway for each spool"):
        Spool.open(spool.folder, Limits(), HandClock())
    assert holder(spool.folder) == str(os.getpid())
    spool.close()
    assert holder(spool.folder) is None
    open_spool()


def test_a_directory_that_can_not_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="expected a directory that can be written"):
        Spool.open(tmp_path / "file" / "spool", Limits(), HandClock())


def test_corrupt_bytes_in_the_middle_are_set_aside_and_the_rest_is_sent(open_spool):
    """P10: it always starts."""
    spool = open_spool()
    entries = [spool.append(make_batch(20, start=k), Lane.BACKLOG)[0] for k in range(5)]
    spool.close()
    (path,) = segments(spool.folder)
    whole = path.read_bytes()
    starts = [*entries[0].segment._start, len(whole)]
    for at, lost in ((starts[2] + 3, 2), (starts[3] + 90, 3)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        again = Spool.open(spool.folder, Limits(), HandClock())
        assert [entry.key for entry in drain(again)] == [entry.key for k, entry in enumerate(entries) if k != lost]
        assert again.stats().corrupt_pieces == 1
        assert again.stats().notes == ("1 corrupt pieces of the spool were set aside: look at its disk",)
        (aside,) = spool.folder.glob("*.corrupt")
        assert aside.read_bytes() == path.read_bytes()[starts[lost] : starts[lost + 1]]
        aside.unlink()
        again.close()


def test_a_batch_that_rots_on_disk_is_never_sent(open_spool):
    spool = open_spool()
    entry = spool.append(make_batch(20), Lane.BACKLOG)[0]
    spool.append(make_batch(20), Lane.BACKLOG)
    (path,) = segments(spool.folder)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"rot")
    assert spool.read(entry) is None
    spool.spoil(entry)
    spool.spoil(entry)
    stats = spool.stats()
    assert (stats.batches, stats.lost_rows, stats.corrupt_pieces) == (1, {Loss.CORRUPT: 20}, 1)
    assert len(list(spool.folder.glob("*.corrupt"))) == 1


@pytest.mark.parametrize("name", ["0000000001.samples", "released", "0000000009.alarms", "lock", "0000000001.corrupt"])
def test_garbage_in_any_file_never_stops_a_start(open_spool, tmp_path, name):
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / name).write_bytes(os.urandom(5000))
    spool = open_spool()
    spool.append(make_batch(), Lane.LIVE)
    spool.close()
    assert [entry.rows for entry in drain(open_spool())] == [3]


def test_a_torn_tail_is_cut(open_spool):
    spool = open_spool()
    for _ in range(3):
        spool.append(make_batch(20), Lane.BACKLOG)
    spool.close()
    (path,) = segments(spool.folder)
    path.write_bytes(path.read_bytes()[:-5])
    again = open_spool()
    assert len(drain(again)) == 2
    assert again.stats().torn_bytes == path.stat().st_size // 2 - 5
    assert again.stats().corrupt_pieces == 0


@pytest.mark.parametrize("garbage", [b"#!/bin/sh\necho not ours\n", bytes(range(200)) * 25])
def test_a_file_that_was_never_ours_is_set_aside_whole(open_spool, garbage):
    """Even as the newest one: nothing tore it off, and nobody else has a copy."""
    spool = open_spool()
    spool.append(make_batch(20), Lane.BACKLOG)
    spool.close()
    (spool.folder / "0000000007.samples").write_bytes(garbage)
    again = open_spool()
    assert len(drain(again)) == 1
    assert (again.stats().corrupt_pieces, again.stats().torn_bytes) == (1, 0)
    (aside,) = spool.folder.glob("*.corrupt")
    assert aside.read_bytes() == garbage
    assert [path.name for path in segments(spool.folder)] == ["0000000001.samples"]


@pytest.mark.parametrize("left", [lambda data: data[:3], lambda data: data[:-5], lambda data: bytes(len(data))])
def test_a_first_record_that_a_power_cut_tore_is_cut(open_spool, left):
    """Half of it, or a file that grew before its bytes came."""
    spool = open_spool()
    spool.append(make_batch(20), Lane.BACKLOG)
    spool.close()
    (path,) = segments(spool.folder)
    path.write_bytes(torn := left(path.read_bytes()))
    again = open_spool()
    assert (again.stats().corrupt_pieces, again.stats().torn_bytes) == (0, len(torn))
    assert list(spool.folder.glob("*.corrupt")) == segments(spool.folder) == []


def test_refusing_what_we_do_not_hold_does_nothing(open_spool):
    spool = open_spool()
    spool.append(make_batch(), Lane.LIVE)
    assert not spool.refuse(spool.epoch, Refusal(2, "no"))
    assert not spool.refuse(spool.epoch + 1, Refusal(1, "no"))
    assert spool.stats().batches == 1


def test_a_full_disk_loses_only_what_does_not_fit_into_memory(open_spool, monkeypatch):
    """Issue 2: no disk space: a clear line, live data still goes out, the loss is counted and said."""
    spool = open_spool(Limits(memory_bytes=20_000))
    spool.append(make_batch(10), Lane.LIVE)
    (path,) = segments(spool.folder)
    whole = path.read_bytes()
    real = os.pwrite

    def full(descriptor, data, offset):
        if len(data) > 100:
            real(descriptor, data[:50], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    live = [spool.append(make_batch(10, start=k), Lane.LIVE)[0] for k in range(5)]
    assert path.read_bytes() == whole, "what a full disk let through is cut off again"
    assert spool.stats().failing == "No space left on device"
    assert spool.stats().memory_batches == 5
    assert [content(spool, entry) for entry in live] == [make_batch(10, start=k).value.tolist() for k in range(5)]
    for _ in range(400):
        spool.append(make_batch(10), Lane.LIVE)
    stats = spool.stats()
    assert stats.payload_bytes < 25_000
    assert stats.lost_rows == {Loss.MEMORY: 4060 - stats.rows}
    monkeypatch.undo()
    spool._shelf._retry_s = 0.0
    spool.append(make_batch(7), Lane.LIVE)
    assert spool.stats().failing is None
    assert peek(spool.folder).batches == spool.stats().batches, "what was in memory is on disk, too"
    assert spool.stats().memory_batches == 0
    assert len(drain(spool)) == spool.stats().batches


def test_a_disk_that_is_full_from_the_start_stops_nothing(open_spool, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    spool = open_spool()
    (entry,) = spool.append(make_batch(10), Lane.ALARM)
    assert content(spool, entry) == make_batch(10).value.tolist()
    assert spool.acknowledge(spool.epoch, [(1, 1)]) == [entry.key]
    spool.close()


_HITS_A_LIMIT = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from gateway.spool import Limits, Spool
from telemetry.wire import Lane
from tests.unit.gateway_batches import HandClock, content, drain, make_batch
spool = Spool.open(Path(sys.argv[1]), Limits(), HandClock())
for k in range(100):
    spool.append(make_batch(100, start=k), Lane.LIVE)
stats = spool.stats()
assert stats.failing == "File too large", stats
assert stats.memory_batches > 10
assert [content(spool, entry)[0] for entry in drain(spool)] == list(range(100))
print(stats.batches - stats.memory_batches)
spool.close()
"""


def test_a_real_refusal_of_the_kernel_is_survived(tmp_path, open_spool):
    """The limit of the kernel on file size stands for the full disk: the same call fails in the same way."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000
    done = subprocess.run(
        [sys.executable, "-c", _HITS_A_LIMIT, tmp_path / "spool"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(drain(open_spool())) == int(done.stdout.split()[-1])


async def test_group_sync_comes_soon_and_for_alarms_at_once(open_spool, monkeypatch):
    spool = open_spool()
    synced = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = os.fdatasync

    def counted(descriptor):
        real(descriptor)
        loop.call_soon_threadsafe(synced.set)

    monkeypatch.setattr(os, "fdatasync", counted)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(keep_synced(spool, 0.2))
        await asyncio.sleep(0)
        for lane, least_s, most_s in ((Lane.LIVE, 0.15, 2.0), (Lane.ALARM, 0.0, 0.15)):
            started = loop.time()
            spool.append(make_batch(), lane)
            async with asyncio.timeout(5):
                await synced.wait()
            assert least_s <= loop.time() - started <= most_s
            synced.clear()
        task.cancel()


async def test_a_sync_that_fails_is_counted_and_a_new_file_begun(open_spool, monkeypatch):
    spool = open_spool()

    def broken(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    spool.append(make_batch(), Lane.LIVE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        spool.sync()
    assert spool.stats().sync_failures == 1
    spool.append(make_batch(), Lane.LIVE)
    assert len(segments(spool.folder)) == 2
    assert len(drain(spool)) == 2


def test_descriptors_are_given_back(open_spool):
    spool = open_spool(Limits(max_bytes=128 * 1024))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for k in range(300):
        spool.append(make_batch(50), Lane.BACKLOG)
        if k % 20 == 0:
            spool.sync()
    spool.sync()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_a_sealed_file_stays_open_until_it_is_synced(tmp_path):
    store = FileStore.create(tmp_path / "1.samples")
    store.write(0, b"abc")
    store.seal()
    descriptor = store.start_sync()
    assert descriptor is not None
    os.fdatasync(descriptor)
    store.end_sync(failed=False)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert store.read(0, 3) == b"abc"


async def test_who_waits_until_all_is_kept_has_it_synced_at_once(open_spool):
    spool = open_spool()
    async with asyncio.TaskGroup() as tasks:
        syncing = tasks.create_task(keep_synced(spool, 60.0))
        spool.append(make_batch(), Lane.LIVE)
        async with asyncio.timeout(5):
            await spool.kept()
        assert spool.unsynced() == []
        syncing.cancel()


async def test_what_a_failed_sync_left_in_doubt_is_kept_by_the_centre_alone(open_spool, monkeypatch):
    """After a failed sync the kernel may have dropped what was written, and a later one that succeeds does not tell."""
    spool = open_spool()

    def fails(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (doubtful,) = spool.append(make_batch(), Lane.LIVE)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        spool.sync()
    spool.append(make_batch(), Lane.LIVE)
    spool.sync()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(spool.kept())
        await asyncio.sleep(0)
        assert not waiting.done()
        spool.acknowledge(spool.epoch, [(doubtful.seq, doubtful.seq)])
        async with asyncio.timeout(5):
            await waiting


def test_what_a_full_disk_left_in_memory_goes_to_disk_with_room(open_spool, monkeypatch, clock):
    """In both classes, without what was acknowledged meanwhile; the next start finds it in its order."""
    spool, is_full = open_spool(), True
    real = os.pwrite

    def pwrite(descriptor, data, offset):
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    for k in range(4):
        spool.append(make_batch(10, start=k), Lane.LIVE)
        spool.append(make_batch(10, start=10 + k), Lane.ALARM)
    spool.acknowledge(spool.epoch, [(3, 4)])
    is_full = False
    spool._shelf._retry_s = 0.0
    spool.append(make_batch(10, start=4), Lane.LIVE)
    assert spool.stats().memory_batches == 0
    sent = [content(spool, entry)[0] for entry in drain(spool)]
    assert sent == [10, 12, 13, 0, 2, 3, 4]
    spool.close()
    again = open_spool()
    assert [content(again, entry)[0] for entry in drain(again)] == sent
    assert again.stats().corrupt_pieces == 0


def test_a_disk_that_fills_again_at_once_keeps_what_is_in_memory_there(open_spool, monkeypatch):
    spool, room = open_spool(), 0
    real = os.pwrite

    def pwrite(descriptor, data, offset):
        nonlocal room
        if len(data) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room -= len(data)
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    for k in range(3):
        spool.append(make_batch(10, start=k), Lane.LIVE)
    room, spool._shelf._retry_s = 500, 0.0
    spool.append(make_batch(10, start=3), Lane.LIVE)
    assert spool.stats().memory_batches == 3
    assert spool.stats().failing == "No space left on device"
    assert [content(spool, entry)[0] for entry in drain(spool)] == [0, 1, 2, 3]
    room, spool._shelf._retry_s = 10_000, 0.0
    spool.append(make_batch(10, start=4), Lane.LIVE)
    assert (spool.stats().memory_batches, spool.stats().failing) == (0, None)
