"""``petrel bus bench`` and ``trace`` on real lines, and recordings that the simulator plays back."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
from contextlib import asynccontextmanager

import pytest

from edge_agent.drivers.modbus import frames, identification
from edge_agent.drivers.modbus.identification import Identification, Identify
from gateway.tools import trace
from simulators.replay import Player, on_serial, script
from telemetry.recording import Head, Piece, Recording, read
from telemetry.settings import SettingsError
from tests.integration.edge.commands import PETREL, petrel
from tests.integration.edge.test_edge_listener import LOGGER
from tests.integration.gateway_centre import until

BITS, BAUD = 10, 9600


def is_locked(port: int) -> bool:
    """Whether a process has a port for itself."""
    try:
        fcntl.flock(port, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(port, fcntl.LOCK_UN)
    return False


GATEWAY = """
site: demo
node: gw-1
broker: mqtt://127.0.0.1:1883
spool: {{dir: spool}}
stations:
  - {{id: here, name: {{zh: 这里, en: Here}}, kind: river, lat: 25.31, lon: 119.07, town: "350305001"}}
buses:
  - name: line
    {line}
    timeout_s: 0.3
    devices:
{devices}
"""


@pytest.fixture
def gateway(tmp_path, profile):
    """Write a gateway with one bus of some units, and give its file."""

    def write(line: str, units=(1,), registers=10) -> str:
        name = profile(*((f"r{at}", f"holding {at} u16") for at in range(registers)))
        devices = "\n".join(
            f"      - {{name: dev{unit}, profile: {name}, unit: {unit}, station: here, period_s: 60, "
            f"points: {{{', '.join(f'r{at}: {{name: u{unit}-r{at}}}' for at in range(registers))}}}}}"
            for unit in units
        )
        path = tmp_path / "gateway.yaml"
        path.write_text(GATEWAY.format(line=line, devices=devices), encoding="utf-8")
        return str(path)

    return write


async def test_line_use_is_told_against_the_possible(rtu_peer, answering, gateway):
    """The far end keeps the pace of 9600 baud and a turnaround of 5 ms: nobody can be quicker."""
    request_s, answer_s = 8 * BITS / BAUD, 25 * BITS / BAUD
    peer = rtu_peer(lambda request: [(request_s + 5e-3 + answer_s, answering(request))])
    file = gateway(f"serial: {{port: {peer.port}, baud: {BAUD}}}", (1, 2))
    ended = await petrel("bus", "bench", file, "--seconds", 2, "--json")
    assert (ended.code, ended.err) == (0, "")
    found = ended.json
    assert 0.2 < found["use"] <= 1.0
    assert found["sent_bytes"] == 8 * found["requests"]
    assert [one["polls"] > 3 for one in found["devices"]] == [True, True]
    by_hand = found["requests"] * (33 * BITS / BAUD + 5e-3 + 3.5 * BITS / BAUD)
    assert found["possible_s"] == pytest.approx(by_hand, rel=0.02)


async def test_a_line_that_is_faster_than_it_can_be_is_said_to_be(rtu_peer, answering, gateway):
    peer = rtu_peer(lambda request: [(0, answering(request))])
    ended = await petrel(
        "bus", "bench", gateway(f"serial: {{port: {peer.port}, baud: 1200}}"), "--seconds", 0.5, "--turnaround", 50
    )
    assert ended.code == 0
    assert "faster than such a line can be" in ended.out


async def test_a_bench_with_a_dead_unit_says_which(rtu_peer, answering, gateway):
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] == 1 else [])
    ended = await petrel("bus", "bench", gateway(f"serial: {{port: {peer.port}}}", (1, 2)), "--seconds", 0.5)
    assert ended.code == 1
    assert ended.refusal.startswith("bus line: dev2: unit 2: no answer within 0.3 s")


async def test_a_bench_that_is_interrupted_tells_what_it_measured(rtu_peer, answering, gateway):
    """Ctrl-C after half an hour must not cost the half hour."""
    peer = rtu_peer(lambda request: [(0, answering(request))])
    file = gateway(f"serial: {{port: {peer.port}}}")
    process = await asyncio.create_subprocess_exec(
        PETREL, "bus", "bench", file, "--seconds", "600", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(20):
        await until(lambda: len(peer.requests) >= 5)
        process.send_signal(signal.SIGINT)
        said, complained = await process.communicate()
    assert process.returncode == 1
    assert b"carried " in said
    assert b"of 600 s: interrupted" in complained


async def test_every_frame_is_told_in_words(pymodbus_tcp, gateway):
    _, port = await pymodbus_tcp(1)
    ended = await petrel("bus", "trace", gateway(f"tcp: {{host: 127.0.0.1, port: {port}}}"), "--rounds", 2)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("-> unit 1: read holding 0x0000 x 10") == 2
    assert ended.out.count("<- unit 1: 100 101 102 103 104 105 106 107 108 109") == 2
    assert "== dev1: u1-r0 100 m, u1-r1 101 m" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines())


async def test_what_is_no_answer_is_told_as_that(rtu_peer, gateway):
    peer = rtu_peer(lambda _: [(0, b"\x01\x03\x02\x00\x00\x00\x00")])
    ended = await petrel("bus", "trace", gateway(f"serial: {{port: {peer.port}}}", registers=1))
    assert ended.code == 1
    assert "<- no answer to that: frame 01 03 02 00 00 00 00 with CRC" in " ".join(ended.out.split())


@asynccontextmanager
async def replaying(*arguments):
    """Where ``petrel sim replay`` answers; ends it with SIGTERM, upon which it must end with code 0."""
    process = await asyncio.create_subprocess_exec(
        PETREL, "sim", "replay", *map(str, arguments), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(20):
        try:
            yield json.loads(await process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            await process.communicate()
    assert process.returncode == 0


async def test_a_recording_answers_as_the_devices_did_on_tcp(pymodbus_tcp, gateway, tmp_path):
    server, port = await pymodbus_tcp(1)
    recording = tmp_path / "line.jsonl"
    file = gateway(f"tcp: {{host: 127.0.0.1, port: {port}}}")
    assert (await petrel("bus", "trace", file, "--out", recording)).code == 0
    await server.shutdown()
    async with replaying(recording, "--tcp", "127.0.0.1:0") as where:
        host, port = where["tcp"].split(":")
        again = await petrel("bus", "trace", gateway(f"tcp: {{host: {host}, port: {port}}}"), "--json", "--rounds", 2)
    readings = [found for line in again.out.splitlines() if "device" in (found := json.loads(line))]
    assert [[one["value"] for one in reading["values"]] for reading in readings] == [
        [100.0 + at for at in range(10)]
    ] * 2


async def test_a_recording_answers_as_the_devices_did_on_a_line(rtu_peer, answering, gateway, tmp_path):
    """With what was wrong then: the third answer was cut short, the fourth never came."""
    turn = iter([1, 1, 0.5, 0, 1, 1, 1, 1])
    peer = rtu_peer(lambda request: [(0.002, (whole := answering(request))[: int(len(whole) * next(turn))])])
    recording = tmp_path / "line.jsonl"
    file = gateway(f"serial: {{port: {peer.port}}}", (1, 2))
    first = await petrel("bus", "trace", file, "--rounds", 3, "--every", 0, "--out", recording, "--json")
    async with replaying(recording, "--serial", tmp_path / "again") as where:
        second = await petrel(
            "bus", "trace", gateway(f"serial: {{port: {where['serial']}}}", (1, 2)),
            "--rounds", 3, "--every", 0, "--json",
        )  # fmt: skip
    assert first.code == second.code == 1

    def outcomes(out: str) -> list:
        found = [json.loads(line) for line in out.splitlines()]
        return [([v["value"] for v in one["values"]], one["problem"]) for one in found if "device" in one]

    assert outcomes(first.out) == outcomes(second.out)
    assert [bool(values) for values, _ in outcomes(first.out)] == [True, True, False, False, True, True]


async def test_another_master_is_overheard_and_nothing_is_sent(rtu_peer, answering, gateway, tmp_path):
    """What it asks, what it is answered, and what it is not; in pieces that have nothing to do with frames."""
    peer = rtu_peer(lambda _: [])
    first, silent, last = (frames.wrap_rtu(unit, bytes((3, 0, 0, 0, 2))) for unit in (1, 2, 3))
    said = first + answering(first) + silent + b"\xfe" + last + answering(last)
    recording = tmp_path / "line.jsonl"
    file = gateway(f"serial: {{port: {peer.port}}}")
    process = await asyncio.create_subprocess_exec(
        PETREL, "bus", "trace", file, "--overhear", "3", "--out", recording, stdout=asyncio.subprocess.PIPE
    )
    await until(lambda: is_locked(peer._near), seconds=20)
    for at in range(0, len(said), 5):
        os.write(peer.far, said[at : at + 5])
        await asyncio.sleep(0.002)
    out, _ = await process.communicate()
    lines = [line.split(None, 1)[1] for line in out.decode().splitlines() if "->" in line or "<-" in line]
    assert lines == [
        "-> unit 1: read holding 0x0000 x 2", "<- unit 1: 100 101", "-> unit 2: read holding 0x0000 x 2",
        "-> unit 3: read holding 0x0000 x 2", "<- unit 3: 300 301",
    ]  # fmt: skip
    assert peer.requests == []
    found = script(read(recording))
    assert found.next(silent) == []
    assert b"".join(data for _, data in found.next(first)) == answering(first)


async def test_what_was_said_unasked_is_said_again_when_it_was(tmp_path):
    head = Head(bus="line", line="x", protocol="nmea0183", framing="bytes", calls=True)
    pieces = tuple(Piece(at_s=at, way="in", hex=text.hex()) for at, text in ((0.0, b"$A"), (0.1, b"*00\r\n")))
    player = Player(Recording(head, pieces))
    heard: list[tuple[float, bytes]] = []
    async with on_serial(player, tmp_path / "line") as (endpoint, transport):
        file = endpoint.path.open("rb", buffering=0)
        loop = asyncio.get_running_loop()
        began, whole = loop.time(), asyncio.Event()

        def hear() -> None:
            heard.append((loop.time() - began, file.read(100)))
            if b"".join(data for _, data in heard) == b"$A*00\r\n":
                whole.set()

        loop.add_reader(file, hear)
        await player.speak(transport)
        async with asyncio.timeout(2):
            await whole.wait()
        loop.remove_reader(file)
        file.close()
    assert heard[0][0] < 0.09
    assert heard[-1][0] >= 0.1


async def test_a_bus_of_callers_is_no_bus_to_bench(tmp_path):
    (tmp_path / "logger.yaml").write_text(LOGGER.format(name="logger"), encoding="utf-8")
    device = "      - {name: air, profile: logger.yaml, address: ABC, station: here, period_s: 60}"
    path = tmp_path / "gateway.yaml"
    path.write_text(GATEWAY.format(line="listen: {host: 127.0.0.1, port: 1}", devices=device), encoding="utf-8")
    ended = await petrel("bus", "bench", path)
    assert ended.code == 2
    assert "its devices report by themselves" in ended.refusal


async def test_a_bus_that_is_not_there(gateway):
    ended = await petrel("bus", "trace", gateway("serial: {port: x}"), "--bus", "other")
    assert (ended.code, ended.refusal) == (2, "--bus 'other', expected one of line")


def test_a_request_gets_its_answers_in_turn_and_keeps_its_transaction():
    pieces = [
        Piece(at_s=0.0, way="out", hex="0001aa"),
        Piece(at_s=0.1, way="in", hex="0001bb"),
        Piece(at_s=0.2, way="out", hex="0002aa"),
        Piece(at_s=0.3, way="in", hex="0002cc"),
    ]
    found = script(Recording(Head(bus="b", line="l", protocol="modbus", framing="tcp"), tuple(pieces)))
    request = bytes.fromhex("0777aa")
    answers = [found.next(request) for _ in range(3)]
    assert [piece[0][1].hex() for piece in answers] == ["0777bb", "0777cc", "0777bb"]
    assert answers[0][0][0] == pytest.approx(0.1)
    assert found.next(bytes.fromhex("0001dd")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: empty"),
        ('{"format":"other"}', ":1: "),
        ('HEAD\n{"at_s":0,"way":"out","hex":"zz"}', ":2: "),
        ('HEAD\n{"at_s":1,"way":"out","hex":"00"}\n{"at_s":0,"way":"in","hex":"00"}', ":3: at_s 0.0, expected 1.0"),
    ],
)
def test_a_recording_that_can_not_be_says_where(tmp_path, text, words):
    head = '{"format":"petrel-bus-trace/1","bus":"b","line":"l","protocol":"modbus","framing":"rtu"}'
    path = tmp_path / "line.jsonl"
    path.write_text(text.replace("HEAD", head), encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        read(path)
    assert words in str(refused.value)


def test_an_identification_is_told_in_words_that_a_terminal_can_show():
    who = Identify(7, 1)
    ask = frames.wrap_rtu(7, identification.encode_request(who))
    answer = identification.encode_answer(who, Identification({0: b"Acme\x1b[2J", 2: b"1.2"}, 3))
    assert trace.asked("rtu", ask) == "unit 7: read device identification, category 1 from 0"
    assert trace.answered("rtu", ask, frames.wrap_rtu(7, answer)) == r"unit 7: 0 Acme\x1b[2J, 2 1.2, more from 3"
    assert "exception 1 (function)" in trace.answered("rtu", ask, frames.wrap_rtu(7, b"\xab\x01"))
    assert "no answer to that" in trace.answered("rtu", ask, frames.wrap_rtu(7, answer[:-1]))
    assert "no Modbus request" in trace.asked("rtu", frames.wrap_rtu(7, b"\x2b\x0d\x01\x00"))
