"""What can be wrong with the attributes of a profile: each mistake is one line with file, line, found and expected."""

from collections.abc import Callable
from typing import Final

from device_profiles import attribute_text
from device_profiles.attribute import Attribute
from device_profiles.attribute_text import TextSpot
from device_profiles.model import Profile, Register
from telemetry.settings import Document, Step
from telemetry.topics import is_name

Spot = TextSpot | Register
_MOST: Final = 32
_OBJECTS: Final = (*range(0x07), *range(0x80, 0x100))
"""Those between are reserved (MODBUS Application Protocol V1.1b3, 6.21)."""


def check_attributes(document: Document[Profile], readable: Callable[[tuple[Step, ...], str, Spot], None]) -> None:
    """Refuse what makes no sense; ``readable`` refuses registers. Raises SettingsError at the first mistake."""
    attributes = document.settings.attributes
    if len(attributes) > _MOST:
        raise document.error(("attributes",), f"{len(attributes)} attributes, expected at most {_MOST}")
    for name, one in attributes.items():
        where: tuple[Step, ...] = ("attributes", name)
        if not is_name(name):
            raise document.error(where, f"{name!r}, expected a name (a-z, 0-9, -)")
        try:
            place = _place(one)
        except ValueError as exc:
            raise document.error(where, str(exc)) from exc
        if isinstance(place, TextSpot | Register) and one.register is not None:
            readable((*where, "register"), one.register, place)
    for at, golden in enumerate(document.settings.golden):
        for unknown in sorted(golden.attributes.keys() - attributes.keys()):
            known = ", ".join(attributes) or "none at all"
            raise document.error(("golden", at, "attributes", unknown), f"unknown attribute, expected one of {known}")


def _place(one: Attribute) -> Spot | int:
    """Where it stands, in registers or in the device identification; raises ValueError."""
    if (one.register is None) is (one.identification is None):
        raise ValueError(f"{'neither' if one.register is None else 'both'} register and identification, expected one")
    if one.register is None:
        assert one.identification is not None  # noqa: S101  # one of them is there
        if one.identification not in _OBJECTS:
            raise ValueError(f"object {one.identification}, expected 0 to 6 or 0x80 to 0xFF")
        _check_text(one)
        return one.identification
    place = attribute_text.spot(one.register)
    if isinstance(place, TextSpot):
        _check_text(one)
    else:
        _check_number(one, place)
    return place


def _check_text(one: Attribute) -> None:
    if one.scale != 1 or one.missing:
        raise ValueError(f"{'scale' if one.scale != 1 else 'missing'} of a text, expected it of a number alone")


def _check_number(one: Attribute, place: Register) -> None:
    if one.encoding != "ascii":
        raise ValueError(f"encoding of {place.type.name}, expected it of a text alone")
    if not 0 < abs(one.scale) < float("inf"):
        raise ValueError(f"scale {one.scale}, expected a number that keeps what is read")
    for code in one.missing:
        if not place.type.low <= code <= place.type.high:
            raise ValueError(f"missing {code:g} in {place.type.name}, expected {place.type.low} to {place.type.high}")
