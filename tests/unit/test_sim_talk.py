"""What simulated devices can say beyond what the catalogue needs: read back by our own drivers."""

import math
from pathlib import Path

import pytest

from device_profiles import field_check
from device_profiles.field_model import FieldProfile
from edge_agent.drivers.cjt188 import driver as cjt188
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.dlt645 import driver as dlt645
from edge_agent.drivers.registry import protocol
from edge_agent.drivers.sdi12 import driver as sdi12
from simulators.talk import contract
from simulators.talk.contract import ANYONE, Due, stranger
from telemetry.quality import Quality
from telemetry.settings import parse
from tests.unit.field_things import HOUR_NS, numbers_of, twin_of

NOW_NS = 1_795_489_200 * 10**9
HEAD = """
name: made-up
title: {zh: 试验, en: Test}
source: made up for tests
golden: [{messages: [{sent: "ascii:x"}], values: {}, source: none}]
"""


def profile(text: str, *fields: str) -> FieldProfile:
    points = "".join(
        f"  - {{name: p{at}, quantity: water_level, unit: m, valid: [-1e6, 1e6], field: '{field}'}}\n"
        for at, field in enumerate(fields)
    )
    return field_check.check(parse(f"{HEAD}{text}\npoints:\n{points}", Path("made-up.yaml"), FieldProfile))


SERIAL = "transports: [serial]\nserial: {baud: 9600}"
LINE = """
transports: [serial]
serial: {{baud: 9600}}
protocol: ascii_line
line:
  pattern: '{pattern}'
  missing: ['----']
  words: {{OPEN: 1, SHUT: 0}}
"""
CASES = [
    ("protocol: gb26875\ntransports: [listen]", "00000000000A", {"system/1.0/fire": 1, "system/1.0/state": 3}),
    ("protocol: gb26875\ntransports: [listen]", "00000000000A", {"operation/1.0/reset": 1}),
    ("protocol: gb26875\ntransports: [listen]", "00000000000A", {"transmitter-operation/duty-answer": 1}),
    ("protocol: gb26875\ntransports: [listen]", "00000000000A", {"analog/1.1/10.2/temperature": -215}),
    ("protocol: gb26875\ntransports: [listen]", "00000000000A", {"analog/1.1/10.2/130": 7}),
    ("protocol: sl651\ntransports: [listen]", "0012345678", {"34/F5": 12.34, "34/26": 1.5, "45": 5}),
    ("protocol: sl651\ntransports: [listen]", "0012345678", {"0A": 3, "0A#2": 3, "30/39": 1.803}),
    (f"protocol: nmea0183\n{SERIAL}", "YX", {f"XDR/C/T{at}/C": 1.5 * at for at in range(5)}),
    (f"protocol: nmea0183\n{SERIAL}", "II", {"MWV/T.speed/M": 12.5, "MWV/R.speed/M": 11.25, "GGA.latitude": -25.5}),
    (f"protocol: hj212\n{SERIAL}", "MN1", {f"2011/a{at:05}-Rtd": 1.25 * at for at in range(60)}),
    (f"protocol: dlt645\n{SERIAL}", "000000000161", {f"0201FF00 bcd2 .1 at {at}": 220.1 + at for at in (0, 2, 4)}),
    (f"protocol: sdi12\n{SERIAL}", "3", {"C1.1": 1.25, "C1.12": -3.5, "M.1": 7.0, "R0.2": 2.5, "V.1": 0.0}),
    (f"protocol: sdi12\n{SERIAL}", "3", {"HA.1": 1.25, "HA.999": -3.5, "HB.1": 2.5, "HB.700": 7.0}),
    (LINE.format(pattern=r"L=(?P<level>\d{3}\.\d) (?P<gate>OPEN|SHUT)"), "*", {"level": 12.5, "gate": 1}),
    (LINE.format(pattern=r"(?P<address>\d\d) T(?P<t>[-+]\d+\.\d)"), "07", {"t": -3.5}),
]


@pytest.mark.parametrize(("text", "address", "values"), CASES)
def test_it_is_read_as_it_was_meant(text, address, values):
    one = profile(text, *values)
    by_name = {point.name: values[point.field] for point in one.points}
    found = numbers_of(one, address, lambda _s, name, _q, _t: by_name[name], NOW_NS)
    assert {field: found[field].value for field in values} == pytest.approx(values)


def test_a_line_says_that_it_has_no_reading_where_it_has_a_word_for_that():
    one = profile(LINE.format(pattern=r"L=(?P<level>[-.\d]+)"), "level")
    found = numbers_of(one, "*", lambda *_: math.nan, NOW_NS)
    assert found["level"].quality == Quality.MISSING


def test_a_number_that_no_line_can_carry_is_refused_not_cut_off():
    one = profile(LINE.format(pattern=r"R(?P<range>\d{4})"), "range")
    with pytest.raises(ValueError, match=r"range: 12345\.0 in .*, expected a number that it reads"):
        numbers_of(one, "*", lambda *_: 12345.0, NOW_NS)


@pytest.mark.parametrize(
    ("text", "field", "address", "find"),
    [
        ("protocol: dlt645", "02010100", "000000000161", dlt645.find),
        ("protocol: cjt188", "901F.total m3", "10:00002020120218", cjt188.find),
        ("protocol: sdi12", "M.1", "7", sdi12.find),
    ],
)
def test_the_only_one_on_a_line_tells_its_address(text, field, address, find):
    one = profile(f"{text}\n{SERIAL}", field)
    talk, conversation = contract.of(one), find()
    request = next(conversation).request
    assert talk.asked(request) == ANYONE
    with pytest.raises(StopIteration) as done:
        conversation.send(talk.answer(request, address, twin_of(one, address, lambda *_: 0.0), NOW_NS))
    assert done.value.value == address


def test_a_sensor_says_what_it_is():
    one = profile(f"protocol: sdi12\n{SERIAL}", "M.1")
    conversation = sdi12.identify("7")
    answer = contract.of(one).answer(next(conversation).request, "7", twin_of(one, "7", lambda *_: 0.0), NOW_NS)
    with pytest.raises(StopIteration) as done:
        conversation.send(answer)
    assert done.value.value.version == "1.4"


def test_a_meter_refuses_what_its_profile_does_not_have():
    one = profile(f"protocol: dlt645\n{SERIAL}", "02010100")
    talk, twin = contract.of(one), twin_of(one, "000000000161", lambda *_: 0.0)
    conversation = protocol(one).poll("000000000161", ["02010200"])
    request = next(conversation).request
    with pytest.raises(FrameError, match="no_such_data"):
        conversation.send(talk.answer(request, "000000000161", twin, NOW_NS))


def test_a_report_too_long_for_one_frame_comes_in_packages():
    """HJ 212: each package is confirmed by itself."""
    one = profile(f"protocol: hj212\n{SERIAL}", *(f"2011/a{at:05}-Rtd" for at in range(60)))
    due = Due("2011", one.points, NOW_NS, HOUR_NS)
    sent = list(contract.of(one).messages(due, "MN1", twin_of(one, "MN1", lambda *_: 1.0), None))
    assert len(sent) > 1
    assert all(message.confirmed is not None for message in sent)


@pytest.mark.parametrize(
    ("address", "known", "other"),
    [
        ("0012345678", {"0012345678", "0012345670"}, "0012345671"),
        ("7", {"7"}, "0"),
        ("*", {"*"}, None),
        ("", {""}, None),
    ],
)
def test_a_stranger_is_nobody_of_the_line(address, known, other):
    assert stranger(address, known) == other
