"""What the centre must not forget: events, the engine's cursor, deliveries and operations, in one SQLite file."""

from alerting.state.database import StateError
from alerting.state.deliveries import Delivery, Settled, Turn
from alerting.state.state import Operation, Recorded, State
from telemetry.chain import ChainError

__all__ = ["ChainError", "Delivery", "Operation", "Recorded", "Settled", "State", "StateError", "Turn"]
