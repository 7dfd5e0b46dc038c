"""The audit files of orders: chained, appended by several processes, honest about what was changed."""

import multiprocessing

import msgspec
import pytest

from telemetry.audit import entries, record
from telemetry.chain import ChainError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit" / "orders.jsonl"


def fill(path, start, n):
    for at in range(start, start + n):
        record(path, {"at": at})


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
