"""The page of the documentation about devices, made from their profiles: ``python -m device_profiles.document``."""

import sys

from device_profiles import registry
from device_profiles.model import Golden, Point, Profile
from telemetry.quantity import QUANTITIES


def page() -> str:
    """``docs/reference/devices.md`` as it should be."""
    head = (
        "# Devices\n\n"
        "Made by `python -m device_profiles.document` from `device_profiles/catalog`; do not edit. One YAML file\n"
        "there is one device; a path to a file of your own works wherever a name does.\n"
    )
    return head + "".join(_section(registry.load(name)) for name in registry.names())


def _section(profile: Profile) -> str:
    parts = [f"\n## {profile.name}\n\n{profile.title.en} ({profile.title.zh}).\n\n{_facts(profile)}\n"]
    parts.append("\n| point | quantity | device's unit | register | scale | range | over range | missing | gates |\n")
    parts.append("|---|---|---|---|---|---|---|---|---|\n")
    parts += [_row(point) for point in profile.points]
    parts += [f"\n- Gate `{name}`: {_gate(profile, name)}" for name in profile.gates]
    parts += [f"\n- Variant `{name}`: {variant.note}" for name, variant in profile.variants.items()]
    parts += [f"\n- Defect: {defect}" for defect in profile.defects]
    parts += [f"\n- Golden frame: {_golden(golden)}" for golden in profile.golden]
    return "".join(parts) + "\n"


def _facts(profile: Profile) -> str:
    serial = profile.serial
    line = f", {serial.baud} 8{serial.parity}{serial.stop}" if serial else ""
    return f"Speaks Modbus {' and '.join(profile.transports)}{line}, unit {profile.unit}. Source: {profile.source}"


def _row(point: Point) -> str:
    quantity = QUANTITIES[point.quantity]
    missing = ", ".join(f"{code:g}" for code in point.missing) or "-"
    mask = "" if point.mask is None else f" & 0x{point.mask:X}"
    valid = f"{point.valid[0]:g} to {point.valid[1]:g}"
    gates = ", ".join(point.gates) or "-"
    return (
        f"| {point.name} | {quantity.en} ({quantity.unit}) | {point.unit} | `{point.register}`{mask} | {point.scale:g} "
        f"| {valid} | {point.danger} | {missing} | {gates} |\n"
    )


def _gate(profile: Profile, name: str) -> str:
    gate = profile.gates[name]
    mask = "" if gate.mask is None else f" & 0x{gate.mask:X}"
    note = f" {gate.note}" if gate.note else ""
    return f"`{gate.register}`{mask} in {gate.min:g} to {gate.max:g}, else {gate.verdict} ({gate.cause}).{note}"


def _golden(golden: Golden) -> str:
    exchanges = "; ".join(f"`{one.request}` -> `{one.answer}`" for one in golden.exchange)
    return f"{exchanges}. {golden.source}"


if __name__ == "__main__":
    sys.stdout.write(page())
