"""What a device of another protocol than Modbus says of itself, where its protocol has a question for that."""

from collections.abc import Mapping
from typing import Final

import structlog

from edge_agent.compiled import FieldDevicePlan
from edge_agent.drivers.contract import Ask, FrameError, Identified
from edge_agent.lines.conversation import carry
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import LineError
from edge_agent.plan import LineCost
from telemetry.plain import plain

_log = structlog.get_logger(__name__)
_LONGEST: Final = 64
"""Bytes that such an answer has about."""
_TRIES: Final = 2


class Identity:
    """As ``Attributes``: one conversation."""

    def __init__(
        self, plan: FieldDevicePlan, protocol: Identified, line: HalfDuplex, cost: LineCost, timeout_s: float
    ) -> None:
        self.found: Mapping[str, str] | None = None
        self.problems: Mapping[str, str] = {}
        self.pending = False
        self._plan, self._protocol, self._line = plan, protocol, line
        self._cost_s, self._timeout_s = cost.request_s + _LONGEST * cost.byte_s + plan.pause_s, timeout_s
        self._tries = 0

    def begin(self, *, anew: bool) -> None:
        """Ask from now on; after two failures only ``anew``."""
        self._tries = 0 if anew else self._tries
        self.pending = self._tries < _TRIES

    async def step(self) -> float:
        """The conversation; the seconds of the line that it took. Never raises what a device may do."""
        self._tries += 1
        try:
            said = await carry(self._protocol.identify(self._plan.address), self._ask)
        except LineError as exc:
            self._failed(exc)
            return self._cost_s + self._timeout_s
        except FrameError as exc:
            self._line.counters.garbled += 1
            self._line.spoil()
            self._failed(exc)
            return self._cost_s + self._timeout_s
        self.found = {name: plain(text) for name, text in said.items() if text}
        self.problems, self.pending, self._tries = {}, False, 0
        return self._cost_s

    async def read(self) -> None:
        """At once, for a tool."""
        self.begin(anew=True)
        while self.pending:
            await self.step()

    def _failed(self, exc: Exception) -> None:
        """Once more, and then it has nothing to say: told once."""
        self.pending = self._tries < _TRIES
        problems = {"identity": str(exc)}
        if not self.pending and problems != self.problems:
            self.found, self.problems = {}, problems
            _log.warning("device does not say its attributes", device=self._plan.name, **problems)

    async def _ask(self, ask: Ask) -> bytes:
        frame = await self._line.exchange(ask, self._plan.address, self._plan.address, self._plan.pause_s)
        self._line.counters.answers += 1
        return frame
