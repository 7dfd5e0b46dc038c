"""The mended client: a socket that closed before the loop got to it is not watched."""

import asyncio
import socket

import aiomqtt
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


async def test_a_stop_in_the_moment_of_the_answer_is_a_stop():
    """A centre or gateway that is told to end just as its broker answers does; wait_for went on."""
    client = Client(BrokerAddress("127.0.0.1", 1883), None)
    answer = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(client._wait_for(answer, timeout=None))
    await asyncio.sleep(0)
    answer.set_result(None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_no_answer_is_an_error_after_the_deadline():
    client = Client(BrokerAddress("127.0.0.1", 1883), None)
    with pytest.raises(aiomqtt.MqttError, match="timed out"):
        await client._wait_for(asyncio.get_running_loop().create_future(), timeout=0.01)
