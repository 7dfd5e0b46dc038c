"""What is polled, compiled: nothing in here can be wrong any more."""

from dataclasses import dataclass

from edge_agent.decode import Column, GateColumn
from edge_agent.plan import Limits, LineCost, silence_s
from telemetry.batch import I64
from telemetry.series import Series


@dataclass(frozen=True, slots=True)
class TcpPlan:
    """Where a Modbus TCP server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPlan:
    """How a port is set; ``parity`` is N, E or O."""

    port: str
    baud: int
    parity: str
    stop: int

    @property
    def bits(self) -> int:
        """Bits of one character: start, eight data bits, parity, stop."""
        return 9 + (self.parity != "N") + self.stop

    @property
    def character_s(self) -> float:
        """Seconds that one character takes."""
        return self.bits / self.baud

    @property
    def silence_s(self) -> float:
        """Seconds of silence between frames."""
        return silence_s(self.baud, self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """A device ready to be polled. ``ids`` of shape (n,) belong to ``columns`` and ``series`` in the same order."""

    name: str
    unit: int
    series: tuple[Series, ...]
    ids: I64
    columns: tuple[Column, ...]
    gates: tuple[GateColumn, ...]
    limits: Limits
    period_ns: int
    phase_ns: int
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BusPlan:
    """A line with its devices."""

    name: str
    line: SerialPlan | TcpPlan
    timeout_s: float
    cost: LineCost
    devices: tuple[DevicePlan, ...]
