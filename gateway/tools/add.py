"""Another bus for a gateway.yaml that exists: put in as lines of text, so that every comment and every blank stays."""

import re
from pathlib import Path
from typing import Final

from gateway.remote.files import write_whole
from gateway.settings import GatewaySettings, compile_gateway, load_gateway
from gateway.tools.init import Bus, Taken, bus_lines
from telemetry.settings import SettingsError, parse

_HEAD: Final = re.compile(r"buses:\s*(#.*)?")
_ITEM: Final = re.compile(r"( *)- ")


def add(bus: Bus, path: Path) -> str:
    """Put a bus behind those of a file, once a gateway would take the whole; gives its name.

    Raises SettingsError, also for a file that was wrong before, and OSError.
    """
    document = load_gateway(path)
    plan = compile_gateway(document)
    stations = [station.id for station in document.settings.stations]
    if bus.station not in stations:
        raise SettingsError(f"{path}: no station {bus.station!r}, expected one of {', '.join(stations)}")
    devices = [device for one in plan.buses for device in one.devices]
    taken = Taken({device.name for device in devices})
    taken.points |= {(one.station, one.point, one.quantity) for device in devices for one in device.series}
    names = {one.name for one in plan.buses}
    name = next(one for number in range(1, len(names) + 2) if (one := f"line-{number}") not in names)
    text = _with(path, bus_lines(name, bus, path.parent, taken))
    try:
        compile_gateway(parse(text, path, GatewaySettings))
    except SettingsError as exc:
        raise SettingsError(f"not written: {exc}") from exc
    write_whole(path, text.encode())
    return name


def _with(path: Path, added: list[str]) -> str:
    """The text of a file with lines behind its last bus, as far in as the others; raises SettingsError."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = next((at for at, line in enumerate(lines) if _HEAD.fullmatch(line)), None)
    end, indent = head, None
    for at, line in enumerate(lines[head + 1 :], head + 1) if head is not None else ():
        item = _ITEM.match(line)
        if line.strip() and not line.startswith((" ", "-", "#")):
            break
        if line.strip() and not line.startswith("#"):
            end = at
        if item is not None and indent is None:
            indent = item[1]
    if end is None or indent is None:
        raise SettingsError(f"{path}: buses in one line, or none, expected each as a block of lines that begins with -")
    return "\n".join([*lines[: end + 1], *(indent + line for line in added), *lines[end + 1 :]]) + "\n"
