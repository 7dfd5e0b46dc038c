"""SL 651 sessions: reports, confirmations, packages, passwords, and what is refused."""

import math
import re

import pytest

from device_profiles.fields import sl651 as fields
from edge_agent.drivers.contract import Number, Refused, Reply, Report
from edge_agent.drivers.sl651 import elements, frames
from edge_agent.drivers.sl651.driver import PROTOCOL, Sl651
from edge_agent.drivers.sl651.elements import Group
from edge_agent.drivers.sl651.frames import End
from telemetry.quality import Cause, Quality
from telemetry.span import MINUTE_NS
from tests.property.sl651_talk import NOW_NS, OBSERVED_NS, PLACE, STAMP, STATION, UP, frame, receive

STAGE = f"{STAMP} {PLACE} 3923 00000550"


def reply(event):
    assert isinstance(event, Reply)
    found = frames.decode(event.data)
    assert (found.station, found.centre, found.password, found.is_up) == (STATION, 1, 0x1234, False)
    return found


@pytest.mark.parametrize(("end", "answer"), [("03", End.EOT), ("17", End.ACK)])
def test_a_report_is_confirmed_after_it_was_read(end, answer):
    report, confirmation = receive(frame(STAGE, end=end))
    assert (report.address, report.kind, report.time_ns) == (STATION, "timed report", OBSERVED_NS)
    assert report.numbers == {"32/39": Number(0.55), "39": Number(0.55)}
    found = reply(confirmation)
    assert (found.end, found.function) == (answer, 0x32)
    assert frames.read_stamp(found.text) == (7, NOW_NS)


def test_without_confirmation_nothing_is_answered():
    assert [type(event) for event in Sl651(confirm=False).session().receive(frame(STAGE), NOW_NS)] == [Report]


def test_a_keep_alive_is_not_answered():
    assert receive(frame(STAMP, function="2F")) == [Report(STATION, "keep-alive", {})]


def test_a_test_report_never_passes_for_a_reading():
    report, _ = receive(frame(STAGE, function="30"))
    assert report.numbers == {"30/39": Number(0.55, Quality.BAD, Cause.MANUAL)}


def test_an_hourly_report_is_twelve_moments():
    rains = "00 0A FF" + " 01" * 9
    levels = "0037 FFFF" + " 0038" * 10
    *reports, confirmation = receive(
        frame(f"{STAMP} {PLACE} F460 {rains} F5C0 {levels} F0F0 2607251800 2619 000123 3812 1250", function="34")
    )
    assert reply(confirmation).end is End.EOT
    assert [(report.time_ns - OBSERVED_NS) // MINUTE_NS for report in reports] == [*range(0, 60, 5), 60]
    assert [report.numbers["F4"].value for report in reports[:2]] == [0.0, 1.0]
    assert [report.numbers["34/F5"].value for report in (reports[0], reports[2])] == [0.55, 0.56]
    for report, field in ((reports[2], "F4"), (reports[1], "F5")):
        assert math.isnan(report.numbers[field].value)
        assert report.numbers[field].quality is Quality.MISSING
    assert reports[12].numbers["26"].value == 12.3


def test_an_even_interval_report_is_a_moment_a_step():
    values = "00000550 FFFFFFFF FF000012"
    *reports, _ = receive(frame(f"{STAMP} {PLACE} 0418 000010 3923 {values}", function="31"))
    assert [(report.time_ns - OBSERVED_NS) // MINUTE_NS for report in reports] == [0, 10, 20]
    assert [report.numbers["39"].value for report in reports][::2] == [0.55, -0.012]
    assert reports[1].numbers["31/39"].quality is Quality.MISSING
    *reports, _ = receive(frame(f"{STAMP} {PLACE} 0418 000000 F460 {'05' * 12}", function="31"))
    assert [report.numbers["F4"].value for report in reports] == [0.5] * 12


def test_several_stations_and_repeated_elements():
    other = "F1F1 0087654321 4B F0F0 2607251700"
    first, second, _ = receive(frame(f"{STAGE} 0A10 0001 0912 0150 0A10 0002 {other} 3B23 00012345 45 20 00000003"))
    assert (first.address, second.address) == (STATION, "0087654321")
    assert (first.numbers["0A"].value, first.numbers["0A#2"].value, first.numbers["09"].value) == (1, 2, 1.5)
    assert (second.numbers["3B"].value, second.numbers["45"].value) == (12.345, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (STAMP, "without a station"),
        (f"{STAMP} 3923 00000550", "station"),
        (f"{STAMP} F1F1 {STATION} 48 3923 00000550", "observation"),
        (f"{STAMP} {PLACE}", "without elements"),
        (f"{STAMP} F1F1 {STATION} 48 F0F0 2613251700 3923 00000550", "moment"),
        ("0007 26072517000A " + PLACE + " 3923 00000550", "time"),
        (f"{STAMP} {PLACE} 3923 000005", "ends 3 bytes into element 39"),
        (f"{STAMP} {PLACE} 3923 0000055A", "BCD"),
        (f"{STAMP} {PLACE} 3903", "no bytes"),
        (f"{STAMP} {PLACE} F461 {'00' * 12}", "element F4 of 12 bytes with 1 decimals"),
        (f"{STAMP} {PLACE} F458 {'00' * 11}", "expected 12"),
        (f"{STAMP} {PLACE} 4518 000001", "element 45"),
        (f"{STAMP} {PLACE} F2F2 30313233", "by hand"),
        (f"{STAMP} {PLACE} 0418 000005", "structure"),
        ("0007", "8 of serial number"),
    ],
)
def test_a_text_wrong_in_any_way_is_refused_unconfirmed(text, reason):
    (refused,) = receive(frame(text))
    assert isinstance(refused, Refused)
    assert re.search(reason, refused.reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{STAMP} {PLACE} 3923 00000550", "time step"),
        (f"{STAMP} {PLACE} 0418 000105 3923 00000550", "time step 000105"),
        (f"{STAMP} {PLACE} 0418 000060 3923 00000550", "time step 000060"),
        (f"{STAMP} {PLACE} 0418 000005 3923 0000055000", "values of 4"),
        (f"{STAMP} {PLACE} 0418 000005 3923", "0 bytes of element 39"),
    ],
)
def test_an_even_interval_report_wrong_in_any_way_is_refused(text, reason):
    (refused,) = receive(frame(text, function="31"))
    assert re.search(reason, refused.reason)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"function": "36"}, "function 36H"),
        ({"end": "05"}, "end 05"),
        ({"end": "41"}, "control character"),
        ({"direction": "1"}, "length"),
        ({"head": STATION + "01", "direction": "8", "end": "04"}, "frame of a centre"),
        ({"package": "002003"}, "package 3 of 2"),
    ],
)
def test_a_frame_that_is_not_for_us_is_refused(parts, reason):
    refused = receive(frame(STAGE, **parts))
    assert refused
    assert all(isinstance(event, Refused) for event in refused)
    assert re.search(reason, refused[0].reason)


def test_a_password_is_asked_for():
    assert isinstance(receive(frame(STAGE), PROTOCOL.session("1234"))[0], Report)
    (refused,) = receive(frame(STAGE), PROTOCOL.session("4321"))
    assert "password" in refused.reason
    with pytest.raises(ValueError, match="four hexadecimal"):
        PROTOCOL.session("secret")


def parts_of_a_report(count=3):
    group = Group(
        station=STATION,
        station_class=0x48,
        time_ns=OBSERVED_NS,
        elements=tuple(elements.element("39", number, 4, 3) for number in range(20)),
    )
    parts = frames.upload(UP, 9, NOW_NS, (group,), room=60)
    assert len(parts) == count
    return [frames.encode(part) for part in parts]


def test_packages_are_confirmed_once_all_of_them():
    first, second, third = parts_of_a_report()
    session = PROTOCOL.session()
    assert receive(first + second, session) == []
    report, confirmation = receive(third, session)
    assert (report.numbers["39"].value, report.numbers["39#20"].value) == (0, 19)
    found = reply(confirmation)
    assert (found.end, found.package, frames.read_stamp(found.text)[0]) == (End.EOT, (3, 3), 9)


def test_a_package_that_is_missing_is_asked_for_again():
    first, second, third = parts_of_a_report()
    session = PROTOCOL.session()
    (wanted,) = receive(first + third, session)
    found = reply(wanted)
    assert (found.end, found.package, frames.read_stamp(found.text)[0]) == (End.NAK, (3, 2), 9)
    assert [type(event) for event in receive(second, session)] == [Report, Reply]
    (wanted,) = receive(third, session)
    assert (reply(wanted).package, reply(wanted).text[:2]) == ((3, 1), b"\0\0")


def test_packages_of_two_messages_are_never_mixed():
    first, second, third = parts_of_a_report()
    session = PROTOCOL.session()
    receive(first, session)
    late = NOW_NS + 3600 * 10**9
    given_up, wanted = session.receive(second + third, late)
    assert "package 2 of 3 never came" in given_up.reason
    assert reply(wanted).package == (3, 1)
    session = PROTOCOL.session()
    receive(first + second, session)
    other_first = frames.encode(frames.replace(frames.decode(first), text=b"another"))
    (wanted,) = receive(other_first + third, session)
    assert reply(wanted).package == (3, 2)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("39", (None, "39", 1)), ("34/F4", (0x34, "F4", 1)), ("0A#2", (None, "0A", 2)), ("30/FFA0", (0x30, "FFA0", 1))],
)
def test_fields(text, parts):
    assert fields.parse(text) == parts


@pytest.mark.parametrize("text", ["", "z", "3a", "F0", "04", "FF", "36/F3", "32/", "39#1", "39#0", "39 "])
def test_what_is_no_field(text):
    with pytest.raises(ValueError, match="field"):
        fields.parse(text)


@pytest.mark.parametrize("address", ["", "123", "00123456789", "001234567g", "001234567a"])
def test_what_is_no_address(address):
    PROTOCOL.check_address(STATION)
    with pytest.raises(ValueError, match="address"):
        PROTOCOL.check_address(address)
