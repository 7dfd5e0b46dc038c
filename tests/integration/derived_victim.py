"""A life to be ended: takes in a minute's rows at a time, derives, and goes on where it was.

Data time runs 3600 times as fast as real time since ``t0``, whoever lives, so that a restart finds time gone on.
"""

import asyncio
import time
from pathlib import Path
from typing import NoReturn

import numpy as np

from petrel.commands.output import quiet
from telemetry.clock import MINUTE_NS, SECOND_NS
from tests.integration.lives import say
from tests.unit.derived_centre import START_NS, Place, announcement, identity, series

SPEED = 3600.0
RAIN, LEVEL = series("st-1", "rain", "rain_total", modulus=100.0), series("rv-1", "level", "water_level")
INPUTS = identity("st-1", "rain", "rain_total"), identity("rv-1", "level", "water_level")


def values(minute: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A counter that gains 0.2 mm a minute and starts again at 100 mm, and a level that rises by 0.5 m/h."""
    return np.round((minute * 0.2 + 95.0) % 100.0, 3), minute / 60 * 0.5


def live(folder: Path, t0_ms: int, epoch: int) -> NoReturn:
    """Work until killed."""
    quiet()  # what is said on stdout is for the parent
    asyncio.run(work(folder, t0_ms / 1000, epoch))
    raise AssertionError("works until it is killed")


async def work(folder: Path, t0: float, epoch: int) -> None:
    def now_ns() -> int:
        return START_NS + round((time.time() - t0) * SPEED) * SECOND_NS

    place = Place(folder, announcement(RAIN, LEVEL), epoch=epoch)
    async with place.running(now_ns()):
        while True:
            known = place.store.samples(np.array(INPUTS), 0, 2**62)
            moment = now_ns()
            for at, which in enumerate(INPUTS):
                newest = known.time_ns[known.series == which].max(initial=START_NS - MINUTE_NS)
                minute = np.arange((newest - START_NS) // MINUTE_NS + 1, (moment - START_NS) // MINUTE_NS)
                if len(minute):
                    await place.send(which, START_NS + minute * MINUTE_NS, values(minute)[at])
            await place.tick(moment)
            say("ticked", place.stage.figures.rows)
