"""What a gateway announces: in the words that its centre reads, since an older one refuses those that it does not."""

import asyncio

import msgspec

from telemetry.wire import Announce, encode


class Announced:
    """The announcement as it goes out; ``asked`` is set when it has to go out again."""

    def __init__(self, announce: Announce) -> None:
        self.asked = asyncio.Event()
        self._whole = announce
        self._reads: tuple[str, ...] = ()
        self.payload = encode(plain(announce, self._reads))

    def put(self, announce: Announce) -> None:
        """Announce this from now on."""
        self._whole = announce
        self._renew()

    def understood(self, reads: tuple[str, ...]) -> None:
        """The centre reads these later words; what it says last counts, since an older one may have taken its place."""
        self._reads = reads
        self._renew()

    def _renew(self) -> None:
        if (fresh := encode(plain(self._whole, self._reads))) != self.payload:
            self.payload = fresh
            self.asked.set()


def plain(announce: Announce, reads: tuple[str, ...]) -> Announce:
    """The announcement without the later words that are not read, under a revision of its own."""
    if announce.codes is msgspec.UNSET or "codes" in reads:
        return announce
    return msgspec.structs.replace(announce, revision=f"{announce.revision}, plain", codes=msgspec.UNSET)
