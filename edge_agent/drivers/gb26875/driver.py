"""The centre's side of a connection with fire alarm transmitters: take what they upload, and confirm it."""

import re
from dataclasses import replace
from typing import Final, NamedTuple

from edge_agent.drivers.contract import Event, FrameError, Number, Refused, Reply, Report
from edge_agent.drivers.gb26875 import frames, unit
from edge_agent.drivers.gb26875.frames import Command, Item, Packet, SpoiltError
from edge_agent.drivers.stream import SHOWN_BYTES, Splitter
from telemetry.quality import Cause, Quality

_START: Final = re.compile(rb"(?=@@..\x01.{20}[\x00-\x04])", re.DOTALL)
"""40 40 with main version 1 and a length that may be: what else begins so is no packet of this standard."""
_START_BYTES: Final = 26


class _Spoilt(NamedTuple):
    error: SpoiltError
    data: bytes
    """How the packet began."""


class Gb26875Session:
    """One connection; transmitters may share it. ``ignored`` counts confirmations and denials, which we never await."""

    def __init__(self) -> None:
        self.ignored = 0
        self._splitter = Splitter(_START, _START_BYTES, frames.size, _open)
        self._last: Packet | None = None

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """What came of some bytes; ``now_ns`` is the time of sending in replies."""
        events: list[Event] = []
        for found in self._splitter.feed(data):
            if isinstance(found, Refused):
                events.append(found)
            elif isinstance(found, _Spoilt):
                events += _denied(found, now_ns)
            else:
                events += self._take(found, now_ns)
        return events

    def _take(self, packet: Packet, now_ns: int) -> list[Event]:
        match packet.command:
            case Command.UPLOAD:
                return [*self._read(packet), _reply(frames.reply(packet, Command.CONFIRM, now_ns))]
            case Command.ANSWER:
                return self._read(packet)
            case Command.CONFIRM | Command.DENY:
                self.ignored += 1
                return []
        reason = f"command {packet.command}, expected one that a transmitter sends"
        return [Refused(reason, frames.encode(packet)[:SHOWN_BYTES])]

    def _read(self, packet: Packet) -> list[Event]:
        """Reports of a packet, one for each object; none where it came again because our reply was lost.

        A packet that came whole is confirmed even if its data unit says nothing to us: sent again it would say no more,
        and it would stand in the way of the next alarm.
        """
        source = frames.write_address(packet.source)
        if not packet.unit:
            return [Report(source, "heartbeat", {}, packet.time_ns)]
        try:
            items = frames.decode_unit(packet.unit)
        except FrameError as exc:
            return [Refused(str(exc), packet.unit[:SHOWN_BYTES])]
        last, self._last = self._last, replace(packet, time_ns=None)
        if last == self._last and all(_time_ns(item) is not None for item in items):
            return []
        return [_report(source, item) for item in items]


def _open(frame: bytes) -> Packet | _Spoilt:
    """A packet; one that was spoilt on the way is a find too, since it must be answered."""
    try:
        return frames.decode(frame)
    except SpoiltError as exc:
        return _Spoilt(exc, frame[:SHOWN_BYTES])


def _denied(spoilt: _Spoilt, now_ns: int) -> list[Event]:
    refused, denial = Refused(str(spoilt.error), spoilt.data), spoilt.error.denial
    return [refused] if denial is None else [refused, _reply(replace(denial, time_ns=now_ns))]


def _reply(packet: Packet) -> Reply:
    return Reply(frames.write_address(packet.target), frames.encode(packet))


def _report(source: str, item: Item) -> Report:
    """Numbers with the object's own time; where its label is no moment they count from their arrival, in doubt."""
    found = frames.numbers(item)
    time_ns = _time_ns(item)
    if time_ns is None:
        found = {name: Number(number.value, Quality.SUSPECT, Cause.CLOCK) for name, number in found.items()}
    return Report(source, unit.kind(item), found, time_ns)


def _time_ns(item: Item) -> int | None:
    return getattr(item, "time_ns", None)


class Gb26875:
    """GB/T 26875.3-2011; addresses are those of transmitters, as twelve hexadecimal digits."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for anything but twelve hexadecimal digits in capitals, the highest byte first."""
        frames.read_address(address)

    def session(self, secret: str | None = None) -> Gb26875Session:
        """A new connection; raises ValueError for a secret, since no packet can show one."""
        if secret is not None:
            raise ValueError("a secret, expected none: GB/T 26875.3 has no password")
        return Gb26875Session()


PROTOCOL: Final = Gb26875()
