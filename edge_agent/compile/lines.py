"""The line of a bus: a port, a connection, a serial server, or a place where devices call."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from device_profiles.model import AnyProfile, Line
from edge_agent.compile.place import Place
from edge_agent.compiled import ListenPlan, SerialPlan, SerialServerPlan, TcpPlan
from edge_agent.settings import BusSettings, SerialServerSettings, SerialSettings
from telemetry.host import check_host, check_port

AnyLine = SerialPlan | SerialServerPlan | TcpPlan | ListenPlan
_ENDS: Final = ("tcp", "serial", "serial_server", "listen")
_MOST_CONNECTIONS: Final = 4096


def end(bus: BusSettings) -> tuple[str, str]:
    """Where a bus ends at the gateway: the key of it, and the port or address, which no two buses share."""
    for key in _ENDS:
        found = getattr(bus, key)
        if isinstance(found, SerialSettings):
            return key, found.port
        if found is not None:
            return key, f"{found.host}:{found.port}"
    return "name", bus.name


def line(place: Place, bus: BusSettings, profiles: Sequence[AnyProfile]) -> AnyLine:
    """The plan of the line; what the settings leave out is as the first device with a serial line has it."""
    if bus.tcp is not None:
        return TcpPlan(bus.tcp.host, bus.tcp.port)
    if bus.listen is not None:
        if not 1 <= bus.listen.connections <= _MOST_CONNECTIONS:
            problem = f"{bus.listen.connections}, expected 1 to {_MOST_CONNECTIONS}"
            raise place.error(problem, "listen", "connections")
        return ListenPlan(host=bus.listen.host, port=bus.listen.port, connections=bus.listen.connections)
    here = bus.serial or bus.serial_server
    assert here is not None  # noqa: S101  # check_end has seen that there is one
    usual = next((profile.serial for profile in profiles if profile.serial is not None), Line(baud=9600))
    characters = _characters(place, bus, here, usual)._asdict()
    if isinstance(here, SerialSettings):
        port = str(place.document.path.parent / here.port)
        return SerialPlan(port=port, rs485=here.rs485, echo=here.echo, **characters)
    return SerialServerPlan(host=here.host, port=here.port, **characters)


def _check_address(place: Place, bus: BusSettings) -> None:
    """Refuse a host or port that nobody could be reached at."""
    key, _ = end(bus)
    here = getattr(bus, key)
    if isinstance(here, SerialSettings):
        return
    for check, part in ((check_host, "host"), (check_port, "port")):
        try:
            check(getattr(here, part))
        except ValueError as exc:
            raise place.error(str(exc), key, part) from exc


def check_end(place: Place, bus: BusSettings) -> None:
    """Refuse a bus with no line, with several, or with one to nowhere."""
    found = [key for key in _ENDS if getattr(bus, key) is not None]
    if len(found) != 1:
        raise place.error(f"{' and '.join(found) or 'no line'}, expected one of {', '.join(_ENDS)}")
    _check_address(place, bus)


class _Characters(NamedTuple):
    baud: int
    parity: str
    stop: int
    data: int


def _characters(
    place: Place, bus: BusSettings, here: SerialSettings | SerialServerSettings, usual: Line
) -> _Characters:
    baud = usual.baud if here.baud is None else here.baud
    if not 300 <= baud <= 1_000_000:
        raise place.error(f"{baud} baud, expected 300 to 1000000", end(bus)[0], "baud")
    return _Characters(baud, here.parity or usual.parity, here.stop or usual.stop, here.data or usual.data)
