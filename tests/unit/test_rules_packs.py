"""Rule packs as files: mistakes are found with their line, editions by their time, cases by running them."""

from pathlib import Path

import numpy as np
import pytest

from alerting.hazards import hazards
from alerting.rules import compile_rules, load_pack, load_packs, run_pack_tests, span_minutes
from alerting.rules.compiled import Measured
from telemetry.settings import SettingsError
from telemetry.span import moment_ns

PACK = """\
pack:
  id: a.pack
  edition: "1"
  valid_from: "2020-01-01T00:00+08:00"
  issuer: {zh: 某局, en: An office}
  source: a test
  confidence: text
text:
  zh: "{subject}{metric} {value} {op} {rule} {threshold}"
  en: "{subject} {metric} {value} {op} {rule} {threshold}"
rules:
- id: tide.yellow
  hazard: storm_surge
  level: 2
  name: {zh: 黄, en: yellow}
  hold: 30min
  any:
  - all: [{metric: sea_level, op: ">=", value: 3.5, unit: m, hysteresis: 0.1}]
tests:
- {hazard: storm_surge, given: {sea_level: 3.5}, expect: 2}
- {hazard: storm_surge, given: {sea_level: 3.49}, expect: 0}
- {hazard: storm_surge, given: {sea_level: null}, expect: no_data}
"""


def written(folder: Path, text: str, name: str = "pack.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_pack_loads_and_passes_its_cases(tmp_path: Path) -> None:
    assert run_pack_tests(load_pack(written(tmp_path, PACK))) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        (
            "hazard: storm_surge\n  level",
            "hazard: storm_serge\n  level",
            13,
            "no hazard 'storm_serge', expected one of",
        ),
        ("metric: sea_level", "metric: sea_lvl", 18, "no metric 'sea_lvl', expected one of sea_level"),
        ("unit: m,", "unit: mm/h,", 18, "no conversion from 'mm/h' to 'm'"),
        ('op: ">="', 'op: "=>"', 18, "=>"),
        ("value: 3.5, ", "", 18, "expected either 'value' or 'site'"),
        ("value: 3.5", "site: warn_tides", 18, "no scheme 'warn_tides'"),
        ("value: 3.5", "value: 3.5, window: 1h", 18, "metric 'sea_level' has no window"),
        ("hold: 30min", "hold: 30 minutes", 16, "'30 minutes', expected a span such as 10min or 12h"),
        ("level: 2", "level: 5", 14, "5"),
        ('valid_from: "2020-01-01T00:00+08:00"', 'valid_from: "2020-01-01T00:00"', 4, "has no offset"),
        ("{threshold}", "{treshold}", 9, "expected places among"),
        ("given: {sea_level: 3.49}", "given: {sea: 3.49}", 21, "no rule looks at 'sea'"),
        ("hysteresis: 0.1", "hysteresis: -0.1", 18, "expected 0 or more"),
        ("hold: 30min", "holds: 30min", 16, "hold"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    assert old in PACK
    with pytest.raises(SettingsError) as caught:
        load_pack(written(tmp_path, PACK.replace(old, new, 1)))
    text = str(caught.value)
    assert f"pack.yaml:{line}: " in text
    assert problem in text
    assert "\n" not in text


def test_a_wrong_case_and_an_untried_threshold_are_findings(tmp_path: Path) -> None:
    text = PACK.replace("{sea_level: 3.5}, expect: 2", "{sea_level: 3.51}, expect: 3")
    findings = run_pack_tests(load_pack(written(tmp_path, text)))
    assert [finding.line for finding in findings] == [20, 12]
    assert "comes to 2, expected 3" in str(findings[0])
    assert "no test gives sea_level exactly its threshold" in str(findings[1])


def test_a_strict_operator_read_as_inclusive_is_found_by_its_case(tmp_path: Path) -> None:
    findings = run_pack_tests(load_pack(written(tmp_path, PACK.replace('op: ">="', 'op: ">"'))))
    assert ["comes to 0, expected 2" in str(finding) for finding in findings] == [True]


def test_the_edition_is_that_of_the_time(tmp_path: Path) -> None:
    written(tmp_path, PACK)
    newer = PACK.replace('edition: "1"', 'edition: "2"').replace("2020-01-01", "2026-03-01").replace("3.5,", "3.4,")
    written(tmp_path, newer, "newer.yaml")
    book = load_packs(tmp_path)
    border = moment_ns("2026-03-01T00:00+08:00")
    found = [book.at(t).get("storm_surge") for t in (moment_ns("2019-12-31T23:59+08:00"), border - 1, border)]
    assert [pack and pack.head.edition for pack in found] == [None, "1", "2"]
    assert book.edition(border - 1) == (moment_ns("2020-01-01T00:00+08:00"), border)
    assert book.edition(border)[0] == border


def test_one_hazard_in_two_packs_and_one_edition_twice_are_refused(tmp_path: Path) -> None:
    written(tmp_path, PACK)
    written(tmp_path, PACK.replace("a.pack", "b.pack"), "other.yaml")
    with pytest.raises(SettingsError, match="expected each hazard in one pack and its editions"):
        load_packs(tmp_path)
    written(tmp_path, PACK, "other.yaml")
    with pytest.raises(SettingsError, match="stands in another file too"):
        load_packs(tmp_path)


def test_a_pack_is_checked_beside_those_of_the_product(tmp_path: Path) -> None:
    """A rule whose hazard or id stands in another pack is refused when both are loaded."""
    mine = written(tmp_path, PACK)
    with pytest.raises(
        SettingsError, match=r"other\.yaml:.*'[a-z_-]+' stands in pack '[a-z0-9.-]+' too, expected each"
    ):
        load_packs(extra=(mine.rename(tmp_path / "other.yaml"),))
    product = load_packs().packs[0].document.path
    assert load_packs(extra=(product,)).packs == load_packs().packs, "a pack of the product may be named"


def test_a_rule_id_in_two_packs_is_refused(tmp_path: Path) -> None:
    known = load_packs()
    other = next(pack for pack in known.packs if pack.head.id != known.packs[0].head.id)
    text = other.document.path.read_text(encoding="utf-8")
    clash = text.replace(other.rules[0].id, known.packs[0].rules[0].id, 1)
    (tmp_path / "one.yaml").write_text(known.packs[0].document.path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "two.yaml").write_text(clash, encoding="utf-8")
    with pytest.raises(SettingsError, match="expected each id in one pack and its editions"):
        load_packs(tmp_path)


@pytest.mark.parametrize(("text", "minutes"), [("10min", 10), ("12h", 720), ("0min", 0)])
def test_spans_are_minutes(text: str, minutes: int) -> None:
    assert span_minutes(text) == minutes


def test_unknown_is_neither_reached_nor_given_up() -> None:
    """Three-valued logic: an unknown mean beside a gust that says little leaves the higher levels open."""
    pack = load_packs().at(moment_ns("2023-07-28T00:00+08:00"))["typhoon"]
    compiled = compile_rules(pack, hazards()["typhoon"])
    names = [probe.name for probe in compiled.probes]
    value = np.array([[{"typhoon_active": 1.0, "wind_mean/10min": np.nan, "wind_gust": 18.0}[name] for name in names]])
    none = np.zeros_like(value, np.bool_)
    measured = Measured(value, (~np.isnan(value)).astype(float), none, none)
    verdict = compiled.evaluate(measured, compiled.bars(compiled.thresholds(lambda _s, _l: None)[None, :]))
    assert (verdict.reached[0], verdict.held[0], verdict.maybe[0], verdict.unknown[0]) == (1, 1, 4, True)


def test_an_incomplete_sum_that_reaches_its_threshold_is_certain_and_one_that_does_not_is_unknown() -> None:
    pack = load_packs().at(moment_ns("2023-07-28T00:00+08:00"))["rainstorm"]
    compiled = compile_rules(pack, hazards()["rainstorm"])
    bars = compiled.bars(compiled.thresholds(lambda _s, _l: None)[None, :])
    none = np.zeros((1, 3), np.bool_)
    for millimetres, reached, unknown in ((60.0, 3, True), (40.0, 0, True), (100.0, 4, False)):
        verdict = compiled.evaluate(Measured(np.full((1, 3), millimetres), np.full((1, 3), 0.2), none, none), bars)
        assert (verdict.reached[0], bool(verdict.unknown[0])) == (reached, unknown)
