"""What a sensor says of itself, both ways and without I/O: who it is (clause 4.4.2), what its values are (clause 6).

aIM! answers what aM! would, and measures nothing. aIM_001! asks for the first value of aM!, aIHA_017! for the
seventeenth of aHA!, and so on: the answer has a code of SHEF (Standard Hydrometeorological Exchange Format), the unit,
and what the maker adds. It ends with a CRC where that measurement's values do.
"""

import re
from typing import Final, NamedTuple

from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.sdi12.words import END, body_of, check_address, crc_text
from telemetry.units import UNITS

LONGEST_IDENTITY: Final = 35
LONGEST_PARAMETER: Final = 128
"""No limit was found in what was read; longer ones are refused."""
_IDENTITY: Final = re.compile(r"([0-9])([0-9])(.{8})(.{6})(.{3})(.{0,13})", re.ASCII)
_PARAMETER: Final = re.compile(r",([^;]*,[^;]*);", re.ASCII)
_SPELLINGS: Final = {
    "degC": ("C", "deg C", "°C", "Cel", "Celsius", "degrees C"),
    "degF": ("F", "deg F", "Fahrenheit"),
    "m": ("meter", "meters", "metre", "metres"),
    "cm": ("centimeters",),
    "mm": ("millimeters",),
    "ft": ("feet", "foot"),
    "%": ("percent", "pct", "%RH", "RH"),
    "hPa": ("mbar", "mb"),
    "W/m2": ("W/m^2", "W m-2"),
    "deg": ("degrees", "degree"),
    "m3/s": ("m^3/s", "cms"),
    "uS/cm": ("uS", "microS/cm"),
}
"""How makers write units of ours besides ours; letters of either case, since SDI-12 has no rule."""
_OWN: Final = {unit.lower(): unit for unit in UNITS}
_UNITS: Final = _OWN | {spelling.lower(): unit for unit, all_ in _SPELLINGS.items() for spelling in all_}


class Identity(NamedTuple):
    """The answer to aI! (clause 4.4.2); texts without the spaces that pad them."""

    version: str
    """Of SDI-12: ``1.4``."""
    vendor: str
    model: str
    firmware: str
    extra: str = ""


class Parameter(NamedTuple):
    """What one value of a measurement is."""

    code: str
    """Of SHEF: ``HG`` is a stage."""
    unit: str
    more: tuple[str, ...] = ()
    """What the maker adds."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.code, self.unit, *self.more) if part)


def own_unit(text: str) -> str:
    """A sensor's unit as ``telemetry.units`` writes it; the text itself where it is none that is known."""
    return _UNITS.get(text.strip().lower(), text.strip())


def encode_identity(address: str, identity: Identity) -> bytes:
    """The answer to aI!; raises FrameError for texts that do not fit."""
    check_address(address)
    version, vendor, model, firmware, extra = identity
    text = f"{version.replace('.', '')}{vendor:8}{model:6}{firmware:3}{extra}"
    frame = f"{address}{text}".encode("ascii", "replace") + END
    if decode_identity(address, frame) != identity:
        raise FrameError(
            f"identity {text!r}, expected a version like 1.4 and texts of at most 8, 6, 3 and 13 characters"
        )
    return frame


def decode_identity(address: str, frame: bytes) -> Identity:
    """What a sensor says it is; raises FrameError."""
    found = _IDENTITY.fullmatch(body_of(frame, address, LONGEST_IDENTITY))
    if found is None:
        raise FrameError(f"answer {frame[:8]!r} of {len(frame)} bytes, expected version, vendor, model and firmware")
    major, minor, *texts = found.groups()
    return Identity(f"{major}.{minor}", *(text.rstrip() for text in texts))


def encode_parameter(address: str, parameter: Parameter | None, *, crc: bool) -> bytes:
    """The answer to aIM_001! and its like, None where there is no such value; raises FrameError."""
    check_address(address)
    frame = address.encode("ascii")
    if parameter is not None:
        frame += f",{','.join((parameter.code, parameter.unit, *parameter.more))};".encode("ascii", "replace")
    frame += (crc_text(frame) if crc else b"") + END
    if decode_parameter(address, frame, crc=crc) != parameter:
        raise FrameError(f"parameter {parameter}, expected printable texts without commas and semicolons")
    return frame


def decode_parameter(address: str, frame: bytes, *, crc: bool) -> Parameter | None:
    """What a value is, None where the sensor has no such value; raises FrameError."""
    body = body_of(frame, address, LONGEST_PARAMETER, crc=crc)
    if not body:
        return None
    found = _PARAMETER.fullmatch(body)
    if found is None:
        raise FrameError(f"answer {frame[:20]!r}, expected fields after commas, the last one before a semicolon")
    code, unit, *more = (text.strip() for text in found[1].split(","))
    return Parameter(code, unit, tuple(more))
