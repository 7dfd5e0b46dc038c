"""Topics of the wire: ``petrel/1/<site>/<node>/<channel>`` (docs/reference/wire.md)."""

import re
from enum import StrEnum
from typing import Final, NamedTuple

PREFIX: Final = "petrel/1"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DERIVED: Final = "derived"
"""The node whose series a centre derives itself: no gateway may be called so, and what comes under it is not heard."""

CHECKS: Final = "checks"
"""The node under which a centre writes rows again that a later neighbour has cast doubt on; as reserved as DERIVED."""


class Channel(StrEnum):
    """What a topic carries."""

    ANNOUNCE = "announce"
    DATA = "data"
    ACK = "ack"
    STATUS = "status"
    COMMAND = "command"
    RESULT = "result"
    CONFIG = "config"
    WATCH = "watch"


class Address(NamedTuple):
    """A parsed topic."""

    site: str
    node: str
    channel: Channel

    @property
    def source(self) -> str:
        """The full name of the gateway, as batches carry it."""
        return f"{self.site}/{self.node}"


def is_name(text: str) -> bool:
    """Whether a site, node, station or point may be called so: lower-case letters, digits and hyphens, 63 at most."""
    return _NAME.fullmatch(text) is not None


def is_derived(source: str) -> bool:
    """Whether series are those that a centre derives."""
    return source.rpartition("/")[2] == DERIVED


def is_checked(source: str) -> bool:
    """Whether rows are those of gateways, written again with more found about them."""
    return source.rpartition("/")[2] == CHECKS


def is_own(source: str) -> bool:
    """Whether a source is no gateway but a centre itself."""
    return is_derived(source) or is_checked(source)


def topic(source: str, channel: Channel) -> str:
    """The topic of one gateway's channel; ``source`` is ``site/node`` (``+/+`` subscribes to all)."""
    return f"{PREFIX}/{source}/{channel}"


def parse(text: str) -> Address:
    """Split a topic; raises ValueError for anything that is not one of ours."""
    parts = text.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != PREFIX or not (is_name(parts[2]) and is_name(parts[3])):
        raise ValueError(f"topic {text!r}, expected {PREFIX}/<site>/<node>/<channel>")
    if parts[4] not in set(Channel):
        raise ValueError(f"topic {text!r}: no channel {parts[4]!r}, expected one of {', '.join(Channel)}")
    return Address(parts[2], parts[3], Channel(parts[4]))
