"""``petrel sim bus``: a simulated device for each of a gateway's, where its settings say, until it is stopped."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.compiled import AnyBusPlan, ListenPlan, SerialPlan, SerialServerPlan, TcpPlan
from gateway.settings import GatewaySettings, compile_gateway, load_gateway
from petrel.errors import CommandError
from petrel.sites import twins
from simulators.calm import Calm
from simulators.devices import Line, serve
from simulators.faults import KINDS, Faults
from simulators.field_bus import FieldLine
from telemetry.clock import SystemClock
from telemetry.settings import Document

_SLOW: Final = "slow"
_ANY_HOST: Final = ("0.0.0.0", "::")  # noqa: S104  # devices call it; nobody listens there
_LOOPBACK: Final = "127.0.0.1"


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A simulated device, for people and scripts."""

    device: str
    address: str
    profile: str
    fault: str | None = None


class Where(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line and how its devices are reached: one of ``serial``, ``tcp`` and ``calls``."""

    bus: str
    devices: tuple[Member, ...]
    serial: str | None = None
    tcp: str | None = None
    calls: str | None = None

    @property
    def end(self) -> str:
        """In a few words."""
        if self.calls is not None:
            return f"calls {self.calls}"
        return f"answers at {self.serial or self.tcp}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A line that can be played: what was asked for has been looked at."""

    line: Line | FieldLine
    folder: Path
    """Where the name of a serial line goes."""
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """All lines, and who on them is out of order."""

    lines: tuple[Staged, ...]
    faults: dict[str, str]

    def broken(self) -> Faults:
        """Each has its fault all the time."""
        return lambda device, _: self.faults.get(device)


def prepare(file: Path, buses: Sequence[str], faults: Sequence[str]) -> Stage:
    """Read and check everything; raises SettingsError and CommandError, both for exit code 2."""
    document = load_gateway(file)
    plans = {plan.name: plan for plan in compile_gateway(document).buses}
    for name in buses:
        if name not in plans:
            raise CommandError(f"--bus {name!r}, expected one of {', '.join(plans)}", code=2)
    broken = dict(_fault(text, document) for text in faults)
    chosen = [bus for bus in document.settings.buses if not buses or bus.name in buses]
    lines = twins.lines(chosen, file.parent)
    staged = [_staged(line, plans[line.bus], document, broken) for line in lines]
    return Stage(lines=tuple(staged), faults=broken)


async def run(stage: Stage, ready: Callable[[list[Where]], None]) -> None:
    """Answer and call until cancelled; raises CommandError for a port that is taken."""
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # what it says of a taken port, we say
    clock = SystemClock()
    world = Calm([one.line for one in stage.lines], clock.now_ns())
    async with AsyncExitStack() as stack:
        for one in stage.lines:
            await stack.enter_async_context(_served(one, stage, world, clock))
        ready([one.where for one in stage.lines])
        await asyncio.Event().wait()


@asynccontextmanager
async def _served(one: Staged, stage: Stage, world: Calm, clock: SystemClock) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        try:
            served = serve([one.line], world, clock, one.folder, broken=stage.broken())
            await stack.enter_async_context(served)
        except OSError as exc:
            raise CommandError(str(exc)) from exc
        yield


def _staged(
    line: Line | FieldLine, plan: AnyBusPlan, document: Document[GatewaySettings], broken: dict[str, str]
) -> Staged:
    """A line at the place that the settings name for it."""
    (bus,) = (one for one in document.settings.buses if one.name == line.bus)
    members = tuple(
        Member(device=one.name, address=named.address, profile=one.profile, fault=broken.get(one.name))
        for one, named in zip(bus.devices, plan.devices, strict=True)
    )
    end = plan.line
    where = Where(bus=line.bus, devices=members)
    if isinstance(end, SerialPlan):
        path = _free(Path(end.port), line.bus)
        named = replace(line, bus=path.name, baud=end.baud)
        return Staged(line=named, folder=path.parent, where=msgspec.structs.replace(where, serial=str(path)))
    host = _LOOPBACK if isinstance(end, ListenPlan) and end.host in _ANY_HOST else end.host
    at = f"{host}:{end.port}"
    if isinstance(end, ListenPlan):
        where = msgspec.structs.replace(where, calls=at)
    elif isinstance(end, TcpPlan):
        where = msgspec.structs.replace(where, tcp=at)
    else:
        raise _unlike(end, line.bus)
    return Staged(line=replace(line, host=host, port=end.port), folder=document.path.parent, where=where)


def _unlike(end: SerialServerPlan, bus: str) -> CommandError:
    return CommandError(
        f"bus {bus}: a serial server at {end.host}:{end.port} can't be simulated, expected serial, tcp or listen",
        code=2,
    )


def _free(path: Path, bus: str) -> Path:
    """The name of a serial line, which nobody has; a name that leads nowhere was left by somebody who was killed."""
    if path.is_absolute() and path.is_relative_to("/dev"):
        raise CommandError(
            f"bus {bus}: serial port {path} is a real one, expected a name for the simulated line, such as {bus}",
            code=2,
        )
    if path.exists():
        raise CommandError(f"bus {bus}: serial port {path} exists already, expected a name that is free", code=2)
    if not path.parent.is_dir():
        raise CommandError(f"bus {bus}: no folder {path.parent}, expected one that exists", code=2)
    return path


def _fault(text: str, document: Document[GatewaySettings]) -> tuple[str, str]:
    device, _, kind = text.partition("=")
    known = [one.name for bus in document.settings.buses for one in bus.devices]
    kinds = (*KINDS, _SLOW)
    if device not in known:
        raise CommandError(f"--fault {text!r}: no device {device!r}, expected one of {', '.join(known)}", code=2)
    if kind not in kinds:
        raise CommandError(f"--fault {text!r}, expected {device}= and one of {', '.join(kinds)}", code=2)
    return device, kind
