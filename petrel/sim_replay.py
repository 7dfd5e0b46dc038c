"""``petrel sim replay``: a recording of a line at a port of this machine, or calling one, until it is stopped."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from petrel import run as process
from petrel.address import host_and_port
from petrel.errors import CommandError, in_one_line
from simulators.replay import Player, call, on_serial, on_tcp
from telemetry import recording

Where = dict[str, str]
"""How the devices are reached: ``tcp``, ``serial`` or ``calls``, with the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person chose, checked."""

    recording: recording.Recording
    speed: float
    tcp: tuple[str, int] | None = None
    serial: Path | None = None
    call: tuple[str, int] | None = None


def options(path: Path, *, tcp: str | None, serial: Path | None, call: str | None, speed: float) -> Options:
    """Read and check everything; raises SettingsError and CommandError (exit code 2)."""
    found = recording.read(path)
    given = {"--tcp": tcp, "--serial": serial, "--call": call}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise CommandError(f"{' and '.join(chosen) or 'no line'}, expected one of {', '.join(given)}", code=2)
    if tcp is not None and found.head.calls:
        raise CommandError("--tcp: these devices report by themselves, expected --serial or --call", code=2)
    if call is not None and not found.head.calls:
        raise CommandError("--call: these devices answer when asked, expected --tcp or --serial", code=2)
    return Options(
        recording=found,
        speed=speed,
        tcp=None if tcp is None else host_and_port("--tcp", tcp, or_free=True),
        serial=serial,
        call=None if call is None else host_and_port("--call", call),
    )


def play(chosen: Options, ready: Callable[[Where], None]) -> None:
    """Play until stopped, or to the end where the devices report; raises CommandError."""
    process.configure_logs()
    with in_one_line(OSError):
        process.run(_play(chosen, ready))


def words(where: Where) -> str:
    """For people."""
    ((how, address),) = where.items()
    return f"calls {address}" if how == "calls" else f"answers at {address}; Ctrl-C stops"


async def _play(chosen: Options, ready: Callable[[Where], None]) -> None:
    player = Player(chosen.recording, chosen.speed)
    if chosen.call is not None:
        ready({"calls": "{}:{}".format(*chosen.call)})
        try:
            await call(player, *chosen.call)
        except ConnectionRefusedError as exc:
            host, port = chosen.call
            raise CommandError(f"{host}:{port}: Connection refused, expected a gateway that listens") from exc
    elif chosen.tcp is not None:
        async with on_tcp(player, *chosen.tcp) as endpoint:
            ready({"tcp": str(endpoint)})
            await asyncio.Event().wait()
    elif chosen.serial is not None:
        async with on_serial(player, chosen.serial) as (endpoint, transport):
            ready({"serial": str(endpoint)})
            if chosen.recording.head.calls:
                await player.speak(transport)
            await asyncio.Event().wait()
