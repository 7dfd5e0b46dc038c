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
    Quantity("sulfur_dioxide", "ug/m3", "二氧化硫", "Sulfur dioxide"),
    Quantity("nitrogen_dioxide", "ug/m3", "二氧化氮", "Nitrogen dioxide"),
    Quantity("ozone", "ug/m3", "臭氧", "Ozone"),
    Quantity("ambient_carbon_monoxide", "mg/m3", "环境一氧化碳", "Ambient carbon monoxide"),
    Quantity("total_hydrocarbons", "ppm", "总烃", "Total hydrocarbons"),
    Quantity("methane", "ppm", "甲烷", "Methane"),
    Quantity("nonmethane_hydrocarbons", "ppm", "非甲烷总烃", "Non-methane hydrocarbons"),
    Quantity("chemical_oxygen_demand", "mg/L", "化学需氧量", "Chemical oxygen demand"),
    Quantity("ammonia_nitrogen", "mg/L", "氨氮", "Ammonia nitrogen"),
    Quantity("acidity", "pH", "酸碱度", "pH"),
    Quantity("conductivity", "uS/cm", "电导率", "Conductivity"),
    Quantity("turbidity", "NTU", "浊度", "Turbidity"),
    Quantity("dissolved_oxygen", "mg/L", "溶解氧", "Dissolved oxygen"),
    Quantity("dew_point", "degC", "露点", "Dew point"),
    Quantity("visibility", "m", "能见度", "Visibility"),
    Quantity("snow_depth", "m", "雪深", "Snow depth"),
    Quantity("soil_moisture", "%", "土壤含水率", "Soil moisture"),
    Quantity("soil_temperature", "degC", "土壤温度", "Soil temperature"),
    Quantity("wave_height", "m", "波高", "Wave height"),
    Quantity("wave_period", "s", "波周期", "Wave period"),
    Quantity("distance", "m", "距离", "Distance"),
    Quantity("voltage", "V", "电压", "Voltage"),
    Quantity("current", "A", "电流", "Current"),
    Quantity("power", "kW", "有功功率", "Active power"),
    Quantity("reactive_power", "kvar", "无功功率", "Reactive power"),
    Quantity("power_factor", "1", "功率因数", "Power factor"),
    Quantity("frequency", "Hz", "频率", "Frequency"),
    Quantity("energy", "kWh", "电能", "Energy", Kind.TOTAL),
    Quantity("heat", "GJ", "热量", "Heat", Kind.TOTAL),
    Quantity("fire_alarm", "code", "火灾报警", "Fire alarm", Kind.CODE),
    Quantity("component_state", "code", "部件状态", "Component state", Kind.CODE),
    Quantity("signal_quality", "%", "信号质量", "Signal quality"),
    Quantity("supply_voltage", "V", "供电电压", "Supply voltage"),
    Quantity("device_state", "code", "设备状态", "Device state", Kind.CODE),
    Quantity("rain_amount", "mm", "雨量", "Rain amount"),
    Quantity("permanganate_index", "mg/L", "高锰酸盐指数", "Permanganate index"),
    Quantity("total_phosphorus", "mg/L", "总磷", "Total phosphorus"),
)
_DERIVED: Final = (
    Quantity("wind_speed_mean", "m/s", "平均风速", "Mean wind speed"),
    Quantity("wind_vector_speed", "m/s", "矢量平均风速", "Vector mean wind speed"),
    Quantity("wind_direction_mean", "deg", "平均风向", "Mean wind direction", Kind.DIRECTION),
    Quantity("wind_gust_peak", "m/s", "极大风速", "Peak gust (3 s)"),
    Quantity("rain_sum", "mm", "时段雨量", "Rain in a period"),
    Quantity("rise_rate", "m/h", "涨率", "Rate of rise"),
    Quantity("dew_point_derived", "degC", "露点（推算）", "Dew point (derived)"),
    Quantity("sea_level_reduced", "m", "归算潮位", "Sea level over the site's datum"),
    Quantity("astronomical_tide", "m", "天文潮位", "Astronomical tide"),
    Quantity("tide_residual", "m", "增减水", "Tide residual"),
    Quantity("air_quality_index", "1", "空气质量指数", "Air quality index"),
    Quantity("air_quality_subindex", "1", "空气质量分指数", "Air quality subindex"),
    Quantity("primary_pollutant", "code", "首要污染物", "Primary pollutant", Kind.CODE),
    Quantity("water_class", "code", "水质类别", "Water class", Kind.CODE),
    Quantity("water_class_cause", "code", "定类指标", "Deciding parameters", Kind.CODE),
    Quantity("completeness", "%", "数据完整率", "Completeness"),
)

DERIVED: Final = frozenset(quantity.name for quantity in _DERIVED)
"""What the centre derives from what instruments measure (docs/reference/derived.md). Names of their own: a rule that
looks at a measured quantity never meets its mean beside it."""
QUANTITIES: Final[dict[str, Quantity]] = {quantity.name: quantity for quantity in (*_TABLE, *_DERIVED)}
