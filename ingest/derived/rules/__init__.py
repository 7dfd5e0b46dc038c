"""The rules that say which series are derived, as data: the files of this folder, and those that a centre adds."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from telemetry.quantity import QUANTITIES
from telemetry.series import Text
from telemetry.settings import Document, Step, load
from telemetry.span import HOUR_NS, MINUTE_NS
from telemetry.topics import is_name

_FOLDER: Final = Path(__file__).parent
_SPAN: Final = re.compile(r"(\d+)(min|h)")
_SINCE: Final = re.compile(r"since ([01]\d|2[0-3]):([0-5]\d)")
LONGEST_NS: Final = 48 * HOUR_NS


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One derived series of every station that measures what it needs.

    Its point is named after the point of its first input (``rain`` and ``1h``: ``rain-1h``), that of a method which
    looks at a whole station after the rule alone (``aqi-1h``).
    """

    id: str
    """Lower-case letters, digits and hyphens."""
    method: str
    """What is computed (``ingest.derived.methods``)."""
    inputs: dict[str, str]
    """Quantities by the method's words for them; the first one leads."""
    window: str | None = None
    """The time before, such as ``10min`` or ``24h``, or ``since 08:00`` in the site's time; none: each sample."""
    every: str | None = None
    """How often, aligned to the site's midnight."""
    fewest: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Samples that a window must be due to hold: series that are sampled too rarely have no such derivative."""
    least: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.75
    """Share of the samples due below which the result is ``below``."""
    below: Literal["missing", "suspect"] = "missing"
    """``suspect`` where an incomplete result still is a lower bound."""
    source: str | None = None
    """Standard and clause, where not those of the file."""
    confidence: str | None = None
    """How sure the source is, where not that of the file."""


class RuleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules of one kind, with the standard that they rest on."""

    title: Text
    source: str
    """Standard and clause."""
    confidence: str
    """``exact``, ``secondary`` (copies of the standard), ``scan`` or ``recalled``."""
    rules: tuple[Rule, ...]


def load_rules(extra: Sequence[Path] = ()) -> tuple[Rule, ...]:
    """The rules of this folder and of further files, each with its source; raises SettingsError."""
    found: list[Rule] = []
    for path in (*sorted(_FOLDER.glob("*.yaml")), *extra):
        document = load(path, RuleFile)
        for where, problem in _mistakes(document, found):
            raise document.error(where, problem)
        file = document.settings
        found += [
            msgspec.structs.replace(
                rule, source=rule.source or file.source, confidence=rule.confidence or file.confidence
            )
            for rule in file.rules
        ]
    return tuple(found)


def span_ns(text: str) -> int:
    """Nanoseconds of a span such as ``10min`` or ``24h``; raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r}, expected a span such as 10min or 24h")
    return int(match[1]) * (MINUTE_NS if match[2] == "min" else HOUR_NS)


def since_ns(text: str) -> int | None:
    """Nanoseconds after midnight of ``since 08:00``; None where it is no such window."""
    match = _SINCE.fullmatch(text)
    return None if match is None else int(match[1]) * HOUR_NS + int(match[2]) * MINUTE_NS


def reach_ns(rule: Rule) -> int:
    """How far before a moment the samples lie that its value may rest on."""
    if rule.window is None:
        return 0
    return 24 * HOUR_NS if since_ns(rule.window) is not None else span_ns(rule.window)


Mistake = tuple[Sequence[Step], str]


def _mistakes(document: Document[RuleFile], before: Sequence[Rule]) -> Iterator[Mistake]:
    from ingest.derived.methods import METHODS  # methods know rules, and only a check knows both

    seen = {(rule.id, next(iter(rule.inputs.values()), "")) for rule in before}
    for index, rule in enumerate(document.settings.rules):
        where = ("rules", index)
        method = METHODS.get(rule.method)
        if method is None:
            yield (*where, "method"), f"no method {rule.method!r}, expected one of {', '.join(METHODS)}"
            return
        if not is_name(rule.id):
            yield (*where, "id"), f"{rule.id!r}, expected lower-case letters, digits and hyphens"
        if tuple(rule.inputs) != method.inputs:
            yield (*where, "inputs"), f"{list(rule.inputs)}, expected {', '.join(method.inputs)} in this order"
        for word, quantity in rule.inputs.items():
            if quantity not in QUANTITIES:
                yield (*where, "inputs", word), f"no quantity {quantity!r}, expected one that telemetry knows"
        yield from _times(where, rule, sampled=method.sampled)
        key = rule.id, next(iter(rule.inputs.values()), "")
        if key in seen:
            yield (*where, "id"), f"{rule.id!r} of {key[1]} stands here twice, expected it once"
        seen.add(key)


def _times(where: tuple[Step, ...], rule: Rule, *, sampled: bool) -> Iterator[Mistake]:
    if (rule.window is None) != sampled or (rule.every is None) != sampled:
        wanted = "neither window nor every" if sampled else "both window and every"
        yield where, f"method {rule.method!r}: expected {wanted}"
        return
    if rule.window is None or rule.every is None:
        return
    try:
        reach = reach_ns(rule)
    except ValueError as exc:
        yield (*where, "window"), str(exc)
        return
    if reach > LONGEST_NS:
        yield (*where, "window"), f"{rule.window}, expected at most 48h"
    try:
        every = span_ns(rule.every)
    except ValueError as exc:
        yield (*where, "every"), str(exc)
        return
    if 24 * HOUR_NS % every:
        yield (*where, "every"), f"{rule.every}, expected a part of a day"
