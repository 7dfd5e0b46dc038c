"""From numbers by field to values in canonical units: fields are to other protocols what registers are to Modbus."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device_profiles.convert import Linear
from device_profiles.model import Danger
from edge_agent.drivers.contract import Numbers
from edge_agent.scale import Readings, Scale
from telemetry.batch import Mask
from telemetry.quality import Cause, Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldColumn:
    """One number to take from what a device sent; ``missing`` are raw numbers that mean "no reading"."""

    field: str
    linear: Linear
    valid: tuple[float, float]
    danger: Danger = "high"
    missing: tuple[float, ...] = ()


class FieldDecoder:
    """Takes the columns of one device out of its numbers."""

    def __init__(self, columns: Sequence[FieldColumn]) -> None:
        self.fields = tuple(dict.fromkeys(column.field for column in columns))
        self._columns = tuple(columns)
        self._scale = Scale(columns)

    def sent(self, numbers: Numbers) -> Mask:
        """Which columns a device has sent. Shape (n,)."""
        return np.array([column.field in numbers for column in self._columns], np.bool_)

    def decode(self, numbers: Numbers) -> Readings:
        """Readings of all columns; MISSING with DEVICE where the device sent no number, or one that means none."""
        found = [numbers.get(column.field) for column in self._columns]
        raw = np.array([math.nan if one is None else one.value for one in found])
        for at, column in enumerate(self._columns):
            if raw[at] in column.missing:
                raw[at] = math.nan
        value = self._scale.apply(raw)
        said = np.array([Quality.UNCHECKED if one is None else one.quality for one in found], np.uint8)
        cause = np.array([Cause.NONE if one is None else one.cause for one in found], np.uint16)
        quality, cause = self._scale.judge(value, cause)
        quality = np.maximum(quality, said)
        value[quality == Quality.MISSING] = math.nan
        void = np.isnan(value)
        quality[void] = Quality.MISSING
        cause[void & (cause == 0)] = Cause.DEVICE
        return Readings(value, quality, cause)
