"""A pipeline with a pump at one end and a network at the other, and a leak in between: steady from step to step.

Head loss is quadratic in the flow (Darcy-Weisbach with a constant friction factor), and so are the pump's curve and the
resistance of the network; the leak is an orifice, q = c sqrt(p - atmosphere). Solved by bisection on the pressure at
the leak, because the balance of flows there falls as it rises. Pressures in kPa absolute, flows in m3/h.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from telemetry.batch import F64

ATMOSPHERE_KPA: Final = 101.325
_HALVINGS: Final = 60


class Pipeline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stations at the ends, bore, pressure of the shut pump and of the network, and three quadratic losses."""

    inlet: str
    outlet: str
    bore_m: float
    shut_kpa: float
    network_kpa: float
    pump_loss: float
    """kPa per (m3/h)^2, as the other two."""
    line_loss: float
    network_loss: float


class State(NamedTuple):
    """Flow in and out in m3/h, pressure at both ends in kPa, leakage in m3/h; shapes (n,)."""

    flow_in: F64
    flow_out: F64
    pressure_in: F64
    pressure_out: F64
    leakage: F64


def solve(line: Pipeline, network_kpa: F64, opening: F64, place: float) -> State:
    """The line under a network pressure (n,) and a leak of ``opening`` (n,), m3/h per sqrt(kPa), somewhere along it."""
    before = line.pump_loss + place * line.line_loss
    after = line.network_loss + (1.0 - place) * line.line_loss
    low, high = network_kpa.copy(), np.full_like(network_kpa, line.shut_kpa)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        surplus = _root((line.shut_kpa - middle) / before) - _root((middle - network_kpa) / after)
        gains = surplus > opening * _root(middle - ATMOSPHERE_KPA)
        low, high = np.where(gains, middle, low), np.where(gains, high, middle)
    inflow, outflow = _root((line.shut_kpa - low) / before), _root((low - network_kpa) / after)
    return State(
        inflow,
        outflow,
        line.shut_kpa - line.pump_loss * inflow**2,
        network_kpa + line.network_loss * outflow**2,
        opening * _root(low - ATMOSPHERE_KPA),
    )


def _root(x: F64) -> F64:
    return np.sqrt(np.maximum(x, 0.0))
