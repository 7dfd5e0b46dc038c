"""Carrying a conversation of a protocol over a line."""

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

from edge_agent.drivers.contract import Ask

R = TypeVar("R")


async def carry(talk: Generator[Ask, bytes, R], exchange: Callable[[Ask], Awaitable[bytes]]) -> R:
    """What a conversation returns; raises LineError of the exchange, and FrameError of the conversation."""
    try:
        ask = next(talk)
        while True:
            ask = talk.send(await exchange(ask))
    except StopIteration as done:
        result: R = done.value
        return result
    finally:
        talk.close()
