"""Toxic gas: detectors against the two alarm levels of GB/T 50493, and oxygen against both of its limits.

The standard gives mg/m3 and detectors give ppm: ``ppm = mg/m3 * 24.055 / M``, with the molar volume of an ideal gas at
20 degC and 101.325 kPa (the reference state of GBZ 2.1) and the molar mass M in g/mol.
"""

from typing import Final

from alerting.metric import Convert, Hazard, Metric, linear, newest
from telemetry.series import Text

MOLAR_VOLUME: Final = 24.055
MOLAR_MASS: Final = {"hydrogen_sulfide": 34.08, "ammonia": 17.031, "chlorine": 70.9, "carbon_monoxide": 28.01}


def _convert(molar_mass: float) -> Convert:
    def convert(value: float, unit: str, canonical: str) -> float:
        if unit == "mg/m3" and canonical == "ppm":
            return value * MOLAR_VOLUME / molar_mass
        return linear(value, unit, canonical)

    return convert


def _gas(quantity: str, zh: str, en: str) -> Metric:
    return Metric(
        name=quantity,
        text=Text(f"{zh}浓度", en),
        unit="ppm",
        inputs=(quantity,),
        compute=newest,
        convert=_convert(MOLAR_MASS[quantity]),
    )


HAZARD: Final = Hazard(
    id="toxic_gas",
    name=Text("有毒气体", "Toxic gas"),
    metrics=(
        _gas("hydrogen_sulfide", "硫化氢", "hydrogen sulfide"),
        _gas("ammonia", "氨气", "ammonia"),
        _gas("chlorine", "氯气", "chlorine"),
        _gas("carbon_monoxide", "一氧化碳", "carbon monoxide"),
        Metric(name="oxygen", text=Text("氧气浓度", "oxygen"), unit="%vol", inputs=("oxygen",), compute=newest),
    ),
)
