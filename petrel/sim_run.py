"""``petrel sim run``: a recording on a simulated device, at a port of this machine, for the length of its playing."""

import asyncio
import logging
import math
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.live import Live
from rich.text import Text

from device_profiles import registry
from device_profiles.check import varied
from device_profiles.model import Profile
from petrel.address import host_and_port
from petrel.errors import CommandError
from simulators import play, recorded
from simulators.devices import Endpoint, Line, SerialEndpoint, serve
from simulators.play import Head, Play
from simulators.recorded import Layout, Played
from simulators.samples import SAMPLES
from telemetry.clock import SECOND_NS, SystemClock
from telemetry.settings import SettingsError

_REFRESH_S: Final = 0.5
_UNITS: Final = range(1, 248)
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_BUS: Final = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """How a CSV file is laid out, as it was typed; what is left out is found in the file."""

    columns: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    time_format: str | None = None
    utc_offset: float | None = None
    skip: int = 0
    missing: tuple[str, ...] = ()
    period: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person chose: ``data`` is a file or the name of a sample; a port is serial unless ``tcp`` is given."""

    data: str
    file: File = File()
    profile: str | None = None
    variant: str | None = None
    unit: int | None = None
    tcp: str | None = None
    serial: Path | None = None
    speed: float = 1.0
    start: str | None = None
    loop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Playback:
    """Everything that could be wrong has been looked at: what is left is to play it."""

    path: Path
    play: Play
    line: Line
    folder: Path | None
    """Where the name of the serial line goes; None: nobody asked for a name."""
    from_ns: int
    speed: float
    loop: bool
    zone: tzinfo

    def head(self, begins_ns: int) -> Head:
        """Where it stands, if it begins now."""
        return Head(
            from_ns=self.from_ns, end_ns=self.play.recording.end_ns, begins_ns=begins_ns, speed=self.speed,
            loop=self.loop,
        )  # fmt: skip

    def moment(self, time_ns: int) -> str:
        """A recorded time for people."""
        return datetime.fromtimestamp(time_ns / SECOND_NS, self.zone).isoformat(timespec="seconds")

    def facts(self) -> dict[str, Any]:
        """What is played on what, ready for JSON."""
        recording = self.play.recording
        return {
            "data": str(self.path),
            "profile": self.play.profile.name,
            "unit": self.play.unit,
            "points": [point.name for point in self.play.points],
            "unrecorded": list(self.play.unrecorded),
            "times": len(recording.time_ns),
            "from": self.moment(self.from_ns),
            "to": self.moment(recording.end_ns),
            "period_s": recording.period_ns / SECOND_NS,
            "speed": self.speed,
            "loop": self.loop,
        }


def prepare(options: Options) -> Playback:
    """Read and check everything; raises SettingsError and CommandError, both for exit code 2."""
    sample = SAMPLES.get(options.data)
    profile = _profile(options, None if sample is None else sample.profile)
    if sample is None:
        path = Path(options.data)
        layout = _layout(path, profile, options.file)
    else:
        path, layout = sample.path(), sample.layout
        _refuse_layout(options)
    unit = profile.unit if options.unit is None else options.unit
    if unit not in _UNITS:
        raise CommandError(f"--unit {unit}, expected {_UNITS[0]} to {_UNITS[-1]}", code=2)
    played = Play(profile=profile, recording=recorded.read(path, layout), unit=unit)
    if not played.points:
        raise CommandError(f"{options.data} has nothing that {profile.name} measures, expected another profile", code=2)
    play.fits(played, path)
    return Playback(
        path=path,
        play=played,
        line=_line(options, played),
        folder=None if options.serial is None else options.serial.parent,
        from_ns=_start(options, played, layout),
        speed=_speed(options.speed),
        loop=options.loop,
        zone=_ZONE if layout.utc_offset_h is None else timezone(timedelta(hours=layout.utc_offset_h)),
    )


async def run(playback: Playback, ready: Callable[[Endpoint], None]) -> bool:
    """Play to the end (True), or until cancelled; a live line on a terminal, nothing in a pipe."""
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # what it says of a taken port, we say
    clock = SystemClock()
    head = playback.head(clock.now_ns())
    async with _served(playback, head, clock) as endpoint:
        ready(endpoint)
        if sys.stdout.isatty():
            with Live(refresh_per_second=1 / _REFRESH_S, transient=True) as screen:
                await _until_over(head, clock, lambda now_ns: screen.update(_shown(playback, head, now_ns)))
        else:
            await _until_over(head, clock, lambda _: None)
    return True


@asynccontextmanager
async def _served(playback: Playback, head: Head, clock: SystemClock) -> AsyncIterator[Endpoint]:
    """The device at its port; raises CommandError for a port that is taken."""
    async with AsyncExitStack() as stack:
        folder = playback.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petrel-")))
        observe = Played(playback.play.recording, head)
        try:
            endpoints = await stack.enter_async_context(serve([playback.line], observe, clock, folder))
        except OSError as exc:
            raise CommandError(str(exc), code=2) from exc
        endpoint = endpoints[playback.line.bus]
        if isinstance(endpoint, SerialEndpoint) and playback.folder is None:
            endpoint = SerialEndpoint(endpoint.path.resolve())
        yield endpoint


async def _until_over(head: Head, clock: SystemClock, show: Callable[[int], None]) -> None:
    until_ns = head.until_ns()
    while until_ns is None or clock.now_ns() < until_ns:
        show(clock.now_ns())
        await asyncio.sleep(_REFRESH_S)


def _shown(playback: Playback, head: Head, now_ns: int) -> Text:
    """The recorded time and what stands in the registers; one line, cut off at the edge."""
    values = playback.play.shown(head, now_ns)
    units = {point.name: point.unit for point in playback.play.points}
    parts = (f"{name} {'-' if math.isnan(v) else f'{v:g} {units[name]}'}" for name, v in values.items())
    return Text("  ".join((playback.moment(head(now_ns)), *parts)), no_wrap=True, overflow="ellipsis")


def _profile(options: Options, usual: str | None) -> Profile:
    name = options.profile or usual
    if name is None:
        known = ", ".join(name for name in registry.names() if registry.load(name).protocol == "modbus")
        raise CommandError(f"--profile is missing, expected one of {known} or a file", code=2)
    try:
        return varied(registry.modbus(name), options.variant)
    except SettingsError:
        raise
    except ValueError as exc:
        raise CommandError(f"--variant: {exc}", code=2) from exc


def _layout(path: Path, profile: Profile, file: File) -> Layout:
    if not path.is_file():
        raise CommandError(f"no file {str(path)!r}, expected a CSV file or a sample: {', '.join(SAMPLES)}", code=2)
    if file.period is not None and not (0 < file.period < math.inf):
        raise CommandError(f"--period {file.period:g}, expected more than 0 seconds", code=2)
    if file.utc_offset is not None and not -24 < file.utc_offset < 24:
        raise CommandError(f"--utc-offset {file.utc_offset:g}, expected hours between -24 and 24", code=2)
    return Layout(
        time=file.time or ("time",),
        columns=play.columns(profile, file.columns, recorded.headers(path, file.skip)),
        period_ns=None if file.period is None else round(file.period * SECOND_NS),
        format=file.time_format,
        utc_offset_h=file.utc_offset,
        skip=file.skip,
        missing=frozenset(file.missing),
    )


def _refuse_layout(options: Options) -> None:
    if options.file != File():
        raise CommandError(f"{options.data} is a sample and needs no layout, expected none of its options", code=2)


def _line(options: Options, played: Play) -> Line:
    units = (played.device(),)
    if options.tcp is not None:
        if options.serial is not None:
            raise CommandError("--tcp and --serial, expected one of them", code=2)
        host, port = host_and_port("--tcp", options.tcp, or_free=True)
        return Line(bus=_BUS, transport="tcp", units=units, host=host, port=port)
    if "rtu" not in played.profile.transports:
        if options.serial is not None:
            raise CommandError(f"--serial: {played.profile.name} speaks TCP only, expected --tcp HOST:PORT", code=2)
        return Line(bus=_BUS, transport="tcp", units=units)
    return Line(bus=_BUS if options.serial is None else _free(options.serial), transport="rtu", units=units)


def _free(path: Path) -> str:
    """The last part of a name for a serial line, which must not be in use; raises CommandError."""
    if path.exists():
        raise CommandError(f"--serial {path} exists already, expected a name that is free", code=2)
    if not path.parent.is_dir():
        raise CommandError(f"--serial {path}: no folder {path.parent}, expected one that exists", code=2)
    return path.name


def _start(options: Options, played: Play, layout: Layout) -> int:
    first_ns, end_ns = int(played.recording.time_ns[0]), played.recording.end_ns
    if options.start is None:
        return first_ns
    try:
        start_ns = recorded.moment_ns(options.start, Layout(time=(), columns={}, utc_offset_h=layout.utc_offset_h))
    except ValueError as exc:
        raise CommandError(f"--from {options.start!r}, expected {exc}", code=2) from exc
    if not first_ns <= start_ns < end_ns:
        bounds = [datetime.fromtimestamp(at / SECOND_NS, _ZONE).isoformat() for at in (first_ns, end_ns)]
        raise CommandError(f"--from {options.start!r}, expected a time from {bounds[0]} to {bounds[1]}", code=2)
    return start_ns


def _speed(speed: float) -> float:
    if not 0 < speed < math.inf:
        raise CommandError(f"--speed {speed:g}, expected more than 0", code=2)
    return speed
