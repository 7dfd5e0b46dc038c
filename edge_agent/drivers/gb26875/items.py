"""What a transmitter uploads, as data: the objects of GB/T 26875.3-2011, clause 8.2.1, and their numbers."""

from typing import NamedTuple

from device_profiles.fields.gb26875 import BITS, STATE, Gb26875Field, analog_name
from edge_agent.drivers.contract import Number


class SystemState(NamedTuple):
    """Type 1: sixteen bits of a system."""

    system_type: int
    system: int
    state: int
    time_ns: int | None = None


class ComponentState(NamedTuple):
    """Type 2: sixteen bits of a component, and what its panel calls it."""

    system_type: int
    system: int
    kind: int
    zone: int
    number: int
    state: int
    text: str = ""
    time_ns: int | None = None


class Analog(NamedTuple):
    """Type 3: an analog value of a component, in steps that its type fixes."""

    system_type: int
    system: int
    kind: int
    zone: int
    number: int
    quantity: int
    value: int
    time_ns: int | None = None


class SystemOperation(NamedTuple):
    """Type 4: what was done at a system, and by whom."""

    system_type: int
    system: int
    state: int
    operator: int
    time_ns: int | None = None


class SystemVersion(NamedTuple):
    """Type 5."""

    system_type: int
    system: int
    major: int
    minor: int


class SystemText(NamedTuple):
    """Type 6: how a system is configured, in words."""

    system_type: int
    system: int
    text: str


class ComponentText(NamedTuple):
    """Type 7: what a component is called."""

    system_type: int
    system: int
    kind: int
    zone: int
    number: int
    text: str


class SystemTime(NamedTuple):
    """Type 8: the clock of a system."""

    system_type: int
    system: int
    time_ns: int | None


class TransmitterState(NamedTuple):
    """Type 21: eight bits of the transmitter itself."""

    state: int
    time_ns: int | None = None


class TransmitterOperation(NamedTuple):
    """Type 24: what was done at the transmitter, and by whom."""

    state: int
    operator: int
    time_ns: int | None = None


class TransmitterVersion(NamedTuple):
    """Type 25."""

    major: int
    minor: int


class TransmitterText(NamedTuple):
    """Type 26: how the transmitter is configured, in words."""

    text: str


class TransmitterTime(NamedTuple):
    """Type 28: the clock of the transmitter."""

    time_ns: int | None


Item = (
    SystemState
    | ComponentState
    | Analog
    | SystemOperation
    | SystemVersion
    | SystemText
    | ComponentText
    | SystemTime
    | TransmitterState
    | TransmitterOperation
    | TransmitterVersion
    | TransmitterText
    | TransmitterTime
)


def numbers(item: Item) -> dict[str, Number]:
    """The numbers of an object by field: none in words, versions, clocks and reserved analog types."""
    match item:
        case SystemState(system_type, system, state):
            return _bits(state, "system", (system_type, system))
        case ComponentState(system_type, system, _, zone, number, state):
            return _bits(state, "component", (system_type, system), (zone, number))
        case SystemOperation(system_type, system, state):
            return _bits(state, "operation", (system_type, system))
        case TransmitterState(state):
            return _bits(state, "transmitter")
        case TransmitterOperation(state):
            return _bits(state, "transmitter-operation")
        case Analog(system_type, system, _, zone, number, quantity, value):
            name = analog_name(quantity)
            field = Gb26875Field("analog", (system_type, system), (zone, number), name or "")
            return {str(field): Number(float(value))} if name else {}
    return {}


def _bits(
    state: int, of: str, system: tuple[int, int] | None = None, component: tuple[int, int] | None = None
) -> dict[str, Number]:
    found = [(STATE, state), *((name, state >> at & 1) for at, name in enumerate(BITS[of]))]
    return {str(Gb26875Field(of, system, component, part)): Number(float(value)) for part, value in found}
