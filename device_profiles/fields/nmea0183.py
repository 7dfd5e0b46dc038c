"""Numbers of NMEA 0183 sentences, by sentence, part and unit.

The unit belongs to the name, so a number that arrives in another unit is another number, never a wrong one::

    MWV/R.angle             wind angle from the bow, relative (T: theoretical), degrees
    MWV/R.speed/N           wind speed in knots; K km/h, M m/s, S statute miles per hour
    MWD.direction/T         wind direction in degrees, true (M: magnetic)
    MWD.speed/M             wind speed in m/s (N: knots)
    MTW.temperature/C       water temperature
    XDR/C/AIRT/C            transducer of type C (temperature) with the name AIRT, in degrees Celsius
    XDR/P//B                a transducer of type P (pressure) without a name, in bar
    XDR/S/DOOR/             a switch: type S has no unit
    MDA.pressure/B          barometric pressure in bar (I: inches of mercury)
    GGA.latitude            degrees, north positive
    RMC.speed/N             speed over ground in knots
    VTG.course/T            course over ground in degrees, true (M: magnetic)
    HDT.heading/T           heading in degrees, true
"""

import re
from typing import Final, NamedTuple

PARTS: Final = {
    "MWV": {"angle": "", "speed": "KMNS"},
    "MWD": {"direction": "TM", "speed": "NM"},
    "MTW": {"temperature": "C"},
    "MDA": {
        "pressure": "IB",
        "air": "C",
        "water": "C",
        "humidity": "",
        "absolute-humidity": "",
        "dew-point": "C",
        "direction": "TM",
        "speed": "NM",
    },
    "GGA": {
        "latitude": "",
        "longitude": "",
        "quality": "",
        "satellites": "",
        "hdop": "",
        "altitude": "M",
        "separation": "M",
    },
    "RMC": {"latitude": "", "longitude": "", "speed": "N", "course": "T", "variation": ""},
    "VTG": {"course": "TM", "speed": "NK"},
    "HDT": {"heading": "T"},
}
"""Parts of each sentence with the letters of their possible units; no letter where the standard leaves no choice."""

REFERENCES: Final = {"MWV": "RT"}
"""Sentences that say what their angle refers to."""

_FIXED: Final = re.compile(r"([A-Z]{3})(?:/([A-Z]))?\.([a-z-]+)(?:/([A-Z]))?")
_TRANSDUCER: Final = re.compile(r"XDR/([A-Z])/([^,*$!\\~\x00-\x1f\x7f-\U0010ffff]{0,32})/([A-Za-z%]{0,4})")


class NmeaField(NamedTuple):
    """A number's name in its parts; ``str`` writes it as a profile does."""

    sentence: str
    reference: str
    """R or T of MWV, the type of a transducer of XDR, otherwise empty."""
    part: str
    """The part of the sentence, or the name of the transducer."""
    unit: str = ""

    def __str__(self) -> str:
        if self.sentence == "XDR":
            return f"XDR/{self.reference}/{self.part}/{self.unit}"
        reference = f"/{self.reference}" if self.reference else ""
        unit = f"/{self.unit}" if self.unit else ""
        return f"{self.sentence}{reference}.{self.part}{unit}"


def parse(text: str) -> NmeaField:
    """Read a field; raises ValueError that says what was found and what was expected."""
    if found := _TRANSDUCER.fullmatch(text):
        return NmeaField("XDR", *found.groups())
    fixed = _FIXED.fullmatch(text)
    if fixed is None:
        raise ValueError(f"{text!r} is no field, expected like 'MWV/R.speed/N', 'MTW.temperature/C' or 'XDR/C/AIRT/C'")
    field = NmeaField(*(part or "" for part in fixed.groups()))
    parts = PARTS.get(field.sentence)
    if parts is None:
        raise ValueError(f"unknown sentence {field.sentence!r}, expected XDR or one of {', '.join(PARTS)}")
    if field.part not in parts:
        raise ValueError(f"unknown part {field.part!r} of {field.sentence}, expected one of {', '.join(parts)}")
    _check_letter(text, "reference", field.reference, REFERENCES.get(field.sentence, ""))
    _check_letter(text, "unit", field.unit, parts[field.part])
    return field


def _check_letter(text: str, what: str, letter: str, allowed: str) -> None:
    if letter not in tuple(allowed or ("",)):
        expected = f"one of {', '.join(allowed)}" if allowed else "none"
        raise ValueError(f"{what} {letter!r} in {text!r}, expected {expected}")
