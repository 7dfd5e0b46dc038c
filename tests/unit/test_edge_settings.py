"""Everything that is wrong with buses and devices is said before a start: one line with file, line, found, expected."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_agent.compile.buses import catalogue, compile_buses
from edge_agent.settings import BusSettings
from telemetry.settings import SettingsError, parse

GOOD = """\
buses:
  - name: rs485-1
    serial: {port: /dev/ttyS1}
    devices:
      - {name: weather, profile: rs-fsxcs, unit: 1, station: s1, period_s: 10, variant: wind-tenths}
      - name: radar
        profile: sen0676
        unit: 2
        station: s2
        period_s: 5
        points:
          level: {name: tide, quantity: sea_level, offset: -2.5}
          distance: {skip: true}
  - name: gas
    tcp: {host: 10.0.0.7}
    devices:
      - {name: midas, profile: midas, station: s3, period_s: 1}
"""


class Gateway(msgspec.Struct, forbid_unknown_fields=True):
    buses: tuple[BusSettings, ...]


def compiled(text: str):
    document = parse(text, Path("gateway.yaml"), Gateway)
    return compile_buses(document, "xiuyu", document.settings.buses, stations=("s1", "s2", "s3"))


def test_a_good_file_gives_plans_and_a_catalogue():
    serial, tcp = compiled(GOOD)
    assert serial.line.baud == 9600
    assert (tcp.line.host, tcp.line.port) == ("10.0.0.7", 502)
    found = {(one.station, one.point): one for one in catalogue([serial, tcp])}
    assert len(found) == 11 + 1 + 3
    tide = found["s2", "tide"]
    assert (tide.quantity, tide.unit, tide.valid, tide.device) == ("sea_level", "m", (-2.5, 7.5), "radar")
    wind = found["s1", "wind-speed"]
    assert wind.valid == (0, 60)
    assert found["s1", "rain"].modulus == pytest.approx(6553.6)
    assert found["s1", "pressure"].valid == pytest.approx((300, 1200))
    assert found["s1", "pressure"].unit == "hPa"


def test_a_port_starts_at_the_folder_of_the_file():
    document = parse(GOOD.replace("/dev/ttyS1", "lines/one"), Path("/etc/site/gateway.yaml"), Gateway)
    relative, _ = compile_buses(document, "xiuyu", document.settings.buses)
    assert relative.line.port == "/etc/site/lines/one"
    assert compiled(GOOD)[0].line.port == "/dev/ttyS1"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("tcp: {host: bad..host}", "tcp.host: host 'bad..host'"),
        (f"tcp: {{host: {'h' * 64}}}", "tcp.host: host 'hhh"),
        ("tcp: {host: 10.0.0.7, port: 0}", "tcp.port: port 0, expected 1 to 65535"),
        ("serial_server: {host: 10.0.0.7, port: 70000}", "serial_server.port: port 70000, expected 1 to 65535"),
        ("listen: {host: 10.0.0, port: 1}", "listen.host: host '10.0.0'"),
    ],
)
def test_a_place_that_nobody_can_be_reached_at(line, problem):
    with pytest.raises(SettingsError) as caught:
        compiled(GOOD.replace("tcp: {host: 10.0.0.7}", line))
    assert str(caught.value).startswith("gateway.yaml:15: buses[1]." + problem)


def test_devices_behind_a_converter_are_asked_over_tcp():
    """They speak RTU alone; what stands between speaks TCP for them."""
    text = GOOD.replace("profile: midas", "profile: rs-fsxcs")
    _, tcp = compiled(text)
    assert tcp.devices[0].unit == 1
    assert (tcp.line.host, len(tcp.devices[0].columns)) == ("10.0.0.7", 11)


def test_devices_are_polled_at_different_moments():
    """P3: on one bus and over a hundred of them."""
    text = "buses:\n" + "".join(
        f"  - {{name: b{at}, tcp: {{host: 10.0.0.{at}}}, devices: "
        f"[{{name: d{at}, profile: midas, station: s1, period_s: 1, points: "
        f"{{gas: {{name: g{at}}}, state: {{skip: true}}, fault: {{skip: true}}}}}}]}}\n"
        for at in range(100)
    )
    phases = np.sort([bus.devices[0].phase_ns / 1e6 for bus in compiled(text)])
    assert np.diff(phases).max() < 25
    assert np.diff(phases).min() > 2
    first, second = compiled(GOOD)[0].devices
    assert first.phase_ns / first.period_ns != second.phase_ns / second.period_ns


@pytest.mark.parametrize(("old", "new"), [("unit: 2", "unit: 250"), ("profile: midas,", "profile: midas, unit: 255,")])
def test_units_that_real_devices_have_are_taken(old, new):
    """A converter's 255, a sensor's 250; over TCP even 0."""
    assert compiled(GOOD.replace(old, new))
    assert compiled(GOOD.replace("profile: midas,", "profile: midas, unit: 0,"))[1].devices[0].unit == 0


MISTAKES = {
    "unknown profile": (("profile: sen0676", "profile: sen0677"), 7, r"unknown profile 'sen0677', expected one of "),
    "transport": (("profile: sen0676", "profile: midas"), 7, r"midas speaks tcp, expected a device that speaks rtu"),
    "duplicate unit": (("unit: 2", "unit: 1"), 8, r"unit 1 stands here twice, expected it once on a bus"),
    "impossible unit": (("unit: 2", "unit: 256"), 8, r"unit 256, expected 1 to 255"),
    "unit that never answers": (("unit: 2", "unit: 0"), 8, r"unit 0, expected 1 to 255"),
    "period": (("period_s: 5", "period_s: 0"), 10, r"0.0, expected 0.01 to 86400.0 s"),
    "unknown point": (("level: {name", "stage: {name"), 12, r"unknown point 'stage', expected one of distance, level"),
    "quantity": (("quantity: sea_level", "quantity: flow"), 11, r"no conversion from 'mm' to 'm3/h', expected one of"),
    "unknown quantity": (("quantity: sea_level", "quantity: tide"), 11, r"unknown quantity 'tide', expected one of"),
    "point name": (("name: tide", "name: Tide"), 11, r"level: 'Tide' is no name, expected"),
    "variant": (("wind-tenths", "wind-tens"), 5, r"rs-fsxcs has no variant 'wind-tens', expected one of: wind-tenths"),
    "station": (("station: s2", "station: s9"), 9, r"unknown station 's9', expected one of s1, s2, s3"),
    "duplicate device": (("name: radar", "name: weather"), 6, r"'weather', expected a name of its own"),
    "duplicate bus": (("name: gas", "name: rs485-1"), 14, r"'rs485-1' stands in line 2 already, expected it once"),
    "duplicate line": (("tcp: {host: 10.0.0.7}", "serial: {port: /dev/ttyS1}"), 15, r"'/dev/ttyS1' stands in line 2"),
    "both lines": (("    tcp:", "    serial: {port: /dev/ttyS2}\n    tcp:"), 14, r"tcp and serial, expected one of"),
    "baud": (("/dev/ttyS1", "/dev/ttyS1, baud: 7"), 3, r"7 baud, expected 300 to 1000000"),
    "timeout": (("    tcp:", "    timeout_s: -1\n    tcp:"), 15, r"-1.0, expected more than 0 and at most 60 seconds"),
    "unknown key": (("station: s2", "stations: s2"), 9, r"unknown key 'stations', expected 'station'"),
    "wrong type": (("period_s: 5", "period_s: five"), 10, r"'five', expected float"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_its_place(mistake):
    (old, new), line, text = MISTAKES[mistake]
    assert old in GOOD
    with pytest.raises(SettingsError) as caught:
        compiled(GOOD.replace(old, new))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"gateway.yaml:{line}: "), message
    assert re.search(text, message), message


def test_two_series_of_one_name_at_one_station_are_refused():
    text = GOOD.replace("profile: midas", "profile: midas, points: {state: {name: fault}}")
    with pytest.raises(SettingsError, match=r"^gateway.yaml:17: .* is already taken by s3/fault/device_state"):
        compiled(text)
