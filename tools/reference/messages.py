"""docs/reference/messages.md: the fields of every message of the wire, from the structs that they are packed from."""

from typing import Final

import msgspec

from telemetry.orders import Answer, Command, ConfigOrder
from telemetry.topics import Channel
from telemetry.wire import Ack, Announce, Data, Status, Watch
from tools.reference import settings, text

_INTRO: Final = "By channel. How they go to and fro stands in [wire](wire.md)."
_KINDS: Final[dict[Channel, type[msgspec.Struct]]] = {
    Channel.ANNOUNCE: Announce,
    Channel.DATA: Data,
    Channel.ACK: Ack,
    Channel.STATUS: Status,
    Channel.WATCH: Watch,
    Channel.COMMAND: Command,
    Channel.CONFIG: ConfigOrder,
    Channel.RESULT: Answer,
}


def page() -> str:
    """The page as it should be."""
    head = text.head("Messages", "the structs that messages are packed from", _INTRO)
    return head + "".join(f"\n## {channel}\n" + settings.sections(kind) for channel, kind in _KINDS.items())
