"""A line without a line: one conversation of a polled protocol with a device that is a function."""

from collections.abc import Callable

from edge_agent.drivers.contract import Ask

Device = Callable[[bytes], bytes | None]
"""The answer to a request, None for silence; an empty request only listens."""


def whole(ask: Ask, answer: bytes) -> bytes:
    """The frame that a line would hand over, as the bytes come one by one; raises FrameError as the line would."""
    for end in range(len(answer) + 1):
        size = ask.size(answer[:end])
        assert size is None or size >= end
        if size == end:
            assert end == len(answer), f"{answer!r} taken to end after {end} bytes"
            assert end <= ask.longest
            return answer
    raise AssertionError(f"no end seen in {answer!r}")


def talk(conversation, device: Device):
    """What the conversation returns, and the requests that it took."""
    requests, answer = [], None
    while True:
        try:
            ask = next(conversation) if answer is None else conversation.send(answer)
        except StopIteration as stop:
            return stop.value, requests
        requests.append(ask.request)
        answer = device(ask.request)
        if answer is None:
            assert ask.optional, f"{ask.request!r} was not answered"
            answer = b""
        else:
            answer = whole(ask, answer)


def flip(frame: bytes, at: int, by: int) -> bytes:
    """A frame with one byte changed."""
    return frame[:at] + bytes((frame[at] ^ by,)) + frame[at + 1 :]
