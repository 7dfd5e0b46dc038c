"""``petrel device read`` and ``guess`` against independent servers."""

import asyncio
import socket
import struct

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.integration.edge.commands import petrel
from tests.integration.edge.test_edge_listener import LOGGER, message

ROOM = """
name: room
title: {zh: 试验, en: Test}
source: made up for tests
transports: [tcp, rtu]
serial: {baud: 9600}
points:
  - {name: level, quantity: water_level, unit: mm, register: holding 4 s16, valid: [0, 1000]}
  - {name: gas, quantity: combustible_gas, unit: "%LEL", register: holding 8 f32, valid: [0, 100]}
golden:
  - {frame: rtu, exchange: [{request: "00", answer: "00"}], values: {}, source: none}
"""


@pytest.fixture
def room(tmp_path):
    path = tmp_path / "room.yaml"
    path.write_text(ROOM, encoding="utf-8")
    return path


@pytest.fixture
async def served():
    """Serve registers 0 to 11 of unit 1 on TCP: gives the address."""
    servers = []

    async def make(words: dict[int, int], size: int = 12) -> str:
        values = [words.get(at, 0) for at in range(size)]
        registers = [SimData(0, values=values, datatype=DataType.REGISTERS)]
        bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        device = SimDevice(1, simdata=(bits, bits, registers, registers))
        server = ModbusTcpServer([device], address=("127.0.0.1", 0))
        assert await server.listen()
        servers.append(server)
        return f"127.0.0.1:{server.transport.sockets[0].getsockname()[1]}"

    yield make
    for server in servers:
        await server.shutdown()


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


async def test_a_reading_beside_the_display(served, room):
    high, low = words(struct.pack(">f", 12.5))
    where = await served({4: 432, 8: high, 9: low})
    ended = await petrel("device", "read", room, "--tcp", where, "--json")
    assert (ended.code, ended.err) == (0, "")
    level, gas = ended.json["values"]
    assert (level["value"], level["unit"], level["shows"], level["shows_unit"]) == (0.432, "m", 432, "mm")
    assert (gas["value"], gas["quality"]) == (12.5, "UNCHECKED")
    table = await petrel("device", "read", room, "--tcp", where)
    assert "0.432 m" in table.out
    assert "432 mm" in table.out
    assert "水位" in table.out


async def test_a_code_is_read_in_words(served, room):
    state = "quantity: device_state, unit: code, register: holding 4 u16, valid: [0, 9]"
    text = ROOM.replace("quantity: water_level, unit: mm, register: holding 4 s16, valid: [0, 1000]", state)
    room.write_text(text.replace("9]}", "9], states: {3: {zh: 故障, en: faulty}}}"), encoding="utf-8")
    where = await served({4: 3})
    ended = await petrel("device", "read", room, "--tcp", where, "--json")
    assert ended.json["values"][0]["says"] == {"zh": "故障", "en": "faulty"}
    assert "3 faulty 故障" in (await petrel("device", "read", room, "--tcp", where)).out


async def test_a_reading_beyond_the_range_is_shown_and_doubted(served, room):
    where = await served({4: 2000})
    ended = await petrel("device", "read", room, "--tcp", where)
    assert ended.code == 0
    assert "2 m" in ended.out
    assert "SUSPECT RANGE" in ended.out


async def test_a_device_that_refuses_a_part_gives_the_rest_and_an_exit_code(served, room):
    where = await served({4: 10}, size=6)
    ended = await petrel("device", "read", room, "--tcp", where)
    assert ended.code == 1
    assert "0.01 m" in ended.out
    assert "refuses holding 0x0008-0x0009" in ended.refusal


async def test_silence_is_one_line_with_advice(rtu_peer, room):
    peer = rtu_peer(lambda _: [])
    ended = await petrel("device", "read", room, "--serial", peer.port, "--unit", 7, "--timeout", 0.1)
    assert (ended.code, ended.out) == (1, "")
    assert ended.refusal.startswith(f"{peer.port}, unit 7: no answer within 0.1 s; look at power")


async def test_options_of_the_line_are_taken(rtu_peer, answering, room):
    peer = rtu_peer(lambda request: [(0, answering(request))])
    ended = await petrel(
        "device", "read", room, "--serial", peer.port, "--unit", 9, "--baud", 19200, "--parity", "E", "--stop", 2,
        "--json",
    )  # fmt: skip
    assert ended.json["values"][0]["shows"] == 904


async def test_a_report_is_listened_for_and_not_acknowledged(tmp_path):
    """A data logger deletes what was acknowledged, and a tool is no centre."""
    from datetime import UTC, datetime

    (tmp_path / "logger.yaml").write_text(LOGGER.format(name="logger"), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reading = asyncio.create_task(
        petrel(
            "device", "read", tmp_path / "logger.yaml", "--listen", f"127.0.0.1:{port}", "--address", "ABC", "--wait",
            20, "--json",
        )
    )  # fmt: skip
    for _ in range(400):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.025)
    writer.write(message("35.5", datetime.now(UTC)))
    back = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    ended = await reading
    assert ended.code == 0, ended.err
    assert [(one["point"], one["value"]) for one in ended.json["values"]] == [("pm25", 35.5)]
    assert back == b""


async def test_nobody_reports(tmp_path):
    (tmp_path / "logger.yaml").write_text(LOGGER.format(name="logger"), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        logger = ("device", "read", tmp_path / "logger.yaml", "--address", "ABC", "--listen")
        ended = await petrel(*logger, where, "--wait", 0.3)
    assert ended.code == 1
    assert "expected an address of this machine with a free port" in ended.refusal
    ended = await petrel(*logger, where, "--wait", 0.3)
    assert "no report within 0.3 s" in ended.refusal


@pytest.mark.parametrize("order", ["abcd", "cdab", "badc", "dcba"])
async def test_the_order_of_bytes_is_guessed_from_the_display(served, room, order):
    big = struct.pack(">f", 3.42)
    places = {"abcd": (0, 1, 2, 3), "cdab": (2, 3, 0, 1), "badc": (1, 0, 3, 2), "dcba": (3, 2, 1, 0)}[order]
    data = bytearray(4)
    for byte, at in zip(big, places, strict=True):
        data[at] = byte
    high, low = words(bytes(data))
    where = await served({8: high, 9: low})
    ended = await petrel("device", "guess", room, "--tcp", where, "--point", "gas", "--shows", "3.42", "--json")
    assert ended.code == 0, ended.err
    best = ended.json[0]["candidates"][0]
    suffix = "" if order == "abcd" else f" {order}"
    assert (best["register"], best["scale"]) == (f"holding 0x0008 f32{suffix}", 1)
    assert best["declared"] is (order == "abcd")


async def test_a_manual_that_counts_from_one_and_an_integer_in_hundredths(served, room):
    where = await served({3: 342})
    ended = await petrel("device", "guess", room, "--tcp", where, "--point", "level", "--shows", "3.42", "--json")
    best = ended.json[0]["candidates"][0]
    assert (best["register"], best["scale"]) in [("holding 0x0003 u16", 0.01), ("holding 0x0003 s16", 0.01)]


async def test_nothing_fits_the_display(served, room):
    where = await served({})
    ended = await petrel("device", "guess", room, "--tcp", where, "--point", "level", "--shows", "77.7")
    assert ended.code == 1
    assert "nothing fits level" in ended.refusal


async def test_a_display_needs_its_point(served, room):
    where = await served({})
    ended = await petrel("device", "guess", room, "--tcp", where, "--shows", "1")
    assert (ended.code, ended.refusal) == (2, "--shows needs --point, expected one of level, gas")
