"""What the devices of a gateway say of themselves, kept over restarts: so a device that was replaced is noticed.

A serial number that is another one is noted for thirty days where gateway.yaml states none; where a deployment there
states one, it is noted for as long as the two differ.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog

from device_profiles.attribute import SERIAL
from edge_agent.identity import DIFFERS
from gateway.remote.files import write_whole
from telemetry.clock import HOUR_NS

_LOG: Final = structlog.get_logger()
_NAME: Final = "nameplates.json"
_NOTED_NS: Final = 30 * 24 * HOUR_NS
_MOST_CHARACTERS: Final = 64 * 1024
"""Of all attributes in one status, which goes out every few seconds; what is beyond stays here."""


class Nameplate(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of a device, and the serial number that stood there before, where it was replaced."""

    attributes: dict[str, str]
    before: str = ""
    replaced_ns: int = 0
    """Data time at which that was noticed."""


Found = Mapping[str, Mapping[str, str]]
"""Attributes by device."""


class Nameplates:
    """All nameplates of one gateway; ``folder`` keeps them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._known = _read(self._path)

    def take(self, found: Found, devices: Collection[str], now_ns: int) -> bool:
        """What was read lately; of devices that are no longer here nothing is kept. Whether anything is new."""
        known = {name: one for name, one in self._known.items() if name in devices}
        known |= {name: self._renewed(name, dict(said), now_ns) for name, said in found.items() if name in devices}
        is_new, self._known = known != self._known, known
        return is_new

    def keep(self) -> None:
        """Write it down; waits for the disk."""
        try:
            write_whole(self._path, msgspec.json.encode(self._known))
        except OSError as exc:
            _LOG.warning("attributes of devices can't be kept", path=str(self._path), reason=exc.strerror)

    def shown(self) -> dict[str, dict[str, str]]:
        """The attributes by device, as many as a status may hold."""
        shown, room = dict[str, dict[str, str]](), _MOST_CHARACTERS
        for name, one in sorted(self._known.items()):
            room -= sum(len(key) + len(text) for key, text in one.attributes.items()) + len(name)
            if one.attributes and room > 0:
                shown[name] = one.attributes
        return shown

    def notes(self, now_ns: int, stated: Mapping[str, str]) -> list[str]:
        """Devices that are not those of their deployments or profiles, or were replaced lately, a line each.

        ``stated`` are serial numbers by device.
        """
        found = [(name, one, one.attributes.get(SERIAL, "")) for name, one in sorted(self._known.items())]
        strange = [
            f"device {name} has serial number {serial}, its deployment in gateway.yaml {stated[name]}: "
            "expected a deployment of the one that is there"
            for name, _, serial in found
            if serial and stated.get(name, serial) != serial
        ]
        strange += [
            f"device {name} is not as its profile says: {one.attributes[DIFFERS]}: "
            "expected the sensor, or the profile, that belongs there"
            for name, one, _ in found
            if DIFFERS in one.attributes
        ]
        return strange + [
            f"device {name} has serial number {serial}, before it was {one.before}: "
            "replaced? expected a deployment with that in gateway.yaml"
            for name, one, serial in found
            if name not in stated and one.before and 0 <= now_ns - one.replaced_ns < _NOTED_NS
        ]

    def _renewed(self, name: str, said: dict[str, str], now_ns: int) -> Nameplate:
        before = self._known.get(name, Nameplate(attributes={}))
        was = before.attributes.get(SERIAL)
        if was is None:
            return msgspec.structs.replace(before, attributes=said)
        if said.setdefault(SERIAL, was) == was:  # one that is not told now is not forgotten
            return msgspec.structs.replace(before, attributes=said)
        _LOG.warning("another serial number", device=name, serial=said[SERIAL], was=was)
        return Nameplate(attributes=said, before=was, replaced_ns=now_ns)


def _read(path: Path) -> dict[str, Nameplate]:
    """What is kept; nothing where that can't be read: then no replacement is noticed until all was read once."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Nameplate])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, RecursionError) as exc:
        _LOG.warning("attributes of devices can't be read", path=str(path), reason=str(exc))
        return {}
