"""Everybody who may be on a line at one setting is asked one read-only question, in the way of the line's protocol."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from edge_agent.drivers.cjt188 import driver as cjt188
from edge_agent.drivers.contract import Ask, FrameError
from edge_agent.drivers.dlt645 import driver as dlt645
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call, Line
from edge_agent.drivers.sdi12 import driver as sdi12
from edge_agent.lines.conversation import carry
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import GarbledError, NoAnswerError
from gateway.tools.fits import fits
from gateway.tools.scan_plan import ENDINGS, Found, Progress, Scan, ScanReport
from gateway.tools.target import Named
from gateway.tools.tries import Setting

T = TypeVar("T")
_ANYONE: Final = "anyone"
_MOST_AT_ONCE: Final = 32
_DIGITS: Final = 12
"""Of a meter's address."""


@dataclass(slots=True)
class Asker:
    """Notes in ``report`` who answers."""

    plan: Scan
    report: ScanReport
    progress: Progress
    setting: Setting | None

    @property
    def name(self) -> str:
        """The setting in a few words."""
        return "tcp" if self.setting is None else str(self.setting)

    async def units(self, line: Line) -> None:
        """Modbus: every unit is asked for register 0, which may be refused but must be answered."""
        for unit in self.plan.units:
            self._tell(f"unit {unit}")
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

    async def sensors(self, line: HalfDuplex) -> None:
        """SDI-12: whoever is there (?!), which says little where several are, and then every address (a!)."""
        lone = await self._asked(line, sdi12.find, "", _ANYONE)
        heard: list[str] = []
        for address in self.plan.addresses:
            began = time.monotonic()
            there = await self._asked(line, partial(sdi12.acknowledge, address), f"address {address}", address)
            if there is None:
                heard.append(address)
            elif there:
                said = await self._identity(line, address)
                await self._found(line, Named(profile="", address=address), address, said, time.monotonic() - began)
        if lone and not self.report.found:  # where several are, their answers may look like that of another
            said = "says its address when anyone is asked (?!), and is silent to its own"
            await self._found(line, Named(profile="", address=lone), lone, said, 0.0)
        if self.report.found:
            self.report.unclear += heard
        elif heard or lone is None:
            self._garbled()

    async def _identity(self, line: HalfDuplex, address: str) -> str:
        """What a sensor says of itself (aI!)."""
        try:
            one = await self._carried(line, sdi12.identify(address), address)
        except NoAnswerError:
            return "acknowledges; silent when asked who it is"
        except GarbledError:
            return "acknowledges; garbled when asked who it is: two sensors with this address?"
        return " ".join(f"{one.vendor} {one.model} {one.firmware} {one.extra}, SDI-12 {one.version}".split()).replace(
            " ,", ","
        )

    async def meters(self, line: HalfDuplex) -> None:
        """DL/T 645: whoever is there (13h); where several answer, each by the last digits of its address."""
        began = time.monotonic()
        lone = await self._asked(line, dlt645.find, "", _ANYONE)
        if lone == "":
            return
        endings = list(reversed(ENDINGS)) if lone is None or await self._is_another_heard(line) else []
        if lone:
            await self._meter(line, lone, began)
        while endings:
            ending = endings.pop()
            began = time.monotonic()
            there = await self._asked(line, partial(dlt645.find_ending, ending), f"meters ...{ending}", ending)
            several = there is None or (there != "" and await self._is_another_heard(line))
            if there:
                await self._meter(line, there, began)
            if several and len(ending) < _DIGITS:
                endings += [more + ending for more in reversed(ENDINGS)]
        if lone is None and not self.report.found:
            self._garbled()

    async def _meter(self, line: HalfDuplex, address: str, began: float) -> None:
        if address not in {one.address for one in self.report.found}:
            took_s = time.monotonic() - began
            await self._found(line, Named(profile="", address=address), address, "said its address", took_s)

    async def _is_another_heard(self, line: HalfDuplex) -> bool:
        """Whether more comes where one has answered: somebody slower, who is heard out and so answers nothing else."""
        for times in range(_MOST_AT_ONCE):
            try:
                if not await self._carried(line, dlt645.listen(self.plan.reach.timeout_s), _ANYONE):
                    return times > 0
            except GarbledError:
                continue
        return True

    async def one(self, line: HalfDuplex) -> None:
        """CJ/T 188: the only meter on a line says its address."""
        began = time.monotonic()
        address = await self._asked(line, cjt188.find, "", _ANYONE)
        if address is None:
            self._garbled()
        elif address:
            named = Named(profile="", address=address)
            await self._found(line, named, address, "said its address", time.monotonic() - began)

    async def _asked(
        self, line: HalfDuplex, question: Callable[[], Generator[Ask, bytes, str]], what: str, party: str
    ) -> str | None:
        """What one question brings: an address, nothing for silence, None for what is no answer."""
        self._tell(what)
        try:
            return await self._carried(line, question(), party)
        except NoAnswerError:
            return ""
        except GarbledError:
            return None
        finally:
            self.report.asked += 1

    async def _carried(self, line: HalfDuplex, talk: Generator[Ask, bytes, T], party: str) -> T:
        """What a conversation brings; raises GarbledError for any wrong frame, NoAnswerError and LineDownError."""
        try:
            return await carry(talk, lambda ask: line.exchange(ask, party, party))
        except FrameError as exc:
            line.spoil()
            raise GarbledError(str(exc)) from exc

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

    def _tell(self, what: str) -> None:
        self.progress(self.report.asked, self.plan.questions, f"{self.name}, {what}" if what else self.name)

    def _garbled(self) -> None:
        if self.name not in self.report.garbled:
            self.report.garbled.append(self.name)
