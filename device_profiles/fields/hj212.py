"""The numbers of HJ 212: ``COMMAND/ITEM-VALUE``.

Examples: ``2011/a34004-Rtd`` (PM2.5 now), ``2051/a34004-Avg`` (mean of the minutes that the data logger was set to),
``2061/w01018-Avg`` (COD of the hour), ``2031/w00000-Cou`` (flow of the day), ``2021/SB1-RS`` (a device runs or not).

ITEM is a code of the standard's appendix B (HJ 524, HJ 525) or of the device; VALUE is one of the standard's words
after the dash: Rtd, Min, Avg, Max, Cou, ZsRtd, ZsMin, ZsAvg, ZsMax, Data, DayData, NightData, RS, RT, or another that
the device sends.
"""

import re
from typing import Final, NamedTuple

COMMANDS: Final = {
    "2011": "real-time data",
    "2021": "device state",
    "2031": "day data",
    "2041": "device hours of the day",
    "2051": "minute data",
    "2061": "hour data",
}
"""The command numbers (CN) that carry numbers, and what for."""
NOT_NUMBERS: Final = ("Flag", "EFlag", "SampleTime")
"""Words after the dash that say something about the numbers beside them."""
_FIELD: Final = re.compile(r"(\d{4})/([0-9A-Za-z]{1,16})-([A-Za-z][0-9A-Za-z]{0,15})")


class Hj212Field(NamedTuple):
    """One number: of which command, which item, and which of its values."""

    command: str
    item: str
    value: str


def parse(text: str) -> Hj212Field:
    """The parts of a field; raises ValueError."""
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError(f"field {text!r}, expected COMMAND/ITEM-VALUE as in '2011/a34004-Rtd'")
    field = Hj212Field(*match.groups())
    if field.command not in COMMANDS:
        raise ValueError(f"field {text!r}: command {field.command}, expected one of {', '.join(COMMANDS)}")
    if field.value in NOT_NUMBERS:
        raise ValueError(f"field {text!r}: {field.value} is no number, expected a value as in 'Rtd'")
    return field
