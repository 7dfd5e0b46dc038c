"""Lines and devices of a plan, ready to be connected and polled."""

from collections.abc import Sequence
from typing import Final

from edge_agent.attributes import Attributes
from edge_agent.compiled import (
    AnyBusPlan,
    BusPlan,
    ListenPlan,
    PolledPlan,
    PushedPlan,
    SerialPlan,
    SerialServerPlan,
    TcpPlan,
)
from edge_agent.device import Device
from edge_agent.drivers.contract import Identified
from edge_agent.drivers.modbus.driver import Line
from edge_agent.drivers.modbus.rtu import RtuLine
from edge_agent.drivers.modbus.shared import SharedLine
from edge_agent.drivers.modbus.tcp import TcpLine
from edge_agent.field_device import FieldDevice
from edge_agent.identity import Identity
from edge_agent.lines.feeds import CallFeed, Feed, WireFeed
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.trace import Trace, TracedWire
from edge_agent.lines.wire import SerialWire, TcpWire, Wire
from edge_agent.poll import Connection, Pollable
from telemetry.clock import SECOND_NS

_IDLE_PERIODS: Final = 3
_LEAST_IDLE_S: Final = 120.0


def opened(plan: BusPlan | PolledPlan, trace: Trace | None = None) -> tuple[Connection, Sequence[Pollable]]:
    """The line of a bus, not yet connected, and its devices on it; ``trace`` is told of all bytes."""
    if isinstance(plan, PolledPlan):
        shared = half_duplex(plan.line, plan.timeout_s, trace)
        return shared, [FieldDevice(device, plan.protocol, shared) for device in plan.devices]
    line = SharedLine(modbus_line(plan.line, plan.timeout_s, trace))
    return line, [Device(device, plan.cost, line, plan.name) for device in plan.devices]


def attributes_of(plan: AnyBusPlan, line: Connection) -> dict[str, Attributes | Identity]:
    """The attributes of the devices of a bus, where their profiles know any, or their protocol does."""
    if isinstance(plan, PolledPlan) and isinstance(plan.protocol, Identified) and isinstance(line, HalfDuplex):
        talk, cost, timeout_s = plan.protocol, plan.cost, plan.timeout_s
        return {device.name: Identity(device, talk, line, cost, timeout_s) for device in plan.devices}
    if not isinstance(plan, BusPlan) or not isinstance(line, SharedLine):
        return {}
    return {
        device.name: Attributes(device, plan.cost, line, plan.timeout_s, plan.name)
        for device in plan.devices
        if device.attributes
    }


def modbus_line(plan: SerialPlan | SerialServerPlan | TcpPlan, timeout_s: float, trace: Trace | None = None) -> Line:
    """A line for Modbus."""
    if isinstance(plan, TcpPlan):
        return TcpLine(plan.host, plan.port, timeout_s, trace)
    return RtuLine(half_duplex(plan, timeout_s, trace))


def half_duplex(plan: SerialPlan | SerialServerPlan, timeout_s: float, trace: Trace | None = None) -> HalfDuplex:
    """A line that devices share, at a port of this machine or behind a serial server."""
    bare = wire(plan)
    way = bare if trace is None else TracedWire(bare, trace)
    return HalfDuplex(way, timeout_s, echo=isinstance(plan, SerialPlan) and plan.echo)


def wire(plan: SerialPlan | SerialServerPlan | TcpPlan) -> Wire:
    """The way for bytes."""
    return SerialWire(plan) if isinstance(plan, SerialPlan) else TcpWire(plan)


def feed(plan: PushedPlan) -> Feed:
    """Where the devices of a plan are heard; a caller that is silent for three of its periods is hung up on."""
    if not isinstance(plan.line, ListenPlan):
        return WireFeed(wire(plan.line), plan.timeout_s, plan.name)
    longest_s = max(float(device.periods_ns.max()) / SECOND_NS for device in plan.devices)
    return CallFeed(plan.line, max(_LEAST_IDLE_S, _IDLE_PERIODS * longest_s), plan.name)
