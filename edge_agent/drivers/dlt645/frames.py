"""DL/T 645-2007 messages as bytes, both ways and without I/O.

Source: DL/T 645-2007, clauses 5 (link layer) and 7 (application layer), annex A; read through public implementations
and vendors' protocol manuals. Whatever arrives is hostile until it has been decoded: every decoder raises FrameError
and nothing else. The sum at the end misses errors that cancel each other, such as two bytes that change places.
"""

from enum import IntFlag
from typing import Final, NamedTuple

from device_profiles.fields.dlt645 import Format
from edge_agent.drivers import contract
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.envelope import Envelope, bcd_bytes, bcd_number

ENVELOPE: Final = Envelope(header=10, starts=(0, 7), most=200)
BROADCAST: Final = "AAAAAAAAAAAA"
"""The address that every meter answers to 13h; only for a line with one meter."""
_READ, _FOLLOW, _FIND = 0x11, 0x12, 0x13
_ANSWER, _REFUSED, _MORE = 0x80, 0x40, 0x20
_OFFSET: Final = 0x33
_ADD: Final = bytes((byte + _OFFSET) & 0xFF for byte in range(256))
_TAKE: Final = bytes((byte - _OFFSET) & 0xFF for byte in range(256))
_ADDRESS: Final = 6
_IDENTIFIER: Final = 4
_SIGN: Final = 0x80
_ANY: Final = "AA"


class Reason(IntFlag):
    """Why a meter refuses: bits of the error byte (7.1 and annex)."""

    OTHER = 1
    NO_SUCH_DATA = 2
    PASSWORD = 4
    BAUD = 8
    YEAR_ZONES = 16
    DAY_SLOTS = 32
    TARIFFS = 64


class RefusedError(contract.RefusedError):
    """The meter answered that it will not do it."""

    def __init__(self, identifier: int, reasons: Reason) -> None:
        names = " ".join(reason.name.lower() for reason in Reason if reason in reasons and reason.name) or "no reason"
        super().__init__(f"meter refused {identifier:08X}: {names} (error byte {reasons:02x})")
        self.reasons = reasons


class Read(NamedTuple):
    """Read the data of an identifier (11h)."""

    address: str
    identifier: int


class Seek(NamedTuple):
    """Read the data of an identifier (11h) of whichever meter has an address that ends so.

    AAh stands for the digits in front (clause 5.2.3, abbreviated addressing); the answer has the whole address.
    """

    ending: str
    identifier: int = 0x00010000
    """Active energy in, which every meter has; a refusal says the address as well."""


class Follow(NamedTuple):
    """Read more of the data of an identifier (12h); ``sequence`` counts from 1."""

    address: str
    identifier: int
    sequence: int


class Find(NamedTuple):
    """Ask the only meter on a line for its address (13h)."""


class Data(NamedTuple):
    """Data of an identifier; ``sequence`` is None in the first part, ``more`` says that another part follows."""

    address: str
    identifier: int
    data: bytes
    sequence: int | None = None
    more: bool = False


class Found(NamedTuple):
    """The address of a meter (93h)."""

    address: str


class Refused(NamedTuple):
    """An answer without data (D1h, D2h, D3h): ``command`` is what was refused."""

    address: str
    command: int
    reasons: Reason


Message = Read | Seek | Follow | Find | Data | Found | Refused


def check_address(address: str) -> None:
    """Raises FrameError for what is no meter's address."""
    if len(address) != 2 * _ADDRESS or not (address.isascii() and address.isdecimal()):
        raise FrameError(f"address {address!r}, expected {2 * _ADDRESS} digits as on the meter's plate")


def encode(message: Message, preamble: int = 0) -> bytes:
    """A message as it goes over the line, after so many bytes FE; raises FrameError for one that can't be."""
    address = _address(message)
    control, data = _content(message)
    header = b"\x68" + bytes.fromhex(address)[::-1] + bytes((0x68, control))
    return ENVELOPE.seal(header, data.translate(_ADD), preamble)


def _address(message: Message) -> str:
    """As it stands in a frame."""
    if isinstance(message, Find):
        return BROADCAST
    if not isinstance(message, Seek):
        check_address(message.address)
        return message.address
    ending = message.ending
    if len(ending) not in range(2, 2 * _ADDRESS, 2) or not (ending.isascii() and ending.isdecimal()):
        raise FrameError(f"ending {ending!r}, expected 2, 4, 6, 8 or 10 digits")
    return ending.rjust(2 * _ADDRESS, "A")


def _content(message: Message) -> tuple[int, bytes]:
    match message:
        case Read(_, identifier) | Seek(_, identifier):
            return _READ, _identifier_bytes(identifier)
        case Follow(_, identifier, sequence):
            return _FOLLOW, _identifier_bytes(identifier) + _sequence_bytes(sequence)
        case Find():
            return _FIND, b""
        case Data(_, identifier, data, sequence, more):
            command = _READ if sequence is None else _FOLLOW
            tail = b"" if sequence is None else _sequence_bytes(sequence)
            return _ANSWER | command | (_MORE if more else 0), _identifier_bytes(identifier) + data + tail
        case Found(address):
            return _ANSWER | _FIND, bytes.fromhex(address)[::-1]
        case Refused(_, command, reasons):
            if command not in (_READ, _FOLLOW, _FIND) or not 0 <= reasons <= 0xFF:
                raise FrameError(
                    f"refusal of {command:02x} with error byte {reasons:x}, expected 11, 12 or 13 and a byte"
                )
            return _ANSWER | _REFUSED | command, bytes((reasons,))


def _identifier_bytes(identifier: int) -> bytes:
    if not 0 <= identifier <= 0xFFFFFFFF:
        raise FrameError(f"identifier {identifier:X}, expected four bytes")
    return identifier.to_bytes(_IDENTIFIER, "little")


def _sequence_bytes(sequence: int) -> bytes:
    if not 1 <= sequence <= 0xFF:
        raise FrameError(f"frame number {sequence}, expected 1 to 255")
    return bytes((sequence,))


def decode(frame: bytes) -> Message:
    """The message in a whole frame; raises FrameError."""
    header, coded = ENVELOPE.open(frame)
    address, control, data = header[6:0:-1].hex().upper(), header[8], coded.translate(_TAKE)
    message = _message(address, control, data)
    if message is None:
        raise FrameError(
            f"control {control:02x} with {len(data)} data bytes from {address}, expected a message of 11 to 13"
        )
    if encode(message, len(frame) - len(header) - len(coded) - 3) != frame:
        raise FrameError(f"frame from {address}, expected {encode(message).hex(' ')}")
    return message


def _message(address: str, control: int, data: bytes) -> Message | None:
    size, identifier = len(data), int.from_bytes(data[:_IDENTIFIER], "little")
    command, more = control & ~(_ANSWER | _REFUSED | _MORE), bool(control & _MORE)
    match control:
        case 0x11 if size == _IDENTIFIER:
            is_whole = not address.startswith(_ANY)
            return Read(address, identifier) if is_whole else Seek(address.lstrip("A"), identifier)
        case 0x12 if size == _IDENTIFIER + 1:
            return Follow(address, identifier, data[-1])
        case 0x13 if size == 0 and address == BROADCAST:
            return Find()
        case 0x91 | 0xB1 if size >= _IDENTIFIER:
            return Data(address, identifier, data[_IDENTIFIER:], None, more)
        case 0x92 | 0xB2 if size > _IDENTIFIER:
            return Data(address, identifier, data[_IDENTIFIER:-1], data[-1], more)
        case 0x93 if data[::-1].hex().upper() == address:
            return Found(address)
        case 0xD1 | 0xD2 | 0xD3 if size == 1:
            return Refused(address, command, Reason(data[0]))
    return None


def decode_data(request: Read | Follow, frame: bytes) -> Data:
    """The data that answer this request; raises RefusedError when the meter refused, FrameError for anything else."""
    answer = decode(frame)
    sequence = request.sequence if isinstance(request, Follow) else None
    match answer:
        case Data(request.address, request.identifier, _, found) if found == sequence:
            return answer
        case Refused(request.address, command, reasons) if command == (_READ if sequence is None else _FOLLOW):
            raise RefusedError(request.identifier, reasons)
    raise FrameError(f"answer {answer}, expected data of {request.identifier:08X} from {request.address}")


def decode_sought(ending: str, frame: bytes) -> str:
    """The address of the meter that answered Seek, with data or a refusal; raises FrameError."""
    answer = decode(frame)
    if not isinstance(answer, Data | Refused) or not answer.address.endswith(ending):
        raise FrameError(f"answer {answer}, expected one from an address that ends with {ending}")
    return answer.address


def decode_found(frame: bytes) -> str:
    """The address of the meter that answered Find; raises FrameError."""
    answer = decode(frame)
    if not isinstance(answer, Found):
        raise FrameError(f"answer {answer}, expected an address")
    return answer.address


def encode_number(value: float | None, format_: Format) -> bytes:
    """A number as BCD, rounded to its decimals (None: FF, no value); raises FrameError for one that does not fit."""
    if value is None:
        return b"\xff" * format_.size
    data = bytearray(bcd_bytes(abs(round(value * 10**format_.decimals)), format_.size))
    if format_.signed:
        if data[-1] & _SIGN:
            raise FrameError(f"{value} in {format_.size} signed bytes of BCD, expected a highest digit below 8")
        data[-1] |= _SIGN if value < 0 else 0
    elif value < 0:
        raise FrameError(f"{value} in unsigned BCD, expected 0 or more")
    return bytes(data)


def decode_number(data: bytes, format_: Format) -> float | None:
    """The number in BCD; None where the meter fills it with FF, having none; raises FrameError."""
    if len(data) != format_.size:
        raise FrameError(f"{len(data)} bytes {data[:8].hex(' ')}, expected {format_.size} of BCD")
    if data == b"\xff" * format_.size:
        return None
    negative = format_.signed and bool(data[-1] & _SIGN)
    digits = data[:-1] + bytes((data[-1] & ~_SIGN,)) if negative else data
    return (-1 if negative else 1) * bcd_number(digits) / 10**format_.decimals
