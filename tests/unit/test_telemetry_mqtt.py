"""The mended client: a socket that closed before the loop got to it is not watched."""

import asyncio
import socket

import pytest
import uvloop

from telemetry.broker import BrokerAddress
from telemetry.mqtt import Client


async def closing_early(*, is_reused: bool) -> list[str]:
    """paho wants to write, the broker hangs up, and perhaps another socket gets the number: what goes wrong then."""
    loop, troubles = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: troubles.append(str(context["exception"])))
    client, (near, far) = Client(BrokerAddress("127.0.0.1", 1883), None), socket.socketpair()
    client._client.loop_write = lambda: troubles.append("written to")
    number = near.fileno()
    client._client.on_socket_register_write(client._client, None, near)
    near.close()
    other = far.dup() if is_reused else None
    await asyncio.sleep(0.01)
    if other is not None:
        assert other.fileno() == number
        loop.remove_writer(number)
        other.close()
    far.close()
    return troubles


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("is_reused", [False, True])
def test_a_socket_that_closed_meanwhile_is_not_watched(new_loop, is_reused):
    """Neither a traceback about a bad descriptor, nor another socket watched that got its number."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(closing_early(is_reused=is_reused)) == []
