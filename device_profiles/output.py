"""What a device can be told to do: a relay, a siren, a sign, a loudspeaker."""

import msgspec


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that can be set, in the device's own numbers; only what a gateway's ``outputs`` name is ever set."""

    name: str
    register: str
    """What is written: ``coil 3``, ``holding 0x0010 u16``, ``holding 4 f32 cdab``; whole registers only."""
    range: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest number that may be written."""
    read_back: str | None = None
    """Where the device shows what it has done, any register; what is written, where nothing else is said."""
    safe: float = 0.0
    """The number at rest: a siren that is silent."""
    pulse_s: float | None = None
    """So many seconds after any other number the gateway sets ``safe`` by itself, 3600 at most."""
    settle_s: float = 1.0
    """So long may it take until it reads back, 60 at most."""
    multiple: bool = False
    """Written with functions 15 and 16, by a device that does not know 5 and 6."""
    note: str = ""
