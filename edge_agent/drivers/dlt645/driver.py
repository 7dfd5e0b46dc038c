"""Conversations with DL/T 645-2007 meters: one request for each data identifier, and more while more follows."""

from collections.abc import Generator, Sequence
from typing import Final

from device_profiles.fields import dlt645
from device_profiles.fields.dlt645 import Dlt645Field
from edge_agent.drivers.contract import Ask, Conversation, FrameError, Number
from edge_agent.drivers.dlt645 import frames
from edge_agent.drivers.dlt645.frames import ENVELOPE, Find, Follow, Read, RefusedError, Seek
from telemetry.quality import Cause, Quality

_PREAMBLE: Final = 4
_MAX_PARTS: Final = 16
"""Frames of one identifier's data at most; the longest table of the standard takes fewer."""
_IDENTIFIER: Final = 4
_ONE_NUMBER: Final = _IDENTIFIER + 4
_DIGITS: Final = 12
_NONE: Final = Number(float("nan"), Quality.MISSING, Cause.DEVICE)


class Dlt645:
    """DL/T 645-2007 on a line that meters share."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for anything but twelve digits; a broadcast is no meter's address."""
        frames.check_address(address)

    def poll(self, address: str, fields: Sequence[str]) -> Conversation:
        """Each identifier once. What the meter refuses is MISSING; where that is everything, RefusedError says why."""
        wanted = {field: dlt645.parse(field) for field in fields}
        numbers: dict[str, Number] = {}
        refused: dict[str, Number] = {}
        refusal: RefusedError | None = None
        for identifier in dict.fromkeys(part.identifier for part in wanted.values()):
            parts = {field: part for field, part in wanted.items() if part.identifier == identifier}
            try:
                data = yield from _read(address, identifier, _expected(list(parts.values())))
            except RefusedError as exc:
                refusal = exc
                refused |= dict.fromkeys(parts, _NONE)
                continue
            numbers |= {field: number for field, part in parts.items() if (number := _number(part, data)) is not None}
        if refusal is not None and not numbers:
            raise refusal
        return numbers | refused


PROTOCOL: Final = Dlt645()


def find() -> Generator[Ask, bytes, str]:
    """The address of the only meter on a line (13h)."""
    return frames.decode_found((yield Ask(frames.encode(Find(), _PREAMBLE), ENVELOPE.size, ENVELOPE.longest(6))))


def find_ending(ending: str) -> Generator[Ask, bytes, str]:
    """The address of the only meter whose address ends with some digits, an even number of them."""
    request = Seek(ending) if len(ending) < _DIGITS else Read(ending, Seek(ending).identifier)
    frame = yield Ask(frames.encode(request, _PREAMBLE), ENVELOPE.size, ENVELOPE.longest(_ONE_NUMBER))
    return frames.decode_sought(ending, frame)


def listen(for_s: float) -> Generator[Ask, bytes, bytes]:
    """What else comes in some seconds, where somebody has answered."""
    return (yield Ask(b"", ENVELOPE.size, ENVELOPE.longest(_ONE_NUMBER), wait_s=for_s, optional=True))


def _read(address: str, identifier: int, expected: int | None) -> Generator[Ask, bytes, bytes]:
    """All data of an identifier; ``expected`` is how many bytes they are, None where that is open."""
    request: Read | Follow = Read(address, identifier)
    data = b""
    for sequence in range(1, _MAX_PARTS + 1):
        longest = ENVELOPE.longest(expected and _IDENTIFIER + expected)
        part = frames.decode_data(request, (yield Ask(frames.encode(request, _PREAMBLE), ENVELOPE.size, longest)))
        data += part.data
        if not part.more:
            return data
        request = Follow(address, identifier, sequence)
    raise FrameError(f"{identifier:08X} from {address} in more than {_MAX_PARTS} frames, expected an end")


def _expected(parts: Sequence[Dlt645Field]) -> int | None:
    return None if any(part.at is not None for part in parts) else max(part.format.size for part in parts)


def _number(field: Dlt645Field, data: bytes) -> Number | None:
    """The number of a field; None where a block ends before it. Raises FrameError."""
    if field.at is not None:
        data = data[field.at : field.at + field.format.size]
        if len(data) < field.format.size:
            return None
    value = frames.decode_number(data, field.format)
    return _NONE if value is None else Number(value)
