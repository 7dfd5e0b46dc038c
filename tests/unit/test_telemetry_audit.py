"""The audit files of orders: chained, appended by several processes, honest about what was changed."""

import errno
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from telemetry import audit
from telemetry.audit import LET_GO, entries, record
from telemetry.chain import ChainError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit" / "orders.jsonl"


def fill(path, start, n, **how):
    for at in range(start, start + n):
        record(path, {"at": at}, **how)


@pytest.fixture
def short(monkeypatch):
    """Files are sealed after three or four lines."""
    monkeypatch.setattr(audit, "_LONG", 700)


def test_what_was_recorded_reads_back(path):
    fill(path, 0, 5)
    assert entries(path) == [{"at": at} for at in range(5)]


def test_two_processes_share_a_file(path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=fill, args=(path, start, 20)) for start in (0, 100)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert sorted(entry["at"] for entry in entries(path)) == [*range(20), *range(100, 120)]


@pytest.mark.parametrize("line", [0, 2])
def test_a_changed_line_is_noticed(path, line):
    fill(path, 0, 4)
    lines = path.read_text().splitlines()
    found = msgspec.json.decode(lines[line])
    lines[line] = msgspec.json.encode(found | {"body": '{"at":9}'}).decode()
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ChainError, match="was changed"):
        entries(path)


def test_a_line_that_is_gone_is_noticed(path):
    fill(path, 0, 4)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:1] + lines[2:]) + "\n")
    with pytest.raises(ChainError, match="follows line 1"):
        entries(path)


def test_half_a_line_of_a_power_cut_stops_nobody(path):
    fill(path, 0, 3)
    with path.open("ab") as file:
        file.write(b'{"seq":4,"bo')
    fill(path, 3, 2)
    assert [entry["at"] for entry in entries(path)] == [0, 1, 2, 3, 4]


def numbers(path):
    return [entry["at"] for entry in entries(path) if entry.get("what") != LET_GO]


def test_a_long_file_is_sealed_and_the_chain_goes_on(path, short):
    fill(path, 0, 40)
    names = sorted(one.name for one in path.parent.iterdir())
    assert len(names) > 5
    assert names[0].startswith("orders.0000000000")
    assert numbers(path) == [*range(40)], "what nobody limits is kept for ever"
    path.unlink(missing_ok=True)
    assert numbers(path) == [*range(len(numbers(path)))], "the chain goes on from what was sealed last"
    fill(path, 40, 1)
    assert entries(path)[-1] == {"at": 40}


def test_what_is_let_go_leaves_a_line_that_says_so(path, short):
    fill(path, 0, 200, sealed=3)
    assert len(list(path.parent.iterdir())) <= 4
    assert sum(one.stat().st_size for one in path.parent.iterdir()) < 4 * 1200
    found = entries(path)
    kept = numbers(path)
    assert kept == [*range(kept[0], 200)]
    (begin, *_) = [entry["through"] for entry in found if entry.get("what") == LET_GO]
    assert begin > 100


@pytest.mark.parametrize("which", ["oldest", "middle", "newest"])
def test_a_sealed_file_that_somebody_else_took_is_missed(path, short, which):
    fill(path, 0, 201, sealed=4)
    sealed = sorted(one for one in path.parent.iterdir() if one != path)
    sealed[{"oldest": 0, "middle": 1, "newest": -1}[which]].unlink()
    assert path.exists()
    with pytest.raises(ChainError, match=r"no line says that those before were let go|expected line"):
        entries(path)


def test_many_who_write_while_it_is_sealed_lose_and_fork_nothing(path, short):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda start: fill(path, start, 25), (0, 100, 200, 300)))
    assert sorted(numbers(path)) == sorted(start + at for start in (0, 100, 200, 300) for at in range(25))


@pytest.mark.parametrize("step", ["rename", "unlink"])
def test_a_power_cut_while_it_is_sealed_leaves_one_chain(path, short, monkeypatch, step):
    fill(path, 0, 60, sealed=2)

    def cut(*_args, **_options):
        raise OSError(errno.EIO, "cut")

    with monkeypatch.context() as cutting:
        cutting.setattr(f"pathlib.Path.{step}", cut)
        with pytest.raises(OSError, match="cut"):
            fill(path, 60, 20, sealed=2)
    written = numbers(path)[-1]
    assert 60 <= written < 80
    fill(path, written + 1, 30, sealed=2)
    assert len(list(path.parent.iterdir())) <= 3
    kept = numbers(path)
    assert kept == [*range(kept[0], written + 31)]


def test_a_disk_that_takes_half_a_line_is_an_error_and_leaves_none(path, monkeypatch):
    """write(2) calls that no error: the account would have had a hole that nobody was told of."""
    fill(path, 0, 2)
    size, write = path.stat().st_size, os.write
    monkeypatch.setattr(os, "write", lambda place, data: write(place, data[:10]))
    with pytest.raises(OSError, match="No space left"):
        record(path, {"at": 2})
    assert path.stat().st_size == size
