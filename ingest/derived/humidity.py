"""Dew point from air temperature and relative humidity, by the Magnus formula of WMO.

WMO-No. 8 (2018), volume I, annex 4.B: saturation vapour pressure over water in the pure phase
``e_w(t) = 6.112 exp(17.62 t / (243.12 + t))`` hPa for -45 to 60 degC, and its inverse
``t_d = 243.12 ln(e / 6.112) / (17.62 - ln(e / 6.112))``. The factor of moist air (1.004 at 1013 hPa) stands on both
sides and cancels. Relative humidity is over water at all temperatures, as WMO has it (chapter 4, 4.1.2).
"""

from typing import Final

import numpy as np

from telemetry.batch import F64

_A, _B, _E0 = 17.62, 243.12, 6.112
RANGE_C: Final = (-45.0, 60.0)
"""Of air temperature: outside it the formula does not hold, and there is no dew point."""
LEAST_HUMIDITY: Final = 1.0
"""Percent: hygrometers say nothing below, and the logarithm goes to minus infinity."""


def saturation_hpa(temperature_c: F64) -> F64:
    """Saturation vapour pressure over water in hPa."""
    pressure: F64 = _E0 * np.exp(_A * temperature_c / (_B + temperature_c))
    return pressure


def dew_point(temperature_c: F64, humidity: F64) -> F64:
    """Dew point in degC of air at a temperature in degC and a relative humidity in percent; NaN outside their ranges.

    Humidity above 100 % (sensors drift, and fog is supersaturated) gives a dew point above the temperature: nothing is
    clamped.
    """
    known = (temperature_c >= RANGE_C[0]) & (temperature_c <= RANGE_C[1]) & (humidity >= LEAST_HUMIDITY)
    t, rh = np.where(known, temperature_c, 0.0), np.where(known, humidity, 100.0)
    log = np.log(rh / 100.0) + _A * t / (_B + t)
    return np.where(known, _B * log / (_A - log), np.nan)
