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
        self._use(self._whole)

    @property
    def refused(self) -> tuple[Span, ...]:
        """What the device has refused to give, as far as it is remembered."""
        return tuple(span for span in self._wanted if not any(block.covers(span) for block in self._blocks))

    async def poll(self, due_ns: int) -> Poll:
        """Ask for everything; a failure costs the registers that it touches and no others."""
        if self._settled_until_ns is not None and not 0 < self._settled_until_ns - due_ns <= _REMEMBER_NS:
            self._use(self._whole)
            self._settled_until_ns = None
        answers: list[Answer] = []
        failure: LineError | FrameError | None = None
        for block, call in zip(self._blocks, self._calls, strict=True):
            try:
                answers.append(await self._line.transact(call))
            except ExceptionAnswerError as exc:
                if exc.code in _CUT and self._settled_until_ns is None:
                    return await self._learn(due_ns)
                failure = failure or FrameError(f"{exc}, asked for {block}")
                answers.append(_cause(exc))
            except GarbledError as exc:
                failure = failure or GarbledError(f"{exc}, asked for {block}")
                answers.append(Cause.COMMS)
            except (NoAnswerError, LineDownError) as exc:
                failure = failure or exc
                break
        return self._result(answers, failure)

    def _result(self, answers: list[Answer], failure: LineError | FrameError | None) -> Poll:
        if isinstance(failure, LineError) and not any(isinstance(answer, bytes) for answer in answers):
            return Poll(None, failure)
        lost: list[Answer] = [Cause.COMMS] * (len(self._blocks) - len(answers))
        return Poll(self._decoder.decode(answers + lost), failure or self._lacking)

    async def _learn(self, due_ns: int) -> Poll:
        """Find out what exactly is refused by halving, keep the rest, and remember it for a while."""
        found: list[tuple[Span, bytes]] = []
        try:
            for block in self._whole:
                found += await self._narrow(block)
        except (LineError, ExceptionAnswerError) as exc:
            return self._result([_cause(exc)] * len(self._blocks), exc)
        self._settled_until_ns = due_ns + _REMEMBER_NS
        if not found:
            return self._result([Cause.DEVICE] * len(self._blocks), ExceptionAnswerError(Refusal.ADDRESS))
        self._use(tuple(span for span, _ in found))
        self._log.warning("device refuses registers", state=str(self._lacking))
        return self._result([data for _, data in found], None)

    async def _narrow(self, span: Span) -> list[tuple[Span, bytes]]:
        try:
            return [(span, await self._line.transact(self._call(span)))]
        except ExceptionAnswerError as exc:
            if exc.code not in _CUT:
                raise
            parts = halves(span, self._wanted)
        return [found for part in parts for found in await self._narrow(part)]

    def _use(self, blocks: tuple[Span, ...]) -> None:
        self._blocks = blocks
        self._calls = tuple(self._call(block) for block in blocks)
        self._decoder = decoder(blocks, self.plan.columns, self.plan.gates)
        refused = ", ".join(map(str, self.refused))
        self._lacking = FrameError(f"refuses {refused}") if refused else None

    def _call(self, span: Span) -> Call:
        return Call.of(span.request(self.plan.unit), self.plan.pause_s)


def _cause(exc: LineError | ExceptionAnswerError) -> Cause:
    """A device that refuses speaks for itself; a converter that can't reach it does not."""
    refused = isinstance(exc, ExceptionAnswerError) and exc.code not in _UNREACHED
    return Cause.DEVICE if refused else Cause.COMMS
