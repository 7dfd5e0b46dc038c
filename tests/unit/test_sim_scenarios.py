"""Scenario files are sound, and what they expect follows from the world's truth, not from the engine."""

import pytest

from simulators.faults import of
from simulators.scenario import load_scenario, names
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.settings import SettingsError
from telemetry.span import moment_ns
from tests.unit.sim_oracle import courses, default_world, silent_from

SOUND = """
id: made-up
name: {zh: 甲, en: A}
summary: {zh: 甲, en: A}
site: xiuyu
start: "2023-07-27T14:00:00+00:00"
hours: 1
seed: 1
"""
HOUR = "begins: '2023-07-27T14:00Z', ends: '2023-07-27T15:00Z'"
BACKWARDS = "begins: '2023-07-27T15:00Z', ends: '2023-07-27T14:00Z'"


@pytest.mark.parametrize("name", names())
def test_shipped_scenario_loads_and_names_what_exists(name):
    scenario = load_scenario(name).settings
    world = default_world(scenario)
    subjects = set(world.nature.stations) | set(world.nature.places.pipelines)
    assert {expect.subject for expect in scenario.expect} <= subjects
    for expect in scenario.expect:
        assert scenario.start_ns <= moment_ns(expect.after) < moment_ns(expect.before) <= scenario.end_ns
    of(scenario.faults)


@pytest.mark.parametrize("name", names())
def test_expectations_are_exactly_what_the_truth_demands(name):
    world = default_world(load_scenario(name).settings)
    expected = {(e.hazard, e.subject): e for e in world.nature.scenario.expect if e.outcome == "level"}
    found = courses(world)
    assert set(found) == set(expected)
    for key, course in found.items():
        expect = expected[key]
        assert course.level == {expect.level}, key
        assert course.ended is expect.cleared, key
        assert moment_ns(expect.after) <= course.first_ns[0], key
        assert course.first_ns[1] <= moment_ns(expect.before) - MINUTE_NS, key


def test_first_warning_of_the_default_scenario_comes_within_two_hours_of_data_time():
    scenario = load_scenario("doksuri-2023").settings
    first = min(course.first_ns[1] for course in courses(default_world(scenario)).values())
    assert first - scenario.start_ns < 2 * HOUR_NS


def test_dead_device_is_expected_to_be_missed():
    world = default_world(load_scenario("doksuri-2023").settings)
    expect = next(e for e in world.nature.scenario.expect if e.outcome == "no_data")
    earliest, latest = silent_from(world, expect.subject)
    assert moment_ns(expect.after) <= earliest
    assert latest <= moment_ns(expect.before)


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("hours: 1", "hours: -1"), 7, "expected more than 0"),
        (("+00:00", ""), 6, "no offset"),
        (("id: made-up", "id: other"), 2, "expected the name of the file"),
        (("seed: 1", "seed: 1\nsead: 2"), 9, "unknown key 'sead'"),
        (("seed: 1", "seed: one"), 8, "int"),
        (("seed: 1", f"leak: {{pipeline: p, place: 2, opening: 1, {HOUR}}}\nseed: 1"), 8, "share"),
        (("seed: 1", f"faults: [{{device: d, kind: dead, {BACKWARDS}}}]\nseed: 1"), 8, "later"),
        (("seed: 1", f"faults: [{{device: d, kind: lazy, {HOUR}}}]\nseed: 1"), 8, "lazy"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path, change, line, said):
    file = tmp_path / "made-up.yaml"
    file.write_text(SOUND.replace(*change), encoding="utf-8")
    with pytest.raises(SettingsError, match=said) as error:
        load_scenario(str(file))
    assert str(error.value).startswith(f"{file}:{line}:")


def test_unknown_scenario_is_told_which_there_are():
    with pytest.raises(SettingsError, match="expected one of doksuri-2023, quiet"):
        load_scenario("hagupit")
