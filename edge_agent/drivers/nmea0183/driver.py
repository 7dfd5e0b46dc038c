"""A line on which NMEA 0183 talkers speak of their own accord."""

import re
from typing import Final

from edge_agent.drivers.contract import Event, FrameError, Refused, Report
from edge_agent.drivers.nmea0183 import frames
from edge_agent.drivers.text import SHOWN, LineCutter

ANY: Final = "*"
"""The address of whoever talks on the line."""
_TALKER: Final = re.compile(r"[A-Z][A-Z0-9]")


class NmeaSession:
    """Sentences of one line; each supported one with a right checksum is a report of its talker.

    ``ignored`` counts whole sentences that carry no number for us: AIS, proprietary, and unsupported ones.
    """

    def __init__(self) -> None:
        self.ignored = 0
        self._cutter = LineCutter(b"\n", frames.MAX_LINE)

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """What came of some bytes; a time of day in GGA belongs to the day nearest to ``now_ns``."""
        events: list[Event] = []
        for line in self._cutter.feed(data):
            if isinstance(line, Refused):
                events.append(line)
            elif line := line.removesuffix(b"\r"):
                events += self._take(line, now_ns)
        return events

    def _take(self, line: bytes, now_ns: int) -> list[Event]:
        noise, line = frames.split(line)
        events: list[Event] = []
        if noise:
            events.append(
                Refused("no sentence, expected '$' or '!' at the start and '*' with a checksum", noise[:SHOWN])
            )
        if not line:
            return events
        try:
            report = self._report(line, now_ns)
        except FrameError as exc:
            return [*events, Refused(str(exc), line[:SHOWN])]
        return events if report is None else [*events, report]

    def _report(self, line: bytes, now_ns: int) -> Report | None:
        sentence = frames.decode(line)
        found = frames.numbers(sentence) if sentence.start == "$" and sentence.talker != "P" else None
        if found is None:
            self.ignored += 1
            return None
        return Report(sentence.talker, sentence.kind, found, frames.time_of(sentence, now_ns))


class Nmea0183:
    """NMEA 0183; addresses are talker ids."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for anything but a talker id such as WI, or ``*`` for whoever talks."""
        if address != ANY and not _TALKER.fullmatch(address):
            raise ValueError(f"talker {address!r}, expected two characters such as WI, or {ANY} for any")

    def session(self, secret: str | None = None) -> NmeaSession:
        """A new line; raises ValueError for a secret, since no sentence can show one."""
        if secret is not None:
            raise ValueError("a secret, expected none: NMEA 0183 has no password")
        return NmeaSession()


PROTOCOL: Final = Nmea0183()
