"""The devices of one line, as pymodbus's server sees them: registers on the way in, faults on the way out."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
import structlog
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.simulator import DataType, SimAction, SimData, SimDevice

from device_profiles.model import Table
from simulators.faults import KINDS, SLOW, Answer, Faults
from simulators.identification import identifying
from simulators.twin import Memory, Observe, SilentDeviceError, Twin, UnfitValueError, Unit
from telemetry.clock import Clock

_LOG: Final = structlog.get_logger()
_NOBODY: Final = 0
"""pymodbus gives requests for unknown units to unit 0, if there is one: there they are silenced."""
_READS: Final = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
_WRITES: Final = {5: Table.COIL, 6: Table.HOLDING, 15: Table.COIL, 16: Table.HOLDING}
_WORD: Final = 16
_TCP_UNIT_AT: Final = 6


class Bus:
    """Devices that share a line or a socket."""

    def __init__(
        self,
        units: Sequence[Unit],
        observe: Observe,
        clock: Clock,
        faults: Faults,
        rng: np.random.Generator,
        *,
        tcp: bool,
    ) -> None:
        self._twins = {unit.unit: Twin(unit) for unit in units}
        self._observe, self._clock, self._faults, self._rng, self._tcp = observe, clock, faults, rng, tcp
        self._mute: set[int] = set()
        self.late: Callable[[bytes], None] = _lost
        """Sends a packet after its time; the handler itself must not wait, since pymodbus would label what it sends
        afterwards with the unit and transaction of whatever was asked meanwhile."""
        self.refused = 0
        """Reads that failed because a value did not fit its register."""

    def devices(self) -> list[SimDevice]:
        """What pymodbus serves: one device a unit, and nobody for all other addresses."""
        nobody = SimDevice(id=_NOBODY, simdata=_blocks(()))
        return [nobody, *(self._device(number, twin) for number, twin in self._twins.items())]

    def pdus(self) -> list[type[ModbusPDU]]:
        """What pymodbus's server is to do otherwise than by itself: say who a device is."""
        return [identifying({number: twin.nameplate.objects for number, twin in self._twins.items()})]

    def trace(self, sending: bool, packet: bytes) -> bytes:
        """Pymodbus's hook on every packet: what goes out passes the faults of its device, or stays unsent."""
        if not sending:
            return packet
        unit = packet[_TCP_UNIT_AT if self._tcp else 0]
        twin = self._twins.get(unit)
        if twin is None or unit in self._mute:
            self._mute.discard(unit)
            return b""
        kind = self._faults(twin.unit.device, self._clock.now_ns())
        if kind == "slow":
            asyncio.get_running_loop().call_later(SLOW, self.late, packet)
            return b""
        return packet if kind is None else KINDS[kind](Answer(packet, self._tcp, self._rng))

    def _device(self, number: int, twin: Twin) -> SimDevice:
        action: SimAction = partial(self._act, twin)
        return SimDevice(id=number, simdata=_blocks(tuple(twin.areas())), action=action)

    async def _act(
        self,
        twin: Twin,
        function: int,
        first: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Fill the registers of one table just before they are read; take what is written."""
        if written is not None and function in _WRITES:
            twin.put(_WRITES[function], address, written)
        if written is not None or function not in _READS:
            return None
        now_ns = self._clock.now_ns()
        try:
            memory = twin.memory(self._observe, now_ns)
        except SilentDeviceError:
            self._mute.add(twin.unit.unit)
            return None
        except UnfitValueError as exc:
            self.refused += 1
            _LOG.warning("simulated value does not fit", device=twin.unit.device, reason=str(exc))
            return ExcCodes.DEVICE_FAILURE
        _fill(registers, first, _READS[function], memory)
        return None


def _lost(_packet: bytes) -> None:
    """Nobody to send it to."""


def _fill(registers: list[int], first: int, table: Table, memory: Memory) -> None:
    for (where, address), word in memory.items():
        if where is table and table.is_bits:
            place, bit = address // _WORD - first, 1 << address % _WORD
            registers[place] = registers[place] & ~bit | (bit if word else 0)
        elif where is table:
            registers[address - first] = word


Blocks = tuple[list[SimData], list[SimData], list[SimData], list[SimData]]


def _blocks(areas: Sequence[tuple[Table, int, int]]) -> Blocks:
    """Pymodbus's four address spaces; an empty one gets its last addresses, since pymodbus wants some."""

    def block(table: Table) -> list[SimData]:
        make = _bits if table.is_bits else _words
        return [make(first, end) for where, first, end in areas if where is table] or [make(0xFFF0, 0x10000)]

    return block(Table.COIL), block(Table.DISCRETE), block(Table.HOLDING), block(Table.INPUT)


def _bits(first: int, end: int) -> SimData:
    return SimData(first, values=[False] * (end - first), datatype=DataType.BITS)


def _words(first: int, end: int) -> SimData:
    return SimData(first, values=[0] * (end - first), datatype=DataType.REGISTERS)
