"""The numbers of SL 651-2014: ``[FUNCTION/]ELEMENT[#OCCURRENCE]``.

Examples: ``39`` (river stage of any report but the test report), ``34/F4`` (rain of five minutes, of the hourly report
alone), ``30/39`` (stage of the test report, marked MANUAL), ``0A#2`` (the second gate number in a report), ``FFA0`` (an
element of the maker's own).

FUNCTION is a function code in hexadecimal (annex B): 30 test, 31 even interval, 32 timed, 33 added, 34 hourly.
ELEMENT is the guide byte of annex C in hexadecimal, upper case: 20 rain of the day so far, 22 rain of five minutes,
26 rain total, 27 flow, 38 battery, 39 stage or tide, 3B upper and 3A lower water, F4 and F5 to FC the twelve values
of an hour; FFxx for two bytes. Numbers are in the unit of annex C (rain mm, level m, flow m3/s, voltage V).
"""

import re
from typing import Final, NamedTuple

FUNCTIONS: Final = {
    0x30: "test report",
    0x31: "even interval report",
    0x32: "timed report",
    0x33: "added report",
    0x34: "hourly report",
}
"""The function codes that carry numbers, and what for."""
_FIELD: Final = re.compile(r"(?:([0-9A-F]{2})/)?(FF[0-9A-F]{2}|[0-9A-F]{2})(?:#([2-9]|[1-9][0-9]))?")
_STRUCTURE: Final = ("00", "04", "F0", "F1", "F2", "F3", "FD", "FE", "FF")


class Sl651Field(NamedTuple):
    """One number: of which report (None: any but the test report), which element, which occurrence of it."""

    function: int | None
    element: str
    occurrence: int


def parse(text: str) -> Sl651Field:
    """The parts of a field; raises ValueError."""
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError(f"field {text!r}, expected [FUNCTION/]ELEMENT[#OCCURRENCE] as in '39' or '34/F4'")
    code, element, occurrence = match.groups()
    function = None if code is None else int(code, 16)
    if function is not None and function not in FUNCTIONS:
        known = ", ".join(f"{known:02X}" for known in FUNCTIONS)
        raise ValueError(f"field {text!r}: function {code}, expected one of {known}")
    if element in _STRUCTURE:
        raise ValueError(f"field {text!r}: element {element} carries no number")
    return Sl651Field(function, element, int(occurrence or 1))
