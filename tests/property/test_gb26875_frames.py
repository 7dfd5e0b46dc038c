"""GB/T 26875.3: published packets mean what their makers say, what we write is read again, garbage is nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.fields import gb26875 as fields
from edge_agent.drivers.contract import FrameError, Refused, Reply, Report
from edge_agent.drivers.gb26875 import frames
from edge_agent.drivers.gb26875.driver import PROTOCOL
from edge_agent.drivers.gb26875.frames import Command, Packet
from telemetry.quality import Cause, Quality

# Packets that a transcript of the standard prints as examples (sums recomputed): 2012-09-26T09:58:02+08:00.
EVENT_NS = 1_348_624_682 * 10**9
SOURCE, TARGET = 0x379, 0x15B38
FIRE = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 79 03 00 00 00 00 38 5B 01 00 00 00 30 00 02 02 01 01 01 28 0A 00 02 00 02 00"
    + " 20" * 30
    + " 00 02 3A 09 1A 09 0C 46 23 23"
)
MAINS = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 79 03 00 00 00 00 38 5B 01 00 00 00 09 00 02 15 01 08 02 3A 09 1A 09 0C"
    "42 23 23"
)
DUTY = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 79 03 00 00 00 00 38 5B 01 00 00 00 0A 00 02 18 01 20 01 02 3A 09 1A 09 0C"
    "5F 23 23"
)
VERSION = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 79 03 00 00 00 00 38 5B 01 00 00 00 04 00 02 19 01 01 01 C7 23 23"
)
CLOCK = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 79 03 00 00 00 00 38 5B 01 00 00 00 08 00 02 1C 01 02 3A 09 1A 09 0C 40 23 23"
)
CONFIRM = bytes.fromhex("40 40 01 00 01 01 23 3A 09 1A 09 0C 38 5B 01 00 00 00 79 03 00 00 00 00 00 00 03 AB 23 23")
DENY = bytes.fromhex("40 40 01 00 01 01 23 3A 09 1A 09 0C 38 5B 01 00 00 00 79 03 00 00 00 00 00 00 06 AE 23 23")
ASK = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 38 5B 01 00 00 00 79 03 00 00 00 00 03 00 04 51 01 00 FE 23 23"
)
ANSWER = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 79 03 00 00 00 00 38 5B 01 00 00 00 09 00 05 15 01 08 02 3A 09 1A 09 0C"
    "45 23 23"
)
SYNC = bytes.fromhex(
    "40 40 01 00 01 01 20 3A 09 1A 09 0C 38 5B 01 00 00 00 79 03 00 00 00 00 08 00 01 5A 01 02 3A 09 1A 09 0C 7D 23 23"
)
GOLDEN = (FIRE, MAINS, DUTY, VERSION, CLOCK, CONFIRM, DENY, ASK, ANSWER, SYNC)
# Two packets in the tests of the independent codec: the same, but for the sum that its makers spoilt in one.
OTHER_HEAD = bytes.fromhex("40 40 00 00 01 01 18 0d 11 16 0a 14 00 00 00 00 00 00 06 05 04 03 02 01 30 00 02")
OTHER_UNIT = bytes.fromhex(
    "02 01 01 03 00 d9 00 06 00 02 00 a3 c1 c7 f8 a3 b1 b2 e3 df c8 b2 b8 d7 df c0 c8"
    + " 00" * 15
    + " 30 12 13 01 08 14"
)
OTHER, OTHER_WRONG = (OTHER_HEAD + OTHER_UNIT + bytes.fromhex(tail) for tail in ("682323", "632323"))
NOW_NS = 1_700_000_000 * 10**9


def receive(data, now_ns=NOW_NS):
    return PROTOCOL.session().receive(data, now_ns)


def values(report):
    return {name: number.value for name, number in report.numbers.items() if number.value}


@pytest.mark.parametrize("packet", [*GOLDEN, OTHER])
def test_published_packets_are_written_as_they_were_read(packet):
    assert frames.encode(frames.decode(packet)) == packet
    assert frames.size(packet) == len(packet)


def test_a_fire_is_reported_with_its_own_time_and_confirmed():
    report, reply = receive(FIRE)
    assert (report.address, report.kind, report.time_ns) == ("000000000379", "component", EVENT_NS)
    assert values(report) == {"component/1.1/10.2/fire": 1.0, "component/1.1/10.2/state": 2.0}
    assert report.numbers["component/1.1/10.2/fault"].value == 0.0
    answer = frames.decode(reply.data)
    assert answer == Packet(1, Command.CONFIRM, TARGET, SOURCE, time_ns=NOW_NS)
    assert replace(frames.decode(CONFIRM), time_ns=NOW_NS) == answer


def test_the_transmitter_speaks_of_itself():
    assert values(receive(MAINS)[0]) == {"transmitter/mains-fault": 1.0, "transmitter/state": 8.0}
    assert values(receive(DUTY)[0]) == {"transmitter-operation/duty-answer": 1.0, "transmitter-operation/state": 32.0}
    assert [event.kind for event in receive(ANSWER)] == ["transmitter"]  # an answer is not confirmed


def test_the_words_of_a_component_are_read():
    (item,) = frames.decode_unit(frames.decode(OTHER).unit)
    assert item.text == "Ａ区１层呷哺走廊"
    assert (item.zone, item.number, item.time_ns) == (0xD9, 6, 1_596_280_728 * 10**9)


def test_what_holds_no_number_is_confirmed():
    heartbeat = frames.encode(Packet(0, Command.UPLOAD, SOURCE, TARGET))
    for packet, kind in ((heartbeat, "heartbeat"), (VERSION, "transmitter-version"), (CLOCK, "transmitter-clock")):
        report, reply = receive(packet)
        assert (report.kind, report.numbers) == (kind, {})
        assert frames.decode(reply.data).command is Command.CONFIRM


def test_the_published_packet_with_a_wrong_sum_is_denied():
    refused, reply = receive(OTHER_WRONG)
    assert refused == Refused("sum 63, expected 68", OTHER_WRONG[:32])
    assert frames.decode(reply.data) == Packet(0, Command.DENY, 0x010203040506, 0, time_ns=NOW_NS)


def test_confirmations_are_not_answered():
    session = PROTOCOL.session()
    spoilt = CONFIRM[:-3] + b"\x00##"
    found = session.receive(CONFIRM + DENY + spoilt, NOW_NS)
    assert [type(event) for event in found] == [Refused]
    assert session.ignored == 2


@pytest.mark.parametrize(
    ("change", "problem", "answer"),
    [
        (lambda p: p[:26] + b"\x09" + p[27:-3] + bytes(((p[-3] + 7) & 0xFF,)) + b"##", "command 9", Command.DENY),
        (lambda p: p[:4] + b"\x02" + p[5:-3] + bytes(((p[-3] + 1) & 0xFF,)) + b"##", "belong to no frame", None),
        (lambda p: p[:-1] + b"$" + p, "ends with 23 24", None),
        (lambda p: p[:24] + b"\xff\xff" + p[26:], "belong to no frame", None),
        (lambda p: b"\x68" + p[1:], "belong to no frame", None),
    ],
)
def test_a_packet_that_is_wrong_in_any_way_is_refused(change, problem, answer):
    found = receive(change(MAINS) + FIRE)
    assert isinstance(found[0], Refused)
    assert problem in found[0].reason
    replies = [frames.decode(event.data).command for event in found if isinstance(event, Reply)]
    assert replies[:-1] == ([answer] if answer else replies[:-1])
    assert any(isinstance(event, Report) and event.kind == "component" for event in found)


def test_a_flood_of_starts_is_refused_at_once():
    """P21: garbage must not cost more than it is worth, neither time nor lines in the log."""
    *refused, report, _ = receive(b"@" * 20_000 + FIRE)
    assert [type(event) for event in refused] in ([Refused], [Refused, Refused])
    assert report.kind == "component"


def test_framing_with_68_is_no_packet():
    """A public implementation frames with 68 ... 16 as meters do; the standard does not."""
    assert all(isinstance(event, Refused) for event in receive(b"\x68" + FIRE[2:-2] + b"\x16" + b"@@"))


@pytest.mark.parametrize(
    ("unit", "problem"),
    [
        ("01", "1 bytes, expected a type"),
        ("80 01 00", "type 128"),
        ("09 01 00", "type 9"),
        ("15 00", "0 objects"),
        ("15 02" + " 00" * 14, "2 objects of type 21"),
        ("15 01 08 02 3A 09 1A 09", "expected more"),
        ("15 01 08 02 3A 09 1A 09 0C 00", "expected 9"),
        ("1A 01 05 41", "expected more"),
        ("06 01 01 01", "expected more"),
    ],
)
def test_a_whole_packet_with_a_unit_that_says_nothing_is_refused_and_confirmed(unit, problem):
    """Poison must not stand in the way of the next alarm: sent again it would say no more."""
    packet = frames.encode(Packet(1, Command.UPLOAD, SOURCE, TARGET, bytes.fromhex(unit)))
    refused, reply = receive(packet)
    assert problem in refused.reason
    assert frames.decode(reply.data).command is Command.CONFIRM


def test_a_packet_sent_again_is_confirmed_again_and_reported_once():
    assert [type(event) for event in receive(FIRE + FIRE)] == [Report, Reply, Reply]
    later = frames.encode(replace(frames.decode(FIRE), serial=2))
    assert [type(event) for event in receive(FIRE + later)] == [Report, Reply, Report, Reply]


def test_an_unset_clock_keeps_no_alarm_back():
    item = frames.TransmitterState(0b10)
    packet = frames.encode(Packet(1, Command.UPLOAD, SOURCE, TARGET, frames.encode_unit([item])))
    report, _, again, _ = receive(packet + packet)
    assert report == again
    assert report.time_ns is None
    fire = report.numbers["transmitter/fire"]
    assert (fire.value, fire.quality, fire.cause) == (1.0, Quality.SUSPECT, Cause.CLOCK)


def test_a_gateway_without_a_clock_still_confirms():
    assert frames.decode(receive(FIRE, now_ns=0)[1].data).time_ns is None


BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
TIMES = st.none() | st.integers(946_656_000, 4_102_415_999).map(lambda second: second * 10**9)
CODED = st.text(st.characters(codec="gb18030", exclude_characters="\0 "), max_size=7)
ITEMS = st.one_of(
    *(
        st.lists(st.builds(item, *parts), min_size=1, max_size=min(most, 4))
        for item, parts, most in (
            (frames.SystemState, (BYTE, BYTE, WORD, TIMES), 102),
            (frames.ComponentState, (BYTE, BYTE, BYTE, WORD, WORD, WORD, CODED, TIMES), 22),
            (frames.Analog, (BYTE, BYTE, BYTE, WORD, WORD, BYTE, st.integers(-0x8000, 0x7FFF), TIMES), 63),
            (frames.SystemOperation, (BYTE, BYTE, BYTE, BYTE, TIMES), 102),
            (frames.SystemVersion, (BYTE, BYTE, BYTE, BYTE), 1),
            (frames.SystemText, (BYTE, BYTE, CODED), 3),
            (frames.ComponentText, (BYTE, BYTE, BYTE, WORD, WORD, CODED), 26),
            (frames.SystemTime, (BYTE, BYTE, TIMES), 1),
            (frames.TransmitterState, (BYTE, TIMES), 1),
            (frames.TransmitterOperation, (BYTE, BYTE, TIMES), 127),
            (frames.TransmitterVersion, (BYTE, BYTE), 1),
            (frames.TransmitterText, (CODED,), 1),
            (frames.TransmitterTime, (TIMES,), 1),
        )
    )
)
ADDRESSES = st.integers(0, 2**48 - 1)
PACKETS = st.builds(
    Packet,
    WORD,
    st.sampled_from(Command),
    ADDRESSES,
    ADDRESSES,
    ITEMS.map(frames.encode_unit) | st.just(b""),
    TIMES,
    BYTE,
)


@settings(deadline=None)
@given(ITEMS)
def test_a_unit_survives_encoding_and_its_numbers_have_names(items):
    assert frames.decode_unit(frames.encode_unit(items)) == tuple(items)
    for item in items:
        for name in frames.numbers(item):
            assert str(fields.parse(name)) == name


@settings(deadline=None)
@given(PACKETS)
def test_a_packet_survives_encoding(packet):
    data = frames.encode(packet)
    assert frames.decode(data) == packet
    assert frames.size(data[:26]) == len(data) <= frames.LONGEST


@pytest.mark.parametrize(
    ("item", "most"),
    [
        (frames.SystemState(1, 1, 1), 102),
        (frames.ComponentState(1, 1, 1, 1, 1, 1), 22),
        (frames.Analog(1, 1, 1, 1, 1, 3, 1), 63),
        (frames.SystemOperation(1, 1, 1, 1), 102),
        (frames.ComponentText(1, 1, 1, 1, 1, "x"), 26),
        (frames.TransmitterOperation(1, 1), 127),
    ],
)
def test_as_many_objects_fit_as_the_standard_says(item, most):
    unit = frames.encode_unit([item] * most)
    assert len(unit) <= 1024
    assert frames.decode_unit(unit) == (item,) * most
    with pytest.raises(FrameError, match=f"at most {most}"):
        frames.encode_unit([item] * (most + 1))


@pytest.mark.parametrize(
    "items",
    [
        [],
        [frames.SystemVersion(1, 1, 1, 1)] * 2,
        [frames.SystemVersion(1, 1, 1, 1), frames.TransmitterVersion(1, 1)],
        [frames.SystemVersion(256, 1, 1, 1)],
        [frames.Analog(1, 1, 1, 1, 1, 3, 40_000)],
        [frames.ComponentText(1, 1, 1, 1, 1, "火" * 16)],
    ],
)
def test_what_does_not_fit_is_refused(items):
    with pytest.raises(FrameError):
        frames.encode_unit(items)
    for wrong in (Packet(1 << 16, Command.UPLOAD, 1, 1), Packet(1, Command.UPLOAD, 1 << 48, 1)):
        with pytest.raises(FrameError):
            frames.encode(wrong)
    with pytest.raises(FrameError):
        frames.encode(Packet(1, Command.UPLOAD, 1, 1, bytes(1025)))


STREAM = b"noise" + FIRE + OTHER_WRONG + b"@" + MAINS[:20] + MAINS + b"@@@" + CONFIRM + ASK + b"x" + DUTY + FIRE[:9]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=40).map(sorted))
def test_any_split_of_the_stream_gives_the_same_events(cuts):
    session = PROTOCOL.session()
    pieces = [STREAM[start:end] for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
    found = [event for piece in pieces for event in session.receive(piece, NOW_NS)]
    assert found == receive(STREAM)
    assert [event.kind for event in found if isinstance(event, Report)] == [
        "component",
        "transmitter",
        "transmitter-operation",
    ]


def test_a_garbled_length_keeps_the_next_alarm_back_no_longer_than_its_arrival():
    garbled = MAINS[:24] + b"\xff\x03" + MAINS[26:]
    assert any(isinstance(event, Report) for event in receive(garbled + FIRE))


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_garbage_gives_no_report(garbage):
    assert not any(isinstance(event, Report) for event in receive(garbage))


@settings(deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_the_decoders_raise_frame_errors_only(garbage, unit):
    for decode, data in ((frames.decode, b"@@" + garbage), (frames.decode_unit, unit), (frames.decode_unit, garbage)):
        try:
            decode(data)
        except FrameError:
            continue


@settings(deadline=None)
@given(st.integers(0, 8 * len(FIRE) - 1))
def test_a_bit_turned_over_never_gives_a_number(bit):
    """A sum of bytes can't see two changes that cancel each other; any single one it does."""
    packet = bytearray(FIRE)
    packet[bit // 8] ^= 1 << bit % 8
    assert not any(isinstance(event, Report) for event in receive(bytes(packet)))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "system",
            "system/1.0",
            "system/1/fire",
            "system/1.0/power-fault",
            "system/256.0/fire",
            "system/01.0/fire",
        ),
        *(
            "component/1.0/fire",
            "component/1.0/65536.1/fire",
            "analog/1.0/1.1/13",
            "analog/1.0/1.1/x",
            "analog/1.0/1.1/state",
        ),
        *("transmitter/1.0/fire", "transmitter/bus-fault", "operation/1.0/duty-answer", "clock/1.0/state"),
    ],
)
def test_a_field_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        fields.parse(text)


def test_addresses_are_twelve_digits():
    PROTOCOL.check_address(frames.write_address(SOURCE))
    assert frames.read_address("000000000379") == SOURCE
    for wrong in ("", "379", "00000000037g", "00000000037a", "0000000003790"):
        with pytest.raises(ValueError, match="expected 12"):
            PROTOCOL.check_address(wrong)
    with pytest.raises(ValueError, match="no password"):
        PROTOCOL.session("secret")
