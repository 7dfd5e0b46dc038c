"""``petrel bus scan`` on real lines: finds who is there, writes nothing, ends in time, and says what it left out."""

import asyncio
import os
import signal
import termios
import tty
from subprocess import PIPE

import pytest
import serial

from gateway.tools.scan import scan
from gateway.tools.scan_plan import Scan, empty, not_tried, spans
from gateway.tools.target import Reach
from gateway.tools.tries import Setting
from simulators.pty import SerialLine
from tests.integration.edge.commands import PETREL, petrel
from tests.integration.gateway_centre import until

AT_9600 = Setting(baud=9600, parity="N")


def nothing(*_: object) -> None:
    """Nobody watches."""


async def test_units_are_found_and_the_rest_of_the_settings_left_alone(pymodbus_rtu):
    port = await pymodbus_rtu(1, 3)
    ended = await petrel("bus", "scan", "--serial", port, "--units", "1-3", "--timeout", 0.5, "--json")
    assert (ended.code, ended.err) == (0, "")
    found = ended.json
    assert [(one["unit"], one["said"]) for one in found["found"]] == [
        (1, "holding 0x0000 is 100"),
        (2, "refuses holding 0x0000 (exception 4)"),  # pymodbus answers for units that it does not have
        (3, "holding 0x0000 is 300"),
    ]
    assert str(found["setting"]["baud"]) == "9600"
    assert found["tried"] == ["9600 8N1"]
    assert any("19200 8E1" in one for one in found["not_tried"])


async def test_what_is_shown_fits_a_terminal_and_says_first_how_long_it_takes(pymodbus_rtu, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    port = await pymodbus_rtu(2)
    ended = await petrel("bus", "scan", "--serial", port, "--units", "1-2", "--timeout", 0.5)
    first, *_ = ended.out.splitlines()
    assert "20 questions, up to" in first
    assert "unit 2" in ended.out
    assert all(len(line) <= 160 for line in ended.out.splitlines())


async def test_the_setting_of_the_line_is_found(rtu_peer, answering):
    """The far end answers only at 19200 baud, as a device does; a pseudo-terminal has no parity."""

    def script(request: bytes):
        speed = termios.tcgetattr(peer._near)[4]
        return [(0, answering(request))] if speed == termios.B19200 and request[0] == 2 else []

    peer = rtu_peer(script)
    ended = await petrel("bus", "scan", "--serial", peer.port, "--units", "1-3", "--timeout", 0.3, "--json")
    assert [(one["unit"], one["setting"]) for one in ended.json["found"]] == [(2, "19200 8N1")]
    assert ended.json["tried"] == ["9600 8N1", "9600 8E1", "19200 8N1"]


async def test_a_setting_that_the_port_can_not_take_stops_no_scan(rtu_peer, monkeypatch):
    """Some adapters know no parity; termios says so by an error that is no OSError."""
    really = serial.Serial

    def stubborn(*arguments, parity, **options):
        if parity == "E":
            raise termios.error(22, "Invalid argument")
        return really(*arguments, parity=parity, **options)

    peer = rtu_peer(lambda _: [])
    monkeypatch.setattr("edge_agent.lines.wire.serial.Serial", stubborn)
    monkeypatch.setattr("edge_agent.lines.wire._characters", lambda plan: (plan.data, plan.parity))
    settings = tuple(Setting(baud=9600, parity=parity) for parity in "NEO")
    plan = Scan(reach=Reach(serial=peer.port, timeout_s=0.02), protocol="modbus", settings=settings, units=(1,))
    report = empty(plan)
    await scan(plan, report, nothing, 10.0)
    assert (report.tried, report.refused) == (["9600 8N1", "9600 8O1"], ["9600 8E1"])
    assert "settings 9600 8E1, which the port can't take" in not_tried(plan, report)


async def test_nothing_but_reads_goes_out(rtu_peer, answering):
    """Also while profiles are tried on what was found."""
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] == 1 else [])
    ended = await petrel("bus", "scan", "--serial", peer.port, "--units", "1-2", "--timeout", 0.5, "--json")
    assert ended.code == 0
    assert len(peer.requests) > 5
    assert {request[1] for _, request in peer.requests} <= {1, 2, 3, 4}
    assert len(ended.json["found"][0]["fits"]) >= 1


async def test_the_wrong_rate_is_told_from_silence(rtu_peer):
    peer = rtu_peer(lambda _: [(0, b"\xf8\x00\x9e")])
    ended = await petrel("bus", "scan", "--serial", peer.port, "--units", 1, "--baud", 9600, "--timeout", 0.3)
    assert ended.code == 1
    assert "garbled    at 9600 8N1, 9600 8E1: something answers, not" in ended.out
    assert "nobody answered" in ended.refusal


async def test_a_scan_that_would_take_too_long_is_refused_before_it_begins(rtu_peer):
    peer = rtu_peer(lambda _: [])
    ended = await petrel("bus", "scan", "--serial", peer.port, "--units", "1-247", "--within", 20)
    assert (ended.code, ended.out) == (2, "")
    assert "2470 questions take up to" in ended.refusal
    assert "expected at most 20 s" in ended.refusal
    assert not peer.requests


async def test_a_scan_takes_no_longer_than_it_said(rtu_peer):
    peer = rtu_peer(lambda _: [])
    plan = Scan(
        reach=Reach(serial=peer.port, timeout_s=0.05), protocol="modbus", settings=(AT_9600,), units=tuple(range(1, 9))
    )
    report = empty(plan)
    await scan(plan, report, nothing, 30.0)
    assert not report.found
    assert report.asked == 8
    assert report.took_s <= plan.longest_s + 0.5


async def test_a_scan_that_is_cut_off_says_so_and_keeps_what_it_found(rtu_peer, answering):
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] == 1 else [])
    reach = Reach(serial=peer.port, timeout_s=0.5)
    plan = Scan(reach=reach, protocol="modbus", settings=(AT_9600,), units=tuple(range(1, 100)))
    report = empty(plan)
    await scan(plan, report, nothing, 2.0)
    assert report.cut_off
    assert [one.unit for one in report.found] == [1]
    assert report.took_s < 4.0


async def test_a_line_that_is_pulled_out_in_the_middle_is_said_to_be(tmp_path):
    """Not that nobody answered, nor that the port can't take the other rates; what was found before is kept."""
    wire = SerialLine(tmp_path / "line")
    reach = Reach(serial=str(wire.path), timeout_s=0.05)
    settings = (AT_9600, Setting(baud=19200, parity="N"))
    plan = Scan(reach=reach, protocol="modbus", settings=settings, units=tuple(range(1, 9)))
    report = empty(plan)

    def pull(done: int, _of: int, _what: str) -> None:
        if done == 3:
            wire.close()

    await scan(plan, report, pull, 10.0)
    assert (report.refused, report.asked) == ([], 3)
    assert any("after 3 of 16 questions the line was gone" in one for one in not_tried(plan, report))


async def test_a_scan_that_is_interrupted_does_not_blame_the_line(rtu_peer):
    peer = rtu_peer(lambda _: [])
    process = await asyncio.create_subprocess_exec(
        PETREL, "bus", "scan", "--serial", peer.port, "--units", "1-30", stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(20):
        await process.stdout.readline()
        await until(lambda: bool(peer.requests))
        process.send_signal(signal.SIGINT)
        _, complained = await process.communicate()
    assert process.returncode == 1
    assert b": interrupted after " in complained


async def test_a_port_that_somebody_holds_is_left_alone(rtu_peer):
    peer = rtu_peer(lambda _: [])
    with serial.Serial(peer.port, exclusive=True):
        ended = await petrel("bus", "scan", "--serial", peer.port, "--units", 1)
    assert ended.code == 1
    assert f"{peer.port}: held by process {os.getpid()}" in ended.refusal
    assert not peer.requests


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--serial", "/dev/nowhere", "--units", "0-3"), "--units '0-3', expected numbers from 1 to 247"),
        (("--serial", "/dev/nowhere", "--baud", "fast"), "--baud 'fast', expected rates"),
        (
            ("--serial", "/dev/nowhere", "--protocol", "sdi12", "--addresses", "0-ab"),
            "--addresses '0-ab', expected some of",
        ),
        (
            ("--serial", "/dev/nowhere", "--protocol", "sdi12", "--addresses", "z-a"),
            "--addresses 'z-a', expected some of",
        ),
        (("--serial", "/dev/nowhere", "--protocol", "x"), "--protocol 'x', expected one of modbus, dlt645"),
        (("--tcp", "127.0.0.1:1", "--parity", "E"), "expected Modbus alone"),
        ((), "no line, expected one of --tcp, --serial"),
        (("--tcp", "127.0.0.1:1", "--serial", "x"), "--tcp and --serial, expected one of"),
    ],
)
async def test_what_can_not_be_meant(arguments, words):
    ended = await petrel("bus", "scan", *arguments)
    assert ended.code == 2
    assert words in ended.refusal


async def test_a_port_that_is_not_there():
    ended = await petrel("bus", "scan", "--serial", "/dev/ttyNOWHERE", "--json")
    assert (ended.code, ended.out) == (1, "")
    assert "/dev/ttyNOWHERE: no such port, expected" in ended.refusal


async def test_units_behind_modbus_tcp(pymodbus_tcp):
    _, port = await pymodbus_tcp(1, 2)
    ended = await petrel("bus", "scan", "--tcp", f"127.0.0.1:{port}", "--units", "1-3", "--json", "--timeout", 1)
    assert [one["unit"] for one in ended.json["found"]][:2] == [1, 2]


async def test_an_electricity_meter_says_its_address():
    """DL/T 645-2007, 7.3 (read address, 13h), written by hand."""
    address = bytes.fromhex("563412907856")
    body = b"\x68" + address + b"\x68\x93\x06" + bytes((byte + 0x33) & 0xFF for byte in address)
    answer = body + bytes((sum(body) & 0xFF, 0x16))
    far, near = os.openpty()
    tty.setraw(near)
    heard = bytearray()

    def read() -> None:
        heard.extend(os.read(far, 4096))
        if heard.endswith(b"\x16"):
            heard.clear()
            os.write(far, answer)

    asyncio.get_running_loop().add_reader(far, read)
    try:
        ended = await petrel(
            "bus", "scan", "--serial", os.ttyname(near), "--protocol", "dlt645", "--baud", "2400", "--json"
        )
    finally:
        asyncio.get_running_loop().remove_reader(far)
        os.close(far)
        os.close(near)
    assert [one["address"] for one in ended.json["found"]] == ["567890123456"]
    assert "do not answer when everybody is asked" in " ".join(ended.json["not_tried"])
    assert ended.json["asked"] == 1


def test_numbers_are_written_as_people_do():
    assert spans((1, 2, 3, 7, 9, 10)) == "1-3, 7, 9-10"


async def test_a_bar_is_shown_on_a_terminal_and_none_in_a_pipe(rtu_peer):
    peer = rtu_peer(lambda _: [])
    command = ("bus", "scan", "--serial", peer.port, "--units", "1-9", "--baud", "9600", "--parity", "N")
    piped = await petrel(*command)
    assert piped.err.splitlines() == [f"petrel: {piped.refusal}"]
    ours, theirs = os.openpty()
    shown = bytearray()
    asyncio.get_running_loop().add_reader(ours, lambda: shown.extend(os.read(ours, 4096)))
    process = await asyncio.create_subprocess_exec(
        PETREL, *command, stdout=asyncio.subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    await process.wait()
    asyncio.get_running_loop().remove_reader(ours)
    os.close(ours)
    os.close(theirs)
    assert b"9600 8N1, unit" in shown
    assert b"/9" in shown
