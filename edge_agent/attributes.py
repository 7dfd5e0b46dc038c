"""What a device says of itself, read in as few requests as its points are, and one request at a time.

A refusal is the device's own word and stands until it is asked again; silence is tried once more. Neither says anything
of the device's readings: many devices know some registers, or function 43, and not others.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import structlog

from device_profiles import attribute_text
from device_profiles.attribute import Attribute
from edge_agent.compiled import DevicePlan
from edge_agent.drivers.modbus import identification
from edge_agent.drivers.modbus.driver import Call, Line
from edge_agent.drivers.modbus.frames import ExceptionAnswerError, Refusal
from edge_agent.drivers.modbus.identification import Identify
from edge_agent.lines.line import LineDownError, LineError
from edge_agent.plan import LineCost, Span, halves, merge

_log = structlog.get_logger(__name__)
_CUT: Final = (Refusal.ADDRESS, Refusal.VALUE)
_PASSING: Final = (Refusal.ACKNOWLEDGE, Refusal.BUSY, Refusal.NO_PATH, Refusal.NO_TARGET)
_TRIES: Final = 2
_MOST_PAGES: Final = 8
"""Requests for one identification at most, whatever a device says of more to come."""

Ask = Span | Identify
Named = Mapping[str, Attribute]


class _Failed(NamedTuple):
    """How often a request has brought nothing, and why."""

    times: int
    reason: str


_NEVER: Final = _Failed(0, "")


class Attributes:
    """The attributes of one device. ``found`` is None until everything was asked once."""

    def __init__(self, plan: DevicePlan, cost: LineCost, line: Line, timeout_s: float, bus: str = "") -> None:
        self.found: Mapping[str, str] | None = None
        self.problems: Mapping[str, str] = {}
        """Why others are not there, by name."""
        self._plan, self._cost, self._line, self._timeout_s = plan, cost, line, timeout_s
        self._log = _log.bind(bus=bus, device=plan.name, unit=plan.unit)
        self._attributes: Named = dict(plan.attributes)
        spans = {span(one) for one in self._attributes.values() if one.register is not None}
        self._wanted = tuple(sorted(spans))
        self._failed: dict[Ask, _Failed] = {}
        self._waiting: deque[Ask] = deque()
        self._pages = 0
        self._said: dict[str, str] = {}
        self._why: dict[str, str] = {}

    @property
    def pending(self) -> bool:
        """Whether something is still to be asked."""
        return bool(self._waiting)

    def begin(self, *, anew: bool) -> None:
        """Ask for everything from now on; what was silent twice only ``anew``, as when a day is over."""
        if anew:
            self._failed.clear()
        self._said, self._why, self._pages = {}, {}, 0
        self._waiting.clear()
        asks: list[Ask] = [*merge(self._wanted, self._cost, self._plan.limits), *self._identify()]
        for ask in asks:
            times, reason = self._failed.get(ask, _NEVER)
            if times < _TRIES:
                self._waiting.append(ask)
            else:
                self._fail(ask, reason)
        if not self._waiting:
            self._end()

    async def step(self) -> float:
        """One request; the seconds of the line that it took, by their cost. Never raises what a device may do."""
        ask = self._waiting.popleft()
        call = Call.of(ask if isinstance(ask, Identify) else ask.request(self._plan.unit), self._plan.pause_s)
        took_s = self._cost.request_s + self._cost.byte_s * call.ask.longest + self._plan.pause_s
        try:
            self._take(ask, await self._answer(call))
        except ExceptionAnswerError as exc:
            self._refused(ask, exc)
        except LineError as exc:
            took_s += self._timeout_s
            self._silent(ask, str(exc))
        if not self._waiting:
            self._end()
        return took_s

    async def _answer(self, call: Call) -> bytes:
        """The data of an answer; a line that is down is opened once, for converters that hang up after each."""
        try:
            return await self._line.transact(call)
        except LineDownError:
            await self._line.connect()
        return await self._line.transact(call)

    async def read(self) -> None:
        """Everything at once, for a tool."""
        self.begin(anew=True)
        before = -1
        while self._waiting and (self._line.connected or len(self._said) > before):
            before = len(self._said)
            await self.step()
        while self._waiting:
            self._fail(self._waiting.popleft(), "the line is down")
        self._end()

    def _identify(self, at: int = 0) -> Iterable[Identify]:
        numbers = [one.identification for one in self._attributes.values() if one.identification is not None]
        if numbers and self._pages < _MOST_PAGES:
            self._pages += 1
            yield Identify(self._plan.unit, max(map(identification.category, numbers)), at)

    def _take(self, ask: Ask, data: bytes) -> None:
        self._failed.pop(ask, None)
        if isinstance(ask, Span):
            self._said |= _present(in_registers(self._attributes, ask, data))
            return
        answer = identification.decode_answer(ask, data)
        self._said |= _present(in_objects(self._attributes, answer.objects))
        if answer.following is not None and any(name not in self._said for name in self._names(ask)):
            self._waiting.extendleft(self._identify(answer.following))

    def _refused(self, ask: Ask, exc: ExceptionAnswerError) -> None:
        parts = halves(ask, self._wanted) if isinstance(ask, Span) and exc.code in _CUT else ()
        if parts:
            self._waiting.extendleft(reversed(parts))
        elif exc.code in _PASSING:
            self._silent(ask, str(exc))
        else:
            self._fail(ask, str(exc))

    def _silent(self, ask: Ask, reason: str) -> None:
        """Try again later, but not for ever: what a device answers by hanging up would cost a connection each time."""
        times = self._failed.get(ask, _NEVER).times + 1
        self._failed[ask] = _Failed(times, reason)
        if times < _TRIES:
            self._waiting.append(ask)
        else:
            self._fail(ask, reason)

    def _fail(self, ask: Ask, reason: str) -> None:
        self._why |= dict.fromkeys((name for name in self._names(ask) if name not in self._said), reason)

    def _names(self, ask: Ask) -> list[str]:
        """What an answer holds."""
        if isinstance(ask, Identify):
            return [name for name, one in self._attributes.items() if one.identification is not None]
        return [name for name, one in self._attributes.items() if one.register is not None and ask.covers(span(one))]

    def _end(self) -> None:
        """Everything was asked: what was said counts, and what was not is told once."""
        if self._why and self._why != self.problems:
            self._log.warning("device does not say its attributes", **self._why)
        self.found, self.problems = self._said, self._why


def span(one: Attribute) -> Span:
    """The addresses of an attribute that stands in registers."""
    spot = attribute_text.spot(one.register or "")
    return Span(spot.table, spot.address, spot.count)


def in_registers(attributes: Named, block: Span, data: bytes) -> dict[str, str | None]:
    """What a block of registers (or bits) says; None where an attribute says nothing."""
    return {
        name: attribute_text.decode(one, attribute_text.spot(one.register), _part(block, span(one), data))
        for name, one in attributes.items()
        if one.register is not None and block.covers(span(one))
    }


def in_objects(attributes: Named, objects: Mapping[int, bytes]) -> dict[str, str | None]:
    """What the objects of an identification say."""
    return {
        name: attribute_text.text_of(one, objects[one.identification])
        for name, one in attributes.items()
        if one.identification is not None and one.identification in objects
    }


def _part(block: Span, part: Span, data: bytes) -> bytes:
    """The data of a part of a block; of bits one byte, the bit in its lowest place."""
    first = part.address - block.address
    if block.table.is_bits:
        return bytes((data[first // 8] >> first % 8 & 1,))
    return data[2 * first : 2 * (first + part.count)]


def _present(said: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in said.items() if text is not None}
