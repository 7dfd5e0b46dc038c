"""From raw numbers to values in canonical units with their quality: the same for every protocol.

Flag, never fix: a value outside the sensor's range stays as it is, SUSPECT towards danger and BAD otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from device_profiles.convert import Linear
from device_profiles.model import Danger
from telemetry.batch import F64, U8, U16
from telemetry.quality import Cause, Quality


@dataclass(frozen=True, slots=True)
class Readings:
    """What a poll gave, one row per column: value, quality, cause, all of shape (n,)."""

    value: F64
    quality: U8
    cause: U16


class Scaled(Protocol):
    """A column that becomes a value; ``valid`` is in the canonical unit."""

    @property
    def linear(self) -> Linear:
        """From raw to canonical."""

    @property
    def valid(self) -> tuple[float, float]:
        """What the sensor can measure."""

    @property
    def danger(self) -> Danger:
        """Beyond which end a reading is still evidence."""


class Scale:
    """Raw numbers to canonical units, and the sensor's range there; ``wide``: they may exceed what a float can hold."""

    def __init__(self, columns: Sequence[Scaled], *, wide: bool = True) -> None:
        self._numerator = np.array([column.linear.numerator for column in columns])
        self._denominator = np.array([column.linear.denominator for column in columns])
        self._offset = np.array([column.linear.offset for column in columns])
        self._curves = _Curves(columns)
        self._wide = wide or self._curves.any
        self._low = np.array([column.valid[0] for column in columns])
        self._high = np.array([column.valid[1] for column in columns])
        self._below = _verdicts(columns, "low")
        self._above = _verdicts(columns, "high")

    def apply(self, raw: F64) -> F64:
        """Values in canonical units; NaN for one beyond the numbers of a float."""
        if not self._wide:
            return raw * self._numerator / self._denominator + self._offset
        with np.errstate(over="ignore", invalid="ignore"):
            value = raw * self._numerator / self._denominator + self._offset
            self._curves.apply(value)
        return np.where(np.isfinite(value), value, np.nan)

    def judge(self, value: F64, cause: U16) -> tuple[U8, U16]:
        """Quality and cause of values, given the causes so far; a value outside its range stays as it is."""
        quality = np.zeros(len(value), np.uint8)
        below, above = value < self._low, value > self._high
        if below.any() or above.any():
            quality[below] = self._below[below]
            quality[above] = self._above[above]
            cause = np.where(below | above, cause | np.uint16(Cause.RANGE), cause)
        return quality, cause


class _Curves:
    """Columns whose value is a polynomial of the straight one; coefficients (k, m) from the constant on."""

    def __init__(self, columns: Sequence[Scaled]) -> None:
        found = [column.linear.polynomial for column in columns]
        self._at = np.flatnonzero([bool(polynomial) for polynomial in found])
        self.any = bool(self._at.size)
        highest = max(map(len, found), default=0)
        padded = [(*found[at], *(highest - len(found[at])) * (0.0,)) for at in self._at]
        self._coefficients = np.array(padded, np.float64).reshape(len(self._at), highest).T

    def apply(self, value: F64) -> None:
        """Bend values in place."""
        if self.any:
            value[self._at] = np.polynomial.polynomial.polyval(value[self._at], self._coefficients, tensor=False)


def _verdicts(columns: Sequence[Scaled], end: Danger) -> U8:
    verdicts = [Quality.SUSPECT if column.danger in (end, "both") else Quality.BAD for column in columns]
    return np.array(verdicts, np.uint8)
