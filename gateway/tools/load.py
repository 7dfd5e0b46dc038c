"""How much of its time a bus is asked to work, by its settings: a line that is full loses readings."""

from typing import Final

from edge_agent.compiled import BusPlan, DevicePlan, TcpPlan
from edge_agent.plan import LineCost, merge
from gateway.tools.look import Look, State
from telemetry.clock import SECOND_NS

MOST: Final = 0.8
"""Of its time; the rest is for answers that come late, for dead units and for commands."""


def poll_s(device: DevicePlan, cost: LineCost) -> float:
    """Seconds that one poll of a device takes: its requests, and the rest that it needs after each."""
    wanted = {column.span for column in device.columns} | {gate.column.span for gate in device.gates}
    blocks = merge(tuple(sorted(wanted)), cost, device.limits)
    return sum(cost.of(block) + device.pause_s for block in blocks)


def use(plan: BusPlan) -> float:
    """The part of its time that a bus is asked to work."""
    return sum(poll_s(device, plan.cost) * SECOND_NS / device.period_ns for device in plan.devices)


def look(plan: BusPlan) -> Look:
    """Whether the polls of a bus fit its line."""
    return judged(plan.name, use(plan), "" if isinstance(plan.line, TcpPlan) else f" at {plan.line.baud} baud")


def judged(bus: str, share: float, where: str) -> Look:
    """What to make of a use."""
    says = f"busy {share:.1%} of its time{where}"
    if share <= MOST:
        return Look(what=f"bus {bus}", state=State.OK, says=says)
    do = f"at most {MOST:.0%}: poll less often, raise the rate, skip points, or take a second line"
    return Look(what=f"bus {bus}", state=State.FINDING, says=says, do=do)
