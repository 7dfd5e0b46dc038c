"""Rules of one hazard as dense arrays, judged in three-valued logic over rows, conditions, groups and rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.metric import DECIMALS, Hazard, Metric
from alerting.rules.packs import Condition, Pack, Rule, probe_name, span_minutes
from telemetry.batch import F64, I64, U8, Mask
from telemetry.clock import MINUTE_NS

OPS: Final = {">=": "≥", ">": ">", "<=": "≤", "<": "<", "==": "="}
Ladder = Callable[[str, int], float | None]
"""Scheme and level (1-4) to the site's value for one row; None: unconfigured."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A metric over a window (minutes; 0: none): what must be measured once for all conditions that look at it."""

    name: str
    metric: Metric
    minutes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, arrays of shape (rows, probes); ``absent`` where the row has no such series at all."""

    value: F64
    share: F64
    suspect: Mask
    absent: Mask


@dataclass(frozen=True, slots=True)
class Verdict:
    """Per row (n,): the level reached; the highest level that is held (by thresholds less hysteresis), and that may be
    held for all that is known; whether a higher level than reached can't be excluded; whether only doubtful readings
    reach it.
    """

    reached: U8
    held: U8
    maybe: U8
    unknown: Mask
    suspect: Mask


@dataclass(frozen=True, slots=True)
class Bars:
    """Thresholds ready to be compared, (n, c): ``limit`` and ``loose`` (less the hysteresis) with the sign of the
    operator, so that reaching is always "not less"; ``given`` where one is configured.
    """

    limit: F64
    loose: F64
    given: Mask

    def take(self, rows: I64) -> "Bars":
        """Those of some rows."""
        return Bars(self.limit[rows], self.loose[rows], self.given[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The rules of one hazard in ascending level; condition arrays of shape (c,), starts for ``ufunc.reduceat``."""

    hazard: Hazard
    pack: Pack
    rules: tuple[Rule, ...]
    probes: tuple[Probe, ...]
    conditions: tuple[Condition, ...]
    probe: I64
    sign: F64
    strict: Mask
    equal: Mask
    bound: Mask
    hysteresis: F64
    completeness: F64
    odd: Mask
    group_start: I64
    group_level: U8
    rule_of: I64
    level: U8
    hold_ns: I64
    confirm: I64
    """By level 0 to 4: shape (5,) for the hold, (5, 2) for n of m."""

    def thresholds(self, ladder: Ladder) -> F64:
        """The thresholds of one row (c,) in the units of the metrics; NaN is unconfigured."""
        return np.array(
            [
                self._threshold(condition, int(self.level[rule]), ladder)
                for condition, rule in zip(self.conditions, self.rule_of.tolist(), strict=True)
            ]
        )

    def _threshold(self, condition: Condition, level: int, ladder: Ladder) -> float:
        value = condition.value if condition.site is None else ladder(condition.site, level)
        if value is None:
            return float("nan")
        metric = self.probes[self.probe_of(condition)].metric
        return round(metric.convert(value, condition.unit, metric.unit), DECIMALS)

    def probe_of(self, condition: Condition) -> int:
        """The number of the probe that a condition looks at."""
        name = probe_name(condition)
        return next(index for index, probe in enumerate(self.probes) if probe.name == name)

    def configured(self, thresholds: F64, absent: Mask) -> Mask:
        """Whether any rule can ever be reached; (n, c) and (n, probes) -> (n,)."""
        return np.any(self._all(~np.isnan(thresholds) & ~absent[:, self.probe]), axis=1)

    def bars(self, thresholds: F64) -> Bars:
        """Prepare thresholds (n, c)."""
        limit = thresholds * self.sign
        return Bars(limit, np.round(limit - self.hysteresis, DECIMALS), ~np.isnan(thresholds))

    def evaluate(self, measured: Measured, bars: Bars) -> Verdict:
        """Judge rows."""
        true, keep = self._compare(measured.value[:, self.probe], bars)
        certain = measured.share[:, self.probe] >= self.completeness
        usable = certain | self.bound
        true, keep = true & usable, keep & usable
        unknown = bars.given & ~(true | certain | measured.absent[:, self.probe])
        doubt = true & measured.suspect[:, self.probe]
        return self._combine(true, unknown, keep, doubt)

    def _compare(self, value: F64, bars: Bars) -> tuple[Mask, Mask]:
        """Whether each condition holds, and whether it would with its hysteresis; NaN never does."""
        signed = value * self.sign
        true, keep = signed >= bars.limit, signed >= bars.loose
        if self.odd.any():
            true = np.where(self.strict, signed > bars.limit, np.where(self.equal, signed == bars.limit, true))
            keep = np.where(self.strict, signed > bars.loose, np.where(self.equal, signed == bars.limit, keep))
        return true, keep

    def _combine(self, true: Mask, unknown: Mask, keep: Mask, doubt: Mask) -> Verdict:
        """AND within a group, OR between groups, the highest level of the rules."""
        reached = self._highest(true)
        held = np.maximum(self._highest(keep), reached)
        clean = self._highest(true & ~doubt) if doubt.any() else reached
        if not unknown.any():
            return Verdict(reached, held, held, np.zeros(len(reached), np.bool_), clean < reached)
        maybe = np.maximum(self._highest(keep | unknown), held)
        return Verdict(reached, held, maybe, self._highest(true | unknown) > reached, clean < reached)

    def _all(self, conditions: Mask) -> Mask:
        if len(self.group_start) == len(self.conditions):
            return conditions
        groups: Mask = np.logical_and.reduceat(conditions, self.group_start, axis=1)
        return groups

    def _highest(self, conditions: Mask) -> U8:
        levels: NDArray[np.uint8] = (self._all(conditions) * self.group_level).max(axis=1)
        return levels

    def decisive(self, level: int, value: F64, thresholds: F64) -> int:
        """The number of the condition that explains a level of one row (c values each): the first that holds of the
        rule of that level, else its first measured one. Conditions on statements (``==``) explain nothing.
        """
        mine = [c for c, rule in enumerate(self.rule_of.tolist()) if self.level[rule] == level and not self.equal[c]]
        true, _ = self._compare(value[None, :], self.bars(thresholds[None, :]))
        known = [c for c in mine if not np.isnan(value[c]) and not np.isnan(thresholds[c])]
        return next((c for c in known if true[0, c]), (known or mine or [0])[0])


def compile_rules(pack: Pack, hazard: Hazard) -> Compiled:
    """The rules of a pack for one hazard as arrays."""
    rules = tuple(sorted((rule for rule in pack.rules if rule.hazard == hazard.id), key=lambda rule: rule.level))
    groups = [(index, group) for index, rule in enumerate(rules) for group in rule.any]
    flat = [(index, condition) for index, group in groups for condition in group.all]
    conditions = tuple(condition for _, condition in flat)
    probes = _probes(conditions, hazard)
    names = [probe.name for probe in probes]
    metrics = [hazard.metric(condition.metric) for condition in conditions]
    return Compiled(
        hazard=hazard,
        pack=pack,
        rules=rules,
        probes=probes,
        conditions=conditions,
        probe=np.array([names.index(probe_name(condition)) for condition in conditions], np.int64),
        sign=np.array([-1.0 if condition.op.startswith("<") else 1.0 for condition in conditions]),
        strict=np.array([condition.op in ("<", ">") for condition in conditions]),
        equal=np.array([condition.op == "==" for condition in conditions]),
        odd=np.array([condition.op in ("<", ">", "==") for condition in conditions]),
        bound=np.array([metric.bound for metric in metrics]),
        hysteresis=np.array([condition.hysteresis for condition in conditions]),
        completeness=np.array([rules[index].min_completeness for index, _ in flat]),
        group_start=_starts([len(group.all) for _, group in groups]),
        group_level=np.array([rules[index].level for index, _ in groups], np.uint8),
        rule_of=np.array([index for index, _ in flat], np.int64),
        level=np.array([rule.level for rule in rules], np.uint8),
        hold_ns=_by_level(rules, lambda rule: span_minutes(rule.hold) * MINUTE_NS, 0),
        confirm=np.stack(
            [
                _by_level(rules, lambda rule: rule.confirm.n, 1),
                _by_level(rules, lambda rule: rule.confirm.of, 1),
            ],
            axis=1,
        ),
    )


def _probes(conditions: Sequence[Condition], hazard: Hazard) -> tuple[Probe, ...]:
    found: dict[str, Probe] = {}
    for condition in conditions:
        name = probe_name(condition)
        minutes = 0 if condition.window is None else span_minutes(condition.window)
        found.setdefault(name, Probe(name, hazard.metric(condition.metric), minutes))
    return tuple(found.values())


def _starts(lengths: Sequence[int]) -> I64:
    return np.cumsum([0, *lengths[:-1]])


def _by_level(rules: Sequence[Rule], of: Callable[[Rule], int], default: int) -> I64:
    values = np.full(5, default, np.int64)
    for rule in rules:
        values[rule.level] = of(rule)
    return values
