"""A first ``gateway.yaml``: what was answered and found, as a file that passes the check. Pure but for ``write``."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from device_profiles import registry
from gateway.settings import GatewaySettings, compile_gateway
from gateway.tools.target import Reach
from telemetry.settings import SettingsError, parse

_HEAD: Final = """\
# Written by petrel gateway init. Every key: docs/reference/settings.md; what is right and what is not:
# petrel gateway check {file}
"""
_PLAIN: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NO_TEXT: Final = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
_PATIENT_S: Final = 2.0
"""For meters and sensors that may take half a second, and adapters that add their own."""
_SPOOL_BYTES: Final = 268_435_456


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The station that the devices stand at."""

    id: str
    zh: str
    en: str
    kind: str
    lat: float
    lon: float
    town: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device on the line: its profile, and its unit or its address."""

    profile: str
    unit: int | None = None
    address: str | None = None
    variant: str | None = None

    @property
    def name(self) -> str:
        """A name of its own on the gateway."""
        stem = Path(self.profile).stem
        return f"{stem}-{self.unit if self.address is None else self.address.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """A line, and who was found on it; ``station`` is where they stand."""

    station: str
    reach: Reach
    members: tuple[Member, ...]
    period_s: float
    unknown: tuple[str, ...] = ()
    """Who answered but fits no profile: told in a comment."""

    @property
    def is_other(self) -> bool:
        """Whether it speaks another protocol than Modbus."""
        return any(member.address is not None for member in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything that a first file needs."""

    site: str
    node: str
    broker: str
    place: Place
    bus: Bus


@dataclass(slots=True)
class Taken:
    """What may not stand in a file once more: names of devices, and points by station and quantity."""

    names: set[str] = field(default_factory=set)
    points: set[tuple[str, str, str]] = field(default_factory=set)


def render(draft: Draft, file: str) -> str:
    """The text of the file, which will stand at ``file``: a path in it starts at its folder."""
    place = draft.place
    name = _flow(zh=_text(place.zh), en=_text(place.en))
    station = _flow(
        id=_text(place.id),
        name=name,
        kind=_text(place.kind),
        lat=str(place.lat),
        lon=str(place.lon),
        town=_text(place.town),
    )
    lines = [
        _HEAD.format(file=Path(file).name).rstrip(),
        f"site: {_text(draft.site)}",
        f"node: {_text(draft.node)}",
        f"broker: {_text(draft.broker)}",
        f"spool: {{dir: spool, max_bytes: {_SPOOL_BYTES}}}",
        "",
        "stations:",
        f"  - {station}",
        "",
        "buses:",
        *(f"  {line}" for line in bus_lines("line-1", draft.bus, Path(file).parent, Taken())),
    ]
    return "\n".join(lines) + "\n"


def write(draft: Draft, path: Path) -> None:
    """Check the text as a gateway would read it, then write it; raises SettingsError and OSError."""
    text = render(draft, str(path))
    try:
        compile_gateway(parse(text, path, GatewaySettings))
    except SettingsError as exc:
        raise SettingsError(f"not written: {exc}") from exc
    path.write_text(text, encoding="utf-8")


def bus_lines(name: str, bus: Bus, folder: Path, taken: Taken) -> list[str]:
    """A bus as lines of YAML, for a file in ``folder``; its devices and points are taken from then on."""
    return [
        f"- name: {name}",
        f"  {_line(bus, folder)}",
        *([f"  timeout_s: {_PATIENT_S}"] if bus.is_other else []),
        "  devices:",
        *(f"    - {_device(member, bus, taken)}" for member in bus.members),
        *(f"    # {one}" for one in bus.unknown),
    ]


def _line(bus: Bus, folder: Path) -> str:
    reach = bus.reach
    data = reach.data if bus.is_other else None
    characters = {"baud": reach.baud, "parity": reach.parity, "stop": reach.stop, "data": data}
    given = {key: str(value) for key, value in characters.items() if value is not None}
    if reach.serial is not None:
        echo = {"echo": "true"} if reach.echo else {}
        device = reach.serial if Path(reach.serial).is_absolute() else os.path.relpath(reach.serial, folder)
        return f"serial: {_flow(port=_text(device), **given, **echo)}"
    key, end = ("tcp", reach.tcp) if reach.tcp is not None else ("serial_server", reach.serial_server)
    host, port = end or ("", 0)
    return f"{key}: {_flow(host=_text(host), port=str(port), **given)}"


def _device(member: Member, bus: Bus, taken: Taken) -> str:
    """A device in one line; where two would measure the same at one place, points are named after their device."""
    name = next(one for one in _numbered(member.name) if one not in taken.names)
    taken.names.add(name)
    who = {"unit": str(member.unit)} if member.address is None else {"address": _text(member.address)}
    variant = {} if member.variant is None else {"variant": _text(member.variant)}
    renamed = []
    for point in registry.load(member.profile).points:
        names = (point.name, *_numbered(f"{point.name}-{member.unit or name}"))
        free = next(one for one in names if (bus.station, one, point.quantity) not in taken.points)
        if free != point.name:
            renamed.append(f"{point.name}: {{name: {free}}}")
        taken.points.add((bus.station, free, point.quantity))
    points = {"points": f"{{{', '.join(renamed)}}}"} if renamed else {}
    return _flow(
        name=name, profile=_text(member.profile), **who, **variant, station=_text(bus.station),
        period_s=f"{bus.period_s:g}", **points,
    )  # fmt: skip


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in range(2, 1000))


def _flow(**parts: str) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in parts.items())}}}"


def _text(text: str) -> str:
    """Text that YAML takes for text, whatever is in it; JSON's quotes are YAML's too."""
    if _PLAIN.fullmatch(text) and text not in _NO_TEXT:
        return text
    return msgspec.json.encode(text).decode()


def unfit(found: Sequence[str]) -> tuple[str, ...]:
    """Comments on who fits no profile."""
    return tuple(f"{one} answers and fits no profile: petrel profile list, or write one" for one in found)
