"""The page of the documentation about devices, made from their profiles: ``python -m device_profiles.document``."""

import sys
from collections.abc import Sequence

from device_profiles import registry
from device_profiles.attribute import Attribute
from device_profiles.field_model import FieldProfile
from device_profiles.model import Golden, Measured, Point, Profile
from device_profiles.output import Output
from telemetry.quantity import QUANTITIES


def page() -> str:
    """``docs/reference/devices.md`` as it should be."""
    head = (
        "# Devices\n\n"
        "Made by `python -m device_profiles.document` from `device_profiles/catalog`; do not edit. One YAML file\n"
        "there is one device; a path to a file of your own works wherever a name does.\n"
        "Each can be simulated, those that speak Modbus also with [recorded data](../howto/play-recorded-data.md).\n"
    )
    return head + "".join(_section(registry.load(name)) for name in registry.names())


def _section(profile: Profile | FieldProfile) -> str:
    title = f"\n## {profile.name}\n\n{profile.title.en} ({profile.title.zh}).\n\n"
    return title + (_fields(profile) if isinstance(profile, FieldProfile) else _registers(profile))


def _fields(profile: FieldProfile) -> str:
    parts = [f"Speaks [{profile.protocol}](protocols/{profile.protocol}.md) over {' and '.join(profile.transports)}"]
    parts.append(f"{_line(profile)}. Source: {profile.source}\n")
    parts.append("\n| point | quantity | device's unit | field | scale | range | over range | missing |\n")
    parts.append("|---|---|---|---|---|---|---|---|\n")
    parts += [f"{_start(point)} | `{point.field}` {_end(point)} |\n" for point in profile.points]
    parts += _meanings(profile.points)
    parts += [f"\n- Defect: {defect}" for defect in profile.defects]
    for golden in profile.golden:
        said = "; ".join(f"`{one.asked}` -> `{one.sent}`" if one.asked else f"`{one.sent}`" for one in golden.messages)
        parts.append(f"\n- Golden message: {said}. {golden.source}")
    return "".join(parts) + "\n"


def _registers(profile: Profile) -> str:
    parts = [f"{_facts(profile)}\n"]
    parts.append("\n| point | quantity | device's unit | register | scale | range | over range | missing | gates |\n")
    parts.append("|---|---|---|---|---|---|---|---|---|\n")
    parts += [_row(point) for point in profile.points]
    parts += _meanings(profile.points)
    parts += [f"\n- Attribute `{name}`: {_attribute(one)}" for name, one in profile.attributes.items()]
    parts += [f"\n- Output `{output.name}`: {_output(output)}" for output in profile.outputs]
    parts += [f"\n- Gate `{name}`: {_gate(profile, name)}" for name in profile.gates]
    parts += [f"\n- Variant `{name}`: {variant.note}" for name, variant in profile.variants.items()]
    parts += [f"\n- Defect: {defect}" for defect in profile.defects]
    parts += [f"\n- Golden frame: {_golden(golden)}" for golden in profile.golden]
    return "".join(parts) + "\n"


def _facts(profile: Profile) -> str:
    ways = " and ".join(profile.transports)
    return f"Speaks Modbus {ways}{_line(profile)}, unit {profile.unit}. Source: {profile.source}"


def _line(profile: Profile | FieldProfile) -> str:
    serial = profile.serial
    return f", {serial.baud} {serial.data}{serial.parity}{serial.stop}" if serial else ""


def _row(point: Point) -> str:
    mask = "" if point.mask is None else f" & 0x{point.mask:X}"
    gates = ", ".join(point.gates) or "-"
    return f"{_start(point)} | `{point.register}`{mask} {_end(point)} | {gates} |\n"


def _start(point: Measured) -> str:
    quantity = QUANTITIES[point.quantity]
    return f"| {point.name} | {quantity.en} ({quantity.unit}) | {point.unit}"


def _meanings(points: Sequence[Measured]) -> list[str]:
    """What codes mean, and how a number that is not linear bends."""
    found = []
    for point in points:
        for kind, named in (("Codes", point.states), ("Bits", point.bits)):
            if named:
                words = "; ".join(f"{number} {text.en} ({text.zh})" for number, text in sorted(named.items()))
                found.append(f"\n- {kind} of `{point.name}`: {words}")
        if point.polynomial:
            terms = ", ".join(f"{coefficient:g}" for coefficient in point.polynomial)
            found.append(f"\n- Polynomial of `{point.name}`, from the constant on: {terms}")
    return found


def _end(point: Measured) -> str:
    missing = ", ".join(f"{code:g}" for code in point.missing) or "-"
    return f"| {point.scale:g} | {point.valid[0]:g} to {point.valid[1]:g} | {point.danger} | {missing}"


def _gate(profile: Profile, name: str) -> str:
    gate = profile.gates[name]
    mask = "" if gate.mask is None else f" & 0x{gate.mask:X}"
    note = f" {gate.note}" if gate.note else ""
    return f"`{gate.register}`{mask} in {gate.min:g} to {gate.max:g}, else {gate.verdict} ({gate.cause}).{note}"


def _output(output: Output) -> str:
    low, high = output.range
    parts = [f"`{output.register}`, {low:g} to {high:g}, at rest {output.safe:g}"]
    if output.read_back is not None:
        parts.append(f"read back from `{output.read_back}`")
    if output.pulse_s is not None:
        parts.append(f"at rest again after {output.pulse_s:g} s")
    return ", ".join(parts) + f".{f' {output.note}' if output.note else ''}"


def _attribute(one: Attribute) -> str:
    where = f"`{one.register}`" if one.register else f"object {one.identification} of function 43/14"
    details = [one.encoding] * (one.encoding != "ascii") + [f"times {one.scale:g}"] * (one.scale != 1)
    return ", ".join([where, *details]) + f".{f' {one.note}' if one.note else ''}"


def _golden(golden: Golden) -> str:
    exchanges = "; ".join(f"`{one.request}` -> `{one.answer}`" for one in golden.exchange)
    return f"{exchanges}. {golden.source}"


if __name__ == "__main__":
    sys.stdout.write(page())
