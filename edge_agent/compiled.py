"""What is polled, compiled: nothing in here can be wrong any more."""

from dataclasses import dataclass

from device_profiles.attribute import Attribute
from edge_agent.decode import Column, GateColumn
from edge_agent.drivers.contract import Polled, Pushed
from edge_agent.fields import FieldColumn
from edge_agent.plan import Limits, LineCost, silence_s
from edge_agent.screening import Screening
from telemetry.batch import I64
from telemetry.codes import Codes
from telemetry.deployment import Deployment
from telemetry.series import Series


@dataclass(frozen=True, slots=True)
class TcpPlan:
    """Where a Modbus TCP server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Characters:
    """How characters go over a serial line; ``parity`` is N, E or O."""

    baud: int
    parity: str
    stop: int
    data: int = 8

    @property
    def bits(self) -> int:
        """Bits of one character: start, data bits, parity, stop."""
        return 1 + self.data + (self.parity != "N") + self.stop

    @property
    def character_s(self) -> float:
        """Seconds that one character takes."""
        return self.bits / self.baud

    @property
    def silence_s(self) -> float:
        """Seconds of silence between frames."""
        return silence_s(self.baud, self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPlan(_Characters):
    """A serial port of this machine. ``rs485``: its driver switches the direction; ``echo``: it hears what it sends."""

    port: str
    rs485: bool = False
    echo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialServerPlan(_Characters):
    """A serial server, and how the line behind it is set."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenPlan:
    """Where devices call; ``connections`` at once at most."""

    host: str
    port: int
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyDevicePlan:
    """What every device has; ``ids``, shape (n,), and ``screenings`` in the order of ``series``."""

    name: str
    address: str
    series: tuple[Series, ...]
    codes: tuple[Codes, ...] = ()
    """What the numbers of those series mean that are codes."""
    ids: I64
    screenings: tuple[Screening, ...]
    period_ns: int
    phase_ns: int
    pause_s: float = 0.0
    deployments: tuple[Deployment, ...] = ()
    """By ``point/quantity`` of the series, in canonical units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan(AnyDevicePlan):
    """A Modbus device ready to be polled; ``columns`` in the order of ``series``."""

    unit: int
    columns: tuple[Column, ...]
    gates: tuple[GateColumn, ...]
    limits: Limits
    attributes: tuple[tuple[str, Attribute], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDevicePlan(AnyDevicePlan):
    """A device of another protocol; ``columns`` and ``periods_ns``, shape (n,), in the order of ``series``."""

    columns: tuple[FieldColumn, ...]
    periods_ns: I64


@dataclass(frozen=True, slots=True, kw_only=True)
class BusPlan:
    """A line with its Modbus devices."""

    name: str
    line: SerialPlan | SerialServerPlan | TcpPlan
    timeout_s: float
    cost: LineCost
    devices: tuple[DevicePlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledPlan:
    """A serial line with devices that are asked in another protocol."""

    name: str
    line: SerialPlan | SerialServerPlan
    timeout_s: float
    cost: LineCost
    protocol: Polled
    devices: tuple[FieldDevicePlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedPlan:
    """A place where devices send of their own accord; ``secret`` is what they must show, None for nothing."""

    name: str
    line: SerialPlan | SerialServerPlan | TcpPlan | ListenPlan
    timeout_s: float
    protocol: Pushed
    devices: tuple[FieldDevicePlan, ...]
    secret: str | None = None


AnyBusPlan = BusPlan | PolledPlan | PushedPlan
