"""The two clocks: real time for the field, lock step for drills."""

import asyncio
import time

import pytest

from telemetry.clock import SECOND_NS, LockstepClock, SystemClock


async def visits(clock: LockstepClock, name: str, period_s: int, times: int, log: list[tuple[str, int]]) -> None:
    start = clock.now_ns()
    for k in range(1, times + 1):
        await clock.sleep_until(start + k * period_s * SECOND_NS)
        log.append((name, (clock.now_ns() - start) // SECOND_NS))
        await asyncio.sleep(0)  # work that takes real time
        await asyncio.sleep(0.001)
        assert clock.now_ns() == start + k * period_s * SECOND_NS


async def drive(clock: LockstepClock, *participants: "asyncio.Task[None]") -> None:
    driver = asyncio.create_task(clock.run())
    await asyncio.gather(*participants)
    driver.cancel()


@pytest.mark.parametrize("speed", [float("inf"), 2000.0])
async def test_data_time_waits_for_whoever_is_at_work(speed: float) -> None:
    clock, log = LockstepClock(0, speed), []
    await drive(
        clock,
        asyncio.create_task(visits(clock, "a", 2, 3, log)),
        asyncio.create_task(visits(clock, "b", 3, 2, log)),
    )
    assert sorted(log, key=lambda visit: (visit[1], visit[0])) == [("a", 2), ("b", 3), ("a", 4), ("a", 6), ("b", 6)]


async def test_a_hold_stops_data_time_until_it_is_released() -> None:
    clock = LockstepClock(0)
    clock.hold()
    sleeper = asyncio.create_task(clock.sleep_until(SECOND_NS))
    driver = asyncio.create_task(clock.run())
    await asyncio.sleep(0.01)
    assert clock.now_ns() == 0
    clock.release()
    await sleeper
    assert clock.now_ns() == SECOND_NS
    driver.cancel()


async def test_a_sleeper_that_is_cancelled_or_ends_holds_nobody() -> None:
    clock = LockstepClock(0)
    cancelled = asyncio.create_task(clock.sleep_until(SECOND_NS))
    await asyncio.sleep(0)
    cancelled.cancel()
    ends = asyncio.create_task(clock.sleep_until(2 * SECOND_NS))
    last = asyncio.create_task(clock.sleep_until(3 * SECOND_NS))
    await drive(clock, ends, last)
    assert clock.now_ns() == 3 * SECOND_NS


async def test_the_run_ends_at_its_last_moment() -> None:
    clock, log = LockstepClock(0), []
    visitor = asyncio.create_task(visits(clock, "a", 1, 10, log))
    await clock.run(until_ns=4 * SECOND_NS)
    assert [second for _, second in log] == [1, 2, 3, 4]
    visitor.cancel()


def test_more_releases_than_holds_are_a_bug() -> None:
    with pytest.raises(RuntimeError):
        LockstepClock(0).release()


def test_speed_must_be_positive() -> None:
    with pytest.raises(ValueError, match="speed 0"):
        LockstepClock(0, 0)


async def test_the_system_clock_reaches_its_moment() -> None:
    clock = SystemClock()
    target = clock.now_ns() + SECOND_NS // 100
    await clock.sleep_until(target)
    assert time.time_ns() >= target


async def test_a_nap_of_whole_milliseconds_is_not_taken_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """P12: uvloop rounds to milliseconds, so that the last part of one is no time at all."""
    naps, sleep = list[float](), asyncio.sleep

    async def nap(delay_s: float) -> None:
        naps.append(delay_s)
        await sleep(round(delay_s, 3))

    monkeypatch.setattr(asyncio, "sleep", nap)
    clock = SystemClock()
    for part in range(20):
        due_ns = clock.now_ns() + 3_000_000 + 50_000 * part
        await clock.sleep_until(due_ns)
        assert clock.now_ns() >= due_ns
    assert len(naps) <= 2 * 20
    assert min(naps) >= 0.001
