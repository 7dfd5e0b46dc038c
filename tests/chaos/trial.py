"""One ordeal from its beginning to its verdict: shared by the ten kills of every test run and those of `make chaos`."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.chaos.storm import Aftermath, ordeal
from tests.chaos.verdict import COUNT, findings, missed, read_events, read_record


async def stand_trial(folder: Path, seed: list[int], kills: int, tell: Callable[[str], None]) -> list[str]:
    """Kill each part so many times; everything that is wrong afterwards, a line each."""
    started_s = time.monotonic()
    after = await ordeal(folder, np.random.default_rng(seed), kills, tell)
    events, wrong = await read_events(folder / "state.db")
    wrong += findings(after, events)
    tell(f"{time.monotonic() - started_s:.0f} s, {summary(after)}, {len(events)} events, {len(wrong)} findings")
    return wrong


def summary(after: Aftermath) -> str:
    """What happened, in figures."""
    record = read_record(after.folder / "store.duckdb")
    said = sum(len(device.answers) for device in after.plant.devices)
    gone = [answer.at_ns for device in after.plant.devices for answer in missed(device, record.of(device, COUNT))]
    kills_ns = after.stack.gateway.killed_ns
    ages_s = [min(abs(kill_ns - at_ns) for kill_ns in kills_ns) / 1e9 for at_ns in gone]
    missing = sum(int(np.isnan(record.of(device, COUNT).value).sum()) for device in after.plant.devices)
    return (
        f"{sum(len(part.killed_ns) for part in after.stack.parts)} kills, {said} readings answered, "
        f"{len(gone)} of them not in the spool yet when the gateway was killed, "
        f"at most {max(ages_s, default=0):.2f} s from that, "
        f"{missing} polls MISSING, {len(after.receiver.requests)} deliveries"
    )
