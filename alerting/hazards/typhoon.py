"""Typhoon: wind while a tropical cyclone is stated (CMA Order 16)."""

from typing import Final

from alerting.hazards._wind import METRICS, SUMS
from alerting.metric import Hazard
from telemetry.series import Text

HAZARD: Final = Hazard(id="typhoon", name=Text("台风", "Typhoon"), metrics=METRICS, sums=SUMS)
