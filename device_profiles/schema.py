"""The JSON Schema (draft 2020-12) of a profile, from the structs that it is read into: for editors.

It knows what the structs know, and of the rest what an editor can use: the quantities, and what a register looks like.
Whether a profile makes sense as a whole only ``petrel profile check`` says.
"""

import inspect
import math
from typing import Any, Final

import msgspec

from device_profiles.field_model import FieldProfile
from device_profiles.model import Profile, Table
from device_profiles.words import TYPES
from telemetry.quantity import QUANTITIES
from telemetry.settings.meanings import meanings

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REGISTER: Final = rf"^({'|'.join(Table)})\s+(0[xX][0-9A-Fa-f]+|[0-9]+)(\s+({'|'.join(TYPES)})(\s+\w+)?)?$"
_OR_TEXT: Final = rf"{_REGISTER}|^(holding|input)\s+(0[xX][0-9A-Fa-f]+|[0-9]+)\s+string\s+[0-9]+(\s+badc)?$"
_KINDS: Final = (Profile, FieldProfile)


def schema() -> dict[str, Any]:
    """The schema; ``protocol`` decides what a profile may hold."""
    _, parts = msgspec.json.schema_components(_KINDS, ref_template="#/$defs/{name}")
    for name, part in parts.items():
        _enrich(name, part)
    return {
        "$schema": _DIALECT,
        "title": "Device profile of Storm Petrel",
        "if": {"properties": {"protocol": {"const": "modbus"}}},
        "then": {"$ref": "#/$defs/Profile"},
        "else": {"$ref": "#/$defs/FieldProfile"},
        "$defs": parts,
    }


def _enrich(name: str, part: dict[str, Any]) -> None:
    """What the structs can't say, and the words under their fields."""
    part["description"] = inspect.cleandoc(part.get("description", ""))
    known = _meanings(name)
    for key, value in part.get("properties", {}).items():
        if isinstance(value.get("default"), float) and not math.isfinite(value["default"]):
            del value["default"]  # JSON has no infinity
        if key in known:
            value["description"] = known[key]
        if key == "quantity" and name != "PointChange":
            value["enum"] = sorted(QUANTITIES)
        if key == "register" and name not in ("PointChange", "Attribute"):
            value["pattern"] = _REGISTER
        if key == "register" and name == "Attribute":
            value["pattern"] = _OR_TEXT


def _meanings(name: str) -> dict[str, str]:
    return next((meanings(kind) for kind in _structs() if kind.__name__ == name), {})


def _structs() -> list[type[msgspec.Struct]]:
    """All structs that a profile may hold."""
    waiting: list[type[msgspec.Struct]] = [*_KINDS]
    found: list[type[msgspec.Struct]] = []
    while waiting:
        kind = waiting.pop()
        if kind in found:
            continue
        found.append(kind)
        waiting += [inner for field in msgspec.structs.fields(kind) for inner in _inside(field.type)]
    return found


def _inside(kind: Any) -> list[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in getattr(kind, "__args__", ()) for found in _inside(part)]
