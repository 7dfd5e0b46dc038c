"""Read devices once, now: what each says, or why it says nothing. Every wait is bounded; nothing is written."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from device_profiles import convert
from device_profiles.model import Measured
from edge_agent.compiled import AnyBusPlan, AnyDevicePlan, DevicePlan, FieldDevicePlan, PushedPlan
from edge_agent.decode import Column
from edge_agent.fields import FieldColumn
from edge_agent.lines.line import LineDownError
from edge_agent.lines.trace import Trace
from edge_agent.opened import attributes_of, opened
from edge_agent.poll import Pollable
from edge_agent.scale import Readings
from gateway.tools.hearing import Heard, Hearing
from gateway.tools.ports import connect
from telemetry.clock import SystemClock
from telemetry.quality import Cause, Quality
from telemetry.series import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One point as it was read, in the canonical unit; ``value`` None: MISSING."""

    point: str
    quantity: str
    value: float | None
    unit: str
    quality: str
    cause: tuple[str, ...] = ()
    shows: float | None = None
    """What the device's own display should show, in ``shows_unit``; None where that is not known."""
    shows_unit: str = ""
    says: Text | None = None
    """What a code means, where the profile says it."""

    @property
    def in_range(self) -> bool:
        """Whether it is a number that the sensor can measure."""
        return self.value is not None and not self.cause


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReading:
    """One device: its values, none where it gave nothing, and what went wrong if so."""

    device: str
    address: str
    values: tuple[Value, ...] = ()
    problem: str | None = None
    took_s: float = 0.0
    requests: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What it says of itself."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """Attributes that it does not give, and why."""
    kind: str = ""
    """Of a device that reports of its own accord: what its report was."""


async def read_bus(plan: AnyBusPlan, *, wait_s: float = 120.0, trace: Trace | None = None) -> list[DeviceReading]:
    """Every device of a bus once; ``wait_s`` bounds the listening to devices that report of their own accord."""
    if isinstance(plan, PushedPlan):
        hearing = Hearing(plan, SystemClock(), trace)
        found = await hearing.until_all(wait_s)
        return [_heard(device, found.get(device.name), hearing.said()) for device in plan.devices]
    line, devices = opened(plan, trace)
    try:
        await connect(line, plan.line)
    except LineDownError as exc:
        return [DeviceReading(device=one.name, address=one.address, problem=str(exc)) for one in plan.devices]
    found_here, attributes = [], attributes_of(plan, line)
    try:
        for device in devices:
            before = line.counters.requests
            reading = await read_device(device)
            if reading.values and (said := attributes.get(reading.device)):
                await said.read()
                reading = replace(reading, attributes=said.found or {}, refuses=said.problems)
            found_here.append(replace(reading, requests=line.counters.requests - before))
            if not line.connected:  # a device that breaks a connection must not cost its neighbours theirs
                await line.connect()
    except LineDownError as exc:
        rest = plan.devices[len(found_here) :]
        found_here += [DeviceReading(device=one.name, address=one.address, problem=str(exc)) for one in rest]
    finally:
        line.close()
    return found_here


async def read_device(device: Pollable) -> DeviceReading:
    """One device on a line that is connected."""
    began = time.monotonic()
    poll = await device.poll(0)
    return DeviceReading(
        device=device.plan.name,
        address=device.plan.address,
        values=() if poll.readings is None else values_of(device.plan, poll.readings),
        problem=None if poll.failure is None else str(poll.failure),
        took_s=round(time.monotonic() - began, 4),
    )


def as_displayed(reading: DeviceReading, plan: AnyDevicePlan, points: Sequence[Measured]) -> DeviceReading:
    """With what the device's own display should show; ``points`` in the order of the plan, all of them taken."""
    columns: Sequence[Column | FieldColumn] = ()
    if isinstance(plan, DevicePlan | FieldDevicePlan):
        columns = plan.columns
    own = {
        series.point: (column.linear, point) for series, column, point in zip(plan.series, columns, points, strict=True)
    }
    values = []
    for one in reading.values:
        linear, point = own[one.point]
        shows = None if one.value is None else float(f"{convert.shown(point, linear.raw(one.value)):.9g}")
        says = None if shows is None else convert.meaning(point, shows)
        values.append(replace(one, shows=shows, shows_unit=point.unit, says=says))
    return replace(reading, values=tuple(values))


def values_of(plan: AnyDevicePlan, found: Readings) -> tuple[Value, ...]:
    """Readings by their points."""
    rows = zip(plan.series, found.value.tolist(), found.quality.tolist(), found.cause.tolist(), strict=True)
    return tuple(
        Value(
            point=series.point,
            quantity=series.quantity,
            value=None if math.isnan(value) else value,
            unit=series.unit,
            quality=Quality(quality).name,
            cause=tuple(str(one.name) for one in Cause(cause)),
        )
        for series, value, quality, cause in rows
    )


def _heard(plan: AnyDevicePlan, heard: Heard | None, silence: str) -> DeviceReading:
    if heard is None:
        return DeviceReading(device=plan.name, address=plan.address, problem=silence)
    values = [value for value, sent in zip(values_of(plan, heard.readings), heard.sent, strict=True) if sent]
    return DeviceReading(
        device=plan.name, address=plan.address, values=tuple(values), took_s=heard.after_s, kind=heard.kind
    )
