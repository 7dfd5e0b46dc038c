"""How much of its time a line carries what it could: every device as fast as it goes, for a stated time.

The possible is computed from what really went over the line: the characters of requests and answers, the stated
turnaround of a device for each, and the silent interval before the next request (MODBUS over Serial Line V1.02,
2.5.1.1).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from edge_agent.compile.lines import AnyLine
from edge_agent.compiled import AnyDevicePlan, BusPlan, ListenPlan, PolledPlan, SerialPlan, TcpPlan
from edge_agent.lines.line import LineDownError
from edge_agent.lines.trace import Way
from edge_agent.opened import opened
from edge_agent.poll import Pollable
from gateway.tools.ports import connect

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpeed:
    """How one device answered."""

    device: str
    address: str
    polls: int
    failures: int
    last_failure: str | None
    begins_ms: float | None
    """Median from the end of a request to the first bytes of its answer, as this machine sees them."""
    poll_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """What a line carried; ``use`` of the possible, None on TCP where no line limits it."""

    bus: str
    line: str
    took_s: float
    requests: int
    sent_bytes: int
    heard_bytes: int
    turnaround_ms: float
    possible_s: float | None
    use: float | None
    devices: tuple[DeviceSpeed, ...]
    ended: str = ""
    """Why before its time, if so."""


@dataclass(slots=True)
class _Ear:
    """What the wire tells: bytes each way, and when an answer began after its request."""

    sent: int = 0
    heard: int = 0
    requests: int = 0
    began_s: float | None = None
    delays_s: list[float] = field(default_factory=list)

    def __call__(self, way: Way, data: bytes) -> None:
        now_s = time.monotonic()
        if way is Way.OUT:
            self.sent += len(data)
            self.requests += 1
            self.began_s = now_s
            return
        self.heard += len(data)
        if self.began_s is not None:
            self.delays_s.append(now_s - self.began_s)
            self.began_s = None


@dataclass(slots=True)
class _Tally:
    """What one device did so far, in seconds."""

    polls_s: list[float] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def speed(self, plan: AnyDevicePlan) -> DeviceSpeed:
        """For people."""
        return DeviceSpeed(
            device=plan.name,
            address=plan.address,
            polls=len(self.polls_s),
            failures=len(self.failures),
            last_failure=self.failures[-1] if self.failures else None,
            begins_ms=_median_ms(self.delays_s),
            poll_ms=_median_ms(self.polls_s),
        )


async def bench(plan: BusPlan | PolledPlan, for_s: float, turnaround_ms: float, progress: Progress) -> BenchReport:
    """Poll all devices in turn until ``for_s`` real seconds are over; raises LineDownError where there is no line.

    A line that is lost on the way, or a cancellation, ends it early: what was measured is told, and why it ended.
    """
    ear = _Ear()
    line, devices = opened(plan, ear)
    tallies = [_Tally() for _ in devices]
    await connect(line, plan.line)
    began = time.monotonic()
    ended = ""
    try:
        while (passed_s := time.monotonic() - began) < for_s:
            progress(round(passed_s), round(for_s), plan.name)
            for device, tally in zip(devices, tallies, strict=True):
                if not line.connected:
                    await connect(line, plan.line)
                await _poll(device, tally, ear)
    except LineDownError as exc:
        ended = str(exc)
    except asyncio.CancelledError:
        ended = "interrupted"
    finally:
        line.close()
    speeds = tuple(tally.speed(device) for tally, device in zip(tallies, plan.devices, strict=True))
    return replace(_report(plan, ear, time.monotonic() - began, turnaround_ms, speeds), ended=ended)


async def _poll(device: Pollable, tally: _Tally, ear: _Ear) -> None:
    began = time.monotonic()
    poll = await device.poll(time.monotonic_ns())
    tally.polls_s.append(time.monotonic() - began)
    tally.delays_s += ear.delays_s
    ear.delays_s = []
    if poll.failure is not None:
        tally.failures.append(str(poll.failure))


def possible_s(plan: BusPlan | PolledPlan, requests: int, characters: int, turnaround_ms: float) -> float | None:
    """Seconds that a line needs at least for so much; None on TCP."""
    if isinstance(plan.line, TcpPlan):
        return None
    each_s = turnaround_ms / 1000 + plan.line.silence_s
    return characters * plan.line.character_s + requests * each_s


def _report(
    plan: BusPlan | PolledPlan, ear: _Ear, took_s: float, turnaround_ms: float, devices: tuple[DeviceSpeed, ...]
) -> BenchReport:
    least_s = possible_s(plan, ear.requests, ear.sent + ear.heard, turnaround_ms)
    return BenchReport(
        bus=plan.name,
        line=line_words(plan.line),
        took_s=round(took_s, 3),
        requests=ear.requests,
        sent_bytes=ear.sent,
        heard_bytes=ear.heard,
        turnaround_ms=turnaround_ms,
        possible_s=None if least_s is None else round(least_s, 3),
        use=None if least_s is None else round(least_s / took_s, 4),
        devices=devices,
    )


def line_words(line: AnyLine) -> str:
    """A line for people: ``/dev/ttyUSB0 9600 8N1``."""
    if isinstance(line, TcpPlan | ListenPlan):
        return f"{line.host}:{line.port}"
    where = line.port if isinstance(line, SerialPlan) else f"{line.host}:{line.port}"
    return f"{where} {line.baud} {line.data}{line.parity}{line.stop}"


def _median_ms(seconds: list[float]) -> float | None:
    return round(float(np.median(seconds)) * 1000, 2) if seconds else None
