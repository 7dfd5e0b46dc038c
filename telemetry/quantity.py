"""The physical quantities that are measured, each with one canonical unit for storage, rules and display."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How values of a quantity add up in time."""

    LEVEL = "level"
    """An instantaneous state: average, minimum, maximum make sense."""
    DIRECTION = "direction"
    """Degrees on a circle: averages are vector averages (WMO-No. 8, chapter 5)."""
    TOTAL = "total"
    """A counter that only rises until it rolls over or is reset: differences make sense."""
    CODE = "code"
    """An enumeration or bit field: no arithmetic."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured quantity: canonical unit, kind, and its name in Chinese and English."""

    name: str
    unit: str
    zh: str
    en: str
    kind: Kind = Kind.LEVEL


_TABLE: Final = (
    Quantity("water_level", "m", "水位", "Water level"),
    Quantity("sea_level", "m", "潮位", "Sea level"),
    Quantity("water_depth", "m", "积水深度", "Water depth"),
    Quantity("empty_distance", "m", "空高", "Distance to surface"),
    Quantity("wind_speed", "m/s", "风速", "Wind speed"),
    Quantity("wind_gust", "m/s", "阵风", "Wind gust"),
    Quantity("wind_direction", "deg", "风向", "Wind direction", Kind.DIRECTION),
    Quantity("rain_total", "mm", "累计雨量", "Rain total", Kind.TOTAL),
    Quantity("rain_intensity", "mm/h", "雨强", "Rain intensity"),
    Quantity("air_temperature", "degC", "气温", "Air temperature"),
    Quantity("water_temperature", "degC", "水温", "Water temperature"),
    Quantity("relative_humidity", "%", "相对湿度", "Relative humidity"),
    Quantity("air_pressure", "hPa", "气压", "Air pressure"),
    Quantity("noise", "dB", "噪声", "Noise"),
    Quantity("illuminance", "lx", "光照度", "Illuminance"),
    Quantity("solar_irradiance", "W/m2", "太阳辐射", "Solar irradiance"),
    Quantity("pm25", "ug/m3", "PM2.5", "PM2.5"),
    Quantity("pm10", "ug/m3", "PM10", "PM10"),
    Quantity("flow", "m3/h", "流量", "Flow"),
    Quantity("flow_velocity", "m/s", "流速", "Flow velocity"),
    Quantity("flow_total", "m3", "累计流量", "Flow total", Kind.TOTAL),
    Quantity("pipe_pressure", "kPa", "管道压力", "Pipe pressure"),
    Quantity("combustible_gas", "%LEL", "可燃气体", "Combustible gas"),
    Quantity("hydrogen_sulfide", "ppm", "硫化氢", "Hydrogen sulfide"),
    Quantity("ammonia", "ppm", "氨气", "Ammonia"),
    Quantity("chlorine", "ppm", "氯气", "Chlorine"),
    Quantity("carbon_monoxide", "ppm", "一氧化碳", "Carbon monoxide"),
    Quantity("oxygen", "%vol", "氧气", "Oxygen"),
    Quantity("signal_quality", "%", "信号质量", "Signal quality"),
    Quantity("supply_voltage", "V", "供电电压", "Supply voltage"),
    Quantity("device_state", "code", "设备状态", "Device state", Kind.CODE),
)

QUANTITIES: Final[dict[str, Quantity]] = {quantity.name: quantity for quantity in _TABLE}
