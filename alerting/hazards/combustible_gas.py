"""Combustible gas: detectors against the two alarm levels of GB/T 50493."""

from typing import Final

from alerting.metric import Hazard, Metric, newest
from telemetry.series import Text

HAZARD: Final = Hazard(
    id="combustible_gas",
    name=Text("可燃气体", "Combustible gas"),
    metrics=(
        Metric(
            name="explosive_fraction",
            text=Text("可燃气体浓度", "combustible gas"),
            unit="%LEL",
            inputs=("combustible_gas",),
            compute=newest,
        ),
    ),
)
