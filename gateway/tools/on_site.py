"""What works at this place and what does not: the machine, the ports, and each device read once."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from edge_agent.compiled import AnyBusPlan, BusPlan, PolledPlan, PushedPlan, SerialPlan
from gateway.settings import GatewayPlan
from gateway.spool import holder
from gateway.status import read_status
from gateway.timekeeping import LinuxMachine
from gateway.tools import load, machine, ports
from gateway.tools.look import Look, State
from gateway.tools.reading import DeviceReading, read_bus
from telemetry.clock import SECOND_NS

_OK: Final = "ok"
_NOT_YET: Final = ("not polled yet", "not heard yet")
_SHOWN: Final = 3
"""Values of a device that are told; the rest is counted."""
Progress = Callable[[int, int, str], None]


async def on_site(plan: GatewayPlan, wait_s: float, progress: Progress) -> list[Look]:
    """Everything that can be seen here; while a gateway runs, its devices are its own and it is asked about them."""
    running = holder(plan.spool_dir)
    looks = [machine.clock(LinuxMachine()), *machine.disk(plan.spool_dir)]
    if running is not None:
        looks += [Look(what="gateway", state=State.OK, says=f"running, process {running}"), *_own_word(plan)]
    else:
        looks += await _buses(plan.buses, wait_s, progress)
    return looks


async def _buses(buses: Sequence[AnyBusPlan], wait_s: float, progress: Progress) -> list[Look]:
    """All buses at the same time: they are lines of their own."""
    done = 0

    async def one(bus: AnyBusPlan) -> list[Look]:
        nonlocal done
        found = await _bus(bus, wait_s)
        done += 1
        progress(done, len(buses), bus.name)
        return found

    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(one(bus), name=f"bus {bus.name}") for bus in buses]
    return [look for task in found for look in task.result()]


async def _bus(bus: AnyBusPlan, wait_s: float) -> list[Look]:
    looks: list[Look] = []
    if isinstance(bus.line, SerialPlan):
        looks += ports.facts(bus.line.port).looks()
    readings = await read_bus(bus, wait_s=wait_s)
    looks += [_device(bus, reading, wait_s) for reading in readings]
    if isinstance(bus, PolledPlan):
        share = sum(
            reading.took_s * SECOND_NS / device.period_ns for reading, device in zip(readings, bus.devices, strict=True)
        )
        looks.append(load.judged(bus.name, share, ", as measured now"))
    return looks


def _device(bus: AnyBusPlan, reading: DeviceReading, wait_s: float) -> Look:
    what = f"device {reading.device}"
    if reading.problem is None:
        return Look(what=what, state=State.OK, says=f"{_values(reading)}, {reading.took_s * 1000:.0f} ms")
    if isinstance(bus, PushedPlan) and (longest_s := _period_s(bus, reading.device)) * 1.5 > wait_s:
        says = f"{reading.problem}; it reports every {longest_s:g} s"
        return Look(what=what, state=State.NOTE, says=says, do=f"wait for it: --wait {1.5 * longest_s:.0f}")
    says = f"{reading.address}: {reading.problem.removeprefix(f'{reading.address}: ')}"
    return Look(what=what, state=State.FINDING, says=says, do=_advice(bus, reading))


def _advice(bus: AnyBusPlan, reading: DeviceReading) -> str:
    problem = reading.problem or ""
    if "no answer" in problem and isinstance(bus, BusPlan | PolledPlan):
        return "power, A and B, baud, unit; `petrel bus scan` finds who is there"
    if "refuses" in problem or "exception" in problem:
        return "another model or firmware? `petrel device guess` looks around; `skip` what it does not have"
    return "look at the line: termination, screen, two masters?" if "CRC" in problem or "bytes" in problem else ""


def _period_s(bus: PushedPlan, device: str) -> float:
    return next(float(one.periods_ns.min()) / SECOND_NS for one in bus.devices if one.name == device)


def _values(reading: DeviceReading) -> str:
    shown = [
        f"{one.point} {'missing' if one.value is None else f'{one.value:.7g} {one.unit}'}"
        + (f" ({' '.join((one.quality, *one.cause))})" if one.cause else "")
        for one in reading.values[:_SHOWN]
    ]
    more = len(reading.values) - _SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _told(device: str, said: str) -> Look:
    """What a gateway that runs says of a device."""
    if said in _NOT_YET:
        return Look(what=f"device {device}", state=State.NOTE, says=said, do="ask again when its period is over")
    return Look(what=f"device {device}", state=State.OK if said == _OK else State.FINDING, says=said)


def _own_word(plan: GatewayPlan) -> list[Look]:
    local = read_status(plan.spool_dir)
    if local is None:
        return [Look(what="gateway", state=State.NOTE, says="has left no status yet", do="ask again in a minute")]
    looks = [_told(name, state) for name, state in sorted(local.status.devices.items())]
    state = State.OK if local.trouble is None else State.FINDING
    return [*looks, Look(what="delivery", state=state, says=local.trouble or _OK)]
