"""Function 43/14 for pymodbus's server, whose own has one identification for all units of a process."""

from collections.abc import Mapping
from typing import Any, Final

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse

_MEI: Final = 0x0E
_LAST: Final = {1: 0x02, 2: 0x06, 3: 0xFF}
"""The last object of each category: basic, regular, extended."""


def identifying(objects: Mapping[int, Mapping[int, bytes]]) -> type[ModbusPDU]:
    """The request as the server is to answer it; ``objects`` by unit."""

    class Identify(ReadDeviceInformationRequest):
        sub_function_code = -1  # or pymodbus takes its own class for it once it has seen the MEI type

        @classmethod
        def decode_sub_function_code(cls, data: bytes) -> int:  # noqa: ARG003
            return -1

        def decode(self, data: bytes) -> None:
            if len(data) < 3 or data[0] != _MEI:
                raise ModbusException(f"MEI type {data[:1].hex()}, expected {_MEI:02x}")
            self.read_code, self.object_id = data[1], data[2]

        async def datastore_update(self, context: Any, device_id: int) -> ModbusPDU:
            known = objects.get(device_id)
            if not known:
                return ExceptionResponse(self.function_code, ExcCodes.ILLEGAL_FUNCTION)
            last = _LAST.get(self.read_code, 0xFF)
            return ReadDeviceInformationResponse(
                read_code=self.read_code,
                information={number: text for number, text in sorted(known.items()) if number <= last},
                dev_id=device_id,
                transaction_id=self.transaction_id,
            )

    return Identify
