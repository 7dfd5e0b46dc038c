"""Storm surge: the tide against the four warning tides of the gauge (GB/T 17839)."""

from typing import Final

from alerting.metric import Hazard, Metric, newest
from telemetry.series import Text

HAZARD: Final = Hazard(
    id="storm_surge",
    name=Text("风暴潮", "Storm surge"),
    metrics=(
        Metric(name="sea_level", text=Text("潮位", "sea level"), unit="m", inputs=("sea_level",), compute=newest),
    ),
)
