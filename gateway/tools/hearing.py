"""Listen until devices that report of their own accord have done so once.

Their reports are not acknowledged: this is not the centre, and a data logger deletes what has been acknowledged. It
will send them again.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.compiled import FieldDevicePlan, ListenPlan, PushedPlan
from edge_agent.drivers.contract import Event, Refused, Report
from edge_agent.fields import FieldDecoder
from edge_agent.lines.feeds import CallFeed
from edge_agent.lines.line import LineDownError
from edge_agent.lines.trace import Trace, Way
from edge_agent.lines.wire import Ears
from edge_agent.opened import wire
from edge_agent.scale import Readings
from gateway.tools.ports import cant_listen, explained, in_use
from telemetry.clock import Clock

ANYONE: Final = "*"
_MOST_NOTES: Final = 5
Bytes = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The first report of a device; ``sent`` says which of its series were in it."""

    readings: Readings
    sent: tuple[bool, ...]
    kind: str
    after_s: float


class Hearing:
    """One listening on a line or port; nothing is answered."""

    def __init__(self, plan: PushedPlan, clock: Clock, trace: Trace | None = None) -> None:
        self._plan, self._clock, self._trace = plan, clock, trace
        self._devices = {device.address: device for device in plan.devices}
        self._decoders = {device.name: FieldDecoder(device.columns) for device in plan.devices}
        self._found: dict[str, Heard] = {}
        self._notes: dict[str, None] = {}
        self._trouble = ""
        self._began = 0.0
        self._waited_s = 0.0
        self._over = asyncio.Event()

    async def until_all(self, wait_s: float) -> dict[str, Heard]:
        """The first report of each device by name, as far as they came within ``wait_s`` real seconds."""
        self._began = time.monotonic()
        try:
            async with asyncio.timeout(wait_s):
                await self._listen()
        except TimeoutError:
            self._waited_s = wait_s
        return self._found

    def said(self) -> str:
        """Why a device was not heard, and what was heard instead."""
        silence = self._trouble or f"no report within {self._waited_s:g} s"
        return "; ".join((silence, *self._notes))

    async def _listen(self) -> None:
        line = self._plan.line
        if isinstance(line, ListenPlan):
            if problem := cant_listen(line.host, line.port):
                self._trouble = problem
                return
            async with asyncio.TaskGroup() as tasks:
                feed = tasks.create_task(CallFeed(line, 3600.0).run(lambda _, __: self._session()), name="feed")
                await self._over.wait()
                feed.cancel()
            return
        way = wire(line)
        if problem := in_use(line):
            self._trouble = problem
            return
        try:
            await way.open(Ears(self._session(), self._lost), self._plan.timeout_s)
            await self._over.wait()
        except LineDownError as exc:
            self._trouble = explained(line, str(exc))
        finally:
            way.close()

    def _lost(self, reason: str) -> None:
        self._trouble = reason
        self._over.set()

    def _session(self) -> Bytes:
        """Who hears what one connection brings."""
        session = self._plan.protocol.session(self._plan.secret)

        def heard(data: bytes) -> None:
            if self._trace is not None:
                self._trace(Way.IN, data)
            for event in session.receive(data, self._clock.now_ns()):
                self._take(event)

        return heard

    def _take(self, event: Event) -> None:
        if isinstance(event, Report):
            device = self._devices.get(event.address) or self._devices.get(ANYONE)
            if device is None:
                self._note(f"heard {event.address!r} ({event.kind}), which was not asked for")
            else:
                self._report(device, event)
        elif isinstance(event, Refused):
            self._note(f"refused a frame: {event.reason}")

    def _report(self, device: FieldDevicePlan, report: Report) -> None:
        decoder = self._decoders[device.name]
        sent = decoder.sent(report.numbers)
        if device.name in self._found or not sent.any():
            return
        after_s = round(time.monotonic() - self._began, 3)
        readings = decoder.decode(report.numbers)
        self._found[device.name] = Heard(
            readings=readings, sent=tuple(sent.tolist()), kind=report.kind, after_s=after_s
        )
        if len(self._found) == len(self._plan.devices):
            self._over.set()

    def _note(self, text: str) -> None:
        if len(self._notes) < _MOST_NOTES:
            self._notes[text] = None
