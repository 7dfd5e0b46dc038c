"""Serial ports and addresses of this machine: who holds them, whether we may, and what slows them down.

``root`` is where the machine's files begin: ``/``, but in tests.
"""

import grp
import os
import re
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.compile.lines import AnyLine
from edge_agent.compiled import SerialPlan
from edge_agent.lines.line import LineDownError
from edge_agent.poll import Connection
from gateway.tools.look import Look, State

_ROOT: Final = Path("/")
_QUICK_MS: Final = 2
"""Latency of an adapter that costs no noticeable line time."""
_BUILT_IN: Final = re.compile(r"ttyS[0-9]")
_NAMES: Final = ("ttyUSB*", "ttyACM*", "ttyS[0-9]*", "ttyAMA*", "ttySC*", "ttymxc*", "ttyO*", "ttyTHS*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """What the machine knows of a serial port; ``held_by`` is empty where nobody holds it, as far as we may look."""

    port: str
    exists: bool
    allowed: bool = False
    is_adapter: bool = False
    is_pty: bool = False
    """A pseudo-terminal: whoever simulates the line holds it too, and that is right."""
    lasting: tuple[str, ...] = ()
    """Names of it that stay the same when adapters are plugged in again."""
    latency_ms: int | None = None
    held_by: str = ""
    group: str = ""

    def looks(self) -> list[Look]:
        """What stands in the way of using it, then what to mend; one that says so where it is right."""
        found = [*self._obstacles(), *self._advice()]
        return found or [self._look(State.OK, "ours to open, nobody holds it")]

    def obstacle(self) -> str | None:
        """The first thing in the way in one line, None where nothing is."""
        return next((f"{look.what}: {look.says}" + f", {look.do}" * bool(look.do) for look in self._obstacles()), None)

    def _obstacles(self) -> Iterator[Look]:
        if not self.exists:
            known = ", ".join(ports()) or "none of this machine: no adapter is plugged in"
            yield self._look(State.FINDING, "no such port", f"expected one of {known}")
            return
        if self.held_by and not self.is_pty:
            yield self._look(State.FINDING, f"held by {self.held_by}", "expected a port that nobody uses")
        if not self.allowed:
            do = f"expected one that we may open: `usermod -aG {self.group} USER`, then log in again"
            yield self._look(State.FINDING, f"belongs to the group {self.group}", do)

    def _advice(self) -> Iterator[Look]:
        if self.latency_ms is not None and self.latency_ms > _QUICK_MS:
            timer = f"/sys/bus/usb-serial/devices/{Path(self.port).resolve().name}/latency_timer"
            says = f"the adapter waits {self.latency_ms} ms before it hands over what it heard"
            yield self._look(State.NOTE, says, f"`echo 1 > {timer}`, for good by a udev rule")
        if self.is_adapter and self.lasting and self.port not in self.lasting:
            yield self._look(State.NOTE, "may be another port after a restart", f"write {self.lasting[0]}")

    def _look(self, state: State, says: str, do: str = "") -> Look:
        return Look(what=self.port, state=state, says=says, do=do)


def facts(port: str, root: Path = _ROOT) -> PortFacts:
    """What the machine knows of a port; opens nothing."""
    path = Path(port)
    try:
        device = path.resolve(strict=True)
        mode = device.stat()
    except OSError:
        return PortFacts(port=port, exists=False)
    return PortFacts(
        port=port,
        exists=stat.S_ISCHR(mode.st_mode),
        allowed=os.access(device, os.R_OK | os.W_OK),
        is_pty=device.parent.name == "pts",
        is_adapter=device.name.startswith(("ttyUSB", "ttyACM")),
        lasting=tuple(_lasting(device, root)),
        latency_ms=_latency_ms(device.name, root),
        held_by=holder(device, root),
        group=_group(mode.st_gid),
    )


def ports(root: Path = _ROOT) -> list[str]:
    """Serial ports that are there; of the built-in ones those with a chip behind them."""
    there = (path for pattern in _NAMES for path in sorted((root / "dev").glob(pattern)))
    return [str(path) for path in there if not _BUILT_IN.match(path.name) or _has_chip(path.name, root)]


def holder(device: Path, root: Path = _ROOT) -> str:
    """The process that holds a port, in words; empty for none. Other users' processes can't be seen by everybody."""
    for process in sorted((root / "proc").glob("[0-9]*")):
        if process.name != str(os.getpid()) and device in _open_files(process):
            return f"process {process.name} ({_command(process)})"
    return ""


async def connect(connection: Connection, line: AnyLine) -> None:
    """Open a line that nobody else uses; raises LineDownError in words of this machine."""
    if problem := in_use(line):
        raise LineDownError(problem)
    try:
        await connection.connect()
    except LineDownError as exc:
        raise LineDownError(explained(line, str(exc))) from exc


def in_use(line: AnyLine) -> str | None:
    """Who else has a serial port open, locked or not: two masters on a line spoil each other's readings."""
    known = facts(line.port) if isinstance(line, SerialPlan) else None
    if known is None or not known.held_by or known.is_pty:
        return None
    return f"{known.port}: {_held(known)}"


def explained(line: AnyLine, problem: str) -> str:
    """Why a line can't be opened, with what the machine knows about it."""
    if not isinstance(line, SerialPlan):
        return problem
    known = facts(line.port)
    if "exclusively lock" in problem:
        return f"{line.port}: {_held(known)}"
    return known.obstacle() or problem


def _held(known: PortFacts) -> str:
    return f"held by {known.held_by or 'another process'}, expected a port that nobody uses"


def cant_listen(host: str, port: int) -> str | None:
    """Why nobody can listen at an address here; None where one can."""
    try:
        with socket.create_server((host, port)):
            return None
    except OSError as exc:
        return f"{host}:{port}: {exc.strerror or exc}, expected an address of this machine with a free port"


def _open_files(process: Path) -> Iterator[Path]:
    try:
        entries = list((process / "fd").iterdir())
    except OSError:  # not ours to see, or gone by now
        return
    for entry in entries:
        try:
            yield entry.readlink()
        except OSError:
            continue


def _command(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"


def _lasting(device: Path, root: Path) -> Iterator[str]:
    for kind in ("by-id", "by-path"):
        for path in sorted((root / "dev" / "serial" / kind).glob("*")):
            if path.resolve() == device:
                yield str(path)


def _latency_ms(name: str, root: Path) -> int | None:
    try:
        return int((root / "sys/bus/usb-serial/devices" / name / "latency_timer").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _has_chip(name: str, root: Path) -> bool:
    """Linux shows four built-in ports whether they exist or not; type 0 is none."""
    try:
        return (root / "sys/class/tty" / name / "type").read_text(encoding="ascii").strip() != "0"
    except OSError:
        return False


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
