"""A pack proves itself: its own cases are run through the same evaluation that judges live rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from alerting.hazards import hazards
from alerting.metric import DECIMALS
from alerting.rules.compiled import Compiled, Measured, compile_rules
from alerting.rules.packs import Case, Pack


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a pack: the line of its file, and what was found and expected."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


def run_pack_tests(pack: Pack) -> list[Finding]:
    """Run the cases of a pack, and find thresholds whose exact value no case tries; an empty list is a pass."""
    compiled = {
        name: compile_rules(pack, hazards()[name]) for name in dict.fromkeys(rule.hazard for rule in pack.rules)
    }
    findings = []
    for index, case in enumerate(pack.document.settings.tests):
        found = _outcome(compiled[case.hazard], case)
        if found != case.expect:
            problem = f"tests[{index}]: {case.hazard} comes to {found!r}, expected {case.expect!r}"
            findings.append(_finding(pack, ("tests", index), problem))
    for one in compiled.values():
        findings.extend(_untried(pack, one))
    return findings


def _finding(pack: Pack, where: tuple[str | int, ...], problem: str) -> Finding:
    return Finding(str(pack.document.path), pack.document.line(where), problem)


def _outcome(compiled: Compiled, case: Case) -> int | str:
    measured, thresholds = _row(compiled, case)
    if not compiled.configured(thresholds, measured.absent)[0]:
        return "unconfigured"
    verdict = compiled.evaluate(measured, compiled.bars(thresholds))
    if verdict.reached[0] == 0 and verdict.unknown[0]:
        return "no_data"
    return int(verdict.reached[0])


def _row(compiled: Compiled, case: Case) -> tuple[Measured, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    given = [case.given.get(probe.name) for probe in compiled.probes]
    value = np.array([[np.nan if number is None else round(number, DECIMALS) for number in given]])
    absent = np.array([[probe.name not in case.given for probe in compiled.probes]])
    measured = Measured(value, (~np.isnan(value)).astype(np.float64), np.zeros_like(absent), absent)

    def ladder(scheme: str, level: int) -> float | None:
        return case.site[scheme][level - 1] if scheme in case.site else None

    return measured, compiled.thresholds(ladder)[None, :]


def _untried(pack: Pack, compiled: Compiled) -> Iterator[Finding]:
    """Conditions whose exact threshold no case of the pack gives: equality is where published rules are misread."""
    cases = [case for case in pack.document.settings.tests if case.hazard == compiled.hazard.id]
    rows = [(case, *_row(compiled, case)) for case in cases]
    for index, condition in enumerate(compiled.conditions):
        probe = compiled.probe[index]
        if not any(measured.value[0, probe] == thresholds[0, index] for _, measured, thresholds in rows):
            rule = compiled.rules[int(compiled.rule_of[index])]
            where = ("rules", pack.rules.index(rule))
            yield _finding(pack, where, f"{rule.id}: no test gives {condition.metric} exactly its threshold")
