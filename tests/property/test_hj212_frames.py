"""HJ 212: the standards' own frames, what others published wrongly, and every message there and back."""

import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from edge_agent.drivers.contract import FrameError, Refused, Reply, Report
from edge_agent.drivers.hj212 import data, frames
from edge_agent.drivers.hj212.driver import PROTOCOL
from edge_agent.drivers.hj212.frames import Edition, Message
from telemetry.quality import Quality
from tests.property.hj212_talk import MN, SAMPLED_NS, UPLOAD, frame, receive

# seconds of UTC from 2000 to 2099 in Beijing, and milliseconds
QNS = st.builds(
    lambda second, millisecond: frames.now(second * 10**9 + millisecond * 10**6),
    st.integers(946_656_000, 4_102_415_999),
    st.integers(0, 999),
)
TEXTS = st.text("0123456789abcDEF=;,.-", max_size=200)


@st.composite
def messages(draw):
    edition = draw(st.sampled_from(Edition))
    total = draw(st.none() | st.integers(1, 9999))
    return Message(
        qn=draw(QNS),
        st=draw(st.text("0123456789ABZ", min_size=2, max_size=2)),
        cn=draw(st.integers(0, 9999).map("{:04}".format)),
        pw=draw(st.text("abcXYZ019!-_", max_size=6)),
        mn=draw(st.text("0123456789ABCDEFabc_-", min_size=1, max_size=24)),
        edition=edition,
        wants_answer=draw(st.booleans()),
        package=None if total is None else (total, draw(st.integers(1, total))),
        resent=edition is Edition.HJ212_2025 and draw(st.booleans()),
        data=draw(TEXTS),
    )


ITEMS = st.dictionaries(
    st.text("aw0123456789", min_size=1, max_size=6),
    st.fixed_dictionaries(
        {"Rtd": st.decimals(-(10**6), 10**6, places=3).map(str)},
        optional={"Flag": st.sampled_from("NTFSMCDB"), "ZsRtd": st.just("1.5"), "Avg": st.just("")},
    ),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize(
    ("golden", "message"),
    [
        # HJ 212-2017, annex A
        (
            b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
            b"CP=&&RtdInterval=30&&1C80\r\n",
            Message(
                qn="20160801085857223", st="32", cn="1062", pw="100000", mn=MN, wants_answer=True, data="RtdInterval=30"
            ),
        ),
        # HJ 212-2017, appendix C: the answer to data
        (
            b"##0087QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&C241\r\n",
            frames.answer(UPLOAD),
        ),
        # HJ 212-2025, annex A.1
        (
            b"##0087QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&2200\r\n",
            Message(
                qn="20240601085857223",
                st="32",
                cn="1011",
                pw="123456",
                mn=MN,
                wants_answer=True,
                edition=Edition.HJ212_2025,
            ),
        ),
    ],
)
def test_the_frames_of_the_standards(golden, message):
    assert frames.decode(golden) == message
    assert frames.encode(message) == golden


@pytest.mark.parametrize(
    ("segment", "crc"),
    [
        (
            "QN=20190901181526940;ST=32;CN=2011;PW=123456;MN=Y80110010000010;Flag=4;CP=&&DataTime=20190901181500;"
            "a21005-Rtd=1.760,a21005-Flag=N;a21026-Rtd=106.400,a21026-Flag=N;O3-Rtd=63.400,O3-Flag=N;"
            "a21004-Rtd=63.200,a21004-Flag=N;a34002-Rtd=9,a34002-Flag=N;a34004-Rtd=4,a34004-Flag=N&&",
            "1100",
        ),
        (
            "ST=32;CN=2011;PW=123456;MN=LD130133000015;CP=&&DataTime=20160824003817;B01-Rtd=36.91;"
            "011-Rtd=231.0,011-Flag=N;060-Rtd=1.803,060-Flag=N&&",
            "4980",
        ),
        (
            "QN=20191012133710130;ST=22;CN=2011;PW=123456;MN=Y80110010000010;Flag=4;CP=&&DataTime=20191012133710;"
            "a21-Rtd=0.00;a21-Rtd=0.00;a21007-Rtd=0.033;a21006-Rtd=0.036;a21001-Rtd=25.40;a21003-Rtd=101.94;"
            "a21002-Rtd=49.20&&",
            "f9c1",
        ),
        (
            "QN=20191112091100598;ST=31;CN=2051;PW=123456;MN=14513567846884;PNO=0002;PNUM=0002;"
            "CP=&&DataTime=20230327090000;a01006-Avg=101.85,a01006-Min=101.84,a01006-Max=101.87,"
            "a01006-ValidNum=10,a01006-TotalNum=10&&",
            "2800",
        ),
    ],
)
def test_published_frames_with_a_wrong_check_are_refused(segment, crc):
    """The lengths are right, so only the check can tell (HAZARDS 4.3)."""
    with pytest.raises(FrameError, match="CRC"):
        frames.decode(f"##{len(segment):04}{segment}{crc}\r\n".encode())


def test_a_published_frame_with_a_right_check_in_small_letters_is_read():
    values = "a21005-Rtd=0.00,a21005-Flag=N;a21004-Rtd=0.00,a21004-Flag=N;a21007-Rtd=0.033,a21007-Flag=N;"
    segment = (
        "QN=20191012133710130;ST=22;CN=2011;PW=123456;MN=Y80110010000010;Flag=4;CP=&&DataTime=20191012133710;"
        f"{values}a21006-Rtd=0.036,a21006-Flag=N;a21001-Rtd=25.40,a21001-Flag=N;a21003-Rtd=101.94,a21003-Flag=N;"
        "a21002-Rtd=49.20,a21002-Flag=N&&"
    )
    (report,) = receive(f"##0317{segment}cc01\r\n".encode())
    assert (report.address, report.kind) == ("Y80110010000010", "real-time data")
    assert report.numbers["2011/a21003-Rtd"].value == 101.94
    assert report.time_ns == 1_570_858_630 * 10**9  # 05:37:10 UTC


@given(messages())
def test_a_message_survives_encoding(message):
    encoded = frames.encode(message)
    assert frames.decode(encoded) == message
    assert encoded == frame(encoded[6:-6].decode())


@given(ITEMS)
def test_data_survive_encoding_in_as_many_packages_as_they_need(items):
    sent = data.Data(SAMPLED_NS, items)
    packages = list(frames.upload(UPLOAD, sent))
    assert data.decode([message.data for message in packages]) == sent
    assert all(len(frames.encode(message)) <= frames.LONGEST for message in packages)
    events = receive(b"".join(map(frames.encode, packages)))
    assert sum(isinstance(event, Reply) for event in events) == len(packages)
    (report,) = (event for event in events if isinstance(event, Report))
    assert report.time_ns == SAMPLED_NS
    for code, item in items.items():
        number = report.numbers[f"2011/{code}-Rtd"]
        assert number.quality == (data.FLAGS[item["Flag"]].quality if "Flag" in item else Quality.UNCHECKED)
        assert math.isnan(number.value) if item.get("Flag") == "B" else number.value == float(item["Rtd"])


@given(st.binary(max_size=200) | messages().map(frames.encode).flatmap(lambda f: st.just(f[:-1]) | st.just(f + b"x")))
def test_garbage_is_refused_with_one_kind_of_error(garbage):
    with pytest.raises(FrameError):
        frames.decode(garbage)


@given(st.text(max_size=60))
@example("DataTime=20160801084000;a-Rtd=1e5")
@example("DataTime=20160801084000;a-Rtd=nan")
@example("DataTime=20161301084000")
@example("DataTime=20160801084000;a-SampleTime=2016,a-Rtd=1")
def test_garbage_in_the_data_is_refused_with_one_kind_of_error(garbage):
    try:
        for fields_ in data.numbers("2011", data.decode((garbage,))).values():
            assert all(math.isfinite(number.value) for number in fields_.values() if number.quality < Quality.MISSING)
    except FrameError:
        return


@given(messages(), st.data())
def test_any_one_byte_that_changed_is_noticed(message, draw):
    """Each step of this check is reversible, so one wrong byte always shows; two can hide (next test)."""
    encoded = bytearray(frames.encode(message))
    at = draw.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= draw.draw(st.integers(1, 255))
    try:
        found = frames.decode(bytes(encoded))
    except FrameError:
        return
    assert found == message  # a letter of the check itself in small


def test_the_check_is_as_weak_as_eight_bits():
    """Only 256 of the 65,536 checks can occur: every 256th pair of wrong bytes passes. No reader can help that."""
    checks = {frames.crc(bytes((first, second))) for first in range(256) for second in range(256)}
    assert len(checks) == 256


@given(st.lists(messages().map(frames.encode) | st.binary(max_size=30), max_size=6), st.data())
def test_pieces_of_a_stream_do_not_matter(parts, draw):
    stream = b"".join(parts)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    session, events = PROTOCOL.session(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        events += receive(stream[start:end], session)
    assert events == receive(stream)
    assert len(session._splitter._buffer) < frames.LONGEST


@given(st.binary(max_size=300), st.sampled_from((b"", b"##", b"##1024", b"##0100QN=2016", b"\r\n")))
def test_a_frame_is_found_again_after_garbage(garbage, beginning):
    assume(b"##" not in garbage)
    upload = frames.encode(next(frames.upload(UPLOAD, data.Data(SAMPLED_NS, {"a": {"Rtd": "1"}}))))
    *refused, report, reply = receive(garbage + beginning + upload)
    assert all(isinstance(event, Refused) for event in refused)
    assert report.numbers["2011/a-Rtd"].value == 1.0
    assert frames.decode(reply.data) == frames.answer(UPLOAD)
