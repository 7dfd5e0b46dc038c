"""Every rule pack of the product: it loads, passes its own cases, tries every threshold, and says where it is from."""

import csv
from pathlib import Path

import pytest

from alerting.hazards import hazards
from alerting.hazards._wind import BEAUFORT_MS
from alerting.rules import Pack, load_packs, run_pack_tests
from alerting.site import LEVELS

BOOK = load_packs()
TABLE = Path(__file__).parents[3] / "shared" / "data" / "rules" / "cn_warning_thresholds.csv"
PUBLISHED = {"typhoon", "gale", "rainstorm"}


@pytest.mark.parametrize("pack", BOOK.packs, ids=lambda pack: pack.document.path.stem)
def test_a_pack_passes_its_own_cases(pack: Pack) -> None:
    assert [str(finding) for finding in run_pack_tests(pack)] == []


@pytest.mark.parametrize("pack", BOOK.packs, ids=lambda pack: pack.document.path.stem)
def test_a_pack_says_where_it_is_from(pack: Pack) -> None:
    head = pack.head
    assert head.source
    assert head.issuer.zh
    assert head.issuer.en
    for rule in pack.rules:
        assert rule.name.zh != rule.name.en


def test_every_hazard_has_rules_and_every_rule_a_hazard() -> None:
    assert set(BOOK.at(BOOK.newest_ns)) == set(hazards())


@pytest.mark.parametrize("name", list(hazards()))
def test_a_hazard_is_documented_and_its_metrics_are_named(name: str) -> None:
    hazard = hazards()[name]
    names = [metric.name for metric in hazard.metrics]
    assert len(set(names)) == len(names)
    assert hazard.name.zh
    assert hazard.name.en
    assert all(metric.text.zh and metric.text.en and metric.compute.__module__ for metric in hazard.metrics)


@pytest.mark.skipif(not TABLE.exists(), reason="the published tables are not beside this clone")
def test_the_order_16_pack_is_the_published_table() -> None:
    with TABLE.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["pack"] == "cma16" and row["hazard"] in PUBLISHED]
    published = {(row["code"], row["window"], row["op"], float(row["value"]), row["unit"]) for row in rows}
    chosen = BOOK.at(BOOK.newest_ns)
    ours = {
        (rule.code, condition.lead, condition.op, condition.value, condition.unit)
        for hazard in PUBLISHED
        for rule in chosen[hazard].rules
        if rule.hazard == hazard
        for group in rule.any
        for condition in group.all
        if condition.op != "=="
    }
    assert ours == published
    levels = {row["code"]: row["level"] for row in rows}
    assert all(levels[rule.code] == LEVELS[rule.level - 1] for rule in chosen["gale"].rules)


@pytest.mark.skipif(not TABLE.exists(), reason="the published tables are not beside this clone")
def test_the_gas_pack_is_the_published_table() -> None:
    chemical = {"H2S": "hydrogen_sulfide", "CO": "carbon_monoxide", "Cl2": "chlorine", "NH3": "ammonia"}
    with TABLE.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["hazard"].removeprefix("toxic_") in chemical]
    published = {(chemical[row["hazard"][6:]], row["level"], float(row["value"]), row["unit"]) for row in rows}
    ours = {
        (condition.metric, LEVELS[rule.level - 1], condition.value, condition.unit)
        for rule in BOOK.at(BOOK.newest_ns)["toxic_gas"].rules
        if rule.hazard == "toxic_gas"
        for group in rule.any
        for condition in group.all
        if condition.metric != "oxygen"
    }
    assert ours == published


def test_beaufort_forces_are_those_of_the_formula() -> None:
    """``v = 0.836 B^1.5`` (WMO-No. 306) gives the middle of a force; each lower bound lies between two middles."""
    for force, bound in BEAUFORT_MS.items():
        assert 0.836 * (force - 1) ** 1.5 < bound < 0.836 * force**1.5 + 0.05
