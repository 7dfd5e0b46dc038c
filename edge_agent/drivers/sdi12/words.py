"""What all SDI-12 frames are made of: addresses, lines of text, and the CRC (clauses 4.2 to 4.4)."""

from typing import Final

from edge_agent.drivers.contract import FrameError

END: Final = b"\r\n"
ANYONE: Final = "?"
"""The address that every sensor answers; only for a line with one sensor."""
_CRC_SIZE: Final = 3
_MAX_CHARACTER: Final = 0x7F
"""A character of a CRC may be DEL."""


def check_address(address: str) -> None:
    """Raises FrameError for what is no sensor's address (clause 4.2.1)."""
    if len(address) != 1 or not (address.isascii() and address.isalnum()):
        raise FrameError(f"address {address!r}, expected one of 0-9, A-Z, a-z")


def crc16(data: bytes) -> int:
    """CRC-16/ARC: polynomial 8005h reflected, starting at 0 (clause 4.4.12)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def crc_text(data: bytes) -> bytes:
    """The CRC of some bytes as three characters, six bits in each."""
    crc = crc16(data)
    return bytes((0x40 | crc >> 12, 0x40 | crc >> 6 & 0x3F, 0x40 | crc & 0x3F))


def answer_size(start: bytes, address: str, longest: int) -> int | None:
    """Bytes of the answer that starts so, or None while its end has not come; raises FrameError."""
    if start and address != ANYONE and start[:1] != address.encode("ascii"):
        raise FrameError(f"answer {start[:8]!r}, expected address {address}")
    at = start.find(END)
    text = start[:at] if at >= 0 else start.removesuffix(END[:1])
    if not all(0x20 <= byte <= _MAX_CHARACTER for byte in text):
        raise FrameError(f"answer {start[:8]!r}, expected printable characters up to CR LF")
    size = at + len(END)
    if size > longest or (at < 0 and len(start) >= longest):
        raise FrameError(f"answer {start[:8]!r} of {len(start)} bytes, expected CR LF within {longest}")
    return size if at >= 0 else None


def body_of(frame: bytes, address: str, longest: int, *, crc: bool = False) -> str:
    """What a whole answer holds between its address and its end, or its CRC, which must be right; raises FrameError."""
    if answer_size(frame, address, longest) != len(frame):
        raise FrameError(f"answer {frame[:8]!r} of {len(frame)} bytes, expected one line that ends with CR LF")
    end = len(frame) - len(END)
    if not crc:
        return frame[1:end].decode("ascii")
    content, found = frame[: end - _CRC_SIZE], frame[end - _CRC_SIZE : end]
    if end <= _CRC_SIZE or found != crc_text(content):
        raise FrameError(f"answer {frame[:8]!r} with CRC {found!r}, expected {crc_text(content)!r}")
    return content[1:].decode("ascii")
