"""Recorded files: what is read, what holds between two times, and what is told about a file that is wrong."""

import math

import numpy as np
import pytest

from simulators import recorded
from simulators.recorded import Column, Layout, Played, Recording, read
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.settings import SettingsError

LAYOUT = Layout(time=("t",), columns={"flow": Column("q", "L/s")})
HEADER = "t,q\n"


def written(folder, text):
    file = folder / "rows.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_values_come_in_canonical_units_and_times_in_utc(tmp_path):
    found = read(written(tmp_path, HEADER + "2022-03-20T11:00:00+01:00,1.5\n2022-03-20T12:00:00+01:00,\n"), LAYOUT)
    assert found.time_ns[0] == np.datetime64("2022-03-20T10:00", "ns").astype(np.int64)
    assert found.values["flow"][0] == pytest.approx(5.4)
    assert math.isnan(found.values["flow"][1])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (HEADER + "2022-03-20T11:00:00,1\n", 2, "ISO 8601 with offset"),
        (HEADER + "2022-03-20T11:00:00Z,1\n2022-03-20T11:00:00Z,2\n", 3, "rising times"),
        (HEADER + "2022-03-20T11:00:00Z,much\n", 2, "expected a number"),
        ("t,x\n2022-03-20T11:00:00Z,1\n", 1, "no column 'q', expected one of t, x"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path, text, line, said):
    file = written(tmp_path, text)
    with pytest.raises(SettingsError, match=said) as error:
        read(file, LAYOUT)
    assert str(error.value).startswith(f"{file}:{line}:")


def test_missing_or_empty_file_is_told(tmp_path):
    with pytest.raises(SettingsError, match="expected a readable CSV file"):
        read(tmp_path / "none.csv", LAYOUT)
    with pytest.raises(SettingsError, match="no rows"):
        read(written(tmp_path, HEADER), LAYOUT)


def test_value_holds_for_its_period_and_no_longer():
    played = Played(Recording(np.array([0, 3 * HOUR_NS]), HOUR_NS, {"flow": np.array([1.0, 2.0])}), shift_ns=HOUR_NS)
    held = {-HOUR_NS: 1.0, -1: 1.0, 2 * HOUR_NS: 2.0, 3 * HOUR_NS - 1: 2.0}
    assert {at: played("s", "p", "flow", at) for at in held} == held
    assert all(math.isnan(played("s", "p", "flow", at)) for at in (-HOUR_NS - 1, 0, 3 * HOUR_NS))
    with pytest.raises(KeyError):
        played("s", "p", "wind_speed", 0)


def test_station_year_is_whole_and_in_order():
    year = recorded.station_year()
    assert len(year.time_ns) == 8760
    assert (np.diff(year.time_ns) == HOUR_NS).all()
    assert year.values["air_temperature"][0] == 10.0
    assert year.values["air_pressure"][0] == 993.0
    assert np.datetime64(int(year.time_ns[0]), "ns") == np.datetime64("1990-01-01T06:00")


def test_pipeline_crosses_a_clock_change_without_one():
    branch = recorded.pipeline_branch()
    assert len(branch.time_ns) == 1268
    assert (np.diff(branch.time_ns) % HOUR_NS == 0).all()
    assert branch.values["flow"][0] == pytest.approx(100.59 * 3.6)
    assert branch.end_ns - branch.time_ns[-1] == 60 * MINUTE_NS
