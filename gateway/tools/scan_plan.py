"""What a scan tries, what it brought, and what it says nothing about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_agent.drivers.sdi12 import frames as sdi12
from edge_agent.lines.half_duplex import TURNAROUND_S
from gateway.tools.fits import Fit
from gateway.tools.target import Reach
from gateway.tools.tries import Protocol, Setting

Progress = Callable[[int, int, str], None]
"""Told how many of how many questions have been asked, and what is being tried."""
ENDINGS: Final = tuple(f"{number:02}" for number in range(100))
"""Two more digits of a meter's address."""
_MODBUS_BYTES: Final = 8 + 2 * 7
"""Of a read of one register; of its answer, and as much silence after none."""
_ADDRESS_BYTES: Final = 2 + 2 * sdi12.LONGEST_ACKNOWLEDGE
_FINDER_BYTES: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What to try; ``settings`` is empty on Modbus TCP.

    ``units`` are asked on Modbus, ``addresses`` on SDI-12; meters are asked who they are.
    """

    reach: Reach
    protocol: Protocol
    settings: tuple[Setting, ...]
    units: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    try_profiles: bool = True
    """On who answers: each profile reads what it would."""

    @property
    def questions(self) -> int:
        """Asked at most, but for who answers, and for meters that answer at once."""
        return max(1, len(self.settings)) * self._each

    @property
    def longest_s(self) -> float:
        """Seconds until everybody has kept silent; devices that are found cost their reading besides."""
        wait_s = self.reach.timeout_s
        if not self.settings:
            return len(self.units) * wait_s + wait_s
        return sum(self._each * (wait_s + self._overhead_s(setting)) for setting in self.settings)

    @property
    def search_s(self) -> float:
        """Seconds more that a search among meters takes at most for each two digits."""
        slowest_s = max((self._overhead_s(setting) for setting in self.settings), default=0.0)
        return len(ENDINGS) * (self.reach.timeout_s + slowest_s)

    @property
    def _each(self) -> int:
        """Questions at one setting."""
        whoever = self.protocol == "sdi12"
        return max(1, len(self.units) + len(self.addresses) + whoever)

    def __str__(self) -> str:
        several = (
            f", {len(ENDINGS)} and up to {duration(self.search_s)} where meters answer at once,"
            if self.protocol == "dlt645"
            else ""
        )
        return (
            f"{self.reach.end}: {self.questions} questions, up to {duration(self.longest_s)}{several} and more for "
            "each who answers; only reads"
        )

    def _overhead_s(self, setting: Setting) -> float:
        line = setting.line(self.reach)
        character_s = max(line.character_s, sdi12.CHARACTER_S) if self.protocol == "sdi12" else line.character_s
        sent = {"modbus": _MODBUS_BYTES, "sdi12": _ADDRESS_BYTES}.get(self.protocol, _FINDER_BYTES)
        return sent * character_s + 2 * TURNAROUND_S + line.silence_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Somebody who answered: the unit or address, what it said, and which profiles fit it."""

    address: str
    unit: int | None
    setting: str
    said: str
    took_s: float
    fits: tuple[Fit, ...] = ()


@dataclass(slots=True, kw_only=True)
class ScanReport:
    """What a scan brought."""

    end: str
    protocol: str
    found: list[Found] = field(default_factory=list)
    setting: Setting | None = None
    """At which somebody answered."""
    tried: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Settings that the port can't take."""
    garbled: list[str] = field(default_factory=list)
    """Settings at which something came that was no answer."""
    unclear: list[str] = field(default_factory=list)
    """Addresses at which something came that was no answer, where others answer well."""
    asked: int = 0
    took_s: float = 0.0
    cut_off: bool = False
    lost: str = ""
    """Why the line was no longer there."""


def empty(plan: Scan) -> ScanReport:
    """The report of a scan that has not begun."""
    return ScanReport(end=plan.reach.end, protocol=plan.protocol)


def not_tried(plan: Scan, report: ScanReport) -> list[str]:
    """What the scan says nothing about."""
    told = []
    done = {*report.tried, *report.refused}
    left = [str(setting) for setting in plan.settings if str(setting) not in done]
    if report.cut_off:
        told.append(f"it ended after {report.asked} of {max(report.asked, plan.questions)} questions")
    if report.lost:
        told.append(f"after {report.asked} of {plan.questions} questions the line was gone: {report.lost}")
    if report.refused:
        told.append(f"settings {', '.join(report.refused)}, which the port can't take")
    if left:
        told.append(f"settings {', '.join(left)}")
    told.append(_others(plan))
    if plan.settings:
        told.append("other rates, parities and stop bits; other protocols (--protocol)")
    return told


def _others(plan: Scan) -> str:
    """Who on the line may have been missed."""
    if plan.protocol == "modbus":
        return f"units other than {spans(plan.units)}; devices that ignore a read of holding register 0"
    if plan.protocol == "sdi12":
        left = _ranges([address for address in sdi12.ADDRESSES if address not in plan.addresses])
        others = f"addresses {left}; " if left else ""
        return f"{others}sensors that were silent once: none is asked twice; a second sensor with the same address"
    if plan.protocol == "dlt645":
        return "meters that do not answer when everybody is asked for the address (13h)"
    return "several devices on one line: they answer at once, and none can be told"


def _ranges(addresses: Sequence[str]) -> str:
    """Addresses of SDI-12 in their order, as people write them: ``3, D-Z, a-z``."""
    parts: list[str] = []
    for address in addresses:
        if parts and ord(address) == ord(parts[-1][-1]) + 1:
            parts[-1] = f"{parts[-1][0]}-{address}"
        else:
            parts.append(address)
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for people."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def spans(units: Sequence[int]) -> str:
    """Numbers as people write them: ``1-32, 40``."""
    parts: list[list[int]] = []
    for unit in units:
        if parts and unit == parts[-1][-1] + 1:
            parts[-1][-1:] = [parts[-1][-1], unit] if len(parts[-1]) == 1 else [unit]
        else:
            parts.append([unit])
    return ", ".join("-".join(map(str, part)) for part in parts)
