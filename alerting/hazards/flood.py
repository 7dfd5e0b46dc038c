"""Flood: the stage of a river against the warning, guaranteed and record stages of the gauge."""

from typing import Final

from alerting.metric import Hazard, Metric, newest
from telemetry.series import Text

HAZARD: Final = Hazard(
    id="flood",
    name=Text("洪水", "Flood"),
    metrics=(Metric(name="stage", text=Text("水位", "stage"), unit="m", inputs=("water_level",), compute=newest),),
)
