"""A disk that turned read-only, as a worn card does: what it holds goes out, and so does what is read from now on."""

import subprocess

import pytest

from gateway.spool import Limits, Spool, SpoolError, peek
from telemetry.clock import SystemClock
from telemetry.signing import KEYS
from telemetry.wire import Lane
from tests.integration.brokers import nats_server
from tests.integration.disks import mounted
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.order_things import SOURCE, Board, running, write_files
from tests.unit.gateway_batches import drain, make_batch


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", 8) as folder:
        yield folder


def turn_read_only(disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def opened(disk):
    return Spool.open(disk / "spool", Limits(max_bytes=4 * 1024 * 1024), SystemClock())


def fill(disk, batches):
    """A spool of which every other batch was acknowledged, with a tail that a power cut tore off."""
    spool = opened(disk)
    for _ in range(batches):
        spool.append(make_batch(), Lane.BACKLOG)
    for seq in range(1, batches + 1, 2):
        spool.acknowledge(spool.epoch, [(seq, seq)])
    spool.close()
    newest = max((disk / "spool").glob("*.samples"))
    newest.write_bytes(newest.read_bytes() + b"\xf5SPR and half a record")


def test_a_gateway_starts_on_it_and_keeps_what_is_new_in_memory(disk):
    fill(disk, 10)
    turn_read_only(disk)
    spool = opened(disk)
    assert [entry.seq for entry in drain(spool, Lane.BACKLOG)] == [2, 4, 6, 8, 10]
    spool.append(make_batch(), Lane.LIVE)
    (fresh,) = drain(spool, Lane.LIVE)
    assert spool.read(fresh) is not None
    stats = spool.stats()
    assert (stats.failing, stats.memory_batches, stats.corrupt_pieces) == ("Read-only file system", 1, 0)
    assert "takes nothing: Read-only file system" in stats.notes[0]
    spool.acknowledge(fresh.epoch, [(fresh.seq, fresh.seq)])
    spool.close()
    assert peek(disk / "spool").batches == 5, "nothing there was touched"


def test_it_is_one_gateway_there_too(disk):
    fill(disk, 2)
    turn_read_only(disk)
    spool = opened(disk)
    with pytest.raises(SpoolError, match="in use by process"):
        opened(disk)
    spool.close()


def test_a_place_where_no_gateway_ever_was_is_refused(disk):
    turn_read_only(disk)
    with pytest.raises(SpoolError, match="Read-only file system, expected a directory that can be written"):
        opened(disk)


async def test_a_whole_gateway_starts_on_it_and_says_so(disk, tmp_path, monkeypatch):
    """It polls and delivers; orders are not taken where none can be remembered."""
    monkeypatch.setenv(f"{KEYS}_FILE", str(disk / "keys"))
    with nats_server(tmp_path) as broker:
        async with Board().serving() as board:
            path = write_files(disk, broker.port, board.port)
            async with running(path) as gateway:
                await until(lambda: gateway.polled_rows)
            turn_read_only(disk)
            async with scripted_centre(broker.port, SOURCE) as centre, running(path) as gateway:
                await centre.until(lambda: len(centre.committed) > 3 and centre.statuses)
                notes = gateway.status().notes
    assert any("the disk of the spool takes nothing: Read-only file system" in note for note in notes)
    assert any("no orders are taken" in note and "Read-only file system" in note for note in notes)
