"""Bytes in and out without a thread: a serial port or pseudo-terminal, or a connection to a serial server.

A wire knows how long a character takes where the devices are, since that is where lines collide.
"""

import asyncio
import os
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import serial
from serial.rs485 import RS485Settings

from edge_agent.compiled import SerialPlan, SerialServerPlan, TcpPlan
from edge_agent.lines import keepalive
from edge_agent.lines.line import LineDownError

_READ_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears what comes over a wire: bytes, and that it is gone."""

    heard: Callable[[bytes], None]
    lost: Callable[[str], None]


class Wire(Protocol):
    """A way for bytes. ``character_s`` and ``silence_s`` are those of the serial line at its far end."""

    name: str
    character_s: float
    silence_s: float

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent."""

    async def open(self, ears: Ears, timeout_s: float) -> None:
        """Make it ready; raises LineDownError with the reason."""

    def send(self, data: bytes) -> None:
        """Hand bytes over; a failure reaches ``ears.lost``."""

    def close(self) -> None:
        """Let go of it; nothing is heard any more."""


class SerialWire:
    """A serial port, opened for this process alone and watched by the event loop."""

    def __init__(self, plan: SerialPlan) -> None:
        self.name, self.character_s, self.silence_s = plan.port, plan.character_s, plan.silence_s
        self._plan = plan
        self._port: serial.Serial | None = None
        self._ears: Ears | None = None

    @property
    def is_open(self) -> bool:
        """Whether the port is open."""
        return self._port is not None

    async def open(self, ears: Ears, timeout_s: float) -> None:  # opens at once or not at all
        """Open the port; raises LineDownError where it is missing, taken, or can't do what was asked."""
        plan = self._plan
        data, parity = _characters(plan)
        try:
            port = serial.Serial(
                plan.port, plan.baud, bytesize=data, parity=parity, stopbits=plan.stop, timeout=0, write_timeout=0,
                exclusive=True,
            )  # fmt: skip
        except (OSError, ValueError) as exc:
            raise LineDownError(f"{plan.port}: {exc}") from exc
        except termios.error as exc:  # a kind of its own, and no OSError
            wanted = f"{plan.baud} {plan.data}{plan.parity}{plan.stop}"
            raise LineDownError(f"{plan.port}: can't be set to {wanted}: {exc.args[-1]}") from exc
        try:
            if plan.rs485:
                port.rs485_mode = RS485Settings()
        except (OSError, ValueError) as exc:
            port.close()
            raise LineDownError(f"{plan.port}: {exc}, expected a port whose driver switches RS-485 direction") from exc
        self._port, self._ears = port, ears
        asyncio.get_running_loop().add_reader(port.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """Hand bytes to the port; it takes a whole frame at once or is broken."""
        try:
            sent = os.write(self._port.fileno(), data) if self._port is not None else 0
        except OSError as exc:
            self._lost(str(exc))
            return
        if sent != len(data):
            self._lost(f"took {sent} of {len(data)} bytes")

    def close(self) -> None:
        """Close the port."""
        if self._port is not None:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._port.close()
        self._port = self._ears = None

    def _readable(self) -> None:
        if self._port is None or self._ears is None:
            return
        try:
            data = os.read(self._port.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            self._lost(str(exc))
            return
        if data:
            self._ears.heard(data)
        else:
            self._lost("hung up")

    def _lost(self, reason: str) -> None:
        if self._ears is not None:
            self._ears.lost(reason)


def _characters(plan: SerialPlan) -> tuple[int, str]:
    """Data bits and parity. A pseudo-terminal (a simulated line) has 8 and none, whatever is asked for.

    It refuses others when nothing else is set anew, so it would open once and never again.
    """
    is_pty = Path(plan.port).resolve().parent.name == "pts"
    return (8, "N") if is_pty else (plan.data, plan.parity)


class TcpWire:
    """A TCP connection, to a serial server (then with the times of the line behind it) or to a device."""

    def __init__(self, plan: SerialServerPlan | TcpPlan) -> None:
        self.name = f"{plan.host}:{plan.port}"
        self.character_s = self.silence_s = 0.0
        if isinstance(plan, SerialServerPlan):
            self.character_s, self.silence_s = plan.character_s, plan.silence_s
        self._plan = plan
        self._link: _Link | None = None

    @property
    def is_open(self) -> bool:
        """Whether the connection stands."""
        return self._link is not None and self._link.is_open

    async def open(self, ears: Ears, timeout_s: float) -> None:
        """Open the connection; raises LineDownError."""
        self.close()
        try:
            async with asyncio.timeout(timeout_s):
                _, self._link = await asyncio.get_running_loop().create_connection(
                    lambda: _Link(ears), self._plan.host, self._plan.port
                )
        except (OSError, TimeoutError, UnicodeError) as exc:  # the last: a name that no resolver takes
            reason = f"no connection within {timeout_s} s" if isinstance(exc, TimeoutError) else str(exc)
            raise LineDownError(f"{self.name}: {reason}") from exc

    def send(self, data: bytes) -> None:
        """Hand bytes to the connection."""
        if self._link is not None:
            self._link.send(data)

    def close(self) -> None:
        """Drop the connection at once."""
        if self._link is not None:
            self._link.abort()
            self._link = None


class _Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, ears: Ears) -> None:
        self.is_open = False
        self._ears: Ears | None = ears
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection makes a Transport
        keepalive.watch(transport)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._ears is not None:
            self._ears.lost(str(exc or "closed by the other side"))

    def data_received(self, data: bytes) -> None:
        if self._ears is not None:
            self._ears.heard(data)

    def send(self, data: bytes) -> None:
        """Send bytes; a connection that is going down says so by itself."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Close without waiting for the other side, and be heard no more."""
        self.is_open, self._ears = False, None
        if self._transport is not None:
            self._transport.abort()
