"""Gale: wind that is not that of a tropical cyclone (CMA Order 16)."""

from typing import Final

from alerting.hazards._wind import METRICS, SUMS
from alerting.metric import Hazard
from telemetry.series import Text

HAZARD: Final = Hazard(id="gale", name=Text("大风", "Gale"), metrics=METRICS, sums=SUMS)
