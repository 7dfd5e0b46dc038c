"""A process that is killed again and again. Each life is forked from one parent, so that imports cost once."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

_DEAD: Final = "dead"


def say(*words: object) -> None:
    """A line to who kills this life: one write, for a kill between two would leave half a line."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Lives:
    """The lives of one function, one at a time."""

    def __init__(self, parent: subprocess.Popen[str]) -> None:
        self._parent = parent
        self._pid = 0

    def start(self, *numbers: int) -> None:
        """Call the function in a process of its own, which lives from the return of this on."""
        self._parent.stdin.write(" ".join(map(str, numbers)) + "\n")
        self._parent.stdin.flush()
        self._pid = int(self.heard())

    def heard(self) -> str:
        """The next line that the life says."""
        if not (line := self._parent.stdout.readline()):
            raise EOFError("the parent of the lives is gone: what it said is on stderr")
        return line.rstrip("\n")

    def kill(self) -> list[str]:
        """End it as a power cut would; gives what it had still said."""
        os.kill(self._pid, signal.SIGKILL)
        said = list(iter(self.heard, _DEAD))
        self._pid = 0
        return said

    def end(self) -> None:
        """No life is left behind by a test that failed."""
        if self._pid:
            self.kill()


@contextmanager
def lives(live: Callable[..., NoReturn], folder: Path) -> Iterator[Lives]:
    """``live(folder, *numbers)``, a function of a module, to be started and killed."""
    command = [sys.executable, "-m", __name__, live.__module__, live.__name__, folder]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        one = Lives(parent)
        try:
            yield one
        finally:
            one.end()


def _main(module: str, name: str, folder: str) -> None:
    live = getattr(importlib.import_module(module), name)
    for line in sys.stdin:
        if os.fork() == 0:
            say(os.getpid())
            live(Path(folder), *map(int, line.split()))
        os.wait()
        say(_DEAD)


if __name__ == "__main__":
    _main(*sys.argv[1:])
