"""Units and quantities against figures that the standards state."""

import pytest

from telemetry.quantity import QUANTITIES
from telemetry.units import UNITS, conversion


@pytest.mark.parametrize(
    ("value", "unit", "canonical", "expected"),
    [
        (1803, "mm", "m", 1.803),
        (0, "K", "degC", -273.15),
        (212, "degF", "degC", 100.0),
        (1, "kt", "m/s", 0.514444),  # BIPM: 1852 m per hour
        (1013.25, "hPa", "kPa", 101.325),
        (10, "mH2O", "kPa", 98.0665),  # ISO 80000-4: conventional water column
        (20.9, "%vol", "ppm", 209000.0),
        (4, "sector16", "deg", 90.0),
        (1, "GJ", "kWh", 277.777778),  # 3.6 MJ are a kilowatt-hour
        (1, "mg/L", "ug/m3", 1e6),
        (2, "dS/m", "uS/cm", 2000.0),
        (1.5, "min", "s", 90.0),
    ],
)
def test_conversion(value: float, unit: str, canonical: str, expected: float) -> None:
    gain, offset = conversion(unit, canonical)
    assert value * gain + offset == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_powers_of_ten_stay_exact() -> None:
    assert conversion("mm", "m") == (0.001, 0.0)
    assert conversion("hPa", "kPa") == (0.1, 0.0)


@pytest.mark.parametrize(
    ("unit", "canonical", "said"), [("inch", "m", "unknown unit 'inch'"), ("mm", "kPa", "no conversion")]
)
def test_what_does_not_convert_says_what_would(unit: str, canonical: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"{said}.*expected one of"):
        conversion(unit, canonical)


def test_every_quantity_has_a_known_unit_and_both_names() -> None:
    for name, quantity in QUANTITIES.items():
        assert quantity.unit in UNITS
        assert quantity.name == name
        assert quantity.zh
        assert quantity.en
