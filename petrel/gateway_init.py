"""``petrel gateway init``: asks what only a person knows, finds out what a line can tell, and writes the file."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import typer

from edge_agent.lines.line import LineDownError
from gateway.settings import load_gateway
from gateway.tools import ports
from gateway.tools.add import add
from gateway.tools.init import Bus, Draft, Member, Place, unfit, write
from gateway.tools.scan import scan
from gateway.tools.scan_plan import Found, Scan, empty
from gateway.tools.target import Reach
from gateway.tools.tries import TIMEOUTS_S, Protocol, settings
from petrel.commands.line import reach
from petrel.commands.output import finished, print_line, progress
from petrel.errors import CommandError, in_one_line
from telemetry.broker import parse_broker
from telemetry.topics import is_name

T = TypeVar("T", str, float)
Check = Callable[[T], str]
"""What is wrong with an answer, and what was expected; empty for nothing."""
_WAIT_S: Final = 0.2
_WITHIN_S: Final = 600.0
_NONE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What stood on the command line; None is asked for, or taken from ``usual`` where nobody can be asked."""

    file: Path
    site: str | None
    node: str | None
    broker: str | None
    station: str | None
    zh: str | None
    en: str | None
    kind: str | None
    lat: float | None
    lon: float | None
    town: str | None
    tcp: str | None
    serial: str | None
    serial_server: str | None
    baud: int | None
    parity: str | None
    stop: int | None
    devices: tuple[str, ...]
    protocol: Protocol
    units: tuple[int, ...]
    addresses: tuple[str, ...]
    period_s: float
    ask: bool
    force: bool
    add: bool


def set_up(given: Given) -> str:
    """Ask, scan and write; gives what was done. Raises CommandError and SettingsError."""
    if given.add:
        return _added(given)
    if given.file.exists() and not given.force:
        raise CommandError(f"{given.file}: exists already, expected a new file (--force writes over it)", code=2)
    asker = Asker(given.ask)
    site = asker.text("--site", given.site, "Site 项目代号 (a-z, 0-9, -)", fit=_name)
    node = asker.text("--node", given.node, "This gateway 网关代号", "gw-1", _name)
    broker = asker.text("--broker", given.broker, "Broker 消息服务器", "mqtt://127.0.0.1:1883", _broker)
    place = _place(given, asker)
    bus = _bus(given, asker, place.id)
    with in_one_line(OSError):
        write(Draft(site=site, node=node, broker=broker, place=place, bus=bus), given.file)
    return f"{len(bus.members)} devices written"


def _added(given: Given) -> str:
    """Another bus for a file that exists."""
    told = {
        "--site": given.site,
        "--node": given.node,
        "--broker": given.broker,
        "--lat": given.lat,
        "--lon": given.lon,
    }
    if here := [option for option, value in told.items() if value is not None]:
        raise CommandError(f"{', '.join(here)} with --add, expected the file's own", code=2)
    stations = [station.id for station in load_gateway(given.file).settings.stations]
    asker = Asker(given.ask)
    usual = stations[0] if len(stations) == 1 else None
    among = partial(_one_of, stations)
    station = asker.text("--station", given.station, f"Station 测站代号 ({', '.join(stations)})", usual, among)
    bus = _bus(given, asker, station)
    with in_one_line(OSError):
        name = add(bus, given.file)
    return f"{len(bus.members)} devices added as bus {name}"


def _bus(given: Given, asker: "Asker", station: str) -> Bus:
    """The line and who is on it."""
    where = _reach(given, asker)
    members, unknown, where = _members(given, asker, where)
    asker.end()
    if not members:
        raise CommandError(f"{where.end}: no device, expected at least one: look at the line, or name it by --device")
    return Bus(
        station=station, reach=where, members=tuple(members), period_s=given.period_s, unknown=unfit(unknown)
    )  # fmt: skip


class Asker:
    """Asks a person at a terminal; otherwise collects what is missing, so that all of it is said at once."""

    def __init__(self, can_ask: bool) -> None:
        self._can_ask = can_ask and sys.stdin.isatty()
        self._missing: list[str] = []

    def text(
        self, option: str, given: str | None, question: str, usual: str | None = None, fit: Check[str] | None = None
    ) -> str:
        """An answer that ``fit`` finds nothing wrong with."""
        if given is None and not self._can_ask:
            return self._else(option, usual, "")
        return self._fitting(
            option, given, fit or _anything, lambda: str(typer.prompt(question, default=usual, err=True))
        )

    def number(self, option: str, given: float | None, question: str, most: float) -> float:
        """A number from ``-most`` to ``most``."""
        if given is None and not self._can_ask:
            return self._else(option, None, 0.0)
        return self._fitting(
            option, given, partial(_within, most), lambda: float(typer.prompt(question, type=float, err=True))
        )

    @staticmethod
    def _fitting(option: str, given: T | None, fit: "Check[T]", ask: Callable[[], T]) -> T:
        """What was given must fit; who was asked is asked again. Before a scan, not after it."""
        if given is not None:
            if problem := fit(given):
                raise CommandError(f"{option} {given!r}, {problem}", code=2)
            return given
        while problem := fit(answer := ask()):
            typer.echo(f"{answer!r}, {problem}", err=True)
        return answer

    def choice(self, question: str, choices: Sequence[str]) -> str:
        """One of several; the first where nobody can be asked."""
        if not self._can_ask:
            return choices[0]
        for at, one in enumerate(choices, start=1):
            typer.echo(f"  {at}  {one}", err=True)
        while True:
            number = int(typer.prompt(question, default=1, type=int, err=True))
            if 1 <= number <= len(choices):
                return choices[number - 1]
            typer.echo(f"{number}, expected 1 to {len(choices)}", err=True)

    def end(self) -> None:
        """Raises CommandError (exit code 2) that names all that was neither given nor could be asked for."""
        if self._missing:
            raise CommandError(f"nobody to ask, expected {', '.join(self._missing)}", code=2)

    def lack(self, option: str) -> None:
        """Note what is missing."""
        self._missing.append(option)

    def _else(self, option: str, usual: T | None, nothing: T) -> T:
        if usual is None:
            self.lack(option)
        return nothing if usual is None else usual


def _anything(_: str) -> str:
    return ""


def _name(text: str) -> str:
    return "" if is_name(text) else "expected lower-case letters, digits and hyphens, 63 at most"


def _broker(text: str) -> str:
    try:
        parse_broker(text)
    except ValueError as exc:
        return str(exc)
    return ""


def _one_of(known: Sequence[str], text: str) -> str:
    return "" if text in known else f"expected one of {', '.join(known)}"


def _within(most: float, number: float) -> str:
    return "" if -most <= number <= most else f"expected {-most:g} to {most:g} degrees (WGS 84)"


def _place(given: Given, asker: Asker) -> Place:
    name = asker.text("--station", given.station, "Station 测站代号 (a-z, 0-9, -)", fit=_name)
    return Place(
        id=name,
        zh=asker.text("--name-zh", given.zh, "Its name in Chinese 测站中文名", name),
        en=asker.text("--name-en", given.en, "Its name in English 测站英文名", name),
        kind=asker.text("--kind", given.kind, "Kind 类型 (weather, tide, river, air, pipeline, gas)", "river"),
        lat=asker.number("--lat", given.lat, "Latitude 纬度, degrees WGS 84", 90.0),
        lon=asker.number("--lon", given.lon, "Longitude 经度, degrees WGS 84", 180.0),
        town=asker.text("--town", given.town, "Town 乡镇行政区划代码"),
    )


def _reach(given: Given, asker: Asker) -> Reach:
    serial = given.serial
    if given.tcp is None and given.serial_server is None and serial is None:
        known = [_lasting(port) for port in ports.ports()]
        if not known or not sys.stdin.isatty() or not given.ask:
            asker.lack("one of --serial, --serial-server, --tcp")
            asker.end()
        serial = asker.choice("Serial port 串口", known)
    return reach(
        tcp=given.tcp, serial=serial, serial_server=given.serial_server, baud=given.baud, parity=given.parity,
        stop=given.stop, timeout=_WAIT_S,
    )  # fmt: skip


def _lasting(port: str) -> str:
    """The name of a port that stays the same."""
    return next(iter(ports.facts(port).lasting), port)


def _members(given: Given, asker: Asker, where: Reach) -> tuple[list[Member], list[str], Reach]:
    """The devices of the line, who fits no profile, and the line as it was found to be set."""
    if given.devices:
        return [_member(text) for text in given.devices], [], where
    asker.end()
    plan = _scan(given, where)
    print_line(str(plan))
    report = empty(plan)
    with in_one_line(LineDownError), progress(plan.questions) as told:
        finished(scan(plan, report, told, max(_WITHIN_S, 2 * plan.longest_s)))
    if report.setting is not None:
        found = report.setting
        where = replace(where, baud=found.baud, parity=found.parity, stop=found.stop)
    chosen = {one.address: _chosen(asker, one) for one in report.found}
    members = [
        Member(profile=chosen[one.address], unit=one.unit, address=one.address if one.unit is None else None)
        for one in report.found
        if chosen[one.address]
    ]
    return members, [address for address, profile in chosen.items() if not profile], where


def _scan(given: Given, where: Reach) -> Scan:
    """Whom to ask, at the setting that was given or the likely ones."""
    kind = given.protocol
    bauds = () if where.baud is None else (where.baud,)
    parities = (where.parity,) if where.baud is not None and where.parity is not None else ()
    return Scan(
        reach=replace(where, timeout_s=TIMEOUTS_S[kind]),
        protocol=kind,
        settings=() if where.tcp is not None else tuple(settings(where, kind, bauds, parities)),
        units=given.units if kind == "modbus" else (),
        addresses=given.addresses if kind == "sdi12" else (),
    )


def _chosen(asker: Asker, found: Found) -> str:
    """The profile of a device that answered; empty for none."""
    fits = [fit.profile for fit in found.fits]
    print_line(f"{found.address}: {found.said}; fits {', '.join(map(str, found.fits)) or 'no profile'}")
    chosen = asker.choice(f"{found.address} is a 设备型号", [*fits, _NONE])
    return "" if chosen == _NONE else chosen


def _member(text: str) -> Member:
    """``UNIT=PROFILE``, or ``ADDRESS=PROFILE`` of a device that does not speak Modbus, with ``:VARIANT`` behind."""
    from device_profiles import registry
    from device_profiles.model import Profile

    who, _, what = text.partition("=")
    name, _, variant = what.partition(":")
    if not who or not name:
        raise CommandError(f"--device {text!r}, expected UNIT=PROFILE or ADDRESS=PROFILE", code=2)
    if not isinstance(registry.load(name), Profile):
        return Member(profile=name, address=who)
    if not who.isdecimal():
        raise CommandError(f"--device {text!r}: unit {who!r}, expected 1 to 247", code=2)
    return Member(profile=name, unit=int(who), variant=variant or None)
