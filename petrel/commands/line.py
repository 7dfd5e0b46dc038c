"""How a person says where devices are: the options that all field tools share, and what is made of them."""

from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from petrel.address import host_and_port
from petrel.errors import CommandError

if TYPE_CHECKING:
    from gateway.tools.target import Parity, Reach, Stop
    from gateway.tools.tries import Protocol

Tcp = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A device that answers on TCP.")]
Serial = Annotated[str | None, typer.Option(metavar="PORT", help="A serial port of this machine.")]
SerialServer = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="A serial server that hands bytes through (RTU over TCP).")
]
Listen = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where devices call that report by themselves.")]
Baud = Annotated[int | None, typer.Option(help="Bits a second; the profile's, if not given.")]
Parity_ = Annotated[str | None, typer.Option("--parity", metavar="N|E|O", help="None, even or odd.")]
Stop_ = Annotated[int | None, typer.Option("--stop", metavar="1|2", help="Stop bits.")]
Echo = Annotated[bool, typer.Option("--echo", help="The adapter hears what it sends.")]
Timeout = Annotated[float, typer.Option(help="Longest wait for an answer to begin, in seconds.")]
Unit = Annotated[int | None, typer.Option(help="Modbus unit; the profile's, if not given.")]
Address = Annotated[str | None, typer.Option(help="Of a device that does not speak Modbus: its name on the line.")]
Variant = Annotated[str | None, typer.Option(help="A variant of the profile.")]
Json = Annotated[bool, typer.Option("--json", help="Machine output.")]
_PARITIES: Final = ("N", "E", "O")
_STOPS: Final = (1, 2)
_MOST_UNITS: Final = 247


def reach(
    *,
    tcp: str | None = None,
    serial: str | None = None,
    serial_server: str | None = None,
    listen: str | None = None,
    baud: int | None = None,
    parity: str | None = None,
    stop: int | None = None,
    echo: bool = False,
    timeout: float = 0.5,
) -> "Reach":
    """What was typed, checked; raises CommandError (exit code 2)."""
    from gateway.tools.target import Reach

    named = {"--tcp": tcp, "--serial": serial, "--serial-server": serial_server, "--listen": listen}
    given = [option for option, value in named.items() if value is not None]
    if len(given) != 1:
        found = " and ".join(given) or "no line"
        raise CommandError(f"{found}, expected one of {', '.join(named)}", code=2)
    if parity is not None and parity not in _PARITIES:
        raise CommandError(f"--parity {parity!r}, expected one of N, E, O", code=2)
    if stop is not None and stop not in _STOPS:
        raise CommandError(f"--stop {stop}, expected 1 or 2", code=2)
    return Reach(
        tcp=None if tcp is None else host_and_port("--tcp", tcp),
        serial=serial,
        serial_server=None if serial_server is None else host_and_port("--serial-server", serial_server),
        listen=None if listen is None else host_and_port("--listen", listen),
        baud=baud,
        parity=cast("Parity | None", parity),
        stop=cast("Stop | None", stop),
        echo=echo,
        timeout_s=timeout,
    )


def protocol_of(text: str, tcp: str | None = None) -> "Protocol":
    """A protocol that a line can be scanned in; ``tcp`` is Modbus alone. Raises CommandError (exit code 2)."""
    from gateway.tools.tries import PROTOCOLS

    if text not in PROTOCOLS:
        raise CommandError(f"--protocol {text!r}, expected one of {', '.join(PROTOCOLS)}", code=2)
    if tcp is not None and text != "modbus":
        raise CommandError(f"--protocol {text} with --tcp, expected a serial line", code=2)
    return text


def units_of(text: str) -> tuple[int, ...]:
    """Modbus units as people write them, ``1-32,100``; raises CommandError (exit code 2)."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= _MOST_UNITS):
            raise CommandError(f"--units {text!r}, expected numbers from 1 to {_MOST_UNITS}, like 1-32,100", code=2)
        found |= set(range(int(first), int(last) + 1))
    return tuple(sorted(found))


def addresses_of(text: str) -> tuple[str, ...]:
    """SDI-12 addresses as people write them, ``0-9,a``; raises CommandError (exit code 2)."""
    from edge_agent.drivers.sdi12.frames import ADDRESSES

    found: set[str] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        last = last or first
        ends = [ADDRESSES.find(end) if len(end) == 1 else -1 for end in (first, last)]
        if not 0 <= ends[0] <= ends[1]:
            raise CommandError(f"--addresses {text!r}, expected some of 0-9, A-Z, a-z, like 0-9,a", code=2)
        found |= set(ADDRESSES[ends[0] : ends[1] + 1])
    return tuple(sorted(found, key=ADDRESSES.index))


def bauds_of(text: str) -> tuple[int, ...]:
    """Rates as people write them, ``9600,19200``; raises CommandError (exit code 2)."""
    parts = [part for part in text.split(",") if part]
    if any(not part.isdecimal() or not 300 <= int(part) <= 1_000_000 for part in parts):
        raise CommandError(f"--baud {text!r}, expected rates from 300 to 1000000, like 9600,19200", code=2)
    return tuple(map(int, parts))


def parities_of(text: str) -> "tuple[Parity, ...]":
    """Parities as people write them, ``N,E``; raises CommandError (exit code 2)."""
    parts = [part for part in text.split(",") if part]
    if any(part not in ("N", "E", "O") for part in parts):
        raise CommandError(f"--parity {text!r}, expected some of N,E,O", code=2)
    return tuple(cast("Parity", part) for part in parts)
