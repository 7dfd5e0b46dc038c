"""What simulated devices say of themselves: invented from their names, so that each keeps its serial number."""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from device_profiles import attribute_text
from device_profiles.attribute import SERIAL, Attribute
from device_profiles.convert import Patch
from device_profiles.model import Profile, Register

_LARGEST: Final = 10**8
_OBJECT_BYTES: Final = 32


class Nameplate:
    """The attributes of one device: as its registers hold them, and as objects of its identification.

    ``given`` takes the place of what is invented. Raises ValueError for a text that its place can't hold.
    """

    def __init__(self, device: str, profile: Profile, given: Mapping[str, str]) -> None:
        self.spots = [attribute_text.spot(one.register) for one in profile.attributes.values() if one.register]
        self.patches: list[Patch] = []
        self.objects: dict[int, bytes] = {}
        for name, one in profile.attributes.items():
            said = given.get(name) or _invented(name, one, device, profile.name)
            if one.register is not None:
                self.patches.append(attribute_text.encode(one, attribute_text.spot(one.register), said))
            elif one.identification is not None:
                self.objects[one.identification] = said.encode(one.encoding)


def _invented(name: str, one: Attribute, device: str, profile: str) -> str:
    number = int.from_bytes(blake2b(device.encode(), digest_size=4).digest())
    place = None if one.register is None else attribute_text.spot(one.register)
    if isinstance(place, Register):
        raw = number % min(_LARGEST, int(place.type.high) + 1) if name == SERIAL else 1
        return str((raw + (raw in one.missing)) * Decimal(repr(one.scale)))
    room = _OBJECT_BYTES if place is None else 2 * place.count
    return {SERIAL: f"{number:08X}", "firmware": "1.0"}.get(name, profile)[:room]
