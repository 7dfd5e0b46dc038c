"""Modbus requests and answers as bytes, both ways and without I/O.

Source: MODBUS Application Protocol V1.1b3; MODBUS over Serial Line V1.02; MODBUS Messaging on TCP/IP V1.0b. Whatever
arrives is hostile until it has been decoded: every decoder raises FrameError (a ValueError) and nothing else.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge_agent.drivers.contract import FrameError

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
_BIT_READS: Final = (READ_COILS, READ_DISCRETE)
_READS: Final = (*_BIT_READS, READ_HOLDING, READ_INPUT)
_SINGLE_WRITES: Final = (WRITE_COIL, WRITE_REGISTER)
_LIMITS: Final = {1: 2000, 2: 2000, 3: 125, 4: 125, 5: 1, 6: 1, 15: 1968, 16: 123}
_EXCEPTION: Final = 0x80
_COIL_ON: Final = 0xFF00
_MAX_PDU: Final = 253
MBAP: Final = 7
"""Bytes before the PDU on TCP: transaction, protocol, length, unit."""
MAX_RTU: Final = 256


class Refusal(IntEnum):
    """Exception codes (V1.1b3, clause 7)."""

    FUNCTION = 1
    ADDRESS = 2
    VALUE = 3
    FAILURE = 4
    ACKNOWLEDGE = 5
    BUSY = 6
    PARITY = 8
    NO_PATH = 10
    NO_TARGET = 11


class ExceptionAnswerError(FrameError):
    """The device answered that it will not do it."""

    def __init__(self, code: int) -> None:
        name = Refusal(code).name.lower() if code in set(Refusal) else "unknown"
        super().__init__(f"device answered exception {code} ({name})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Read:
    """Read ``count`` bits or registers from ``address`` (functions 1 to 4)."""

    unit: int
    function: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class Write:
    """Write registers (functions 6, 16) or bits (5, 15; any number but 0 is on)."""

    unit: int
    function: int
    address: int
    values: tuple[int, ...]

    @property
    def count(self) -> int:
        """Bits or registers written."""
        return len(self.values)


Request = Read | Write


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS of some bytes (MODBUS over Serial Line V1.02, appendix B); on the line the low byte goes first."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC_TABLE: Final = tuple(_crc_of_byte(byte) for byte in range(256))


def pack_bits(bits: tuple[int, ...]) -> bytes:
    """Bits as bytes, the first bit in the lowest place of the first byte."""
    number = sum(1 << at for at, bit in enumerate(bits) if bit)
    return number.to_bytes((len(bits) + 7) // 8, "little")


def unpack_bits(data: bytes, count: int) -> tuple[int, ...]:
    """The first ``count`` bits of bytes."""
    number = int.from_bytes(data, "little")
    return tuple(number >> at & 1 for at in range(count))


def payload_size(request: Request) -> int:
    """Data bytes in the right answer to a read."""
    return (request.count + 7) // 8 if request.function in _BIT_READS else 2 * request.count


def _check(request: Request) -> None:
    limit = _LIMITS.get(request.function)
    if limit is None or (request.function in _READS) is not isinstance(request, Read):
        raise FrameError(f"function {request.function}, expected one of {', '.join(map(str, _LIMITS))}")
    if not 1 <= request.count <= limit:
        raise FrameError(f"{request.count} bits or registers in function {request.function}, expected 1 to {limit}")
    if not 0 <= request.address <= 0x10000 - request.count:
        raise FrameError(f"address {request.address} + {request.count}, expected 0x0000 to 0xFFFF")


def encode_request(request: Request) -> bytes:
    """The PDU of a request; raises FrameError for one that can't be."""
    _check(request)
    if isinstance(request, Read):
        return struct.pack(">BHH", request.function, request.address, request.count)
    if any(not 0 <= value <= 0xFFFF for value in request.values):
        raise FrameError(f"values {request.values}, expected 0 to 65535")
    if request.function == WRITE_COIL:
        return struct.pack(">BHH", WRITE_COIL, request.address, _COIL_ON if request.values[0] else 0)
    if request.function == WRITE_REGISTER:
        return struct.pack(">BHH", WRITE_REGISTER, request.address, request.values[0])
    data = _written(request)
    return struct.pack(">BHHB", request.function, request.address, request.count, len(data)) + data


def _written(request: Write) -> bytes:
    if request.function == WRITE_COILS:
        return pack_bits(request.values)
    return struct.pack(f">{request.count}H", *request.values)


def decode_request(unit: int, pdu: bytes) -> Request:
    """The request in a PDU (for simulated devices); raises FrameError."""
    if len(pdu) < 5 or pdu[0] not in _LIMITS:
        raise FrameError(f"request {pdu[:8].hex(' ')}, expected a function of {', '.join(map(str, _LIMITS))}")
    function, address, count = struct.unpack_from(">BHH", pdu)
    request = Read(unit, function, address, count) if function in _READS else _decode_write(unit, pdu)
    if encode_request(request) != pdu:
        raise FrameError(f"request of {len(pdu)} bytes {pdu[:8].hex(' ')}, expected {encode_request(request).hex(' ')}")
    return request


def _decode_write(unit: int, pdu: bytes) -> Write:
    function, address, count = struct.unpack_from(">BHH", pdu)
    if function in _SINGLE_WRITES:
        return Write(unit, function, address, (int(bool(count)) if function == WRITE_COIL else count,))
    data = pdu[6:]
    if function == WRITE_COILS:
        return Write(unit, function, address, unpack_bits(data, min(count, 8 * len(data))))
    return Write(unit, function, address, struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2]))


def encode_answer(request: Request, payload: bytes = b"") -> bytes:
    """The PDU that answers a request (for simulated devices); ``payload`` is the data of a read."""
    if isinstance(request, Read):
        return bytes((request.function, len(payload))) + payload
    return encode_request(request)[:5]


def encode_exception(function: int, code: int) -> bytes:
    """The PDU that refuses a request."""
    return bytes((function | _EXCEPTION, code))


def decode_answer(request: Request, pdu: bytes) -> bytes:
    """The data of the answer to this request (empty for a write).

    Raises ExceptionAnswerError when the device refused, FrameError when it is no answer to this request.
    """
    if len(pdu) == 2 and pdu[0] == request.function | _EXCEPTION:
        raise ExceptionAnswerError(pdu[1])
    if not pdu or pdu[0] != request.function:
        raise FrameError(f"answer {pdu[:4].hex(' ')}, expected function {request.function}")
    if isinstance(request, Write):
        if pdu != encode_request(request)[:5]:
            raise FrameError(f"answer {pdu[:8].hex(' ')}, expected the echo of what was written")
        return b""
    size = payload_size(request)
    if len(pdu) != 2 + size or pdu[1] != size:
        raise FrameError(f"answer with {len(pdu) - 2} data bytes, expected {size}")
    return pdu[2:]


def wrap_rtu(unit: int, pdu: bytes) -> bytes:
    """A PDU as it goes over a serial line."""
    frame = bytes((unit,)) + pdu
    return frame + struct.pack("<H", crc16(frame))


def unwrap_rtu(frame: bytes) -> tuple[int, bytes]:
    """Unit and PDU of a serial frame; raises FrameError when it is too short, too long or its CRC is wrong."""
    if not 4 <= len(frame) <= MAX_RTU:
        raise FrameError(f"frame of {len(frame)} bytes, expected 4 to {MAX_RTU}")
    (found,) = struct.unpack("<H", frame[-2:])
    expected = crc16(frame[:-2])
    if found != expected:
        raise FrameError(f"frame {frame[:8].hex(' ')} with CRC {found:04x}, expected {expected:04x}")
    return frame[0], frame[1:-2]


def rtu_answer_size(request: Request, start: bytes) -> int:
    """Bytes of the answer that starts so: that of an exception, or of the right answer to this request."""
    if len(start) >= 2 and start[1] == request.function | _EXCEPTION:
        return 5
    return 8 if isinstance(request, Write) else 5 + payload_size(request)


def wrap_tcp(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A PDU as it goes over TCP."""
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def tcp_size(start: bytes) -> int | None:
    """Bytes of the TCP frame that starts so, or None while its header is incomplete; raises FrameError."""
    if len(start) < MBAP:
        return None
    _, protocol, length = struct.unpack_from(">HHH", start)
    if protocol != 0 or not 2 <= length <= _MAX_PDU + 1:
        raise FrameError(f"header {start[:MBAP].hex(' ')}, expected protocol 0 and length 2 to {_MAX_PDU + 1}")
    return MBAP - 1 + length


def unwrap_tcp(frame: bytes) -> tuple[int, int, bytes]:
    """Transaction, unit and PDU of a whole TCP frame; raises FrameError."""
    if tcp_size(frame) != len(frame):
        raise FrameError(f"frame of {len(frame)} bytes {frame[:MBAP].hex(' ')}, expected the length in its header")
    transaction, _, _, unit = struct.unpack_from(">HHHB", frame)
    return transaction, unit, frame[MBAP:]
