"""Modbus TCP: one connection, one transaction at a time; a slow device blocks nobody but itself."""

import asyncio
import time
from typing import Final

from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call, accept
from edge_agent.lines.line import GarbledError, LineCounters, LineDownError, NoAnswerError
from edge_agent.lines.trace import Trace, Way

_SILENT_TIMES: Final = 3
"""Timeouts in a row after which a connection counts as dead, whatever TCP thinks of it."""


class TcpLine:
    """A connection to one host and port. ``timeout_s`` bounds the opening and each answer, in real time."""

    def __init__(self, host: str, port: int, timeout_s: float, trace: Trace | None = None) -> None:
        self.counters = LineCounters()
        self._host, self._port, self._timeout_s, self._trace = host, port, timeout_s, trace
        self._link: _Link | None = None
        self._transaction = 0
        self._silent_times = 0
        self._rest_until = 0.0

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""
        return self._link is not None and self._link.is_open

    async def connect(self) -> None:
        """Open the connection; raises LineDownError."""
        self.close()
        try:
            async with asyncio.timeout(self._timeout_s):
                _, self._link = await asyncio.get_running_loop().create_connection(
                    lambda: _Link(self.counters, self._trace), self._host, self._port
                )
        except (OSError, TimeoutError, UnicodeError) as exc:  # the last: a name that no resolver takes
            self.counters.connect_failures += 1
            reason = f"no connection within {self._timeout_s} s" if isinstance(exc, TimeoutError) else str(exc)
            raise LineDownError(f"{self._host}:{self._port}: {reason}") from exc
        self.counters.connects += 1
        self._silent_times = 0

    async def transact(self, call: Call) -> bytes:
        """The data of the answer; see ``Line``."""
        if self._link is None or not self._link.is_open:
            raise LineDownError(f"{self._host}:{self._port}: not connected")
        if self._rest_until:
            await asyncio.sleep(self._rest_until - time.monotonic())
        self._transaction = self._transaction % 0xFFFF + 1
        try:
            unit, pdu = await self._link.ask(self._transaction, call, self._timeout_s)
        except NoAnswerError:
            self._silence()
            raise
        self._silent_times = 0
        self._rest_until = time.monotonic() + call.pause_s if call.pause_s else 0.0
        return accept(call, unit, pdu, self.counters)

    def close(self) -> None:
        """Drop the connection at once."""
        if self._link is not None:
            self._link.abort()
            self._link = None

    def _silence(self) -> None:
        self._silent_times += 1
        if self._silent_times >= _SILENT_TIMES:
            self.close()


class _Link(asyncio.Protocol):
    """The bytes of one connection, cut into frames and matched by transaction."""

    def __init__(self, counters: LineCounters, trace: Trace | None = None) -> None:
        self.is_open = False
        self._counters, self._trace = counters, trace
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._transaction = 0
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection makes a Transport
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._fail(LineDownError(f"connection lost: {exc or 'closed by the device'}"))

    def data_received(self, data: bytes) -> None:
        if self._trace is not None:
            self._trace(Way.IN, data)
        buffer = self._buffer + data if self._buffer else data
        try:
            while (size := frames.tcp_size(buffer)) is not None and len(buffer) >= size:
                self._take(*frames.unwrap_tcp(buffer[:size]))
                buffer = buffer[size:]
        except FrameError as exc:
            self._derail(exc)
            buffer = b""
        self._buffer = buffer

    def abort(self) -> None:
        """Close without waiting for the other side."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    async def ask(self, transaction: int, call: Call, timeout_s: float) -> tuple[int, bytes]:
        """Send one request and wait for the frame of its transaction: unit and PDU."""
        loop = asyncio.get_running_loop()
        self._transaction, self._answer = transaction, loop.create_future()
        self._counters.requests += 1
        deadline = loop.call_later(timeout_s, self._expire, timeout_s)
        try:
            assert self._transport is not None  # noqa: S101  # whoever asks has seen is_open
            frame = frames.wrap_tcp(transaction, call.request.unit, call.pdu)
            if self._trace is not None:
                self._trace(Way.OUT, frame)
            self._transport.write(frame)
            return await self._answer
        finally:
            deadline.cancel()
            self._answer = None

    def _take(self, transaction: int, unit: int, pdu: bytes) -> None:
        if self._answer is None or self._answer.done() or transaction != self._transaction:
            self._counters.late += 1
            return
        self._answer.set_result((unit, pdu))

    def _expire(self, timeout_s: float) -> None:
        if self._buffer:
            self._derail(FrameError(f"{len(self._buffer)} bytes of a frame, then silence for {timeout_s} s"))
            return
        self._counters.timeouts += 1
        self._fail(NoAnswerError(f"no answer within {timeout_s} s"))

    def _derail(self, exc: FrameError) -> None:
        """Where the next frame begins is unknown from here on: only a new connection helps."""
        self._counters.garbled += 1
        self._fail(GarbledError(str(exc)))
        self.abort()

    def _fail(self, error: NoAnswerError | GarbledError | LineDownError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
