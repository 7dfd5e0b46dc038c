"""HJ 212 sessions: reports, acknowledgements, packages, passwords, and what is refused."""

import math
import re

import pytest

from device_profiles.fields import hj212 as fields
from edge_agent.drivers.contract import Refused, Reply, Report
from edge_agent.drivers.hj212 import data, frames
from edge_agent.drivers.hj212.driver import PROTOCOL, Hj212
from edge_agent.drivers.hj212.frames import Edition, Message
from telemetry.quality import Cause, Quality
from tests.property.hj212_talk import HEAD, MN, NOW_NS, SAMPLED_NS, UPLOAD, frame, packages, receive


def test_a_report_comes_before_its_acknowledgement_and_only_if_wanted():
    sent = data.Data(SAMPLED_NS, {"w01018": {"Avg": "12.5", "Flag": "N"}})
    for wants in (True, False):
        message = Message(qn=UPLOAD.qn, st="32", cn="2061", pw="", mn=MN, wants_answer=wants)
        events = receive(frames.encode(*frames.upload(message, sent)))
        assert [type(event) for event in events] == [Report, Reply][: 1 + wants]
        assert events[0].numbers["2061/w01018-Avg"] == data.Number(12.5, Quality.GOOD)


@pytest.mark.parametrize(
    ("flag", "quality", "cause"),
    [
        ("N", Quality.GOOD, Cause.NONE),
        ("T", Quality.SUSPECT, Cause.RANGE),
        ("F", Quality.SUSPECT, Cause.DEVICE),
        ("S", Quality.SUSPECT, Cause.MANUAL),
        ("M", Quality.BAD, Cause.MANUAL),
        ("C", Quality.BAD, Cause.MANUAL),
        ("D", Quality.BAD, Cause.DEVICE),
        ("B", Quality.MISSING, Cause.COMMS),
        ("?", Quality.SUSPECT, Cause.DEVICE),
    ],
)
def test_flags(flag, quality, cause):
    (report,) = receive(frame(f"{HEAD}DataTime=20160801084000;a-Rtd=7,a-Flag={flag}&&"))
    number = report.numbers["2011/a-Rtd"]
    assert (number.quality, number.cause) == (quality, cause)
    assert math.isnan(number.value) is (quality is Quality.MISSING)


def test_a_sampling_time_of_its_own_is_kept():
    """P8: the value of an analyser that takes an hour is not made fresh by the message that brings it."""
    segment = f"{HEAD}DataTime=20160801084000;w1-SampleTime=20160801080000,w1-Rtd=5;w2-SampleTime=,w2-Rtd=6&&"
    first, second = receive(frame(segment))
    assert (first.time_ns, list(first.numbers)) == (SAMPLED_NS - 2400 * 10**9, ["2011/w1-Rtd"])
    assert (second.time_ns, list(second.numbers)) == (SAMPLED_NS, ["2011/w2-Rtd"])


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (f"{HEAD}a-Rtd=1&&", "DataTime"),
        (f"{HEAD}DataTime=20160230084000&&", "moment"),
        (f"{HEAD}DataTime=20160801084000;a-Rtd=1;a-Rtd=2&&", "twice"),
        (f"{HEAD}DataTime=20160801084000;a-Rtd=12x&&", "number"),
        (f"{HEAD}DataTime=20160801084000;3.4&&", "NAME=VALUE"),
        (f"{HEAD}{{0xE4,0x3E}}&&", "encrypted"),
        (HEAD.replace("2011", "1013") + "&&", "CN=1013"),
        (HEAD.replace("Flag=4", "Flag=0") + "&&", "edition"),
        (HEAD.replace("Flag=4", "Flag=6") + "&&", "PNUM"),
        (HEAD.replace("Flag=4", "Flag=4;RF=1") + "&&", "RF"),
        (HEAD.replace("Flag=4", "Flag=6;PNUM=2;PNO=3") + "&&", "PNO"),
        (HEAD.replace("ST=31;", "") + "&&", "expected QN, ST"),
        (HEAD.replace("31;CN=2011", "31;CN=20 1") + "&&", "CN"),
        (HEAD.replace("20160801085000001", "20160801085060001") + "&&", "moment"),
        (HEAD + "\x07&&", "control"),
        (HEAD + "\xe9&&", "ASCII"),
        (HEAD + "DataTime=20160801084000&&;x&&", "at its end"),
    ],
)
def test_a_message_wrong_in_any_way_is_refused_unacknowledged(segment, reason):
    (refused,) = receive(frame(segment.replace("Flag=4", "Flag=5")))
    assert isinstance(refused, Refused)
    assert re.search(reason, refused.reason)
    assert b"PW=" not in refused.data


def test_encrypted_data_are_named_so_even_where_the_length_is_that_of_the_plain_text():
    """The standard prints its encrypted example with the length before encryption."""
    plain = frame(f"{HEAD}DataTime=20160801084000&&")
    refused, *_ = receive(plain.replace(b"DataTime=20160801084000", b"{0xE4" + b",0x3E" * 20 + b"}000"))
    assert "encrypted" in refused.reason


def test_a_password_is_asked_for():
    ok, wrong = (PROTOCOL.session(secret) for secret in ("123456", "654321"))
    stream = frame(f"{HEAD}DataTime=20160801084000;a-Rtd=1&&")
    assert isinstance(receive(stream, ok)[0], Report)
    (refused,) = receive(stream, wrong)
    assert "PW" in refused.reason
    assert "123456" not in refused.reason
    assert b"123456" not in refused.data


def test_an_edition_can_be_asked_for():
    stream = frame(f"{HEAD}DataTime=20160801084000;a-Rtd=1&&")
    assert isinstance(receive(stream, Hj212(frozenset({Edition.HJ212_2017})).session())[0], Report)
    assert "HJ212_2025" in receive(stream, Hj212(frozenset({Edition.HJ212_2025})).session())[0].reason


def test_a_heartbeat_says_only_that_the_device_lives():
    (report,) = receive(frame(HEAD.replace("2011", "9015") + "&&"))
    assert (report.address, report.kind, report.numbers) == (MN, "heartbeat", {})


def test_packages_are_put_together_in_whatever_order_and_acknowledged_each():
    events = receive(packages((3, 2), (3, 2), (3, 3), (3, 1)))
    assert [type(event) for event in events] == [Reply, Reply, Reply, Report, Reply]
    assert set(events[3].numbers) == {"2011/a1-Rtd", "2011/a2-Rtd", "2011/a3-Rtd"}
    assert frames.decode(events[0].data).package == (3, 2)


def test_packages_that_cut_an_item_in_two_are_refused_whole():
    events = receive(packages((2, 1), text="DataTime=20160801084000;a-Rtd=12"))
    assert [type(event) for event in events] == [Reply]
    session = PROTOCOL.session()
    receive(packages((2, 1), text="DataTime=20160801084000;a-Rtd=12"), session)
    (refused,) = receive(packages((2, 2), text=".5,a-Flag=N"), session)
    assert "NAME=VALUE" in refused.reason


def test_what_never_became_whole_is_given_up_and_said():
    session = PROTOCOL.session()
    for second in range(5):
        events = receive(packages((2, 1), qn=f"2016080108500000{second}"), session)
    assert "package 2 of 2 never came" in events[0].reason
    assert session.receive(packages((2, 2), qn="20160801085000004"), NOW_NS + 10**12)[0].reason.startswith("message")
    assert "expected 1 to at most 256" in receive(packages((257, 1)), session)[-1].reason


@pytest.mark.parametrize("text", ["2011/a34004-Rtd", "2061/w01018-Avg", "2021/SB1-RS", "2051/a21002-ZsAvg"])
def test_fields(text):
    field = fields.parse(text)
    assert f"{field.command}/{field.item}-{field.value}" == text


@pytest.mark.parametrize("text", ["", "a34004-Rtd", "2011/a34004", "2011/a34004-Flag", "9014/a-Rtd", "2011/a-Rtd "])
def test_what_is_no_field(text):
    with pytest.raises(ValueError, match="field"):
        fields.parse(text)


@pytest.mark.parametrize("address", ["", "A" * 25, "MN;CN=1", "文"])
def test_what_is_no_address(address):
    PROTOCOL.check_address(MN)
    with pytest.raises(ValueError, match="MN"):
        PROTOCOL.check_address(address)
