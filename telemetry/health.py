"""What a gateway says of its clock and of its line, as parts of its status; unknown words are ignored."""

import msgspec


class ClockHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of a gateway's machine (ADR 0007)."""

    synchronised: bool = False
    """Whether something keeps it right, as the kernel knows it."""
    known: bool = True
    """Whether it may be believed at all; rows are held while not."""
    steps: int = 0
    """How often it was set while the gateway ran."""
    last_step_s: float = 0.0
    """By how much, the last time; negative: backwards."""
    held_rows: int = 0
    """Rows that wait until the time is known."""
    lost_rows: int = 0
    """Rows whose time can't be known any more (of an earlier boot; they are set aside), or that found no room."""


class LineUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the line has carried to and from the broker, measured at the socket, by the machine's calendar."""

    day: str = ""
    """The day that is counted, ISO 8601."""
    day_bytes: int = 0
    month_bytes: int = 0
    quota_bytes: int | None = None
    """What a month may carry; None where nothing is said of it."""
    sparing: bool = False
    """Whether that is used up, so that only alarms and some live rows go."""
