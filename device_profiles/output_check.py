"""What can be wrong with the outputs of a profile."""

import math
from typing import Any, Final

from device_profiles import model, words
from device_profiles.model import Register, Table
from device_profiles.output import Output
from telemetry.settings import Document, Step
from telemetry.topics import is_name

_LONGEST_PULSE_S: Final = 3600.0
_LONGEST_SETTLE_S: Final = 60.0
_WRITABLE: Final = "expected a coil, or a holding register with whole registers (u16, s32, f32 ...)"


def check_outputs(document: Document[Any], outputs: tuple[Output, ...]) -> None:
    """Refuse what makes no sense; raises SettingsError at the first mistake."""
    names: set[str] = set()
    for at, output in enumerate(outputs):
        where: tuple[Step, ...] = ("outputs", at)
        if not is_name(output.name) or output.name in names:
            raise document.error((*where, "name"), f"{output.name!r}, expected a name of its own (a-z, 0-9, -)")
        names.add(output.name)
        try:
            _check(output)
        except ValueError as exc:
            raise document.error(where, str(exc)) from exc


def _check(output: Output) -> None:
    spot = writable(output.register)
    if output.read_back is not None:
        model.register(output.read_back)
    low, high = output.range
    if not low <= output.safe <= high:
        raise ValueError(f"safe {output.safe:g} outside of range {low:g} to {high:g}, expected it within")
    for number in (low, high, output.safe):
        check_number(spot, number)
    if output.pulse_s is not None and not 0 < output.pulse_s <= _LONGEST_PULSE_S:
        raise ValueError(f"pulse_s {output.pulse_s:g}, expected more than 0 and at most {_LONGEST_PULSE_S:g}")
    if not 0 <= output.settle_s <= _LONGEST_SETTLE_S:
        raise ValueError(f"settle_s {output.settle_s:g}, expected 0 to {_LONGEST_SETTLE_S:g}")


def writable(text: str) -> Register:
    """A register that can be written without touching anything else in it; raises ValueError."""
    spot = model.register(text)
    partial = not spot.table.is_bits and (spot.type.name == "bit" or spot.type.size < 2)
    if spot.table not in (Table.COIL, Table.HOLDING) or partial:
        raise ValueError(f"{text!r} can't be written alone, {_WRITABLE}")
    return spot


def check_number(spot: Register, number: float) -> None:
    """Refuse a number that the register can't hold as it is; raises ValueError."""
    if not math.isfinite(number) or (not spot.type.is_float and number != round(number)):
        raise ValueError(f"{number:g}, expected {'a finite' if spot.type.is_float else 'a whole'} number")
    if spot.table.is_bits:
        if number not in (0.0, 1.0):
            raise ValueError(f"{number:g} in a coil, expected 0 or 1")
    else:
        words.pack(number, spot.type, spot.order)
