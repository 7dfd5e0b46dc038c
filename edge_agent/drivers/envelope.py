"""What DL/T 645 and CJ/T 188 share: frames from 68h to 16h with a length and a sum, and BCD with the low byte first."""

from dataclasses import dataclass
from typing import Final

from edge_agent.drivers.contract import FrameError

START: Final = 0x68
END: Final = 0x16
PREAMBLE: Final = 0xFE
"""Wakes a sleeping receiver; meters send none to four before an answer, some more."""
MAX_PREAMBLE: Final = 8
_TAIL: Final = 2


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a protocol wraps its frames: ``header`` bytes up to and with the length, ``starts`` the places of 68h."""

    header: int
    starts: tuple[int, ...]
    most: int
    """Bytes of data at most."""

    def longest(self, data: int | None = None) -> int:
        """Bytes in the longest frame with so much data (None: as much as can be), with its preamble."""
        return MAX_PREAMBLE + self.header + (self.most if data is None else data) + _TAIL

    def size(self, start: bytes) -> int | None:
        """Bytes of the frame that starts so, or None while its header is incomplete; raises FrameError."""
        body = start.lstrip(bytes((PREAMBLE,)))
        preamble = len(start) - len(body)
        if preamble > MAX_PREAMBLE:
            raise FrameError(f"{preamble} bytes FE before a frame, expected at most {MAX_PREAMBLE}")
        if any(body[at] != START for at in self.starts if at < len(body)):
            raise FrameError(f"frame {body[: self.header].hex(' ')}, expected 68 at {self.starts}")
        if len(body) < self.header:
            return None
        length = body[self.header - 1]
        if length > self.most:
            raise FrameError(
                f"frame {body[: self.header].hex(' ')} with {length} data bytes, expected at most {self.most}"
            )
        return preamble + self.header + length + _TAIL

    def open(self, frame: bytes) -> tuple[bytes, bytes]:
        """Header (without its length) and data of a whole frame; raises FrameError."""
        if self.size(frame) != len(frame):
            raise FrameError(f"frame of {len(frame)} bytes {frame[:12].hex(' ')}, expected the length in its header")
        body = frame.lstrip(bytes((PREAMBLE,)))
        content, (found, end) = body[:-_TAIL], body[-_TAIL:]
        if end != END or found != sum(content) & 0xFF:
            raise FrameError(f"frame ends with {found:02x} {end:02x}, expected {sum(content) & 0xFF:02x} {END:02x}")
        return content[: self.header - 1], content[self.header :]

    def seal(self, header: bytes, data: bytes, preamble: int) -> bytes:
        """The frame of a header (without its length) and data; raises FrameError for more than fits."""
        if len(header) != self.header - 1 or len(data) > self.most or not 0 <= preamble <= MAX_PREAMBLE:
            raise FrameError(f"{preamble} bytes FE, {len(header)} of header, {len(data)} of data; expected {self}")
        content = header + bytes((len(data),)) + data
        return bytes((PREAMBLE,)) * preamble + content + bytes((sum(content) & 0xFF, END))


def bcd_number(data: bytes) -> int:
    """The number in BCD digits, low byte first; raises FrameError for what is no digit."""
    text = data[::-1].hex()
    if not text.isdecimal():
        raise FrameError(f"{data.hex(' ')} as BCD, expected decimal digits")
    return int(text)


def bcd_bytes(number: int, size: int) -> bytes:
    """A number as BCD digits in so many bytes, low byte first; raises FrameError for one that does not fit."""
    if not 0 <= number < 100**size:
        raise FrameError(f"{number} in {size} bytes of BCD, expected 0 to {100**size - 1}")
    return bytes.fromhex(f"{number:0{2 * size}}")[::-1]
