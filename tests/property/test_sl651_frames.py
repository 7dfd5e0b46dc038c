"""SL 651: frames that others published, and every frame and text there and back."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_agent.drivers.contract import FrameError, Refused, Report
from edge_agent.drivers.sl651 import elements, frames
from edge_agent.drivers.sl651.driver import PROTOCOL
from edge_agent.drivers.sl651.elements import Element, Group
from edge_agent.drivers.sl651.frames import End, Frame
from telemetry.span import HOUR_NS, MINUTE_NS
from tests.property.sl651_talk import OBSERVED_NS, PLACE, STAMP, UP, crc, frame, receive

STATIONS = st.text("0123456789ABCDEF", min_size=10, max_size=10)
MINUTES = st.integers(946_656_000 // 60, 4_102_415_999 // 60).map(lambda minute: minute * MINUTE_NS)


@st.composite
def any_frames(draw):
    is_up = draw(st.booleans())
    total = draw(st.none() | st.integers(1, 4095))
    return Frame(
        station=draw(STATIONS),
        centre=draw(st.integers(1, 255)),
        password=draw(st.integers(0, 0xFFFF)),
        function=draw(st.integers(0, 255)),
        text=draw(st.binary(min_size=1, max_size=300)),
        end=draw(st.sampled_from((End.ETX, End.ETB) if is_up else (End.ENQ, End.ACK, End.EOT, End.NAK, End.ESC))),
        is_up=is_up,
        package=None if total is None else (total, draw(st.integers(1, total))),
    )


@st.composite
def readings(draw, guide=None):
    guide = guide or draw(st.sampled_from(("20", "26", "39", "38", "03", "FFA0")))
    size, decimals = draw(st.integers(2, 6)), draw(st.integers(0, 3))
    count = draw(st.none() | st.integers(-(10 ** (2 * size - 2)) + 1, 10 ** (2 * size) - 1))
    return elements.element(guide, math.nan if count is None else count / 10**decimals, size, decimals)


LEVELS = st.lists(st.integers(0, 0xFFFE).map(lambda count: count / 100) | st.just(math.nan), min_size=12, max_size=12)
RAINS = st.lists(st.integers(0, 0xFE).map(lambda count: count / 10) | st.just(math.nan), min_size=12, max_size=12)
PARTS = (
    readings()
    | LEVELS.map(lambda values: elements.series("F5", values))
    | RAINS.map(lambda values: elements.series("F4", values))
    | st.binary(min_size=4, max_size=4).map(lambda data: Element("45", data))
)


@st.composite
def groups(draw, parts=PARTS):
    return Group(
        station=draw(STATIONS),
        station_class=draw(st.integers(0, 255)),
        time_ns=draw(MINUTES),
        elements=tuple(draw(st.lists(parts, min_size=1, max_size=5))),
    )


@st.composite
def even_groups(draw):
    return Group(
        station=draw(STATIONS),
        station_class=0x48,
        time_ns=draw(MINUTES),
        elements=(draw(readings("39")),) * draw(st.integers(1, 20)),
        step_ns=draw(st.sampled_from((5 * MINUTE_NS, 59 * MINUTE_NS, 6 * HOUR_NS, 31 * 24 * HOUR_NS))),
    )


@pytest.mark.parametrize(
    ("published", "kind", "numbers"),
    [
        # a timed report (HAZARDS 4.1): rain of the day 13.0 mm, of five minutes 4.0 mm, stage 0.550 m, 12.68 V
        (
            "7E7E010010100001A00032002B02000C200724172349F1F1001010000148F0F020072417232019000130221900004039230000055"
            "038121268038397",
            "timed report",
            {
                "32/20": 13.0,
                "32/22": 4.0,
                "32/39": 0.55,
                "32/38": 12.68,
                "20": 13.0,
                "22": 4.0,
                "39": 0.55,
                "38": 12.68,
            },
        ),
        (
            "7E7E05001122334403E832002B020034170718110016F1F1001122334448F0F0170718110020190000402619000040392300010490"
            "3812109903A421",
            "timed report",
            {
                "32/20": 4.0,
                "32/26": 4.0,
                "32/39": 10.49,
                "32/38": 10.99,
                "20": 4.0,
                "26": 4.0,
                "39": 10.49,
                "38": 10.99,
            },
        ),
        # test reports keep their long names
        (
            "7E7E010012345678123430002B020003591011154947F1F1001234567848F0F0591011154920190000052619000005392300000127"
            "381211150320FA",
            "test report",
            {"30/20": 0.5, "30/26": 0.5, "30/39": 0.127, "30/38": 11.15},
        ),
        (
            "7E7E0101000000011234300033020040201126142746F1F1010000000148F0F02011261427201900000026190000003923000000"
            "75381212087A0829FFA011028803E43B",
            "test report",
            {"30/20": 0.0, "30/26": 0.0, "30/39": 0.075, "30/38": 12.08, "30/7A": 29.0, "30/FFA0": 28.8},
        ),
        ("7E7E01001234567812342F0008020003591011155111036BCA", "keep-alive", {}),
    ],
)
def test_reports_that_others_published(published, kind, numbers):
    encoded = bytes.fromhex(published)
    assert frames.encode(frames.decode(encoded)) == encoded
    report = receive(encoded)[0]
    assert report.kind == kind
    assert {field: number.value for field, number in report.numbers.items()} == numbers


@pytest.mark.parametrize(
    ("published", "serial"),
    [
        ("7E7E00123456780112343080080200035910111549471B75D4", 3),
        ("7E7E00112233440503E83280080200341707181100161BE5D4", 0x34),
    ],
)
def test_confirmations_that_others_published(published, serial):
    encoded = bytes.fromhex(published)
    found = frames.decode(encoded)
    assert (found.is_up, found.end, frames.read_stamp(found.text)[0]) == (False, End.ESC, serial)
    assert frames.encode(found) == encoded
    _, sent_ns = frames.read_stamp(found.text)
    assert frames.stamp(serial, sent_ns) == found.text


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        # a public simulator's frame (HAZARDS 4.3)
        (
            "7E7E010011111112000032002B02002B200321153057F1F1001111111248F0F0200321153039220000983620190000002619000000"
            "38122400037B54",
            "D001",
        ),
        # the standard has centres 1 to 255
        ("7E7E00987654321012342F0008027E0822101110074703C3AE", "centre 0"),
    ],
)
def test_published_frames_that_are_wrong_are_refused(published, reason):
    with pytest.raises(FrameError, match=reason):
        frames.decode(bytes.fromhex(published))


@given(any_frames())
def test_a_frame_survives_encoding(sent):
    encoded = frames.encode(sent)
    assert frames.decode(encoded) == sent
    assert frames.size(encoded) == len(encoded)
    assert encoded[-2:] == crc(encoded[:-2])


@settings(max_examples=50)
@given(st.lists(groups(), min_size=1, max_size=3).map(tuple), st.integers(1, 0xFFFF), MINUTES, st.integers(40, 400))
def test_a_report_survives_encoding_in_as_many_packages_as_it_needs(sent, serial, sent_ns, room):
    parts = [frames.decode(frames.encode(part)) for part in frames.upload(UP, serial, sent_ns, sent, room)]
    text = b"".join(part.text for part in parts)
    assert frames.read_stamp(text) == (serial, sent_ns)
    assert elements.decode(UP.function, frames.after_stamp(text)) == sent
    assert [part.end for part in parts] == [End.ETB] * (len(parts) - 1) + [End.ETX]


@given(even_groups())
def test_an_even_interval_report_survives_encoding(sent):
    assert elements.decode(0x31, elements.encode(0x31, (sent,))) == (sent,)


@given(readings())
def test_a_number_survives_encoding(reading):
    number = elements.value(reading)
    again = elements.element(reading.guide, number, len(reading.data), reading.decimals)
    assert again == reading


@pytest.mark.parametrize(
    ("data", "decimals", "number"),
    [("00000127", 3, 0.127), ("FF000127", 3, -0.127), ("FF0127", 1, -12.7), ("99", 0, 99), ("FFFFFFFF", 3, math.nan)],
)
def test_numbers_as_clause_6_6_3_3_writes_them(data, decimals, number):
    found = elements.value(Element("39", bytes.fromhex(data), decimals))
    assert found == number or math.isnan(found) is math.isnan(number) is True


@settings(max_examples=50)
@given(LEVELS, RAINS)
def test_the_values_of_an_hour_survive_encoding(levels, rains):
    for guide, values in (("F5", levels), ("FC", levels), ("F4", rains)):
        found = elements.series_values(elements.series(guide, values))
        assert str(found) == str(values)  # as text, since NaN differs from itself


@given(st.binary(max_size=120))
def test_garbage_is_refused_with_one_kind_of_error(garbage):
    for decode in (
        frames.decode,
        frames.read_stamp,
        lambda text: elements.decode(0x32, text),
        lambda text: elements.decode(0x31, text),
        lambda text: elements.decode(0x34, bytes.fromhex(PLACE) + text),
        lambda text: elements.decode(0x31, bytes.fromhex(PLACE + "0418000005 3923") + text),
    ):
        try:
            decode(garbage)
        except FrameError:
            continue


@given(any_frames(), st.data())
def test_a_frame_with_any_byte_changed_is_refused(sent, data):
    spoilt = bytearray(frames.encode(sent))
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        frames.decode(bytes(spoilt))


@given(st.lists(any_frames().map(frames.encode) | st.binary(max_size=30), max_size=6), st.data())
def test_pieces_of_a_stream_do_not_matter(parts, data):
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    session, events = PROTOCOL.session(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        events += receive(stream[start:end], session)
    assert events == receive(stream)
    assert len(session._splitter._buffer) < frames.LONGEST


@given(st.binary(max_size=300), st.sampled_from((b"", b"~", b"~~", b"~~\x01\x00\x124Vx\x124\x32\x0f\xff\x02")))
def test_a_report_is_found_again_after_garbage_and_after_a_garbled_length(garbage, beginning):
    assume(b"~" not in garbage)
    *refused, report, _ = receive(garbage + beginning + frame(f"{STAMP} {PLACE} 3923 00000550"))
    assert all(isinstance(event, Refused) for event in refused)
    assert isinstance(report, Report)
    assert (report.time_ns, report.numbers["39"].value) == (OBSERVED_NS, 0.55)
