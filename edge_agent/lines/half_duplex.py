"""One talker at a time on a line where nothing says which request an answer belongs to; so time has to.

After a failure the line is drained and left silent for as long as the reply could still take, and the device is not
asked again before twice the line's timeout has passed since it was asked: also when something came, for that may have
been noise or somebody else's, and the right answer still be on its way. What comes later than that is refused by
whatever the protocol puts into its frames.
"""

import asyncio
import time
from collections.abc import Hashable
from typing import Final

from edge_agent.drivers.contract import Ask, FrameError
from edge_agent.lines.line import GarbledError, LineCounters, LineDownError, NoAnswerError
from edge_agent.lines.patience import Patience
from edge_agent.lines.wire import Ears, Wire

TURNAROUND_S: Final = 5e-3
_MAX_BABBLE_S: Final = 2.0
_LATE_S: Final = 0.01
"""A deadline that is noticed so much too late tells of a busy gateway, not of a silent device."""


class HalfDuplex:
    """A line for one exchange at a time. ``timeout_s`` bounds the wait for an answer to begin, in real time.

    ``echo``: the adapter hears what it sends; the echo is taken off, and one that differs is a collision.
    """

    def __init__(self, wire: Wire, timeout_s: float, *, echo: bool = False) -> None:
        self.counters = LineCounters()
        self._wire, self._timeout_s, self._echo = wire, timeout_s, echo
        self._patience = Patience(timeout_s)
        self._exchange: _Exchange | None = None
        self._last: _Exchange | None = None
        self._busy_until = 0.0
        self._shy_until: dict[Hashable, float] = {}

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""
        return self._wire.is_open

    async def connect(self) -> None:
        """Open the wire; raises LineDownError."""
        self.close()
        try:
            await self._wire.open(Ears(self._heard, self._lost), self._timeout_s)
        except LineDownError:
            self.counters.connect_failures += 1
            raise
        self.counters.connects += 1
        self._occupy(0.0)

    def close(self) -> None:
        """Close the wire; whoever waits for an answer is told."""
        self._wire.close()
        self._fail(LineDownError(f"{self._wire.name}: closed"))

    async def exchange(self, ask: Ask, party: Hashable, name: str, pause_s: float = 0.0) -> bytes:
        """The whole frame that answers; ``party`` is the device as its address on the line, ``name`` it for people.

        The line rests ``pause_s`` afterwards. Raises NoAnswerError, GarbledError and LineDownError.
        """
        if ask.request:  # who only listens collides with nobody, and must not miss what follows an answer at once
            await self._wait_for_silence(party)
        if not self._wire.is_open:
            raise LineDownError(f"{self._wire.name}: not open")
        frame = await self._talk(ask, party, name)
        self._occupy(pause_s)
        return frame

    def spoil(self) -> None:
        """Leave line and device alone as after any failure: for a frame that turned out wrong once it was whole."""
        if self._last is not None:
            self._give_up(self._last)

    async def _talk(self, ask: Ask, party: Hashable, name: str) -> bytes:
        loop = asyncio.get_running_loop()
        wait_s = self._patience.wait_s(party) if ask.wait_s is None else ask.wait_s
        sending_s = len(ask.request) * self._wire.character_s
        talk = self._exchange = self._last = _Exchange(ask, party, name, loop.create_future(), self._echo)
        talk.out_at = time.monotonic() + sending_s
        self.counters.requests += bool(ask.request)
        self._arm(talk, sending_s + wait_s + self._reply_s(ask), wait_s)
        try:
            if ask.request:
                self._wire.send(ask.request)
            self._occupy(sending_s)
            return await talk.frame
        finally:
            talk.deadline.cancel()
            self._exchange = None

    def _heard(self, data: bytes) -> None:
        self._occupy(0.0)
        talk = self._exchange
        if talk is None or talk.frame.done():
            self.counters.late += len(data)
            return
        begun = bool(talk.answer)
        talk.heard += data
        if not begun and talk.answer and talk.ask.wait_s is None:
            self._patience.answered(talk.party, time.monotonic() - talk.out_at)
        try:
            size = talk.size()
        except FrameError as exc:
            self._garbled(talk, str(exc))
            return
        # A whole frame is taken at once: waiting for silence would only cost line time.
        if size is not None and len(talk.answer) == size:
            talk.frame.set_result(talk.answer)
        elif size is not None and len(talk.answer) > size:
            self._garbled(talk, f"{len(talk.answer)} bytes, expected {size}")
        elif len(talk.answer) > talk.ask.longest:
            self._garbled(talk, f"{len(talk.answer)} bytes and no end, expected at most {talk.ask.longest}")

    def _arm(self, talk: "_Exchange", after_s: float, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        talk.deadline = loop.call_at(loop.time() + after_s, self._expire, wait_s)

    def _is_unheard(self, talk: "_Exchange") -> bool:
        """Whether the deadline passed while nobody here could listen: then the answer may be waiting to be read.

        Twice the line's timeout bounds it, before which the device is not asked again anyway.
        """
        late_s = asyncio.get_running_loop().time() - talk.deadline.when()
        return late_s > _LATE_S and time.monotonic() < talk.out_at + self._timeout_s

    def _expire(self, wait_s: float) -> None:
        """No complete answer in time."""
        talk = self._exchange
        if talk is None or talk.frame.done():
            return
        if self._is_unheard(talk):
            self._arm(talk, wait_s, wait_s)
            return
        if talk.ask.optional and not talk.answer:
            if talk.ask.request:  # what is late would answer the next request
                self._give_up(talk)
            talk.frame.set_result(b"")
            return
        if talk.answer:
            self._garbled(talk, f"{len(talk.answer)} bytes {talk.answer[:8].hex(' ')}, then silence")
            return
        self._give_up(talk)
        self._patience.silent(talk.party)
        self.counters.timeouts += 1
        self._fail(NoAnswerError(f"{talk.name}: no answer within {round(wait_s, 3)} s"))

    def _garbled(self, talk: "_Exchange", problem: str) -> None:
        self.counters.garbled += 1
        self._give_up(talk)
        self._fail(GarbledError(f"{talk.name}: {problem}"))

    def _give_up(self, talk: "_Exchange") -> None:
        """Leave the line to whatever is still on its way, and the device until it can't be late any more."""
        self._occupy(self._reply_s(talk.ask))
        self._shy_until[talk.party] = talk.out_at + 2 * self._timeout_s

    def _reply_s(self, ask: Ask) -> float:
        """The longest that the reply occupies the line."""
        return ask.longest * max(self._wire.character_s, ask.character_s) + TURNAROUND_S

    def _occupy(self, for_s: float) -> None:
        """The line is in use for so long, and must be silent after that."""
        self._busy_until = max(self._busy_until, time.monotonic() + for_s + self._wire.silence_s)

    async def _wait_for_silence(self, party: Hashable) -> None:
        """Wait until the line is silent and the device can't be late any more; every byte that comes starts it anew."""
        started = time.monotonic()
        until = max(self._busy_until, self._shy_until.pop(party, 0.0))
        patience_s = _MAX_BABBLE_S + max(0.0, until - started)
        while (left_s := until - time.monotonic()) > 0:
            if time.monotonic() - started > patience_s:
                self.counters.garbled += 1
                raise GarbledError(f"{self._wire.name}: the line does not fall silent")
            await asyncio.sleep(left_s)
            until = max(until, self._busy_until)

    def _lost(self, reason: str) -> None:
        self._fail(LineDownError(f"{self._wire.name}: {reason}"))
        self.close()

    def _fail(self, error: NoAnswerError | GarbledError | LineDownError) -> None:
        if self._exchange is not None and not self._exchange.frame.done():
            self._exchange.frame.set_exception(error)


class _Exchange:
    """A request under way and what has come of its answer."""

    def __init__(self, ask: Ask, party: Hashable, name: str, frame: asyncio.Future[bytes], echo: bool) -> None:
        self.ask, self.party, self.name, self.frame = ask, party, name, frame
        self.heard = bytearray()
        self.out_at = 0.0
        """When the request has left, in real seconds."""
        self.deadline: asyncio.TimerHandle
        self._own = ask.request if echo else b""

    @property
    def answer(self) -> bytes:
        """What came after our own echo."""
        return bytes(self.heard[len(self._own) :])

    def size(self) -> int | None:
        """Bytes of the whole answer, as far as it can be told; raises FrameError."""
        if not self._own.startswith(self.heard[: len(self._own)]):
            raise FrameError(f"echo {bytes(self.heard[:8]).hex(' ')}, expected our own {self._own[:8].hex(' ')}")
        return self.ask.size(self.answer) if len(self.heard) > len(self._own) else None
