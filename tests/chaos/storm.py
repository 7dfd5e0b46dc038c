"""Kills at random moments, each part in turn, while every detector tells of one leak; then quiet, then the verdict."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.chaos.devices import Device, Plant, plant
from tests.chaos.processes import Stack, stack, until
from tests.unit.centre_receiver import Receiver, receiving

BUSES, UNITS = 3, 16
THINKS_S = 0.03
"""What the receiver takes for an answer: long enough to be killed meanwhile."""
FLOWS_SHARE = 0.5
"""So many of the kills hit a site where rows flow; the others a part whose neighbours are still down or starting."""
MOMENT_S, DOWN_S = 0.8, 1.2
"""A kill comes at most so long after that, or after the last kill; a part is started again at most so much later."""
LEAK_S, STRIKE_S = 0.3, 0.04
"""A leak begins so long before or after a kill; where rows flow, a kill follows the answer that tells of one so soon:
while its row is in the spool, on its way, being committed, judged, recorded, told."""
SETTLED_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What is left to be judged once everything has ended."""

    folder: Path
    plant: Plant
    stack: Stack
    receiver: Receiver
    silent_ns: int
    """When the devices fell silent (UTC)."""
    exits: dict[str, int]
    """Exit codes after SIGTERM."""


async def ordeal(folder: Path, rng: np.random.Generator, kills: int, tell: Callable[[str], None]) -> Aftermath:
    """Run a whole site, kill each part so many times, let it come to rest, stop it."""
    async with receiving() as receiver, plant(BUSES, UNITS) as devices, stack(folder, devices, receiver.url) as site:
        receiver.thinks_s = THINKS_S
        await storm(site, devices, rng, kills, tell)
        silent_ns = await calm(site, devices)
        exits = {"gateway": await site.gateway.stop()}
        await heard(site, receiver, devices)
        exits |= {"centre": await site.centre.stop(), "broker": await site.broker.stop()}
        return Aftermath(folder=folder, plant=devices, stack=site, receiver=receiver, silent_ns=silent_ns, exits=exits)


async def storm(site: Stack, devices: Plant, rng: np.random.Generator, kills: int, tell: Callable[[str], None]) -> None:
    """The kills: each part in turn, at random moments; a part may be killed while those before it are still down."""
    leaks = np.array_split(rng.permutation(devices.devices), len(site.parts) * kills)
    async with asyncio.TaskGroup() as starts:
        for number, leaking in enumerate(leaks):
            part = site.parts[number % len(site.parts)]
            if rng.random() < FLOWS_SHARE:
                await site.flows()
                await asyncio.sleep(rng.uniform(0.0, MOMENT_S))
                await strike(leaking, rng)
            else:
                await stumble(leaking, rng)
            await part.kill()
            starts.create_task(part.start_after(rng.uniform(0.0, DOWN_S)), name=part.name)
            if part is site.centre:
                tell(f"{number + 1} of {len(leaks)} kills")


async def strike(leaking: Sequence[Device], rng: np.random.Generator) -> None:
    """Wait until a leak has just been told."""
    for device in leaking:
        device.leak()
    async with asyncio.timeout(SETTLED_S):
        for device in leaking:
            await device.told.wait()
    await asyncio.sleep(rng.uniform(0.0, STRIKE_S))


async def stumble(leaking: Sequence[Device], rng: np.random.Generator) -> None:
    """Wait for some moment; a leak begins before or after it."""
    moment_s = rng.uniform(0.0, MOMENT_S)
    for device in leaking:
        begin_s = max(0.0, moment_s + rng.uniform(-LEAK_S, LEAK_S))
        asyncio.get_running_loop().call_later(begin_s, device.leak)
    await asyncio.sleep(moment_s)


async def calm(site: Stack, devices: Plant) -> int:
    """Let every leak be told, silence the devices, and wait until the centre has all that they said; since when."""
    await site.flows()
    await until(lambda: told(devices), SETTLED_S)
    devices.close()
    silent_ns = devices.spoke_ns
    await site.delivered(silent_ns)
    return silent_ns


async def told(devices: Plant) -> bool:
    """Whether every leak has been told to its end."""
    return all(device.is_sealed for device in devices.devices)


async def heard(site: Stack, receiver: Receiver, devices: Plant) -> None:
    """Wait until the receiver knows of all that must be told, or in vain: then the verdict says what is missing."""

    def known() -> bool:
        return {request.json["alarm"]["subject"] for request in receiver.requests} >= stations

    stations = {device.station for device in devices.devices if not all(map(site.may_take, device.leaking))}
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_S), receiver.arrived:
            await receiver.arrived.wait_for(known)
        await until(site.idle)
