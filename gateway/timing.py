"""The real time of an uplink, and what it counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Real seconds of a gateway, but for ``status_s``."""

    deadline_s: float = 5.0
    """For every exchange with the broker."""
    resend_s: float = 10.0
    """So long a batch waits for its acknowledgement before it is sent again."""
    eager_s: float = 1.0
    """The same, until a connection has brought the first acknowledgement."""
    silent_s: float = 60.0
    """So long may a connected uplink go without an acknowledgement before it says so (P14)."""
    reconnect_s: tuple[float, float] = (0.2, 30.0)
    steady_s: float = 10.0
    """A connection that lived so long was a good one: the next loss is answered at once."""
    farewell_s: float = 2.0
    reannounce_s: float = 1.0
    trial_s: float = 120.0
    """So long is a configuration that came from afar on trial."""
    gather_s: float = 0.04
    """So long are rows gathered where polls end quickly one after another; a drill, which waits for its rows, has 0."""
    status_s: float = 10.0
    """Seconds of data time between two statuses; in a drill at full speed every one of them is a stop."""


@dataclass(slots=True)
class UplinkCounts:
    """What happened since start."""

    connections: int = 0
    sent_batches: int = 0
    sent_bytes: int = 0
    malformed_acks: int = 0
