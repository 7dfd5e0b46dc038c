"""Simulated devices that send of their own accord.

They hold data time until what they sent was taken, so that a drill in lock step plays the same however fast it runs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import structlog

from device_profiles.field_model import FieldPoint
from simulators import faults
from simulators.bench import SLOW, STRANGE, Bench, spoilt
from simulators.field_twin import FieldTwin, FieldUnit
from simulators.talk.contract import Due, Message, Sending, stranger
from simulators.ways import Way
from telemetry.clock import SECOND_NS

_log: Final = structlog.get_logger()
_TRIES: Final = 3


@asynccontextmanager
async def speaking(
    bench: Bench, talk: Sending, twins: Mapping[str, FieldTwin], way: Callable[[], Way], secret: str | None
) -> AsyncIterator[None]:
    """Every device speaks at its moments for the length of a block."""
    async with asyncio.TaskGroup() as tasks:
        speakers = [Speaker(bench, talk, twin, way(), Words(secret, twins)) for twin in twins.values()]
        owned = [tasks.create_task(one.run(), name=f"simulated {one.device}") for one in speakers]
        await asyncio.sleep(0)  # now each waits for its first moment, before data time can pass it
        yield
        for task in owned:
            task.cancel()


class Words(NamedTuple):
    """What the devices of a line share in what they say: a password, and whose addresses are taken."""

    secret: str | None
    addresses: Collection[str]


class Speaker:
    """One device that sends of its own accord: each of its reports at the end of its period."""

    def __init__(self, bench: Bench, talk: Sending, twin: FieldTwin, way: Way, words: Words) -> None:
        self._bench, self._talk, self._twin, self._way, self._words = bench, talk, twin, way, words
        self._reports = _reports(talk, twin.unit)
        self.device = twin.unit.device

    async def run(self) -> None:
        """Speak until cancelled."""
        clock = self._bench.clock
        try:
            while True:
                now_ns = clock.now_ns()
                due = [(_next(now_ns, period_ns), kind) for kind, (_, period_ns) in self._reports.items()]
                time_ns = min(due)[0]
                while clock.now_ns() < time_ns:
                    await clock.sleep_until(time_ns)
                for moment_ns, kind in due:
                    if moment_ns == time_ns:
                        points, period_ns = self._reports[kind]
                        await self._report(Due(kind, points, time_ns, period_ns))
        finally:
            self._way.close()

    async def _report(self, due: Due) -> None:
        kind = self._bench.broken(self.device, due.time_ns)
        unit = self._twin.unit
        address = stranger(unit.address, self._words.addresses) if kind == STRANGE else unit.address
        if kind == "dead" or address is None:
            return
        if kind == SLOW:
            await asyncio.sleep(faults.SLOW)
        try:
            messages = list(self._talk.messages(due, address, self._twin, self._words.secret))
        except ValueError as exc:
            _log.warning("simulated value does not fit", device=self.device, reason=str(exc))
            return
        for message in messages:
            await self._deliver(message if kind != STRANGE else message._replace(confirmed=None), kind)

    async def _deliver(self, message: Message, kind: str | None) -> None:
        """Send a message, and again while nobody confirms it; nobody will when it was spoilt, or is a stranger's."""
        for _ in range(_TRIES):
            data = spoilt(self._bench, message.data, kind)
            is_sound = data == message.data
            was_taken = await self._way.deliver(message if is_sound else message._replace(confirmed=None), data)
            if (was_taken and is_sound) or message.confirmed is None:
                return
        _log.warning("simulated report not confirmed", device=self.device)


def _reports(talk: Sending, unit: FieldUnit) -> dict[str, tuple[tuple[FieldPoint, ...], int]]:
    """The reports of a device: the points in each, and its period."""
    found: dict[str, list[FieldPoint]] = {}
    for point in unit.profile.points:
        found.setdefault(talk.kind(point), []).append(point)
    return {kind: (tuple(points), _period_ns(points, unit)) for kind, points in found.items()}


def _period_ns(points: Sequence[FieldPoint], unit: FieldUnit) -> int:
    own = [point.period_s for point in points if point.period_s is not None]
    return round(max(own) * SECOND_NS) if own else unit.period_ns


def _next(now_ns: int, period_ns: int) -> int:
    """The first moment of a period's grid after now."""
    return (now_ns // period_ns + 1) * period_ns
