"""How a serial line may be set: what a scan tries, in which order."""

from dataclasses import dataclass
from typing import Final, Literal

from edge_agent.compiled import SerialPlan, SerialServerPlan
from gateway.tools.target import Parity, Reach, Stop

Protocol = Literal["modbus", "dlt645", "cjt188", "sdi12"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("modbus", "dlt645", "cjt188", "sdi12")
TIMEOUTS_S: Final[dict[Protocol, float]] = {"modbus": 0.2, "dlt645": 0.6, "cjt188": 0.6, "sdi12": 0.5}
"""How long an answer may take to begin: meters have half a second, an SDI-12 adapter its break and its own delay."""
_BAUDS: Final[dict[Protocol, tuple[int, ...]]] = {
    "modbus": (9600, 19200, 4800, 115200, 38400),
    "dlt645": (2400, 9600, 1200, 4800),
    "cjt188": (2400, 9600, 1200, 4800),
    "sdi12": (1200, 9600),
}
"""The likeliest first: factory settings of field devices; annexes of the meters' standards."""
_PARITIES: Final[dict[Protocol, tuple[Parity, ...]]] = {
    "modbus": ("N", "E"),
    "dlt645": ("E",),
    "cjt188": ("E",),
    "sdi12": ("E", "N"),
}
_PAIRS: Final[dict[Protocol, tuple[tuple[int, Parity], ...]]] = {"sdi12": ((1200, "E"), (9600, "N"))}
"""What is tried of all pairs where nothing is given: a transparent adapter, and what most others are asked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Baud, parity, stop bits and data bits."""

    baud: int
    parity: Parity
    stop: Stop = 1
    data: int = 8

    def __str__(self) -> str:
        return f"{self.baud} {self.data}{self.parity}{self.stop}"

    def line(self, reach: Reach) -> SerialPlan | SerialServerPlan:
        """A serial line set so."""
        if reach.serial is not None:
            return SerialPlan(
                port=reach.serial, echo=reach.echo, baud=self.baud, parity=self.parity, stop=self.stop, data=self.data
            )
        host, port = reach.serial_server or ("", 0)
        return SerialServerPlan(
            host=host, port=port, baud=self.baud, parity=self.parity, stop=self.stop, data=self.data
        )


def settings(reach: Reach, protocol: Protocol, bauds: tuple[int, ...], parities: tuple[Parity, ...]) -> list[Setting]:
    """What to try, the likeliest first; a serial server sets its line itself, so there one setting stands for it."""
    stop = reach.stop or 1
    all_bauds, all_parities = bauds or _BAUDS[protocol], parities or _PARITIES[protocol]
    if reach.serial_server is not None:
        all_bauds, all_parities = all_bauds[:1], all_parities[:1]
    pairs = [(baud, parity) for baud in all_bauds for parity in all_parities]
    if protocol in _PAIRS and not bauds and not parities:
        pairs = list(_PAIRS[protocol][: len(pairs)])
    seven = protocol == "sdi12"
    return [
        Setting(baud=baud, parity=parity, stop=stop, data=7 if seven and parity != "N" else 8) for baud, parity in pairs
    ]
