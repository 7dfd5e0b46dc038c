"""One device being polled: its requests, what it refuses, and how it is."""

from typing import Final

import structlog

from edge_agent.compiled import DevicePlan
from edge_agent.decode import Answer, decoder
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus.driver import Call, Line
from edge_agent.drivers.modbus.frames import ExceptionAnswerError, Refusal
from edge_agent.lines.line import GarbledError, LineDownError, LineError, NoAnswerError
from edge_agent.plan import LineCost, Span, halves, merge
from edge_agent.poll import Poll
from telemetry.clock import MINUTE_NS
from telemetry.quality import Cause

_log = structlog.get_logger(__name__)
_CUT: Final = (Refusal.ADDRESS, Refusal.VALUE)
_UNREACHED: Final = (Refusal.NO_PATH, Refusal.NO_TARGET)
Failure = LineError | FrameError
_REMEMBER_NS: Final = 10 * MINUTE_NS
"""After this a device is asked again for what it refused: it may have been set up, or have had a bad moment."""


class Device:
    """A device's requests, compiled; they change only when the device refuses some of them (P2)."""

    def __init__(self, plan: DevicePlan, cost: LineCost, line: Line, bus: str = "") -> None:
        self.plan, self._line = plan, line
        self._log = _log.bind(bus=bus, device=plan.name, unit=plan.unit)
        wanted = [column.span for column in plan.columns]
        self._wanted = tuple(sorted({*wanted, *(gate.column.span for gate in plan.gates)}))
        self._whole = merge(self._wanted, cost, plan.limits)
        self._settled_until_ns: int | None = None
        self._first = 0
        self._answered_on = -1
        self._use(self._whole)

    @property
    def refused(self) -> tuple[Span, ...]:
        """What the device has refused to give, as far as it is remembered."""
        return tuple(span for span in self._wanted if not any(block.covers(span) for block in self._blocks))

    @property
    def longest(self) -> int:
        """Bytes of its longest answer."""
        return max(call.ask.longest for call in map(self._call, self._whole))

    async def poll(self, due_ns: int) -> Poll:
        """Ask for everything; a failure costs the registers that it touches and no others."""
        if not self._is_settled(due_ns):
            self._settled_until_ns = None
            if self._blocks is not self._whole:
                self._use(self._whole)
        poll = await self._everything(due_ns)
        self._first = 0 if poll.readings is not None else self._first + 1
        return poll

    def _is_settled(self, now_ns: int) -> bool:
        return self._settled_until_ns is not None and 0 < self._settled_until_ns - now_ns <= _REMEMBER_NS

    async def _everything(self, due_ns: int) -> Poll:
        """One poll. After one that brought nothing it is a probe: it begins with another request each time, and one
        that brings no answer ends it, so that a unit in trouble costs the others no whole poll (P1)."""
        answers: list[Answer] = [Cause.COMMS] * len(self._blocks)
        failure: Failure | None = None
        for turn in range(len(answers)):
            at = (self._first + turn) % len(answers)
            try:
                answers[at] = await self._ask(self._calls[at])
            except ExceptionAnswerError as exc:
                if exc.code in _CUT and self._settled_until_ns is None:
                    return await self._learn(due_ns)
                failure = failure or FrameError(f"{exc}, asked for {self._blocks[at]}")
                answers[at] = _cause(exc)
            except GarbledError as exc:
                failure = failure or GarbledError(f"{exc}, asked for {self._blocks[at]}")
                if self._first and not any(isinstance(answer, bytes) for answer in answers):
                    break
            except (NoAnswerError, LineDownError) as exc:
                failure = failure or exc
                break
        return self._result(answers, failure)

    async def _ask(self, call: Call) -> bytes:
        """The data of an answer. A line that has brought one and is gone by now is opened again at once: there are
        converters that hang up after each answer, and firewalls that forget who was silent for a minute."""
        try:
            return await self._answer(call)
        except LineDownError:
            if self._answered_on != self._line.counters.connects:
                raise
        await self._line.connect()
        return await self._answer(call)

    async def _answer(self, call: Call) -> bytes:
        opened = self._line.counters.connects
        try:
            data = await self._line.transact(call)
        except ExceptionAnswerError:
            self._answered_on = opened
            raise
        self._answered_on = opened
        return data

    def _result(self, answers: list[Answer], failure: Failure | None) -> Poll:
        if isinstance(failure, LineError) and not any(isinstance(answer, bytes) for answer in answers):
            return Poll(None, failure)
        return Poll(self._decoder.decode(answers), failure or self._lacking)

    async def _learn(self, due_ns: int) -> Poll:
        """Find out what exactly is refused by halving, and keep the rest; remember it for a while if all of it came."""
        found: list[tuple[Span, bytes | Failure]] = []
        for block in self._whole:
            await self._narrow(block, found)
        failures = [what for _, what in found if not isinstance(what, bytes)]
        if not any(isinstance(what, LineError) for what in failures):
            self._settled_until_ns = due_ns + _REMEMBER_NS
        if not found:
            return self._result([Cause.DEVICE] * len(self._blocks), ExceptionAnswerError(Refusal.ADDRESS))
        self._use(tuple(span for span, _ in found))
        self._log.warning("device refuses registers", state=str(self._lacking))
        answers = [what if isinstance(what, bytes) else _cause(what) for _, what in found]
        return self._result(answers, failures[0] if failures else None)

    async def _narrow(self, span: Span, found: list[tuple[Span, bytes | Failure]]) -> None:
        """Add what came of a span, in parts where it was refused; nothing for a part that can't be cut."""
        if found and isinstance(found[-1][1], NoAnswerError | LineDownError):
            found.append((span, found[-1][1]))
            return
        try:
            found.append((span, await self._ask(self._call(span))))
        except ExceptionAnswerError as exc:
            if exc.code not in _CUT:
                found.append((span, exc))
                return
            for part in halves(span, self._wanted):
                await self._narrow(part, found)
        except LineError as exc:
            found.append((span, exc))

    def _use(self, blocks: tuple[Span, ...]) -> None:
        self._blocks = blocks
        self._calls = tuple(self._call(block) for block in blocks)
        self._decoder = decoder(blocks, self.plan.columns, self.plan.gates)
        refused = ", ".join(map(str, self.refused))
        self._lacking = FrameError(f"refuses {refused}") if refused else None

    def _call(self, span: Span) -> Call:
        return Call.of(span.request(self.plan.unit), self.plan.pause_s)


def _cause(exc: Failure) -> Cause:
    """A device that refuses speaks for itself; a converter that can't reach it does not."""
    refused = isinstance(exc, ExceptionAnswerError) and exc.code not in _UNREACHED
    return Cause.DEVICE if refused else Cause.COMMS
