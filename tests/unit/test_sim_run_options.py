"""What `petrel sim run` refuses before it starts anything."""

from pathlib import Path

import pytest

from petrel.errors import CommandError
from petrel.sim_run import File, Options, prepare
from telemetry.settings import SettingsError


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("time,level\n2026-01-01T00:00:00Z,1000\n2026-01-01T01:00:00Z,1010\n")
    return str(path)


def refused(options):
    with pytest.raises((CommandError, SettingsError)) as error:
        prepare(options)
    assert getattr(error.value, "code", 2) == 2
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "--profile is missing, expected one of clima-sensor-us, elsner-p03, "),
        ({"profile": "rs-fsxcs"}, "no column of time, level is called like a point, expected --column"),
        (
            {"profile": "rs-fsxcs", "file": File(columns=("x=rain",))},
            "data.csv:1: no column 'x', expected one of time,",
        ),
        ({"profile": "rs-fsxcs", "file": File(columns=("level=rain:hPa",))}, "no conversion from 'hPa' to 'mm'"),
        ({"profile": "sen0676", "file": File(time=("when",))}, "data.csv:1: no column 'when', expected one of time,"),
        ({"profile": "sen0676", "file": File(period=0.0)}, "--period 0, expected more than 0 seconds"),
        ({"profile": "sen0676", "file": File(utc_offset=30.0)}, "--utc-offset 30, expected hours between -24 and 24"),
        ({"profile": "sen0676", "start": "2025-12-31T00:00Z"}, "expected a time from 2026-01-01T08:00:00+08:00 to"),
        ({"profile": "sen0676", "start": "2026-01-01T00:00"}, "expected one with its offset from UTC"),
        ({"profile": "sen0676", "start": "noon"}, "--from 'noon', expected ISO 8601"),
        ({"profile": "sen0676", "unit": 0}, "--unit 0, expected 1 to 247"),
        ({"profile": "sen0676", "speed": float("inf")}, "--speed inf, expected more than 0"),
        ({"profile": "sen0676", "tcp": "here"}, "--tcp 'here', expected HOST:PORT"),
        ({"profile": "sen0676", "tcp": "127.0.0.1:0", "serial": Path("x")}, "--tcp and --serial, expected one of them"),
        ({"profile": "sen0676", "serial": Path("/nowhere/x")}, "no folder /nowhere, expected one that exists"),
        ({"profile": "sen0676", "serial": Path("/")}, "--serial / exists already, expected a name that is free"),
    ],
)
def test_choice_that_can_not_be_is_told(data, chosen, said):
    assert said in refused(Options(data=data, **chosen))


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            {"data": "none.csv", "profile": "sen0676"},
            "no file 'none.csv', expected a CSV file or a sample: station-year",
        ),
        ({"data": "water-main", "profile": "midas"}, "water-main has nothing that midas measures"),
        ({"data": "water-main", "file": File(skip=1)}, "water-main is a sample and needs no layout"),
    ],
)
def test_recording_that_can_not_be_is_told(chosen, said):
    assert said in refused(Options(**chosen))


def test_line_is_serial_where_the_device_speaks_it_and_tcp_where_it_does_not(tmp_path):
    gas = tmp_path / "gas.csv"
    gas.write_text("time,gas\n2026-01-01T00:00:00Z,10\n2026-01-01T01:00:00Z,12\n")
    assert prepare(Options(data="water-main")).line.transport == "rtu"
    assert prepare(Options(data=str(gas), profile="midas")).line.transport == "tcp"
    assert "midas speaks TCP only" in refused(Options(data=str(gas), profile="midas", serial=tmp_path / "line"))


def test_what_is_asked_for_is_what_is_played(data):
    found = prepare(Options(data=data, profile="sen0676", start="2026-01-01T00:30:00Z", unit=9, tcp="127.0.0.1:502"))
    facts = found.facts()
    assert (found.line.host, found.line.port, facts["unit"]) == ("127.0.0.1", 502, 9)
    assert (facts["from"], facts["to"]) == ("2026-01-01T08:30:00+08:00", "2026-01-01T10:00:00+08:00")
    assert (facts["points"], facts["unrecorded"], facts["period_s"]) == (["level"], ["distance"], 3600.0)
