"""Which derived series there are: rules that are data, met with what is announced and what the site says."""

import numpy as np
import pytest

from ingest.catalogue import Catalogue
from ingest.derived.announcing import announcement as own
from ingest.derived.plan import heights, make_plan, outputs_of
from ingest.derived.rows import compute
from ingest.derived.rules import load_rules
from ingest.derived.samples import Samples
from ingest.derived.surroundings import Surroundings
from ingest.derived.tide import Constants, Constituent, predict
from telemetry.deployment import Deployment, Zero
from telemetry.settings import SettingsError
from telemetry.span import MINUTE_NS, moment_ns
from tests.unit.derived_centre import SITE, announcement, identity, series

WIND = series("wx-1", "wind-speed", "wind_speed"), series("wx-1", "wind-direction", "wind_direction")
SEA = series("tide-1", "level", "sea_level", device="radar")


def entries(*found, **more):
    catalogue = Catalogue(site=SITE, drill=False)
    verdict = catalogue.announce("demo/gw-1", announcement(*found, **more))
    assert not verdict.refused
    return catalogue


NOTHING = Surroundings()


def planned(catalogue: Catalogue, surroundings: Surroundings = NOTHING, wanted: str | None = None):
    rules = [rule for rule in load_rules() if wanted is None or rule.id == wanted]
    return make_plan(SITE, rules, catalogue.entries(), surroundings)


def test_every_built_in_rule_has_a_standard_and_says_how_sure_it_is():
    rules = load_rules()
    assert len(rules) > 25
    assert all(rule.source and rule.confidence for rule in rules)


def test_a_centre_takes_rules_of_its_own(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "title: {zh: 我的, en: Mine}\nsource: ours\nconfidence: exact\n"
        "rules: [{id: rise-3h, method: rise, inputs: {level: water_level}, window: 3h, every: 1h}]\n"
    )
    assert load_rules([file])[-1].id == "rise-3h"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{id: a, method: mean, inputs: {level: water_level}}", "no method 'mean', expected one of"),
        ("{id: a, method: rise, inputs: {depth: water_level}}", "expected level in this order"),
        ("{id: a, method: rise, inputs: {level: water_level}}", "expected both window and every"),
        ("{id: a, method: rise, inputs: {level: wasser}, window: 1h, every: 1h}", "no quantity 'wasser'"),
        ("{id: a, method: rise, inputs: {level: water_level}, window: 1d, every: 1h}", "expected a span such as"),
        ("{id: a, method: rise, inputs: {level: water_level}, window: 1h, every: 7min}", "expected a part of a day"),
        ("{id: a, method: rise, inputs: {level: water_level}, window: 90h, every: 1h}", "expected at most 48h"),
        ("{id: rise-10min, method: rise, inputs: {level: water_level}, window: 1h, every: 1h}", "stands here twice"),
    ],
)
def test_a_mistake_in_a_rule_is_one_line_with_its_place(tmp_path, rule, said):
    file = tmp_path / "mine.yaml"
    file.write_text(f"title: {{zh: 我的, en: Mine}}\nsource: ours\nconfidence: exact\nrules:\n- {rule}\n")
    with pytest.raises(SettingsError, match=f"mine.yaml:5: .*{said}"):
        load_rules([file])


def test_each_series_has_its_own_derivatives_and_what_can_not_be_is_said():
    plan = planned(entries(*WIND, series("wx-2", "wind-speed", "wind_speed")))
    assert {group.rule.id for group in plan.groups} == {"2min", "10min"}
    reasons = dict(plan.left_out)
    assert (
        reasons["wx-1/wind-speed-gust-10min"]
        == "gust-10min: unknown, a sample each 60 s; expected one each second or more"
    )
    assert reasons["wx-2/wind-speed-10min"] == "10min: no wind_direction at wx-2"


def test_a_wind_that_is_sampled_every_second_has_gusts():
    quick = [series("wx-1", one.point, one.quantity, period_s=1.0) for one in WIND]
    assert "gust-10min" in {group.rule.id for group in planned(entries(*quick)).groups}


def test_derived_series_are_announced_with_where_they_come_from():
    catalogue = entries(*WIND, series("aq-1", "pm25", "pm25", 300.0))
    plan = planned(catalogue)
    verdict = catalogue.announce("demo/derived", own(plan, drill=False))
    assert not verdict.refused
    entry = catalogue.entry(identity("wx-1", "wind-speed-10min", "wind_direction_mean"))
    assert entry.deployments[-1].serial == "wind"
    assert "WMO-No. 8" in entry.deployments[-1].by
    assert entry.deployments[-1].note.startswith(
        "from wind-speed (wind_speed), wind-direction (wind_direction) over 10min"
    )
    index = catalogue.entry(identity("aq-1", "aqi-1h", "air_quality_index"))
    assert [one.serial for one in index.deployments] == ["aqi_hourly, HJ 633-2012", "aqi_hourly, HJ 633-2026"]
    primary = catalogue.entry(identity("aq-1", "aqi-1h", "primary_pollutant"))
    assert primary.codes is not None
    assert primary.codes.meaning(3.0).en == "PM2.5, PM10"
    same = planned(entries(*WIND, series("aq-1", "pm25", "pm25", 300.0)))
    assert own(plan, drill=False).revision == own(same, drill=False).revision


def zero(datum: str) -> dict[str, Zero]:
    return {"level/sea_level": Zero(height=1.0, datum=datum, surveyor="Lin", date="2020-01-01")}


DEPLOYED = {
    "radar": (
        Deployment(since="2020-01-01T00:00+08:00", zeros=zero("chart")),
        Deployment(since="2023-01-01T00:00+08:00", zeros=zero("1985")),
    )
}


def test_a_sea_level_is_reduced_by_the_datum_of_its_deployment_at_that_time():
    """F: a gauge that was levelled anew counts from another datum from that day on."""
    catalogue = entries(SEA, deployments=DEPLOYED)
    plan = planned(catalogue, Surroundings(datum="1985", datums={"chart": -3.5}), "reduced")
    (group,) = plan.groups
    times = np.array([moment_ns("2022-06-01T00:00+08:00"), moment_ns("2023-06-01T00:00+08:00")])
    assert heights(group, np.zeros(2, np.int64), times).tolist() == [-3.5, 0.0]
    ids = np.full(2, identity("tide-1", "level", "sea_level"))
    samples = Samples(ids, times, np.array([5.0, 2.0]), np.ones(2, np.uint8), np.zeros(2, np.uint16))
    rows = compute(group, np.zeros(2, np.int64), times, samples, "Asia/Shanghai")
    assert rows.value.tolist() == [1.5, 2.0]
    catalogue.announce("demo/derived", own(plan, drill=False))
    reduced = catalogue.entry(identity("tide-1", "level-reduced", "sea_level_reduced"))
    assert reduced.datum == "1985"
    assert "over 1985" in reduced.deployments[-1].note


@pytest.mark.parametrize("surroundings", [Surroundings(), Surroundings(datum="local")])
def test_without_a_height_between_the_datums_nothing_is_reduced(surroundings):
    plan = planned(entries(SEA, deployments=DEPLOYED), surroundings, "reduced")
    assert not plan.groups
    assert "nobody says how high that lies" in plan.left_out[0][1]


def test_a_residual_is_the_sample_less_the_tide_at_its_own_moment():
    constants = Constants(
        station="tide-1",
        point="level",
        latitude=25.0,
        datum="gauge",
        mean=1.0,
        source="test",
        constituents=(Constituent(name="M2", amplitude=2.0, phase=30.0),),
    )
    plan = planned(entries(SEA), Surroundings(tides={("tide-1", "level"): constants}), "tide")
    (group,) = plan.groups
    times = moment_ns("2023-06-01T00:00+08:00") + np.arange(50) * 7 * MINUTE_NS
    ids, ones = np.full(50, identity("tide-1", "level", "sea_level")), np.ones(50, np.uint8)
    samples = Samples(ids, times, predict(constants, times) + 0.4, ones, np.zeros(50, np.uint16))
    rows = compute(group, np.zeros(50, np.int64), times, samples, "Asia/Shanghai")
    residual = rows.value[rows.series == identity("tide-1", "level-tide", "tide_residual")]
    np.testing.assert_allclose(residual, 0.4, atol=1e-6)
    assert len(outputs_of(group.method)) == 2


def test_a_level_that_is_missing_has_no_residual_but_a_tide():
    constants = Constants(
        station="tide-1", point="level", latitude=25.0, datum="gauge", mean=1.0, source="test", constituents=()
    )
    plan = planned(entries(SEA), Surroundings(tides={("tide-1", "level"): constants}), "tide")
    times = np.array([moment_ns("2023-06-01T00:00+08:00")])
    ids = np.array([identity("tide-1", "level", "sea_level")])
    samples = Samples(ids, times, np.array([np.nan]), np.full(1, 4, np.uint8), np.zeros(1, np.uint16))
    rows = compute(plan.groups[0], np.zeros(1, np.int64), times, samples, "Asia/Shanghai")
    assert rows.value.tolist()[0] == 1.0
    assert np.isnan(rows.value[1])
    assert rows.quality.tolist()[1] == 4
