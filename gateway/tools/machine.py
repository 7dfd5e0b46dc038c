"""This machine: its clock, its disk, its ports, and what of the product is installed on it."""

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Final

from gateway.timekeeping import EARLIEST_NS, LATEST_NS, LinuxMachine, Machine
from gateway.tools import ports
from gateway.tools.look import Look, State

PACKAGE: Final = "stormpetrel"
_EXTRAS: Final = {
    "gateway": "the box in the field",
    "centre": "the centre and its console",
    "sim": "simulated devices, and the broker of petrel up",
}
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9_.-]+")
_LEAST_FREE: Final = 256 * 1024 * 1024
_SLOW_SYNC_MS: Final = 100.0
_SYNCS: Final = 5
_BLOCK: Final = 4096
_SHOWN: Final = ("numpy", "msgspec", "pyserial", "aiomqtt", "paho-mqtt", "uvloop", "duckdb", "pymodbus")


def doctor(folder: Path) -> list[Look]:
    """Everything about this machine; ``folder`` is where data would go."""
    return [*software(), clock(LinuxMachine()), *disk(folder), *serial_ports()]


def versions() -> dict[str, str]:
    """What runs here, by name."""
    found = {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "machine": platform.machine(),
    }
    return found | {name: version for name in (PACKAGE, *_SHOWN) if (version := _version(name)) is not None}


def version_looks() -> list[Look]:
    """The versions as one line."""
    known = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [Look(what="versions", state=State.OK, says=known)]


def software() -> Iterator[Look]:
    """Python, the product, and which of its extras are complete."""
    yield Look(what="python", state=State.OK, says=f"{platform.python_version()} in {sys.prefix}")
    yield Look(what="product", state=State.OK, says=f"{PACKAGE} {_version(PACKAGE) or 'from its source folder'}")
    for extra, purpose in _EXTRAS.items():
        lacking = [name for name in _required(extra) if _version(name) is None]
        if not lacking:
            yield Look(what=f"extra {extra}", state=State.OK, says=f"complete ({purpose})")
            continue
        yield Look(
            what=f"extra {extra}", state=State.NOTE, says=f"{purpose}: lacks {', '.join(lacking)}",
            do=f"pip install '{PACKAGE}[{extra}]', if this machine is to be that",
        )  # fmt: skip


def clock(machine: Machine) -> Look:
    """Whether rows will carry the right time."""
    if not EARLIEST_NS <= machine.wall_ns() < LATEST_NS:
        return Look(
            what="clock", state=State.FINDING, says="was never set, or long ago",
            do="set it (`date --set`), then keep it right with systemd-timesyncd or chrony",
        )  # fmt: skip
    if not machine.synchronised():
        return Look(
            what="clock", state=State.FINDING, says="nothing keeps it right: rows will be marked so",
            do="`systemctl enable --now systemd-timesyncd`, or chrony with `rtcsync`",
        )  # fmt: skip
    return Look(what="clock", state=State.OK, says="kept right")


def disk(folder: Path) -> Iterator[Look]:
    """Room, and how long a forced write takes; a file of a few KiB is written and taken away again."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < _LEAST_FREE:
        yield Look(what="disk", state=State.FINDING, says=f"{free / 1e6:.0f} MB free at {place}", do="make room")
    else:
        yield Look(what="disk", state=State.OK, says=f"{free / 1e9:.1f} GB free at {place}")
    try:
        sync_ms = _sync_ms(place)
    except OSError as exc:
        yield Look(
            what="disk", state=State.FINDING, says=f"{place} can't be written: {exc.strerror}",
            do="choose a folder of ours, or `chown` it",
        )  # fmt: skip
        return
    state = State.NOTE if sync_ms > _SLOW_SYNC_MS else State.OK
    do = "a worn or slow SD card: rows of so long may be lost with the power" if state is State.NOTE else ""
    yield Look(what="disk", state=state, says=f"a forced write takes {sync_ms:.1f} ms", do=do)


def serial_ports() -> Iterator[Look]:
    """Each port of this machine."""
    found = ports.ports()
    if not found:
        yield Look(
            what="serial", state=State.NOTE, says="no serial port here", do="plug in an adapter, if one is needed"
        )
    for port in found:
        yield from ports.facts(port).looks()


def _required(extra: str) -> Iterator[str]:
    try:
        lines = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        found = _REQUIREMENT.match(line)
        if found is not None and f'extra == "{extra}"' in line.replace("'", '"'):
            yield found[0]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _sync_ms(folder: Path) -> float:
    """Median over a few forced writes."""
    took_s = []
    with NamedTemporaryFile(dir=folder, prefix=".petrel-") as file:
        for _ in range(_SYNCS):
            began = time.monotonic()
            file.write(bytes(_BLOCK))
            file.flush()
            os.fdatasync(file.fileno())
            took_s.append(time.monotonic() - began)
    return median(took_s) * 1000
