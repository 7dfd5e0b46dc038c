"""What surrounds the storm: temperature, humidity, sun, light breeze. Plain daily cycles, our choice, for July at 25 N.

Gust over mean wind, 3 s over 10 min: Harper, Kepert and Ginger, 2010: Guidelines for converting between various wind
averaging periods in tropical cyclone conditions (WMO/TD-No. 1555), table 1.1. How much of the wind over the open sea
reaches a station is our choice, one number per exposure.
"""

from enum import StrEnum
from typing import Final

import numpy as np

from telemetry.batch import F64, I64
from telemetry.clock import HOUR_NS

DAY_H: Final = 24.0
LOCAL_HOURS: Final = 8.0
_WARMEST_H: Final = 14.0
CLEAR_SKY: Final = 950.0
"""W/m2 at noon in July."""
LUX_PER_WATT: Final = 115.0


class Exposure(StrEnum):
    """What the wind meets on its way to a station."""

    SEA = "sea"
    COAST = "coast"
    TOWN = "town"


SHARE: Final = {Exposure.SEA: 0.92, Exposure.COAST: 0.8, Exposure.TOWN: 0.58}
GUST: Final = {Exposure.SEA: 1.23, Exposure.COAST: 1.38, Exposure.TOWN: 1.66}


def local_hour(times_ns: I64) -> F64:
    """Hour of the day at UTC+8, (n,)."""
    return (times_ns / HOUR_NS + LOCAL_HOURS) % DAY_H


def sun(times_ns: I64, cloud: F64) -> F64:
    """Irradiance in W/m2, (n,): a half sine from 6 to 18, of which cloud takes up to 85 %."""
    height = np.sin(np.pi * (local_hour(times_ns) - 6.0) / 12.0)
    return CLEAR_SKY * np.maximum(height, 0.0) * (1.0 - 0.85 * cloud)


def temperature(times_ns: I64, cloud: F64) -> F64:
    """Air temperature in degrees Celsius, (n,): a daily wave around 28 that cloud flattens and cools."""
    wave = np.cos(2.0 * np.pi * (local_hour(times_ns) - _WARMEST_H) / DAY_H)
    return 28.0 + 3.5 * wave * (1.0 - 0.7 * cloud) - 2.5 * cloud


def humidity(times_ns: I64, cloud: F64) -> F64:
    """Relative humidity in %, (n,): against the temperature, 98 in rain."""
    wave = np.cos(2.0 * np.pi * (local_hour(times_ns) - _WARMEST_H) / DAY_H)
    return 78.0 - 10.0 * wave * (1.0 - cloud) + 20.0 * cloud


def cloud(rate_mm_h: F64) -> F64:
    """Share of the sky that is covered, (n,), from the rain that falls."""
    return 0.3 + 0.7 * (1.0 - np.exp(-rate_mm_h / 1.5))


def breeze(times_ns: I64) -> tuple[F64, F64]:
    """Sea breeze in m/s towards east and north, (n,): from the south-east by day, a breath from the land by night."""
    strength = 1.8 + 1.6 * np.sin(np.pi * (local_hour(times_ns) - 9.0) / 12.0)
    return -strength * np.sqrt(0.5), strength * np.sqrt(0.5)


def noise_db(speed: F64, rate_mm_h: F64) -> F64:
    """Sound level in dB, (n,): the town, and wind and rain in the microphone."""
    return 10.0 * np.log10(10.0**4.8 + 10.0 ** (2.0 + speed / 5.0) + 10.0**4.5 * rate_mm_h)
