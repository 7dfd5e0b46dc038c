"""CJ/T 188-2004 messages as bytes, both ways and without I/O; what a reading holds stands in ``readings``.

Source: CJ/T 188-2004, clauses on the link layer and on reading data; read through public descriptions and
implementations, since no frame of the standard's own could be found. Unlike DL/T 645 nothing is added to the data. The
order of the identifier's two bytes is the message's: editions and makers differ. Whatever arrives is hostile until it
has been decoded: every decoder raises FrameError and nothing else. The sum at the end misses errors that cancel.
"""

from typing import Final, NamedTuple

from edge_agent.drivers import contract
from edge_agent.drivers.cjt188.readings import Item, Quantity, Reading, Status, decode_reading, encode_reading, layout
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.envelope import Envelope

__all__ = [
    "ENVELOPE",
    "Address",
    "Data",
    "Find",
    "Found",
    "Item",
    "Message",
    "Quantity",
    "Read",
    "Reading",
    "Refused",
    "RefusedError",
    "Status",
    "decode",
    "decode_data",
    "decode_found",
    "decode_reading",
    "encode",
    "encode_reading",
    "layout",
    "parse_address",
]

ENVELOPE: Final = Envelope(header=11, starts=(0,), most=100)
_READ, _FIND = 0x01, 0x03
_ANSWER, _REFUSED = 0x80, 0xC0
_ANYONE: Final = b"\xaa"
_NUMBER: Final = 7
_IDENTIFIER: Final = 2


class Address(NamedTuple):
    """A meter: its type (10h to 19h water, 20h to 29h heat, 30h to 39h gas, 40h to 49h others) and its 14 digits.

    The first four digits are the maker, the others the number on the plate.
    """

    type: int
    number: str

    def __str__(self) -> str:
        return f"{self.type:02X}:{self.number}"


class Read(NamedTuple):
    """Read the data of an identifier (01h): four hexadecimal digits in the order of the line."""

    address: Address
    identifier: str
    serial: int = 0


class Data(NamedTuple):
    """The data of an identifier (81h)."""

    address: Address
    identifier: str
    data: bytes
    serial: int = 0


class Find(NamedTuple):
    """Ask the only meter on a line for its address (03h)."""

    identifier: str = "810A"
    serial: int = 0


class Found(NamedTuple):
    """A meter's address (83h)."""

    address: Address
    identifier: str = "810A"
    serial: int = 0


class Refused(NamedTuple):
    """An answer without data (C1h, C3h): ``command`` is what was refused, ``status`` the meter's two bytes."""

    address: Address
    command: int
    status: bytes
    serial: int = 0


class RefusedError(contract.RefusedError):
    """The meter answered that it will not do it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"meter {refused.address} refused {refused.command:02x}, its status {refused.status.hex(' ')}")


Message = Read | Data | Find | Found | Refused


def parse_address(text: str) -> Address:
    """A meter's address such as ``10:78330011223344``; raises FrameError."""
    kind, _, number = text.partition(":")
    if (
        len(kind) != 2
        or kind[0] not in "1234"
        or not _digits(kind)
        or len(number) != 2 * _NUMBER
        or not _digits(number)
    ):
        raise FrameError(f"address {text!r}, expected a type of 10 to 49 and 14 digits like '10:78330011223344'")
    return Address(int(kind, 16), number)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def encode(message: Message, preamble: int = 0) -> bytes:
    """A message as it goes over the line, after so many bytes FE; raises FrameError for one that can't be."""
    control, data = _content(message)
    address = _ANYONE * (1 + _NUMBER) if isinstance(message, Find) else _address_bytes(message.address)
    return ENVELOPE.seal(b"\x68" + address + bytes((control,)), data, preamble)


def _content(message: Message) -> tuple[int, bytes]:
    if not 0 <= message.serial <= 0xFF:
        raise FrameError(f"serial number {message.serial}, expected 0 to 255")
    serial = bytes((message.serial,))
    match message:
        case Read(_, identifier):
            return _READ, _identifier_bytes(identifier) + serial
        case Data(_, identifier, data):
            return _ANSWER | _READ, _identifier_bytes(identifier) + serial + data
        case Find(identifier):
            return _FIND, _identifier_bytes(identifier) + serial
        case Found(_, identifier):
            return _ANSWER | _FIND, _identifier_bytes(identifier) + serial
        case Refused(_, command, status):
            if command not in (_READ, _FIND) or len(status) != 2:
                raise FrameError(f"refusal of {command:02x} with {status.hex()}, expected 01 or 03 and two bytes")
            return _REFUSED | command, serial + status


def _identifier_bytes(identifier: str) -> bytes:
    if len(identifier) != 2 * _IDENTIFIER or not set(identifier) <= set("0123456789ABCDEF"):
        raise FrameError(f"identifier {identifier!r}, expected four hexadecimal digits")
    return bytes.fromhex(identifier)


def _address_bytes(address: Address) -> bytes:
    parse_address(str(address))
    return bytes((address.type,)) + bytes.fromhex(address.number)[::-1]


def decode(frame: bytes) -> Message:
    """The message in a whole frame; raises FrameError."""
    header, data = ENVELOPE.open(frame)
    address, control = Address(header[1], header[8:1:-1].hex().upper()), header[9]
    message = _message(address, control, data)
    if message is None:
        raise FrameError(
            f"control {control:02x} with {len(data)} data bytes from {address}, expected 01, 03 or an answer"
        )
    if encode(message, len(frame) - len(header) - len(data) - 3) != frame:
        raise FrameError(f"frame from {address}, expected {encode(message).hex(' ')}")
    return message


def _message(address: Address, control: int, data: bytes) -> Message | None:
    if len(data) < _IDENTIFIER + 1:
        return None
    identifier, serial, rest = data[:_IDENTIFIER].hex().upper(), data[_IDENTIFIER], data[_IDENTIFIER + 1 :]
    match control:
        case 0x01 if not rest:
            return Read(address, identifier, serial)
        case 0x81:
            return Data(address, identifier, rest, serial)
        case 0x03 if not rest:
            return Find(identifier, serial)
        case 0x83 if not rest:
            return Found(address, identifier, serial)
        case 0xC1 | 0xC3 if not rest:
            return Refused(address, control & ~_REFUSED, data[1:], data[0])
    return None


def decode_data(request: Read, frame: bytes) -> bytes:
    """The data that answer this request; raises RefusedError when the meter refused, FrameError for anything else."""
    answer = decode(frame)
    match answer:
        case Data(request.address, request.identifier, data, request.serial):
            return data
        case Refused(request.address, 0x01, _, request.serial):
            raise RefusedError(answer)
    raise FrameError(f"answer {answer}, expected data of {request.identifier} from {request.address}")


def decode_found(frame: bytes) -> Address:
    """The address of the meter that answered Find; raises FrameError."""
    answer = decode(frame)
    if not isinstance(answer, Found):
        raise FrameError(f"answer {answer}, expected an address")
    return answer.address
