"""What a device of another protocol than Modbus says of itself, where its protocol has a question for that."""

from collections.abc import Mapping
from typing import Final

import structlog

from edge_agent.compiled import FieldDevicePlan
from edge_agent.drivers.contract import Ask, FrameError, Identified, Nameplate
from edge_agent.likeness import differences
from edge_agent.lines.conversation import carry
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import LineError
from edge_agent.plan import LineCost
from telemetry.plain import plain

_log = structlog.get_logger(__name__)
_LONGEST: Final = 64
"""Bytes that such an answer has about."""
_TRIES: Final = 2
DIFFERS: Final = "differs"
"""The attribute that says in which the device is not the one of its profile."""
_MOST: Final = 300
"""Characters of it."""


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
        self._tries = self._asks = 0
        self._fields = tuple(dict.fromkeys(column.field for column in plan.columns))

    def begin(self, *, anew: bool) -> None:
        """Ask from now on; after two failures only ``anew``."""
        self._tries = 0 if anew else self._tries
        self.pending = self._tries < _TRIES

    async def step(self) -> float:
        """The conversation; the seconds of the line that it took. Never raises what a device may do."""
        self._tries, self._asks = self._tries + 1, 0
        try:
            plate = await carry(self._protocol.identify(self._plan.address, self._fields), self._ask)
        except LineError as exc:
            self._failed(exc)
            return self._cost_s * self._asks + self._timeout_s
        except FrameError as exc:
            self._line.counters.garbled += 1
            self._line.spoil()
            self._failed(exc)
            return self._cost_s * self._asks + self._timeout_s
        self._take(plate)
        self.problems, self.pending, self._tries = {}, False, 0
        return self._cost_s * self._asks

    async def read(self) -> None:
        """At once, for a tool."""
        self.begin(anew=True)
        while self.pending:
            await self.step()

    def _take(self, plate: Nameplate) -> None:
        found = {name: plain(text) for name, text in plate.attributes.items() if text}
        if differs := differences(self._plan, plate):
            found[DIFFERS] = plain("; ".join(differs), _MOST)
            if (self.found or {}).get(DIFFERS) != found[DIFFERS]:
                _log.warning("device is not as its profile says", device=self._plan.name, differs=found[DIFFERS])
        self.found = found

    def _failed(self, exc: Exception) -> None:
        """Once more, and then it has nothing to say: told once."""
        self.pending = self._tries < _TRIES
        problems = {"identity": str(exc)}
        if not self.pending and problems != self.problems:
            self.found, self.problems = {}, problems
            _log.warning("device does not say its attributes", device=self._plan.name, **problems)

    async def _ask(self, ask: Ask) -> bytes:
        self._asks += 1
        frame = await self._line.exchange(ask, self._plan.address, self._plan.address, self._plan.pause_s)
        self._line.counters.answers += 1
        return frame
