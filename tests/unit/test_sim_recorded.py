"""Recorded files: what is read, what holds between two times, and what is told about a file that is wrong."""

import math

import numpy as np
import pytest

from simulators.recorded import Column, Layout, Played, Recording, headers, read
from simulators.samples import SAMPLES
from telemetry.clock import HOUR_NS
from telemetry.settings import SettingsError

LAYOUT = Layout(time=("t",), columns={"main": Column("q", "L/s", "flow")})
HEADER = "t,q\n"
TEN = "2022-03-20T10:00:00Z"
ELEVEN = "2022-03-20T11:00:00Z"


def written(folder, text):
    file = folder / "rows.csv"
    file.write_text(text, encoding="utf-8")
    return file


def utc(text):
    return np.datetime64(text, "ns").astype(np.int64)


def test_values_come_in_canonical_units_and_times_in_utc(tmp_path):
    found = read(written(tmp_path, HEADER + "2022-03-20T11:00:00+01:00,1.5\n2022-03-20T12:00:00+01:00,\n"), LAYOUT)
    assert found.time_ns[0] == utc("2022-03-20T10:00")
    assert found.values["main"][0] == pytest.approx(5.4)
    assert math.isnan(found.values["main"][1])


def test_value_holds_for_the_smallest_step_unless_it_is_told(tmp_path):
    file = written(tmp_path, HEADER + f"2022-03-20T08:00:00Z,1\n{TEN},1\n{ELEVEN},1\n")
    assert read(file, LAYOUT).period_ns == HOUR_NS
    assert read(file, Layout(time=("t",), columns=LAYOUT.columns, period_ns=5)).period_ns == 5


def test_cells_that_say_nothing_are_gaps(tmp_path):
    layout = Layout(time=("t",), columns=LAYOUT.columns, missing=frozenset({"-9900", "M"}))
    found = read(written(tmp_path, HEADER + f"{TEN},-9900\n{ELEVEN}, M\n"), layout)
    assert np.isnan(found.values["main"]).all()


def test_day_may_end_at_24_and_times_may_leave_out_an_offset_that_is_known(tmp_path):
    layout = Layout(time=("d", "t"), columns=LAYOUT.columns, format="%Y/%m/%d %H:%M", utc_offset_h=8)
    found = read(written(tmp_path, "d,t,q\n2022/12/31,23:00,1\n2022/12/31,24:00,2\n"), layout)
    assert found.time_ns.tolist() == [utc("2022-12-31T15:00"), utc("2022-12-31T16:00")]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (HEADER + "2022-03-20T11:00:00,1\n", 2, "expected one with its offset from UTC"),
        (HEADER + "yesterday,1\n", 2, "'yesterday', expected ISO 8601"),
        (HEADER + f"{ELEVEN},1\n\n{ELEVEN},2\n", 4, "rising times"),
        (HEADER + f"{TEN},1\n{ELEVEN},much\n", 3, "'much', expected a number"),
        (HEADER + f"{TEN},1\n{ELEVEN},inf\n", 3, "'inf', expected a number"),
        (HEADER + f"{TEN},1\n{ELEVEN},nan\n", 3, "'nan', expected a number"),
        (HEADER + f"{TEN},1\n{ELEVEN},1,2,3\n", 3, "4 cells, expected 2 as in the header"),
        (HEADER + f"{TEN},1,5\n{ELEVEN},1,5\n", 2, "3 cells, expected 2 as in the header"),
        (HEADER + f"{TEN},1\n\n{ELEVEN}\n", 4, "1 cells, expected 2 as in the header"),
        ("", 1, "nothing, expected a header with the names of the columns"),
        (f"t,x\n{ELEVEN},1\n", 1, "no column 'q', expected one of t, x$"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path, text, line, said):
    file = written(tmp_path, text)
    with pytest.raises(SettingsError, match=said) as error:
        read(file, LAYOUT)
    assert str(error.value).startswith(f"{file}:{line}:")


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "No such file or directory, expected a readable CSV file"), (HEADER, "no rows"), (f"t,q\n{TEN},1", "two")],
)
def test_file_that_holds_too_little_is_told(tmp_path, text, said):
    file = tmp_path / "none.csv" if text is None else written(tmp_path, text)
    with pytest.raises(SettingsError, match=said):
        read(file, LAYOUT)


def test_headers_stand_below_what_is_skipped(tmp_path):
    assert headers(written(tmp_path, "Station,9\n\nt,q\n"), 2) == ("t", "q")


def test_value_holds_for_its_period_and_no_longer():
    values = {"main": np.array([1.0, 2.0])}
    recording = Recording(np.array([0, 3 * HOUR_NS]), HOUR_NS, values, np.array([2, 3]))
    played = Played(recording, lambda time_ns: time_ns + HOUR_NS)
    held = {-HOUR_NS: 1.0, -1: 1.0, 2 * HOUR_NS: 2.0, 3 * HOUR_NS - 1: 2.0}
    assert {at: played("s", "main", "flow", at) for at in held} == held
    assert all(math.isnan(played("s", "main", "flow", at)) for at in (-HOUR_NS - 1, 0, 3 * HOUR_NS))
    with pytest.raises(KeyError):
        played("s", "wind-speed", "wind_speed", 0)


def test_station_year_is_whole_and_in_order():
    year = read(SAMPLES["station-year"].path(), SAMPLES["station-year"].layout)
    assert len(year.time_ns) == 8760
    assert (np.diff(year.time_ns) == HOUR_NS).all()
    assert year.values["temperature"][0] == 10.0
    assert year.values["pressure"][0] == 993.0
    assert year.time_ns[0] == utc("1990-01-01T06:00")


def test_water_main_crosses_a_clock_change_without_one():
    main = read(SAMPLES["water-main"].path(), SAMPLES["water-main"].layout)
    assert len(main.time_ns) == 1268
    assert (np.diff(main.time_ns) % HOUR_NS == 0).all()
    assert main.values["flow"][0] == pytest.approx(100.59 * 3.6)
    assert main.end_ns - main.time_ns[-1] == HOUR_NS


def test_a_comma_at_the_end_of_a_line_is_no_cell(tmp_path):
    """As Canada's tide gauges are archived."""
    found = read(written(tmp_path, HEADER + f"{TEN},1.5,\n{ELEVEN},2.5,,\n"), LAYOUT)
    assert found.values["main"].tolist() == pytest.approx([5.4, 9.0])
