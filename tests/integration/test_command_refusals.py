"""What stands in the way of a command is one line on stderr, and nothing is left running: no traceback, ever."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

PETREL = Path(sys.executable).with_name("petrel")


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody else listens at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield f"127.0.0.1:{other.getsockname()[1]}"


@pytest.fixture
def nobody() -> Iterator[str]:
    """The URL of a broker at a port that is ours, and on which nothing listens."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        yield f"mqtt://127.0.0.1:{mute.getsockname()[1]}"


def refusal(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and the one line of a command that must not start."""
    ended = subprocess.run([PETREL, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    return ended.returncode, lines[0]


def checked(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and words of a check; it has nothing to say on stderr."""
    ended = subprocess.run([PETREL, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("mode", [(), ("--once", "--json")], ids=["live", "once"])
def test_a_port_in_use(taken, mode):
    assert refusal("up", "--http", taken, *mode) == (
        1, f"petrel: http: {taken}: the port is in use, expected a free one (another centre?)"
    )  # fmt: skip


def test_a_broker_that_is_not_there(nobody):
    code, line = refusal("up", "--http", "127.0.0.1:0", "--broker", nobody)
    assert (code, line) == (1, f"petrel: {nobody}: Connection refused, expected a broker that listens")


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, line = refusal("up", "--data", tmp_path / "file" / "deeper", "--http", "127.0.0.1:0")
    assert code == 1
    assert line.endswith("Not a directory, expected a folder that can be made and written")


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, line = refusal("up", "--data", tmp_path / "file", "--http", "127.0.0.1:0")
    assert (code, line) == (
        1, f"petrel: --data {tmp_path}/file: File exists, expected a folder that can be made and written"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--speed", "0"), "--speed 0, expected more than 0"),
        (("--http", "8460"), "--http '8460', expected HOST:PORT"),
        (("--http", "0.0.0.0:8460"), "expected a loopback address"),
        (("--http", "127.0.0.1:65536"), "--http '127.0.0.1:65536': port 65536, expected 0 to 65535"),
        (("--http", "bad..host:1"), "--http 'bad..host:1': host 'bad..host'"),
        (("--broker", "mqtt://bad..host"), "--broker 'mqtt://bad..host': host 'bad..host'"),
        (("--webhook", "http://bad..host/"), "--webhook: url: host 'bad..host'"),
        (("--broker", "http://x"), "--broker 'http://x', expected mqtt://"),
        (("--webhook", "ftp://x"), "--webhook: url: 'ftp://x', expected http://host/path"),
        (("--scenario", "calm"), "no scenario 'calm', expected one of doksuri-2023"),
    ],
)
def test_an_option_that_can_not_be(arguments, words):
    code, line = refusal("up", *arguments)
    assert code == 2
    assert words in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("tap", "--broker", "mqtt://bad..host"),
        ("alarm", "list", "--centre", "http://bad..host"),
        ("alarm", "list", "--centre", f"http://{'h' * 64}"),
        ("device", "read", "midas", "--tcp", "bad..host:502"),
    ],
)
def test_a_host_that_no_resolver_takes(arguments):
    code, line = refusal(*arguments)
    assert code == 2
    assert "expected a host name or an address" in line


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(("half", "line"), [("gateway", 7), ("centre", 4)])
def test_a_broker_whose_name_no_resolver_takes(half, line, command, tmp_path):
    site = Path(__file__).parents[2] / "petrel" / "sites" / "xiuyu"
    text = (site / f"{half}.yaml").read_text(encoding="utf-8")
    file = tmp_path / f"{half}.yaml"
    file.write_text(
        text.replace("mqtt://127.0.0.1:1883", "mqtt://bad..host:1883").replace("site.yaml", str(site / "site.yaml"))
    )
    code, said = refusal(half, command, file)
    assert code == 2
    assert said.startswith(
        f"petrel: {file}:{line}: broker: broker 'mqtt://bad..host:1883': host 'bad..host': label empty"
    )


@pytest.fixture
def centre(taken, nobody, tmp_path) -> Path:
    """Settings of a centre whose port is taken and whose broker is not there."""
    site = Path(__file__).parents[2] / "petrel" / "sites" / "xiuyu"
    text = (site / "centre.yaml").read_text(encoding="utf-8").replace("mqtt://127.0.0.1:1883", nobody)
    file = tmp_path / "centre.yaml"
    file.write_text(
        text.replace("site: site.yaml", f"site: {site / 'site.yaml'}").replace("8460", taken.rpartition(":")[2])
    )
    return file


@pytest.mark.parametrize("file", ["petrel.duckdb", "petrel.sqlite"])
def test_a_check_of_a_centre_looks_into_its_files(file, centre):
    garbage = centre.parent / file
    garbage.write_bytes(b"garbage" * 1000)
    code, said = checked("centre", "check", centre)
    assert code == 1
    assert f"finding: {garbage}: " in said
    assert garbage.read_bytes() == b"garbage" * 1000
    assert sorted(path.name for path in centre.parent.iterdir()) == ["centre.yaml", file]


def test_a_check_of_everything_makes_nothing(tmp_path):
    code, said = checked("up", "--check", "--data", tmp_path / "new", "--http", "127.0.0.1:0")
    assert (code, "finding" in said) == (0, False), said
    assert list(tmp_path.iterdir()) == []


def test_a_check_of_everything_finds_what_a_run_would_refuse(taken, nobody, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "petrel.duckdb").write_bytes(b"garbage")
    (tmp_path / "spool").touch()
    code, said = checked("up", "--check", "--data", tmp_path, "--http", taken, "--broker", nobody)
    assert code == 1
    for words in (
        f"{nobody}: Connection refused", f"http: {taken}: the port is in use", f"{tmp_path}/store/petrel.duckdb: ",
        f"{tmp_path}/spool: ",
    ):  # fmt: skip
        assert f"finding: {words}" in said


def test_a_check_of_everything_refuses_an_address_that_others_reach():
    assert "expected a loopback address" in refusal("up", "--check", "--http", "0.0.0.0:8460")[1]


def test_a_centre_whose_port_is_taken(taken, centre):
    code, line = refusal("centre", "run", centre)
    assert code == 1
    assert f"{taken}: the port is in use" in line
    assert [path.name for path in centre.parent.iterdir()] == ["centre.yaml"], "nothing was started"


def test_a_check_of_a_centre_finds_what_stands_in_its_way(taken, nobody, centre):
    code, said = checked("centre", "check", centre)
    assert code == 1
    assert f"finding: {nobody}: Connection refused" in said
    assert f"finding: http: {taken}: the port is in use" in said


def test_the_version_is_said():
    said = subprocess.run([PETREL, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"petrel {version('stormpetrel')}\n"
