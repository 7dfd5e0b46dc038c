"""What a command says when it can't do what it was asked to."""

from collections.abc import Iterator
from contextlib import contextmanager


class CommandError(RuntimeError):
    """One line for stderr: what failed, where, and what was expected or what to do next; with an exit code."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code


@contextmanager
def in_one_line(*expected: type[Exception]) -> Iterator[None]:
    """Say an expected failure of a room in its own one line, instead of a traceback."""
    try:
        yield
    except expected as exc:
        raise CommandError(str(exc)) from exc
