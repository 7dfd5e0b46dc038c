"""The acknowledgement as gateways and centres of before ADR 0005 know it: a word of another kind is refused."""

import msgspec

from telemetry.wire import VERSION, Refusal


class OldEpochAck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    epoch: int
    committed: tuple[tuple[int, int], ...] = ()
    refused: tuple[Refusal, ...] = ()


class OldAck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int = VERSION
    epochs: tuple[OldEpochAck, ...] = ()
    announce: bool = False

    @property
    def bundles(self) -> bool:
        """No word of it then."""
        return False
