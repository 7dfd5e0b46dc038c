"""Both clocks: a drill gives the same rows whatever its speed, and a machine whose clock is set goes on polling."""

import asyncio
import itertools

import numpy as np

from edge_agent.acquisition import Acquisition
from telemetry.batch import Batch
from telemetry.clock import HOUR_NS, SECOND_NS, LockstepClock, SystemClock
from telemetry.quality import Cause

START_NS = 1_700_000_000 * SECOND_NS


async def drill(plans, until_s: int) -> list[Batch]:
    """Poll in lock step for some seconds of data time."""
    clock = LockstepClock(START_NS)
    batches: list[Batch] = []
    task = asyncio.create_task(Acquisition("test/gw", plans, clock, batches.append, seed=3).run())
    await clock.run(START_NS + until_s * SECOND_NS - 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return batches


def text(port: int, name: str, timeout_s: float = 2.0) -> str:
    return (
        f"buses:\n  - {{name: one, tcp: {{host: 127.0.0.1, port: {port}}}, timeout_s: {timeout_s}, devices: [\n"
        f"    {{name: d1, profile: {name}, unit: 1, station: s1, period_s: 1}},\n"
        f"    {{name: d2, profile: {name}, unit: 2, station: s2, period_s: 10}}]}}\n"
    )


async def test_in_lock_step_every_moment_is_its_due_moment(pymodbus_tcp, profile, plans):
    _, port = await pymodbus_tcp(1, 2)
    buses = plans(text(port, profile(("a", "holding 5 u16"))))
    batches = await drill(buses, 120)
    for device, rows, value in zip(buses[0].devices, (120, 12), (105, 205), strict=True):
        times = np.concatenate([batch.time_ns[batch.series == device.ids[0]] for batch in batches])
        values = np.concatenate([batch.value[batch.series == device.ids[0]] for batch in batches])
        assert len(times) == rows
        assert set(values) == {value}
        assert set(np.diff(times)) == {device.period_ns}
        assert (times % device.period_ns == device.phase_ns).all()


async def test_a_drill_with_a_dead_unit_records_the_same_twice(tcp_peer, profile, plans):
    """Probes and backoff run in data time, so what is recorded does not depend on how fast the drill runs."""
    turn = itertools.count()

    def script(request: bytes):
        dead = request[6] == 2 and next(turn) < 2
        return [] if dead else [(0, request[:4] + b"\x00\x05" + request[6:7] + b"\x03\x02\x00\x07")]

    runs = []
    for _ in range(2):
        turn = itertools.count()
        batches = await drill(plans(text(await tcp_peer(script), profile(("a", "holding 5 u16")), 0.3)), 300)
        runs.append([(int(b.time_ns[0]), *b.value.tolist(), *b.cause.tolist()) for b in batches])
    np.testing.assert_equal(runs[0], runs[1])
    causes = [row[-1] for row in runs[0]]
    assert Cause.COMMS in causes
    assert causes[-1] == 0


class Jumpy(SystemClock):
    """A clock whose owner sets it."""

    def __init__(self) -> None:
        self.shift_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.shift_ns


async def test_a_clock_set_back_by_hours_does_not_stop_the_polls(pymodbus_tcp, profile, plans, polling):
    """P7: a gateway without a battery clock starts in the future, and time is set later."""
    _, port = await pymodbus_tcp(1, 2)
    clock = Jumpy()
    buses = plans(text(port, profile(("a", "holding 5 u16"))).replace("period_s: 1}", "period_s: 0.1}"))
    async with polling(buses, clock) as (_, sink):
        await sink.until(lambda got: len(got) >= 1)
        clock.shift_ns = -5 * HOUR_NS
        many = len(sink.batches) + 5
        await sink.until(lambda got: len(got) >= many)


async def test_a_clock_set_forward_by_years_makes_no_flood_of_rows(pymodbus_tcp, profile, plans, polling):
    _, port = await pymodbus_tcp(1, 2)
    clock = Jumpy()
    clock.shift_ns = -10 * 365 * 24 * HOUR_NS
    buses = plans(text(port, profile(("a", "holding 5 u16"))).replace("period_s: 1}", "period_s: 0.1}"))
    async with polling(buses, clock) as (_, sink):
        await sink.until(lambda got: len(got) >= 1)
        clock.shift_ns = 0
        many = len(sink.batches) + 3
        batches = await sink.until(lambda got: len(got) >= many)
    assert sum(map(len, batches)) < 250
    assert batches[-1].value[-1] in (105, 205)
