"""HJ 212 as devices speak it that report of their own accord, over a connection of theirs or a serial line."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from device_profiles.fields.hj212 import COMMANDS
from edge_agent.drivers.contract import Event, FrameError, Refused, Reply, Report, Session
from edge_agent.drivers.hj212 import data, frames
from edge_agent.drivers.hj212.frames import Edition, Message
from edge_agent.drivers.stream import SHOWN_BYTES, Packages, events

_MN: Final = re.compile(r"[0-9A-Za-z_-]{1,24}", re.ASCII)


class Hj212:
    """The protocol; ``editions`` are those that are taken. Every message says of which it is."""

    def __init__(self, editions: frozenset[Edition] = frozenset(Edition)) -> None:
        self._editions = editions

    def check_address(self, address: str) -> None:
        """Raises ValueError for what is no MN: 24 of 0-9 and A-F in the standard, shorter and freer in the field."""
        if _MN.fullmatch(address) is None:
            raise ValueError(f"address {address!r}, expected an MN: up to 24 letters and digits")

    def session(self, secret: str | None = None) -> Session:
        """A new connection; ``secret`` is the PW that devices must show."""
        return _Session(self._editions, secret)


class _Session:
    def __init__(self, editions: frozenset[Edition], secret: str | None) -> None:
        self._editions, self._secret = editions, secret
        self._splitter = frames.splitter()
        self._packages = Packages()

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """See ``contract.Session``."""
        return events(self._splitter.feed(data), partial(self._take, now_ns=now_ns), _refused)

    def _take(self, message: Message, now_ns: int) -> Iterator[Event]:
        """What comes of one message; an error ends it, and so keeps the acknowledgement back."""
        self._admit(message)
        if message.cn == frames.HEARTBEAT:
            yield Report(message.mn, "heartbeat", {})
            return
        pieces: tuple[str, ...] | None = (message.data,)
        if message.package is not None:
            key = f"{message.mn} CN={message.cn} QN={message.qn}"
            yield from self._packages.make_room(key, now_ns)
            whole = self._packages.add(key, message.package, message.data.encode("ascii"), now_ns)
            pieces = None if whole is None else tuple(piece.decode("ascii") for piece in whole)
        if pieces is not None:
            yield from _reports(message, pieces)
        if message.wants_answer:
            yield Reply(message.mn, frames.encode(frames.answer(message)))

    def _admit(self, message: Message) -> None:
        """Raises FrameError for a message that is not for us."""
        if message.edition not in self._editions:
            taken = ", ".join(sorted(edition.name for edition in self._editions))
            raise FrameError(f"message of {message.edition.name}, expected {taken}")
        if self._secret is not None and message.pw != self._secret:
            raise FrameError("wrong PW, expected the secret of this line")
        if message.cn != frames.HEARTBEAT and message.cn not in COMMANDS:
            raise FrameError(f"CN={message.cn}, expected {frames.HEARTBEAT} or one of {', '.join(COMMANDS)}")


def _refused(message: Message, error: FrameError) -> Refused:
    return Refused(f"{message.mn}: {error}", frames.encode(message)[:SHOWN_BYTES])


def _reports(message: Message, pieces: tuple[str, ...]) -> list[Report]:
    kind = COMMANDS[message.cn]
    moments = data.numbers(message.cn, data.decode(pieces))
    return [Report(message.mn, kind, numbers, time_ns) for time_ns, numbers in moments.items()]


PROTOCOL: Final = Hj212()
