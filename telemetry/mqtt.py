"""aiomqtt's client, mended where both halves need it.

paho asks for a socket to be watched for writing; aiomqtt 2.5.1 does that one turn of the loop later, by the number of
the file. When the broker hung up meanwhile, that number is nobody's, which uvloop reports with a traceback
("Bad file descriptor"), or already another socket's, which would then be watched in its place.
"""

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from telemetry.broker import PASSWORD, BrokerAddress, unreachable
from telemetry.tls import BROKE_OFF, TlsError, explain

T = TypeVar("T")
_HUNG_UP: Final = "the broker hung up before it answered"
_NOT_LET_IN: Final = (134, 135)
"""Reasons of CONNACK: bad user name or password, not authorised (MQTT 5, 3.2.2.2; 4 and 5 in MQTT 3.1.1)."""


class Client(aiomqtt.Client):
    """A client that says why it is not connected, and watches a socket only while that has something to write.

    aiomqtt 2.5.1 waits its whole deadline when a broker hangs up before it has answered, and keeps what TLS said of it
    to paho's log.
    """

    def __init__(self, broker: BrokerAddress, password: str | None, **options: Any) -> None:
        """Raises MqttError when the files of TLS can't be used. ``options`` are aiomqtt's."""
        try:
            context = broker.context()
        except TlsError as exc:
            raise aiomqtt.MqttError(str(exc)) from exc
        super().__init__(
            broker.host,
            broker.port,
            username=broker.user,
            password=password,
            tls_context=context,
            **options,
        )
        self._broker = broker
        self._heard = ""
        self._client.on_log = self._listen_to_log

    async def __aenter__(self) -> "Client":
        try:
            await super().__aenter__()
        except aiomqtt.MqttError as exc:
            raise aiomqtt.MqttError(await self._probed() if self._broke_off(exc) else self._why(exc)) from exc
        except UnicodeError as exc:  # a name that no resolver takes
            raise aiomqtt.MqttError(f"{self._broker.host!r}: {exc}, expected a host name") from exc
        self._client.on_log = None  # it costs a line of text for every message
        return self

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109  # aiomqtt's
        """As aiomqtt's, whose ``asyncio.wait_for`` swallows a stop that comes with the answer (Python 3.11)."""
        longest_s = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(None if math.isinf(longest_s) else longest_s):
                return await fut
        except TimeoutError as exc:
            raise aiomqtt.MqttError("Operation timed out") from exc

    def _broke_off(self, exc: aiomqtt.MqttError) -> bool:
        """Whether a broker with TLS hung up without a word.

        With TLS 1.3 it refuses our certificate after the handshake; what we have written meanwhile makes its end of the
        connection a reset, which overtakes the word.
        """
        return self._broker.tls and (isinstance(exc.__context__, BROKE_OFF) or str(exc).startswith(_HUNG_UP))

    async def _probed(self) -> str:
        """What a handshake finds that writes nothing after it."""
        found = await asyncio.to_thread(unreachable, self._broker)
        return _HUNG_UP if found is None else found.removeprefix(f"{self._broker}: ")

    def _why(self, exc: aiomqtt.MqttError) -> str:
        """One line for people on why there is no connection."""
        reason = getattr(exc, "rc", None)
        if isinstance(reason, ReasonCode) and reason.value in _NOT_LET_IN:
            who = f"the user {self._broker.user}" if self._broker.user else "a client without a user"
            return f"the broker refuses {who} ({reason}): expected a user that it knows, and its password in {PASSWORD}"
        found = None
        if self._broker.tls:
            found = explain(exc.__context__ or exc, self._broker.host) or explain(self._heard, self._broker.host)
        return found or str(exc)

    def _listen_to_log(self, client: paho.Client, userdata: Any, level: int, line: str) -> None:
        if level == paho.MQTT_LOG_ERR:
            self._heard = line

    def _on_disconnect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._connected.cancelled():
            return  # nobody waits for this connection any more
        if not self._connected.done():
            hint = "" if self._broker.tls else "; a port that expects mqtts:// does so"
            self._connected.set_exception(aiomqtt.MqttError(f"{_HUNG_UP}{hint}"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        """Called by paho, in the loop or in the thread that connects."""
        self._loop.call_soon_threadsafe(self._watch, client, sock)

    def _watch(self, client: paho.Client, sock: Any) -> None:
        if sock.fileno() >= 0 and client.want_write():
            self._loop.add_writer(sock.fileno(), self._write, client)

    def _write(self, client: paho.Client) -> None:
        try:
            client.loop_write()
        except (OSError, ValueError) as exc:  # the connection broke while it was written to
            if not self._disconnected.done():
                self._disconnected.set_exception(exc)
