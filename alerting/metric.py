"""What a rule compares: a metric is a pure function from the window to one number per row, with how far it is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from alerting.alarms.events import SubjectKind
from ingest.window import Window
from telemetry.batch import F64, I64, Mask
from telemetry.quality import Quality
from telemetry.series import Text
from telemetry.span import MINUTE_NS
from telemetry.units import conversion

DECIMALS: Final = 6
"""Metrics and thresholds are rounded so before they are compared: it undoes binary summing (500 tips of 0.1 mm are
50 mm), and registers resolve no finer."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The moment of an evaluation: the window, the time of each row (n,), and the typhoon statements (k, 2), ns UTC."""

    window: Window
    at_ns: I64
    typhoons: I64


@dataclass(frozen=True, slots=True)
class Reading:
    """Shape (n,) each: value in the metric's unit (NaN: unknown), share of the samples due, whether it is doubtful."""

    value: F64
    share: F64
    suspect: Mask


Compute = Callable[[Frame, I64, int], Reading]
"""Frame, slots (n, inputs), window in minutes (0: none) to readings (n,)."""
Convert = Callable[[float, str, str], float]
"""Value and unit of a published threshold, and the metric's unit, to the value in that unit; raises ValueError."""


def linear(value: float, unit: str, canonical: str) -> float:
    """Conversion of ordinary units; raises ValueError naming both."""
    gain, offset = conversion(unit, canonical)
    return value * gain + offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of a hazard.

    ``inputs`` are quantities of a station (``inlet.flow`` and the like for a pipeline). ``windowed`` metrics need a
    window in the rule, others forbid one. ``bound``: an incomplete value is a lower bound, so that reaching a
    threshold is certain while not reaching it is unknown.
    """

    name: str
    text: Text
    unit: str
    inputs: tuple[str, ...]
    compute: Compute
    windowed: bool = False
    bound: bool = False
    convert: Convert = linear


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """One hazard: what its rules may compare, whom its alarms are about, and the quantities whose sums it needs."""

    id: str
    name: Text
    metrics: tuple[Metric, ...]
    subject: SubjectKind = SubjectKind.STATION
    sums: tuple[str, ...] = field(default=())

    def metric(self, name: str) -> Metric:
        """A metric by name; raises KeyError."""
        return next((metric for metric in self.metrics if metric.name == name), None) or _unknown(name)


def rounded(value: F64) -> F64:
    """As values are compared with thresholds and shown."""
    result: F64 = np.round(value, DECIMALS)
    return result


def _unknown(name: str) -> Metric:
    raise KeyError(name)


def newest(frame: Frame, slots: I64, _minutes: int) -> Reading:
    """The row that is being judged, (n, 1) -> (n,): unknown while the newest row is BAD or MISSING."""
    slot = slots[:, 0]
    quality = frame.window.shown_quality[slot]
    usable = quality <= Quality.SUSPECT
    value = np.where(usable, frame.window.shown[slot], np.nan)
    return Reading(rounded(value), usable.astype(np.float64), quality == Quality.SUSPECT)


def mean(quantity: str) -> Compute:
    """Arithmetic mean of the usable samples of the last minutes; the share is of all samples that were due in them."""

    def compute(frame: Frame, slots: I64, minutes: int) -> Reading:
        slot = slots[:, 0]
        span = frame.window.span(quantity, slot, frame.at_ns, minutes)
        value: F64 = np.divide(span.total, span.count, out=np.full(len(slot), np.nan), where=span.count > 0)
        return Reading(
            value.round(DECIMALS),
            _share(span.count, minutes * MINUTE_NS, frame.window.period_ns[slot]),
            _doubtful(frame, slot, span.suspect, span.count),
        )

    return compute


def gained(quantity: str) -> Compute:
    """What a totaliser surely gained in the last minutes: a lower bound where samples are missing.

    Before the first sample of a series nothing was measured and nothing is missing: a new gauge is judged by what it
    has seen since then, and not at all in its first minute.
    """

    def compute(frame: Frame, slots: I64, minutes: int) -> Reading:
        slot = slots[:, 0]
        span = frame.window.span(quantity, slot, frame.at_ns, minutes)
        life_ns = frame.at_ns - frame.window.began_ns(quantity, slot)
        due_ns = np.minimum(life_ns, minutes * MINUTE_NS)
        share = _share(span.count, due_ns, frame.window.period_ns[slot])
        share = np.where((span.count > 0) & (life_ns >= MINUTE_NS), share, 0.0)
        value = np.where(span.count > 0, np.round(span.total, DECIMALS), np.nan)
        return Reading(value, share, _doubtful(frame, slot, span.suspect, span.count))

    return compute


def _share(count: I64, due_ns: I64 | int, period_ns: I64) -> F64:
    """Samples found of samples due, at most 1; (n,)."""
    due = np.maximum(due_ns / np.maximum(period_ns, 1), 1.0)
    return np.minimum(count / due, 1.0)


def _doubtful(frame: Frame, slot: I64, suspect: I64, count: I64) -> Mask:
    """Doubtful when the newest sample is, or half of all; one old spike does not taint half a day."""
    newest_is: Mask = frame.window.shown_quality[slot] == Quality.SUSPECT
    return newest_is | ((suspect > 0) & (2 * suspect >= count))
