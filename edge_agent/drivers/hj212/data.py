"""The data part of HJ 212 messages: ``DataTime=...;ITEM-VALUE=...,ITEM-Flag=N;...``, both ways.

Source: HJ 212-2017, 6.3.2 (structure of the data part), 6.6.4 table 8 (data flags), appendix C (examples), from public
copies of the text (docs/reference/protocols/hj212.md).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from device_profiles.fields.hj212 import NOT_NUMBERS
from edge_agent.drivers import beijing
from edge_agent.drivers.contract import FrameError, Number
from telemetry.quality import Cause, Quality

_TIME: Final = "DataTime"
_TIME_DIGITS: Final = 14
_NAME: Final = re.compile(r"([0-9A-Za-z]{1,16})-([A-Za-z][0-9A-Za-z]{0,15})", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d{1,9})?", re.ASCII)


class Verdict(NamedTuple):
    """What the data logger's flag means to us."""

    quality: Quality
    cause: Cause


FLAGS: Final[Mapping[str, Verdict]] = {
    "N": Verdict(Quality.GOOD, Cause.NONE),
    # above the upper limit of measurement: towards danger, so it must still be able to alarm
    "T": Verdict(Quality.SUSPECT, Cause.RANGE),
    # out of service: what it shows is not the surroundings
    "F": Verdict(Quality.SUSPECT, Cause.DEVICE),
    # set by hand
    "S": Verdict(Quality.SUSPECT, Cause.MANUAL),
    # maintenance and calibration: must never alarm, and only BAD and MISSING never do
    "M": Verdict(Quality.BAD, Cause.MANUAL),
    "C": Verdict(Quality.BAD, Cause.MANUAL),
    # instrument broken; instrument does not answer its data logger
    "D": Verdict(Quality.BAD, Cause.DEVICE),
    "B": Verdict(Quality.MISSING, Cause.COMMS),
}
"""Table 8 of HJ 212-2017. No flag at all says nothing (UNCHECKED)."""
UNKNOWN_FLAG: Final = Verdict(Quality.SUSPECT, Cause.DEVICE)
"""The table may be extended locally: a letter that we don't know is doubt, not a reason to lose the number."""

Items = Mapping[str, Mapping[str, str]]
"""By item code, then by the word after the dash: ``{"a34004": {"Rtd": "35.2", "Flag": "N"}}``."""


@dataclass(frozen=True, slots=True)
class Data:
    """The data part of one message: its time, and what was sent of each item, as text."""

    time_ns: int
    items: Items


def encode(data: Data) -> str:
    """The data part of a message (for simulated devices); raises FrameError for what decode would refuse."""
    groups = (",".join(f"{code}-{name}={value}" for name, value in item.items()) for code, item in data.items.items())
    text = ";".join((f"{_TIME}={beijing.from_utc_ns(data.time_ns, _TIME_DIGITS)}", *groups))
    decode((text,))
    return text


def decode(pieces: Sequence[str]) -> Data:
    """The data of one message, which came in one or more packages; raises FrameError.

    Each package must be whole in itself: an item that was cut in two is refused, never guessed together.
    """
    times: set[str] = set()
    items: dict[str, dict[str, str]] = {}
    for group in (group for piece in pieces for group in piece.split(";") if group):
        for entry in group.split(","):
            name, equals, value = entry.partition("=")
            if not equals:
                raise FrameError(f"data {entry[:40]!r}, expected NAME=VALUE")
            if name == _TIME:
                times.add(value)
            elif (match := _NAME.fullmatch(name)) is not None:
                _put(items, match[1], match[2], value)
    if len(times) != 1:
        raise FrameError(f"{_TIME} {sorted(times)}, expected exactly one")
    return Data(_moment(times.pop()), items)


def _put(items: dict[str, dict[str, str]], code: str, name: str, value: str) -> None:
    item = items.setdefault(code, {})
    if name in item:
        raise FrameError(f"{code}-{name} twice, expected it once")
    if name not in NOT_NUMBERS and value and _NUMBER.fullmatch(value) is None:
        raise FrameError(f"{code}-{name}={value[:20]!r}, expected a number")
    item[name] = value


def _moment(digits: str) -> int:
    if len(digits) != _TIME_DIGITS:
        raise FrameError(f"time {digits[:20]!r}, expected {_TIME_DIGITS} digits")
    return beijing.to_utc_ns(digits)


def numbers(command: str, data: Data) -> dict[int, dict[str, Number]]:
    """The numbers of a message by their moment (UTC ns), then by field; raises FrameError.

    An item with a sampling time of its own (``SampleTime``, analysers that take an hour) is of that time.
    """
    found: dict[int, dict[str, Number]] = {data.time_ns: {}}
    for code, item in data.items.items():
        sampled = item.get("SampleTime")
        moment = found.setdefault(_moment(sampled) if sampled else data.time_ns, {})
        verdict = _verdict(item.get("Flag", ""))
        for name, text in item.items():
            if name not in NOT_NUMBERS:
                moment[f"{command}/{code}-{name}"] = _number(text, verdict)
    return {time_ns: fields for time_ns, fields in sorted(found.items()) if fields}


def _verdict(flag: str) -> Verdict:
    return FLAGS.get(flag, UNKNOWN_FLAG) if flag else Verdict(Quality.UNCHECKED, Cause.NONE)


def _number(text: str, verdict: Verdict) -> Number:
    if not text or verdict.quality is Quality.MISSING:
        return Number(math.nan, Quality.MISSING, verdict.cause or Cause.DEVICE)
    return Number(float(text), *verdict)
