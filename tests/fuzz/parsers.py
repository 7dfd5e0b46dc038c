"""Everything that reads bytes of somebody else's: what it is given, and the one type of error that it may raise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from device_profiles import registry
from device_profiles.attribute import Attribute
from device_profiles.attribute_text import text_of
from device_profiles.field_model import FieldProfile, message
from device_profiles.fields.ascii_line import LineFormat
from edge_agent.drivers.ascii_line import frames as ascii_line
from edge_agent.drivers.cjt188 import frames as cjt188
from edge_agent.drivers.cjt188 import readings as cjt188_readings
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.dlt645 import frames as dlt645
from edge_agent.drivers.gb26875 import frames as gb26875
from edge_agent.drivers.gb26875 import unit as gb26875_unit
from edge_agent.drivers.gb26875.driver import PROTOCOL as GB26875
from edge_agent.drivers.hj212 import frames as hj212
from edge_agent.drivers.hj212.driver import PROTOCOL as HJ212
from edge_agent.drivers.modbus import frames as modbus
from edge_agent.drivers.modbus import identification
from edge_agent.drivers.modbus.identification import Identification, Identify
from edge_agent.drivers.nmea0183 import frames as nmea0183
from edge_agent.drivers.nmea0183.driver import PROTOCOL as NMEA0183
from edge_agent.drivers.sdi12 import frames as sdi12
from edge_agent.drivers.sl651 import elements as sl651_elements
from edge_agent.drivers.sl651 import frames as sl651
from edge_agent.drivers.sl651.driver import PROTOCOL as SL651
from ingest.decoding import decode_all
from ingest.intake import Message
from ingest.salvage import identity, is_backlog
from telemetry import wire
from telemetry.batch import check
from telemetry.bundle import packed
from telemetry.bundle import parts as bundle_parts
from telemetry.topics import Channel
from tests.unit.gateway_batches import make_batch

NOW_NS = 1_790_000_000_000_000_000


class NothingError(Exception):
    """What a parser that must never raise may raise."""


@dataclass(frozen=True, slots=True)
class Parser:
    """One way in. ``seeds`` are good inputs, from which bad ones are made; of a ``part`` of a frame, whole frames."""

    name: str
    read: Callable[[bytes], object]
    error: type[Exception]
    seeds: tuple[bytes, ...]
    part: bool = False


def parsers() -> tuple[Parser, ...]:
    """All of them."""
    return (*_modbus(), *_frames(), *_sessions(), *_wire())


def _golden(protocol: str) -> tuple[bytes, ...]:
    """What devices of the catalogue say in the golden messages of their profiles."""
    profiles = [registry.load(name) for name in registry.names()]
    found = [
        message(one.sent)
        for profile in profiles
        if isinstance(profile, FieldProfile) and profile.protocol == protocol
        for golden in profile.golden
        for one in golden.messages
    ]
    assert found, f"no golden message of {protocol} to start from"
    return tuple(found)


def _modbus() -> Iterator[Parser]:
    read = modbus.Read(1, modbus.READ_HOLDING, 0, 10)
    request = modbus.encode_request(read)
    answer = modbus.encode_answer(read, bytes(range(20)))
    rtu, tcp = modbus.wrap_rtu(1, answer), modbus.wrap_tcp(7, 1, answer)
    yield Parser("modbus request", lambda data: modbus.decode_request(1, data), FrameError, (request,))
    yield Parser("modbus answer", lambda data: modbus.decode_answer(read, data), FrameError, (answer, b"\x83\x02"))
    yield Parser("modbus rtu", modbus.unwrap_rtu, FrameError, (rtu,))
    yield Parser("modbus tcp", modbus.unwrap_tcp, FrameError, (tcp,))
    who = Identify(1, identification.REGULAR)
    said = identification.encode_answer(who, Identification({0: b"Acme", 5: b"M-5"}, 6))
    frame = modbus.wrap_rtu(1, said)
    yield Parser("modbus identification", lambda data: identification.decode_answer(who, data), FrameError, (said,))
    yield Parser("modbus identification size", identification.rtu_answer_size, FrameError, (frame,), part=True)
    yield Parser("attribute", _attribute, NothingError, (b"SN-1\0\0\0\0", "雷达".encode("gb18030").ljust(8)))


def _attribute(data: bytes) -> None:
    """Whatever a device sends as a text: what is made of it can be printed."""
    for encoding in ("ascii", "utf-8", "gb18030"):
        said = text_of(Attribute(register="holding 0 string 4", encoding=encoding), data)
        if said is not None and not said.isprintable():
            raise ValueError(f"{said!a}, expected printable text")


def _sdi12_high() -> Iterator[Parser]:
    packets = (sdi12.encode_packet("0", (1.5, -2.0)), sdi12.encode_packet("0", (1.0, 2.0, 3.0), 4))
    said = sdi12.encode_parameter("0", sdi12.Parameter("HG", "m", ("mean",)), crc=True)
    yield Parser("sdi12 command", sdi12.decode_command, FrameError, (b"0MC3!", b"0DB999!", b"0IHA_017!"))
    yield Parser("sdi12 packet", lambda data: sdi12.decode_packet("0", data), FrameError, packets)
    yield Parser("sdi12 packet size", lambda data: sdi12.packet_size(data, "0"), FrameError, packets, part=True)
    yield Parser(
        "sdi12 parameter", lambda data: sdi12.decode_parameter("0", data, crc=False), FrameError, (b"0,TR,C;\r\n",)
    )
    yield Parser("sdi12 parameter crc", lambda data: sdi12.decode_parameter("0", data, crc=True), FrameError, (said,))


def _frames() -> Iterator[Parser]:
    line = ascii_line.Codec.of(LineFormat(pattern=r"LEVEL=(?P<level>[0-9.]+) T=(?P<t>-?[0-9.]+)", missing=("----",)))
    meters = _golden("cjt188")
    yield Parser("hj212", hj212.decode, FrameError, _golden("hj212"))
    yield Parser("sl651", sl651.decode, FrameError, _golden("sl651"))
    yield Parser(
        "sl651 elements", lambda data: sl651_elements.decode(0x32, data), FrameError, _golden("sl651"), part=True
    )
    yield Parser(
        "sdi12 values", lambda data: sdi12.decode_values("0", data, crc=False), FrameError, _golden("sdi12"), part=True
    )
    yield Parser(
        "sdi12 values crc", lambda data: sdi12.decode_values("0", data, crc=True), FrameError, (b"0+3.14OqZ\r\n",)
    )
    yield Parser(
        "sdi12 started", lambda data: sdi12.decode_started("0", data, sdi12.DIGITS_M), FrameError, (b"00012\r\n",)
    )
    yield Parser(
        "sdi12 identity", lambda data: sdi12.decode_identity("0", data), FrameError, (b"014VENDOR  MODEL 001SN\r\n",)
    )
    yield from _sdi12_high()
    yield Parser("dlt645", dlt645.decode, FrameError, _golden("dlt645"))
    yield Parser("cjt188", cjt188.decode, FrameError, meters)
    yield Parser(
        "cjt188 reading", lambda data: cjt188_readings.decode_reading(0x10, data), FrameError, meters, part=True
    )
    yield Parser("nmea0183", nmea0183.decode, FrameError, tuple(line.strip() for line in _golden("nmea0183")))
    yield Parser("gb26875", gb26875.decode, FrameError, _golden("gb26875"))
    yield Parser("gb26875 unit", gb26875_unit.decode_unit, FrameError, _golden("gb26875"), part=True)
    yield Parser("ascii line", lambda data: ascii_line.decode(line, data), FrameError, (b"LEVEL=1.25 T=-3.5",))


def _sessions() -> Iterator[Parser]:
    for name, protocol in (("hj212", HJ212), ("sl651", SL651), ("nmea0183", NMEA0183), ("gb26875", GB26875)):
        yield Parser(
            f"{name} session",
            lambda data, protocol=protocol: protocol.session().receive(data, NOW_NS),  # type: ignore[misc]
            NothingError,
            _golden(name),
        )


def _decoded(data: bytes) -> None:
    """What the centre does with a message of data: it must come to terms with anything."""
    found = decode_all([Message("demo/gw-1", Channel.DATA, data)])
    for one in found.batches:
        check(one)


def _wire() -> Iterator[Parser]:
    batch = wire.encode_batch(make_batch(50).numbered(1, 1), wire.Lane.LIVE)
    ack = wire.encode(wire.Ack(epochs=(wire.EpochAck(epoch=1, committed=((1, 9),)),)))
    watch = wire.encode(wire.Watch(marks={"1": (1.0, 2.0)}))
    yield Parser("wire batch", lambda data: wire.decode_batch(data, "demo/gw-1"), ValueError, (batch,))
    yield Parser("wire identity", identity, NothingError, (batch,))
    yield Parser("ingest lane", is_backlog, NothingError, (batch,))
    (bundle,) = packed([batch, batch])
    yield Parser("wire bundle", bundle_parts, ValueError, (bundle,))
    yield Parser("ingest decoding", _decoded, NothingError, (bundle, batch))
    for name, kind, seed in (("ack", wire.Ack, ack), ("watch", wire.Watch, watch)):
        yield Parser(f"wire {name}", lambda data, kind=kind: wire.decode(data, kind), ValueError, (seed,))  # type: ignore[misc]
