"""No data: a station or a whole gateway that has gone silent, or whose rows are all missing or bad.

The number comes from the engine's watch over silence (there is no row to evaluate), in poll periods of the series.
"""

from typing import Final

import numpy as np

from alerting.metric import Frame, Hazard, Metric, Reading
from telemetry.batch import I64
from telemetry.series import Text


def silence(frame: Frame, slots: I64, _minutes: int) -> Reading:
    """Periods since the newest usable row, (n, 1) -> (n,)."""
    slot = slots[:, 0]
    age = (frame.at_ns - frame.window.usable_ns[slot]) / np.maximum(frame.window.period_ns[slot], 1)
    return Reading(age, np.ones(len(slots)), np.zeros(len(slots), np.bool_))


HAZARD: Final = Hazard(
    id="no_data",
    name=Text("数据中断", "No data"),
    metrics=(
        Metric(name="silence", text=Text("中断周期数", "silent periods"), unit="code", inputs=(), compute=silence),
    ),
)
