"""Simulated devices of other protocols than Modbus on real lines: asked on a pseudo-terminal, or speaking up by
themselves, on one or over connections that they open.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import structlog

from simulators import faults
from simulators.bench import SLOW, STRANGE, Bench, spoilt
from simulators.field_twin import FieldTwin, FieldUnit
from simulators.pty import LineTransport, SerialLine
from simulators.speaker import speaking
from simulators.talk import contract
from simulators.talk.contract import ANYONE, Answering, stranger
from simulators.ways import Call, Wired

_log: Final = structlog.get_logger()
_LOOPBACK: Final = "127.0.0.1"
_STALE_S: Final = 0.2
"""Real seconds after which half a request is noise."""
_MOST_HEARD: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    """The devices of one bus: on a serial line, or calling a port (0: any free one) at which a gateway listens.

    ``secret`` is what they show when they call, ``patience_s`` the real seconds that they wait until they were heard.
    On a serial line with a ``baud``, devices that are asked are deaf at every other rate.
    """

    bus: str
    way: Literal["serial", "listen"]
    units: tuple[FieldUnit, ...]
    host: str = _LOOPBACK
    port: int = 0
    secret: str | None = None
    patience_s: float = 10.0
    baud: int | None = None


@asynccontextmanager
async def serve(line: FieldLine, bench: Bench, path: Path) -> AsyncIterator[Path | tuple[str, int]]:
    """Run the devices of a line; gives the name of its port, or the address that they call.

    Raises ValueError where devices that are asked should call.
    """
    talk = contract.of(line.units[0].profile)
    twins = {unit.address: FieldTwin(unit, bench.observe) for unit in line.units}
    if line.way == "listen":
        if isinstance(talk, Answering):
            raise ValueError(f"bus {line.bus}: {line.units[0].profile.protocol} devices do not call, expected serial")
        port = line.port or await _free_port(line.host)
        async with speaking(bench, talk, twins, lambda: Call(line.host, port, line.patience_s), line.secret):
            yield line.host, port
        return
    wire = SerialLine(path, line.baud)
    try:
        if isinstance(talk, Answering):
            transport = LineTransport(wire, _Asked(bench, talk, twins))
            yield wire.path
            transport.close()
        else:
            async with speaking(bench, talk, twins, lambda: Wired(wire, line.patience_s), line.secret):
                yield wire.path
    finally:
        wire.close()


async def _free_port(host: str) -> int:
    """A port that nobody has; whoever listens there takes it a moment later."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), host, 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


def _at_once(answers: Sequence[bytes]) -> bytes:
    """What a line carries on which several talk at once: a space of one wins over the marks of the others."""
    together = bytearray(answers[0])
    for data in answers[1:]:
        shorter, longer = sorted((bytes(together), data), key=len)
        together = bytearray(a & b for a, b in zip(shorter, longer, strict=False)) + longer[len(shorter) :]
    return bytes(together)


class _Asked:
    """Devices that share a line on which they are asked."""

    def __init__(self, bench: Bench, talk: Answering, twins: Mapping[str, FieldTwin]) -> None:
        self._bench, self._talk, self._twins = bench, talk, twins
        self._heard, self._heard_s = b"", 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line is there."""
        self._transport = transport  # type: ignore[assignment]  # a LineTransport is a Transport

    def data_received(self, data: bytes) -> None:
        """Gather a request, and answer it."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._heard_s > _STALE_S:
            self._heard = b""
        self._heard, self._heard_s = (self._heard + data)[-_MOST_HEARD:], now_s
        try:
            address = self._talk.asked(self._heard)
        except ValueError:
            self._heard = b""
            return
        if address is not None:
            request, self._heard = self._heard, b""
            self._answer(request, address)

    def _answer(self, request: bytes, address: str) -> None:
        """The answers of all who are meant; of several at once the line makes one that is none."""
        if address.startswith(ANYONE):
            meant = [twin for own, twin in self._twins.items() if own.endswith(address.removeprefix(ANYONE))]
        else:
            meant = [twin for own, twin in self._twins.items() if own == address]
        answers = [answer for twin in meant if (answer := self._answer_of(twin, request)) is not None]
        if answers:
            delay_s = max(delay_s for delay_s, _ in answers)
            asyncio.get_running_loop().call_later(delay_s, self._send, _at_once([data for _, data in answers]))

    def _answer_of(self, twin: FieldTwin, request: bytes) -> tuple[float, bytes] | None:
        """What one device answers, and how much later than it should."""
        now_ns = self._bench.clock.now_ns()
        kind = self._bench.broken(twin.unit.device, now_ns)
        claimed = stranger(twin.unit.address, self._twins) if kind == STRANGE else twin.unit.address
        if claimed is None:
            return None
        try:
            data = self._talk.answer(request, claimed, twin, now_ns)
        except ValueError as exc:
            _log.warning("simulated value does not fit", device=twin.unit.device, reason=str(exc))
            return None
        return (faults.SLOW if kind == SLOW else 0.0), spoilt(self._bench, data, kind)

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
