"""Connections that notice when the other side is gone without a word: a logger that lost its mobile network, a serial
server that lost its power, a firewall that forgot who was talking.

Without this TCP waits for ever where nothing is sent, and a quarter of an hour where something is.
"""

import asyncio
import socket
from typing import Final

_GONE_AFTER_S: Final = 60
"""What is sent and not confirmed for so long means that nobody is there."""
_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_AFTER_S * 1000),
)


def watch(transport: asyncio.BaseTransport) -> None:
    """Have the kernel ask a silent peer once a minute whether it is there, and give up one that does not confirm."""
    sock = transport.get_extra_info("socket")
    for level, option, number in _OPTIONS:
        sock.setsockopt(level, option, number)
