"""Who is on a line: every likely setting and every unit is asked one read-only question, within a stated time.

A setting at which somebody answers is the line's; no other is tried after it. What was not tried is said.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from edge_agent.compile.lines import AnyLine
from edge_agent.compiled import TcpPlan
from edge_agent.drivers.cjt188 import driver as cjt188
from edge_agent.drivers.contract import Ask, FrameError
from edge_agent.drivers.dlt645 import driver as dlt645
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call, Line
from edge_agent.drivers.modbus.rtu import RtuLine
from edge_agent.drivers.modbus.tcp import TcpLine
from edge_agent.drivers.sdi12 import driver as sdi12
from edge_agent.lines.conversation import carry
from edge_agent.lines.half_duplex import TURNAROUND_S, HalfDuplex
from edge_agent.lines.line import GarbledError, LineDownError, NoAnswerError
from edge_agent.opened import half_duplex
from gateway.tools.fits import Fit, fits
from gateway.tools.ports import connect, facts
from gateway.tools.target import Named, Reach
from gateway.tools.tries import Protocol, Setting

Progress = Callable[[int, int, str], None]
"""Told how many of how many questions have been asked, and what is being tried."""
_FINDERS: Final[dict[str, Callable[[], Generator[Ask, bytes, str]]]] = {
    "dlt645": dlt645.find,
    "cjt188": cjt188.find,
    "sdi12": sdi12.find,
}
_REQUEST, _ANSWER = 8, 7
"""Bytes of a read of one register, and of its answer."""
_FINDER_BYTES: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What to try; ``settings`` is empty on Modbus TCP, ``units`` on a line of meters, which are asked who they are."""

    reach: Reach
    protocol: Protocol
    settings: tuple[Setting, ...]
    units: tuple[int, ...]
    try_profiles: bool = True
    """On who answers: each profile reads what it would."""

    @property
    def questions(self) -> int:
        """Asked at most."""
        return max(1, len(self.settings)) * max(1, len(self.units))

    @property
    def longest_s(self) -> float:
        """Seconds until everybody has kept silent; devices that are found cost their reading besides."""
        wait_s = self.reach.timeout_s
        if not self.settings:
            return len(self.units) * wait_s + wait_s
        return sum(max(1, len(self.units)) * (wait_s + self._overhead_s(setting)) for setting in self.settings)

    def __str__(self) -> str:
        return (
            f"{self.reach.end}: {self.questions} questions, up to {duration(self.longest_s)} and more for each who "
            "answers; only reads"
        )

    def _overhead_s(self, setting: Setting) -> float:
        line = setting.line(self.reach)
        sent = _REQUEST + 2 * _ANSWER if self.protocol == "modbus" else _FINDER_BYTES
        return sent * line.character_s + 2 * TURNAROUND_S + line.silence_s


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
    asked: int = 0
    took_s: float = 0.0
    cut_off: bool = False
    lost: str = ""
    """Why the line was no longer there."""


async def scan(plan: Scan, report: ScanReport, progress: Progress, within_s: float) -> bool:
    """Ask, and note in ``report`` what comes, for ``within_s`` real seconds at most, or until cancelled.

    Gives whether it came to its end in that time. Raises LineDownError where there is no line.
    """
    began = time.monotonic()
    report.cut_off = True
    try:
        async with asyncio.timeout(within_s):
            await _scan(plan, report, progress)
            report.cut_off = False
    except TimeoutError:
        return False
    finally:
        report.took_s = round(time.monotonic() - began, 3)
    return True


def empty(plan: Scan) -> ScanReport:
    """The report of a scan that has not begun."""
    return ScanReport(end=plan.reach.end, protocol=plan.protocol)


async def _scan(plan: Scan, report: ScanReport, progress: Progress) -> None:
    for setting in plan.settings or (None,):
        name = "tcp" if setting is None else str(setting)
        before = len(report.found)
        try:
            await _at(setting, plan, report, progress)
        except LineDownError as exc:
            if _is_gone(plan.reach, report):
                report.lost = str(exc)
                return
            if not report.tried:
                raise
            report.refused.append(name)
            continue
        report.tried.append(name)
        if len(report.found) > before:
            report.setting = setting
            return


def _is_gone(reach: Reach, report: ScanReport) -> bool:
    """Whether a line that failed was pulled out, rather than not able to take a setting."""
    return report.asked > 0 and (reach.serial is None or not facts(reach.serial).exists)


async def _at(setting: Setting | None, plan: Scan, report: ScanReport, progress: Progress) -> None:
    """Everybody at one setting."""
    async with _connected(plan.reach, setting) as (line, shared):
        asker = _Asker(plan, report, progress, setting)
        if plan.protocol == "modbus":
            await asker.units(line)
        else:
            await asker.one(shared)


@asynccontextmanager
async def _connected(reach: Reach, setting: Setting | None) -> AsyncIterator[tuple[Line, HalfDuplex | None]]:
    """The line at a setting, as Modbus sees it and bare."""
    if setting is None:
        host, port = reach.tcp or ("", 0)
        line: Line = TcpLine(host, port, reach.timeout_s)
        shared = None
        where: AnyLine = TcpPlan(host, port)
    else:
        bare = setting.line(reach)
        shared, where = half_duplex(bare, reach.timeout_s), bare
        line = RtuLine(shared)
    await connect(line, where)
    try:
        yield line, shared
    finally:
        line.close()


@dataclass(slots=True)
class _Asker:
    plan: Scan
    report: ScanReport
    progress: Progress
    setting: Setting | None

    @property
    def name(self) -> str:
        return "tcp" if self.setting is None else str(self.setting)

    async def units(self, line: Line) -> None:
        """Every unit one question: register 0, which may be refused but must be answered."""
        for unit in self.plan.units:
            self.progress(self.report.asked, self.plan.questions, f"{self.name}, unit {unit}")
            if not line.connected:
                await line.connect()
            await self._unit(line, unit)
            self.report.asked += 1

    async def _unit(self, line: Line, unit: int) -> None:
        began = time.monotonic()
        try:
            data = await line.transact(Call.of(frames.Read(unit, frames.READ_HOLDING, 0, 1)))
            said = f"holding 0x0000 is {int.from_bytes(data, 'big')}"
        except frames.ExceptionAnswerError as exc:
            if exc.code in (frames.Refusal.NO_PATH, frames.Refusal.NO_TARGET):
                return
            said = f"refuses holding 0x0000 (exception {exc.code})"
        except NoAnswerError:
            return
        except GarbledError:
            self._garbled()
            return
        await self._found(line, Named(profile="", unit=unit), f"unit {unit}", said, time.monotonic() - began)

    async def one(self, line: HalfDuplex | None) -> None:
        """The only meter or sensor on a line says its address."""
        if line is None:
            return
        self.progress(self.report.asked, self.plan.questions, self.name)
        began = time.monotonic()
        try:
            address = await carry(_FINDERS[self.plan.protocol](), lambda ask: line.exchange(ask, "anyone", "anyone"))
        except NoAnswerError:
            return
        except (GarbledError, FrameError):
            self._garbled()
            return
        finally:
            self.report.asked += 1
        named = Named(profile="", address=address)
        await self._found(line, named, address, "said its address", time.monotonic() - began)

    async def _found(self, line: Line | HalfDuplex, who: Named, address: str, said: str, took_s: float) -> None:
        found = Found(address=address, unit=who.unit, setting=self.name, said=said, took_s=round(took_s, 4))
        self.report.found.append(found)
        if not self.plan.try_profiles:
            return
        reach = self.plan.reach
        if self.setting is not None:
            reach = replace(reach, baud=self.setting.baud, parity=self.setting.parity, stop=self.setting.stop)
        which = await fits(line, reach, self.plan.protocol, who)
        self.report.found[-1] = replace(found, fits=tuple(which))

    def _garbled(self) -> None:
        if self.name not in self.report.garbled:
            self.report.garbled.append(self.name)


def not_tried(plan: Scan, report: ScanReport) -> list[str]:
    """What the scan says nothing about."""
    told = []
    done = {*report.tried, *report.refused}
    left = [str(setting) for setting in plan.settings if str(setting) not in done]
    if report.cut_off:
        told.append(f"it ended after {report.asked} of {plan.questions} questions")
    if report.lost:
        told.append(f"after {report.asked} of {plan.questions} questions the line was gone: {report.lost}")
    if report.refused:
        told.append(f"settings {', '.join(report.refused)}, which the port can't take")
    if left:
        told.append(f"settings {', '.join(left)}")
    if plan.protocol == "modbus":
        told.append(f"units other than {spans(plan.units)}; devices that ignore a read of holding register 0")
    else:
        told.append("several devices on one line: they answer at once, and none can be told")
    if plan.settings:
        told.append("other rates, parities and stop bits; other protocols (--protocol)")
    return told


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
