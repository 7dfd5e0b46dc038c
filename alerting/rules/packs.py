"""Rule packs as they stand in ``alerting/packs/*.yaml``: read and checked, each for itself."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from alerting.hazards import hazards
from alerting.metric import Metric
from alerting.site import LEVELS, SCHEMES
from telemetry.series import Text
from telemetry.settings import Document, Step, load
from telemetry.span import moment_ns

_SPAN: Final = re.compile(r"(\d+)(min|h)")
_LONGEST_MIN: Final = 2880
_SAMPLE: Final = {"subject": "", "metric": "", "value": "", "op": "", "rule": "", "threshold": "", "unit": ""}


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One comparison: with ``value``, or with the level of the rule's colour in the site's ``site`` scheme.

    ``window`` is what the metric looks back on. ``lead`` is the published time within which the event is expected: a
    reading that reaches the value now fulfils it whatever the lead. ``hysteresis`` is in the metric's own unit.
    """

    metric: str
    op: Literal[">=", ">", "<=", "<", "=="]
    value: float | None = None
    site: str | None = None
    unit: str
    window: str | None = None
    lead: str | None = None
    hysteresis: float = 0.0


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conditions that must hold together."""

    all: tuple[Condition, ...]


class Confirm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raise only when ``n`` of the last ``of`` evaluations reached the level."""

    n: int = 1
    of: int = 1


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One level of one hazard: reached when any group of conditions holds.

    ``hold`` is how long the value must stay below the threshold less its hysteresis before the level is lowered.
    ``min_completeness`` is the share of samples without which a metric says nothing.
    """

    id: str
    hazard: str
    code: str = ""
    level: Literal[1, 2, 3, 4]
    name: Text
    any: tuple[Group, ...]
    min_completeness: float = 0.8
    hold: str = "0min"
    confirm: Confirm = Confirm()
    confidence: str = ""
    note: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who says so, since when (ISO 8601 with offset), where it was read, and how sure that reading is."""

    id: str
    edition: str
    valid_from: str
    issuer: Text
    source: str
    confidence: Literal["text", "scan", "corroborated", "single-source", "illustrative"]
    note: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test of the pack: metrics as ``name`` or ``name/window`` in canonical units (null: unknown), site levels by
    scheme, and the level that the hazard must come to, or ``no_data`` or ``unconfigured``.
    """

    hazard: str
    given: dict[str, float | None]
    site: dict[str, tuple[float | None, float | None, float | None, float | None]] = {}
    expect: int | Literal["no_data", "unconfigured"]


class PackFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. ``text`` is the sentence of an alarm, with the places named in ``{}``."""

    pack: Head
    text: Text
    rules: tuple[Rule, ...]
    tests: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """A checked pack with the file that it came from."""

    document: Document[PackFile]
    valid_from_ns: int

    @property
    def head(self) -> Head:
        """Identity and provenance."""
        return self.document.settings.pack

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order of the file."""
        return self.document.settings.rules


def span_minutes(text: str) -> int:
    """Minutes of a span such as ``10min`` or ``12h``; raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r}, expected a span such as 10min or 12h")
    return int(match[1]) * (60 if match[2] == "h" else 1)


def load_pack(path: Path) -> Pack:
    """Read and check one pack; raises SettingsError with file and line."""
    document = load(path, PackFile)
    for where, problem in _mistakes(document.settings):
        raise document.error(where, problem)
    return Pack(document, moment_ns(document.settings.pack.valid_from))


Mistake = tuple[Sequence[Step], str]


def _mistakes(file: PackFile) -> Iterator[Mistake]:
    yield from _time(("pack", "valid_from"), file.pack.valid_from)
    for language in ("zh", "en"):
        yield from _template(("text", language), getattr(file.text, language))
    yield from _twice([rule.id for rule in file.rules], "id")
    yield from _twice([(rule.hazard, rule.level) for rule in file.rules], "level")
    for index, rule in enumerate(file.rules):
        yield from _rule(("rules", index), rule)
    for index, case in enumerate(file.tests):
        yield from _case(("tests", index), case, file.rules)


def _time(where: Sequence[Step], text: str) -> Iterator[Mistake]:
    try:
        moment_ns(text)
    except ValueError as exc:
        yield where, str(exc)


def _template(where: Sequence[Step], template: str) -> Iterator[Mistake]:
    try:
        template.format(**_SAMPLE)
    except (KeyError, IndexError, ValueError) as exc:
        yield where, f"{template!r}: {exc}, expected places among {', '.join(_SAMPLE)}"


def _twice(names: Sequence[Any], key: str) -> Iterator[Mistake]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("rules", index, key), f"{name} stands here twice, expected it once"


def _rule(where: tuple[Step, ...], rule: Rule) -> Iterator[Mistake]:
    if rule.hazard not in hazards():
        yield (*where, "hazard"), f"no hazard {rule.hazard!r}, expected one of {', '.join(hazards())}"
        return
    if not 0 < rule.min_completeness <= 1:
        yield (*where, "min_completeness"), f"{rule.min_completeness}, expected more than 0 and at most 1"
    if not 1 <= rule.confirm.n <= rule.confirm.of <= 8:
        yield (*where, "confirm"), f"{rule.confirm.n} of {rule.confirm.of}, expected 1 <= n <= of <= 8"
    yield from _span((*where, "hold"), rule.hold)
    if not rule.any or not all(group.all for group in rule.any):
        yield (*where, "any"), "no condition, expected at least one group with at least one"
    for g, group in enumerate(rule.any):
        for c, condition in enumerate(group.all):
            yield from _condition((*where, "any", g, "all", c), condition, rule)


def _span(where: Sequence[Step], text: str) -> Iterator[Mistake]:
    try:
        if span_minutes(text) > _LONGEST_MIN:
            yield where, f"{text}, expected at most {_LONGEST_MIN}min"
    except ValueError as exc:
        yield where, str(exc)


def _condition(where: tuple[Step, ...], condition: Condition, rule: Rule) -> Iterator[Mistake]:
    known = {metric.name: metric for metric in hazards()[rule.hazard].metrics}
    metric = known.get(condition.metric)
    if metric is None:
        yield (*where, "metric"), f"no metric {condition.metric!r}, expected one of {', '.join(known)}"
        return
    yield from _window(where, condition, metric)
    if (condition.value is None) == (condition.site is None):
        yield where, "expected either 'value' or 'site'"
    if condition.site is not None and condition.site not in SCHEMES:
        yield (*where, "site"), f"no scheme {condition.site!r}, expected one of {', '.join(SCHEMES)}"
    if metric.bound and condition.op not in (">=", ">"):
        yield (*where, "op"), f"{condition.op!r}, expected >= or >: an incomplete sum says nothing about less"
    if condition.hysteresis < 0:
        yield (*where, "hysteresis"), f"{condition.hysteresis}, expected 0 or more"
    try:
        metric.convert(condition.value or 6.0, condition.unit, metric.unit)
    except ValueError as exc:
        yield (*where, "unit"), str(exc)


def _window(where: tuple[Step, ...], condition: Condition, metric: Metric) -> Iterator[Mistake]:
    if metric.windowed != (condition.window is not None):
        yield where, f"metric {metric.name!r} {'needs a' if metric.windowed else 'has no'} window"
    for key in ("window", "lead"):
        text = getattr(condition, key)
        if text is not None:
            yield from _span((*where, key), text)


def _case(where: tuple[Step, ...], case: Case, rules: Iterable[Rule]) -> Iterator[Mistake]:
    mine = [rule for rule in rules if rule.hazard == case.hazard]
    if not mine:
        yield (*where, "hazard"), f"no rule for {case.hazard!r} in this pack"
    if isinstance(case.expect, int) and not 0 <= case.expect <= len(LEVELS):
        yield (*where, "expect"), f"{case.expect}, expected 0 to {len(LEVELS)}, no_data or unconfigured"
    probes = {probe_name(condition) for rule in mine for group in rule.any for condition in group.all}
    for name in case.given.keys() - probes:
        yield (*where, "given", name), f"no rule looks at {name!r}, expected one of {', '.join(sorted(probes))}"


def probe_name(condition: Condition) -> str:
    """The metric with its window, as tests name it."""
    return condition.metric if condition.window is None else f"{condition.metric}/{condition.window}"
