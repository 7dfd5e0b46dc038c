"""Looking at the files of a centre: what it would refuse is found, and nothing is made, written or taken."""

import hashlib
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from alerting.state import look as state
from alerting.state.database import Database
from ingest.store import look as store
from ingest.store.duckdb import DuckDBStore

ROOT = Path(__file__).parents[2]


def prints(folder: Path) -> dict[str, str]:
    """What lies in a folder, by content."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


async def made(path: Path) -> None:
    database = Database(path)
    await database.open()
    await database.close()


@pytest.mark.parametrize("look", [store, state])
def test_what_is_not_there_yet_is_no_trouble_and_stays_so(look, tmp_path):
    assert look.trouble(tmp_path / "new" / "file") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("look", [store, state])
def test_a_place_that_is_no_folder_is(look, tmp_path):
    (tmp_path / "file").write_text("x")
    assert look.trouble(tmp_path / "file" / "deep" / "file").endswith("can't be written, expected a directory of ours")


@pytest.mark.parametrize("look", [store, state])
def test_garbage_is(look, tmp_path):
    content = b"garbage" * 1000
    file = tmp_path / "file"
    file.write_bytes(content)
    assert str(file) in look.trouble(file)
    assert "expected a st" in look.trouble(file)
    assert prints(tmp_path) == {"file": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize("look", [store, state])
def test_an_empty_file_never_held_anything(look, tmp_path):
    (tmp_path / "file").touch()
    assert look.trouble(tmp_path / "file") is None


async def test_good_files_are_none_and_a_state_of_another_version_is(tmp_path):
    await made(tmp_path / "state")
    DuckDBStore(tmp_path / "store").close()
    before = prints(tmp_path)
    assert (state.trouble(tmp_path / "state"), store.trouble(tmp_path / "store")) == (None, None)
    assert prints(tmp_path) == before
    with sqlite3.connect(tmp_path / "state") as database:
        database.execute("UPDATE alembic_version SET version_num = 'r9999'")
    database.close()
    with duckdb.connect(str(tmp_path / "store")) as database:
        database.execute("UPDATE schema_version SET version = 99")
    assert "another version" in state.trouble(tmp_path / "state")
    assert "a newer petrel wrote it" in store.trouble(tmp_path / "store")


CENTRE = """
import asyncio, os, signal, sys
from pathlib import Path
from alerting.state.database import Database
from ingest.store.duckdb import DuckDBStore
async def main():
    folder = Path(sys.argv[1])
    database, store = Database(folder / "state"), DuckDBStore(folder / "store")
    await database.open()
    print("up", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def test_a_running_centre_is_said_and_left_alone_and_what_a_killed_one_left_is_no_trouble(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CENTRE, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as centre:
        assert centre.stdout.readline() == b"up\n"
        before = prints(tmp_path)
        assert "another centre holds it" in state.trouble(tmp_path / "state")
        assert f"PID {centre.pid}" in store.trouble(tmp_path / "store")
        assert prints(tmp_path) == before
        centre.stdin.close()
        assert centre.wait(30) == -signal.SIGKILL
    before = prints(tmp_path)
    assert "state-wal" in before
    assert (state.trouble(tmp_path / "state"), store.trouble(tmp_path / "store")) == (None, None)
    assert {name: print_ for name, print_ in prints(tmp_path).items() if not name.endswith("-shm")} == {
        name: print_ for name, print_ in before.items() if not name.endswith("-shm")
    }
