"""The table of what quality control expects of quantities, and what the site file may say beside it."""

import re
from pathlib import Path

import pytest

from alerting.site import load_site
from ingest.qc.parameters import BUILT_IN, CONFIDENCE, KINDS, RateOfChange, Table, built_in, chosen, name_of
from telemetry.quantity import QUANTITIES, Kind
from telemetry.settings import SettingsError, load
from tests.unit.ingest_data import level

SITE = """\
id: here
name: {zh: 此地, en: Here}
bounds: [118.0, 24.0, 120.0, 26.0]
areas: [{code: a, name: {zh: 甲, en: A}}]
quality:
"""
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "quality-control.md"


@pytest.mark.parametrize("test", built_in(), ids=lambda test: f"{name_of(test)} {test.quantity}")
def test_each_row_is_complete_and_says_where_it_comes_from(test):
    assert test.quantity in QUANTITIES
    assert len(test.source) > 5
    assert test.confidence in CONFIDENCE
    assert (test.station, test.point) == ("", ""), "what holds for one station is the site's to say"


def test_the_file_says_each_thing_once():
    found = [(name_of(test), test.quantity) for test in load(BUILT_IN, Table).settings.tests]
    assert len(found) == len(set(found))


def test_what_may_jump_has_no_test_of_rate_or_spike():
    """A jump of gas, of a pipe, or of the wind is the message."""
    slow = {test.quantity for test in built_in() if name_of(test) in ("rate_of_change", "spike")}
    for name in ("combustible_gas", "hydrogen_sulfide", "pipe_pressure", "flow", "wind_speed", "wind_gust"):
        assert name not in slow


def test_totalisers_are_judged_by_their_gain_alone():
    counters = [test for test in built_in() if QUANTITIES[test.quantity].kind is Kind.TOTAL]
    assert counters
    assert all(isinstance(test, RateOfChange) for test in counters)


def test_the_page_names_every_kind_and_every_built_in_number():
    page = PAGE.read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"`{kind.__struct_config__.tag}`" in page
    for test in built_in():
        assert f"`{test.quantity}`" in page, f"{name_of(test)} of {test.quantity} is not documented"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("test: spike, quantity: sea_level, threshold: 0", "threshold: 0.0, expected more than 0 and at most 1e+12"),
        ("test: spik, quantity: sea_level, threshold: 1", "test: Invalid value 'spik', expected one of "),
        ("test: spike, statio: a, quantity: sea_level, threshold: 1", "unknown key 'statio', expected 'station'"),
        ("test: spike, quantity: sea_levl, threshold: 1", "quantity: no quantity 'sea_levl', expected one that"),
        ("test: spike, quantity: rain_total, threshold: 1", "quantity: spike of rain_total, a total, expected one"),
        ("test: spike, quantity: fire_alarm, threshold: 1", "quantity: spike of fire_alarm, a code, expected one"),
        ("test: spike, quantity: sea_level, threshold: 1, method: mean", "'mean', expected one of differential, aver"),
        ("test: climatology, quantity: sea_level, months: [13], low: 1, high: 2", "months: [13], expected months 1"),
        ("test: climatology, quantity: sea_level, months: [1], low: 2, high: 2", "high: 2.0, expected more than low"),
        ("test: plausible_range, quantity: sea_level", "low: neither low nor high, expected one of them"),
        ("test: off, which: nothing, quantity: sea_level", "which: 'nothing', expected one of plausible_range, "),
        ("test: flat_line, quantity: sea_level, seconds: 1e300", "seconds: 1e+300, expected more than 0 and at most"),
        ("test: spike, point: p, quantity: sea_level, threshold: 1", "point: 'p' of no station, expected its"),
        ("test: spike, quantity: sea_level", "no 'threshold', expected one"),
        ("quantity: sea_level", "no 'test', expected one"),
    ],
)
def test_a_mistake_in_the_site_file_is_one_line_that_says_where_and_what(tmp_path, line, found):
    path = tmp_path / "site.yaml"
    path.write_text(SITE + f"- {{{line}}}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_site(path)
    assert re.match(rf"{re.escape(str(path))}:6: quality\[0\]", str(caught.value))
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_site_overrides_by_station_and_point_and_months_add_up(tmp_path):
    path = tmp_path / "site.yaml"
    summer = "{test: climatology, station: st-1, quantity: water_level, months: [6, 7], low: 0, high: 5}"
    winter = "{test: climatology, station: st-1, quantity: water_level, months: [12], low: 0, high: 3}"
    spike = "{test: spike, station: st-1, point: a, quantity: water_level, threshold: 0.2, source: a visit}"
    off = "{test: off, which: rate_of_change, station: st-1, quantity: water_level}"
    path.write_text(SITE + "".join(f"- {line}\n" for line in (summer, winter, spike, off)), encoding="utf-8")
    tests = load_site(path).settings.quality
    here = {(name_of(test), getattr(test, "threshold", None)) for test in chosen(level("a"), tests)}
    beside = {(name_of(test), getattr(test, "threshold", None)) for test in chosen(level("b"), tests)}
    assert here == {("climatology", None), ("spike", 0.2)}
    assert beside == {("climatology", None), ("spike", 0.5)}
    assert len([test for test in chosen(level("a"), tests) if name_of(test) == "climatology"]) == 2
    assert {name_of(test) for test in chosen(level("a", station="st-2"), tests)} == {"rate_of_change", "spike"}
