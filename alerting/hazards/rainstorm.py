"""Rainstorm: rain that fell within some hours, from the increments of a cumulative gauge (CMA Order 16)."""

from typing import Final

from alerting.metric import Hazard, Metric, gained
from telemetry.series import Text

HAZARD: Final = Hazard(
    id="rainstorm",
    name=Text("暴雨", "Rainstorm"),
    sums=("rain_total",),
    metrics=(
        Metric(
            name="rain_sum",
            text=Text("雨量", "rain"),
            unit="mm",
            inputs=("rain_total",),
            bound=True,
            compute=gained("rain_total"),
            windowed=True,
        ),
    ),
)
