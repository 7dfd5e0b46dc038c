"""How a serial line may be set: what a scan tries, in which order."""

from dataclasses import dataclass
from typing import Final, Literal

from edge_agent.compiled import SerialPlan, SerialServerPlan
from gateway.tools.target import Parity, Reach, Stop

Protocol = Literal["modbus", "dlt645", "cjt188", "sdi12"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("modbus", "dlt645", "cjt188", "sdi12")
_BAUDS: Final[dict[Protocol, tuple[int, ...]]] = {
    "modbus": (9600, 19200, 4800, 115200, 38400),
    "dlt645": (2400, 9600, 1200, 4800),
    "cjt188": (2400, 9600, 1200, 4800),
    "sdi12": (1200,),
}
"""The likeliest first: factory settings of field devices; annexes of the meters' standards."""
_PARITIES: Final[dict[Protocol, tuple[Parity, ...]]] = {
    "modbus": ("N", "E"),
    "dlt645": ("E",),
    "cjt188": ("E",),
    "sdi12": ("E",),
}


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
    stop, data = reach.stop or 1, 7 if protocol == "sdi12" else 8
    all_bauds, all_parities = bauds or _BAUDS[protocol], parities or _PARITIES[protocol]
    if reach.serial_server is not None:
        all_bauds, all_parities = all_bauds[:1], all_parities[:1]
    return [Setting(baud=baud, parity=parity, stop=stop, data=data) for baud in all_bauds for parity in all_parities]
