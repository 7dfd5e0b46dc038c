"""A recording on a device: which column is which point, what does not fit, where it stands; twins that don't lie."""

import math

import numpy as np
import pytest

from device_profiles import convert, model, registry
from device_profiles.check import varied
from device_profiles.model import Gate
from simulators.play import Head, Play, columns, fits
from simulators.recorded import Column, Played, Recording
from simulators.twin import Choice, Twin, UnfitValueError, Unit
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.settings import SettingsError

WEATHER = registry.load("rs-fsxcs")
METER = registry.load("tuf-2000m")


def recording(**values):
    count = len(next(iter(values.values())))
    columns = {name.replace("_", "-"): np.array(column, float) for name, column in values.items()}
    return Recording(np.arange(count) * HOUR_NS, HOUR_NS, columns, np.arange(count) + 2)


def test_columns_are_given_by_name_with_unit_or_in_the_unit_of_the_device():
    found = columns(WEATHER, ["a=b=wind-speed:kt", "Pressure (kPa)=pressure"], ())
    assert found == {
        "wind-speed": Column("a=b", "kt", "wind_speed"),
        "pressure": Column("Pressure (kPa)", "kPa", "air_pressure"),
    }


def test_columns_called_like_points_are_found():
    found = columns(WEATHER, [], ["time", "Wind_Speed", "wind direction", "remark"])
    assert {name: column.header for name, column in found.items()} == {
        "wind-speed": "Wind_Speed",
        "wind-direction": "wind direction",
    }


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["wind-speed"], "expected HEADER=POINT or HEADER=POINT:UNIT"),
        (["v=speed"], "'speed' is no point of rs-fsxcs, expected one of wind-speed, "),
        (["v=rain", "w=rain"], "'rain' has its column already"),
        (["v=rain:m/s"], "no conversion from 'm/s' to 'mm', expected one of cm, ft, km, m, mm"),
        (["v=rain:furlong"], "unknown unit 'furlong'"),
        (
            [],
            "no column of time, v is called like a point, expected --column HEADER=POINT with a point of wind-speed, ",
        ),
    ],
)
def test_columns_that_can_not_be_are_told(chosen, said):
    with pytest.raises(SettingsError, match=said):
        columns(WEATHER, chosen, ["time", "v"])


def test_what_the_device_says_of_itself_is_not_played():
    with pytest.raises(SettingsError, match="the device's own"):
        columns(registry.load("midas"), ["s=state"], ())


@pytest.mark.parametrize("value", [655.36, -0.01, math.inf])
def test_recording_that_does_not_fit_is_refused_with_its_line(value, tmp_path):
    """A wrong value is worse than none: neither wrapped to 0 nor cut off at the end of the register."""
    with pytest.raises(SettingsError, match=r"data.csv:4: wind-speed .* expected 0 to 65535"):
        fits(Play(profile=WEATHER, recording=recording(wind_speed=[1, math.nan, value]), unit=1), tmp_path / "data.csv")
    fits(Play(profile=WEATHER, recording=recording(wind_speed=[0, 655.35]), unit=1), tmp_path / "data.csv")


def test_head_passes_at_its_speed_and_ends_or_begins_again():
    head = Head(from_ns=HOUR_NS, end_ns=3 * HOUR_NS, begins_ns=10**18, speed=60)
    assert head(10**18) == HOUR_NS
    assert head(10**18 + MINUTE_NS) == 2 * HOUR_NS
    assert head.until_ns() == 10**18 + 2 * MINUTE_NS
    assert head(10**18 + 2 * MINUTE_NS) == 3 * HOUR_NS
    again = Head(from_ns=HOUR_NS, end_ns=3 * HOUR_NS, begins_ns=10**18, speed=60, loop=True)
    assert again(10**18 + 2 * MINUTE_NS) == HOUR_NS
    assert again.until_ns() is None


def test_what_is_shown_is_what_the_registers_resolve_in_the_units_of_the_device():
    play = Play(profile=WEATHER, recording=recording(pressure=[993.4, math.nan], wind_speed=[6.204, 1]), unit=1)
    head = Head(from_ns=0, end_ns=2 * HOUR_NS, begins_ns=0)
    assert play.shown(head, 0) == pytest.approx({"wind-speed": 6.2, "pressure": 99.3})
    assert math.isnan(play.shown(head, HOUR_NS)["pressure"])
    assert "rain" in play.unrecorded


def words(play, at=0):
    memory = Twin(play.device()).memory(Played(play.recording), at)
    return {address: word for (_, address), word in memory.items()}


def test_gap_of_a_gated_point_shuts_its_gate_and_opens_it_again():
    play = Play(profile=METER, recording=recording(flow=[10, math.nan, 20]), unit=1)
    assert [words(play, at * HOUR_NS)[0x5B] & 0xFF >= 60 for at in range(3)] == [True, False, True]


def test_gate_that_was_recorded_is_as_open_as_recorded():
    play = Play(profile=METER, recording=recording(flow=[10, 10], signal_quality=[30, 80]), unit=1)
    assert [words(play, at * HOUR_NS)[0x5B] for at in range(2)] == [30, 80]


def point(register, *, mask=None, unit="code", quantity="device_state"):
    return model.Point(name="p", quantity=quantity, unit=unit, register=register, valid=(0, 1), mask=mask)


@pytest.mark.parametrize(
    ("register", "mask", "fits", "not_"),
    [
        ("holding 1 u16", None, (0, 65535.4), (-1, 65536)),
        ("holding 1 s16", None, (-32768, 32767), (-32769, 32768, 65535)),
        ("holding 1 u8 low", None, (0, 255), (256, -1)),
        ("holding 1 u16", 0x0F00, (0, 15), (16, -1)),
        ("holding 1 bit 3", None, (0, 1), (2, -1)),
        ("coil 1", None, (0, 1), (2,)),
        ("holding 1 u32", None, (0, 2**32 - 1), (2**32, math.inf)),
        ("holding 1 bcd16", None, (0, 9999), (10000,)),
        ("holding 1 f32", None, (-3.4e38, 3.4e38), (3.5e38, math.inf)),
    ],
)
def test_number_that_a_register_can_not_hold_is_refused_not_wrapped(register, mask, fits, not_):
    for number in fits:
        convert.encode(point(register, mask=mask), number)
    for number in not_:
        with pytest.raises(ValueError, match="expected"):
            convert.encode(point(register, mask=mask), number)


def test_gate_whose_field_can_not_be_beyond_its_limit_can_not_be_shut():
    with pytest.raises(ValueError, match="always open"):
        convert.steer(Gate(register="holding 1 u16", mask=0x1, max=1), opened=False)


def test_twin_refuses_what_its_register_can_not_hold():
    unit = Unit(device="d", unit=1, profile=varied(registry.load("qdy30a"), "cm-tenths"), station="s", points={})
    assert Twin(unit).memory(lambda *_: 10.0, 0) == {("holding", 4): 10_000}
    with pytest.raises(UnfitValueError, match=r"level: 40.0 is 40000 in holding 0x0004 s16, expected -32768 to 32767"):
        Twin(unit).memory(lambda *_: 40.0, 0)


def test_points_that_nobody_asks_for_rest_at_zero():
    skipped = {point.name: Choice(skip=True) for point in WEATHER.points}
    unit = Unit(device="d", unit=1, profile=WEATHER, station="s", points=skipped)
    assert set(Twin(unit).memory(lambda *_: math.nan, 0).values()) == {0}
