"""aiomqtt's client, mended where both halves need it.

paho asks for a socket to be watched for writing; aiomqtt 2.5.1 does that one turn of the loop later, by the number of
the file. When the broker hung up meanwhile, that number is nobody's, which uvloop reports with a traceback
("Bad file descriptor"), or already another socket's, which would then be watched in its place.
"""

from typing import Any

import aiomqtt
import paho.mqtt.client as paho


class Client(aiomqtt.Client):
    """A client that watches a socket only while it is open and has something to write."""

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
