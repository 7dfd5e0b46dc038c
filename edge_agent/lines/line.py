"""How a line fails, and what it counts."""

from dataclasses import dataclass


class LineError(Exception):
    """A request that brought no usable answer.

    LineError
    ├── NoAnswerError    silence until the deadline
    ├── GarbledError     something came, but not the answer to this request
    └── LineDownError    there is no line: connection refused, reset, port gone
    """


class NoAnswerError(LineError):
    """Silence until the deadline."""


class GarbledError(LineError):
    """Something came, but not the answer to this request."""


class LineDownError(LineError):
    """There is no line to ask on."""


@dataclass(slots=True)
class LineCounters:
    """What a line has seen since start."""

    requests: int = 0
    answers: int = 0
    refusals: int = 0
    timeouts: int = 0
    garbled: int = 0
    late: int = 0
    """TCP answers to a request that had been given up; bytes that came to a silent half-duplex line."""
    connects: int = 0
    connect_failures: int = 0
    withheld: int = 0
    """Replies that a device did not get, since what it had reported was not kept in time, or of nobody known."""
