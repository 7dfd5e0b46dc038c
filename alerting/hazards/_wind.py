"""Wind as typhoon and gale rules see it: means over ten minutes and gusts, against the Beaufort scale in m/s."""

from typing import Final

import numpy as np

from alerting.metric import Frame, Metric, Reading, linear, mean, newest
from telemetry.batch import F64, I64, Mask
from telemetry.series import Text

BEAUFORT_MS: Final = {
    5: 8.0,
    6: 10.8,
    7: 13.9,
    8: 17.2,
    9: 20.8,
    10: 24.5,
    11: 28.5,
    12: 32.7,
    13: 37.0,
    14: 41.5,
}
"""Lower bounds in m/s (GB/T 28591; those of 8, 10, 12 and 14 are those of the cyclone grades of GB/T 19201)."""


def beaufort(value: float, unit: str, canonical: str) -> float:
    """The lower bound of a Beaufort force; other units convert as usual. Raises ValueError."""
    if unit != "Bft":
        return linear(value, unit, canonical)
    if value not in BEAUFORT_MS:
        raise ValueError(f"force {value:g}, expected one of {', '.join(map(str, BEAUFORT_MS))}")
    return BEAUFORT_MS[int(value)]


def _typhoon_active(frame: Frame, slots: I64, _minutes: int) -> Reading:
    """1 while the duty desk states that wind here is that of a tropical cyclone (the site file), else 0."""
    at = frame.at_ns[:, None]
    within: Mask = (at >= frame.typhoons[:, 0]) & (at < frame.typhoons[:, 1])
    active: F64 = np.where(within.any(axis=1), 1.0, 0.0)
    return Reading(active, np.ones(len(slots)), np.zeros(len(slots), np.bool_))


METRICS: Final = (
    Metric(
        name="wind_mean",
        text=Text("平均风速", "mean wind"),
        unit="m/s",
        inputs=("wind_speed",),
        compute=mean("wind_speed"),
        windowed=True,
        convert=beaufort,
    ),
    Metric(
        name="wind_gust",
        text=Text("阵风", "gust"),
        unit="m/s",
        inputs=("wind_gust",),
        compute=newest,
        convert=beaufort,
    ),
    Metric(
        name="typhoon_active",
        text=Text("台风影响", "typhoon stated"),
        unit="code",
        inputs=(),
        compute=_typhoon_active,
    ),
)
"""Mean: 10-minute mean; gust: the largest 3-second mean that the sensor reports (WMO-No. 8, chapter 5)."""
SUMS: Final = ("wind_speed",)
