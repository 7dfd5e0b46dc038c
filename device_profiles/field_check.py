"""What can be wrong with the profile of a device that does not speak Modbus; see ``device_profiles.check``."""

from collections.abc import Iterator
from functools import partial
from importlib import import_module

from device_profiles import field_model
from device_profiles.check import (
    Looking,
    Where,
    check_any,
    check_numbers,
    check_quantity,
    point_steps,
    raised,
    said,
    within,
)
from device_profiles.field_model import FieldGolden, FieldPoint, FieldProfile
from device_profiles.fields import ascii_line
from telemetry.settings import Document, SettingsError

_LONGEST_PERIOD_S = 86_400.0


def check(document: Document[FieldProfile]) -> FieldProfile:
    """The profile, once it makes sense; raises SettingsError at the first mistake. It needs no golden message."""
    for step in _steps(document):
        step()
    return document.settings


def mistakes(document: Document[FieldProfile]) -> list[SettingsError]:
    """All mistakes of a profile, in the order in which they are looked for."""
    return raised((*_steps(document), partial(_check_any_golden, document)))


def _steps(document: Document[FieldProfile]) -> Iterator[Looking]:
    profile = document.settings
    yield partial(check_any, document)
    yield partial(_check_transports, document)
    yield partial(_check_line, document)
    yield from point_steps(document, (_check_field, check_quantity, check_numbers))
    for at, golden in enumerate(profile.golden):
        yield partial(_check_golden, document, ("golden", at), golden)


def _check_transports(document: Document[FieldProfile]) -> None:
    profile = document.settings
    if not profile.transports or len(set(profile.transports)) != len(profile.transports):
        problem = f"{list(profile.transports)}, expected some of serial, tcp and listen, each once"
        raise document.error(("transports",), problem)
    if "serial" in profile.transports and profile.serial is None:
        raise document.error(("transports",), "serial without a line, expected serial with the baud rate of the device")


def _check_line(document: Document[FieldProfile]) -> None:
    """A format of lines belongs to one protocol, and must have what the points ask for."""
    profile = document.settings
    if (profile.protocol == "ascii_line") is (profile.line is None):
        problem = "no line, expected one with a pattern" if profile.line is None else "line, expected none"
        raise document.error(("line",), f"{problem}: {profile.protocol}")
    if profile.line is None:
        return
    known = said(document, ("line",), ascii_line.fields, profile.line)
    for at, point in enumerate(profile.points):
        if point.field not in known:
            problem = f"no group {point.field!r} in the pattern, expected one of {', '.join(known)}"
            raise document.error(("points", at, "field"), problem)


def _check_field(document: Document[FieldProfile], where: Where, point: FieldPoint) -> None:
    parse = import_module(f"device_profiles.fields.{document.settings.protocol}").parse
    said(document, (*where, "field"), parse, point.field)
    if point.period_s is not None:
        within(document, (*where, "period_s"), point.period_s, 0.01, _LONGEST_PERIOD_S)


def _check_any_golden(document: Document[FieldProfile]) -> None:
    if not document.settings.golden:
        raise document.error(("golden",), "no message, expected at least one (`petrel bus trace` shows them)")


def _check_golden(document: Document[FieldProfile], where: Where, golden: FieldGolden) -> None:
    names = [point.name for point in document.settings.points]
    if not golden.messages:
        raise document.error((*where, "messages"), "no message, expected at least one")
    for number, one in enumerate(golden.messages):
        for key in ("sent", "asked", "reply"):
            said(document, (*where, "messages", number, key), field_model.message, getattr(one, key))
    for unknown in sorted(set(golden.values) - set(names)):
        raise document.error((*where, "values", unknown), f"unknown point, expected one of {', '.join(names)}")
