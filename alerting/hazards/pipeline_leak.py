"""Pipeline leak: what goes in and does not come out (API RP 1130, line balance), and the fall of pressure.

Line pack is not modelled, so windows must be long against the time that the line needs to fill or empty.
"""

from typing import Final

import numpy as np

from alerting.alarms.events import SubjectKind
from alerting.metric import DECIMALS, Frame, Hazard, Metric, Reading, mean, rounded
from telemetry.batch import F64, I64
from telemetry.series import Text
from telemetry.span import MINUTE_NS

SIGMA_PERCENT: Final = 1.0
"""Assumed standard deviation of a minute's imbalance (two meters of about 0.7 %): an illustrative value."""
SLACK: Final = 1.5
"""Standard deviations that the cumulative sum forgives every minute."""
_BASELINE: Final = 5
"""The pressure before is the mean over so many windows before the present one."""
_flow = mean("flow")
_pressure = mean("pipe_pressure")


def _imbalance(frame: Frame, slots: I64, minutes: int) -> Reading:
    """Inflow less outflow over the window in % of the greater of the two; slots (n, 2)."""
    inlet, outlet = _flow(frame, slots[:, :1], minutes), _flow(frame, slots[:, 1:], minutes)
    return Reading(
        np.round(_percent(inlet.value, outlet.value), DECIMALS),
        np.minimum(inlet.share, outlet.share),
        inlet.suspect | outlet.suspect,
    )


def _cusum(frame: Frame, slots: I64, minutes: int) -> Reading:
    """One-sided cumulative sum over the minutes of the window, in standard deviations: ``S = max(0, S + I/s - k)``.

    With ``C`` the plain sums the last ``S`` is ``C - min(C)``, so no state is kept; a minute without samples at both
    ends counts as balanced.
    """
    reading = _imbalance(frame, slots, minutes)
    inlet = frame.window.each_minute("flow", slots[:, 0], frame.at_ns, minutes)
    outlet = frame.window.each_minute("flow", slots[:, 1], frame.at_ns, minutes)
    steps = np.nan_to_num(_percent(inlet, outlet)) / SIGMA_PERCENT - SLACK
    sums = np.cumsum(steps, axis=1)
    value: F64 = sums[:, -1] - np.minimum(sums.min(axis=1), 0.0)
    return Reading(value.round(DECIMALS), reading.share, reading.suspect)


def _pressure_drop(frame: Frame, slots: I64, minutes: int) -> Reading:
    """Fall of the mean pressure of the window below that of the five windows before, in %; the worse of both ends."""
    before = Frame(frame.window, frame.at_ns - minutes * MINUTE_NS, frame.typhoons)
    drops, shares, suspect = [], [], np.zeros(len(slots), np.bool_)
    for end in (slots[:, :1], slots[:, 1:]):
        now, then = _pressure(frame, end, minutes), _pressure(before, end, minutes * _BASELINE)
        drops.append(_percent(then.value, now.value))
        shares.append(np.minimum(now.share, then.share))
        suspect |= now.suspect
    worst: F64 = np.maximum(*drops)
    return Reading(rounded(worst), np.minimum(*shares), suspect)


def _percent(one: F64, other: F64) -> F64:
    """Difference in % of the greater; 0 where both are nearly nothing, NaN where one is unknown."""
    greater = np.maximum(one, other)
    safe = np.where(greater > 1e-6, greater, 1.0)
    return np.where(np.isnan(greater), np.nan, np.where(greater > 1e-6, (one - other) / safe * 100.0, 0.0))


HAZARD: Final = Hazard(
    id="pipeline_leak",
    name=Text("管道泄漏", "Pipeline leak"),
    subject=SubjectKind.PIPELINE,
    sums=("flow", "pipe_pressure"),
    metrics=(
        Metric(
            name="imbalance",
            text=Text("输差", "imbalance"),
            unit="%",
            inputs=("inlet.flow", "outlet.flow"),
            compute=_imbalance,
            windowed=True,
        ),
        Metric(
            name="imbalance_cusum",
            text=Text("累计输差", "cumulative imbalance"),
            unit="code",
            inputs=("inlet.flow", "outlet.flow"),
            compute=_cusum,
            windowed=True,
        ),
        Metric(
            name="pressure_drop",
            text=Text("压降", "pressure drop"),
            unit="%",
            inputs=("inlet.pipe_pressure", "outlet.pipe_pressure"),
            compute=_pressure_drop,
            windowed=True,
        ),
    ),
)
