"""Does what a page of the documentation says: ``python -m tests.integration.docs_page PAGE FOLDER``.

A page is a story: its blocks run in order in one folder that looks like a clone. ``sh`` blocks are commands;
``console`` blocks are commands behind ``$`` with what they print, where ``...`` stands for anything. A comment before a
block says what can't be seen from it:

    <!-- file: PATH -->                  the block is a file that the reader writes
    <!-- runs until stopped: WORDS -->   runs in the background; ready when it has printed WORDS
    <!-- runs until killed: WORDS -->    the same, but a signal just ends it
    <!-- within 30 s -->                 is tried again until it succeeds and prints what is shown
    <!-- printed within 30 s -->         is what a command in the background, or its reader, gets to see
    <!-- exit: 1 -->                     ends with this code
    <!-- not run: REASON -->             can't be run here
    <!-- needs: PATH -->                 not run where this file is missing

Between blocks ``<!-- given: a broker on 127.0.0.1:1883 -->`` starts one, and ``<!-- stop -->`` ends what runs (as does
the end of the page): SIGTERM, upon which it must end with code 0.
"""

import fcntl
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.integration.brokers import nats_server

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"<!-- (.+?) -->")
_ALONE: Final = re.compile(r"<!-- (?:stop|given: .+?) -->")
_MINE: Final = re.compile(r"(?:<!-- [^>]+ -->\s*)+\Z")
_LONGEST_S: Final = 40.0
_FLAGS: Final = struct.Struct("16sh14x")
_GET_FLAGS: Final = 0x8913
_SET_FLAGS: Final = 0x8914
_UP: Final = 1
"""Of netdevice(7): struct ifreq, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP."""
_BROKER: Final = "a broker on 127.0.0.1:"


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block and what the comments before it say; ``language`` is empty for a comment that stands alone."""

    line: int
    language: str
    text: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def not_run(self) -> str | None:
        """Why it is not run here, if so."""
        if needed := self.notes.get("needs"):
            return None if Path(needed).exists() else f"{needed} is missing"
        return self.notes.get("not run")

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command with what it is shown to print; those of an ``sh`` block are one."""
        if self.language == "sh":
            return [(self.text, "")]
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


class StoryError(AssertionError):
    """A page that does not do what it says."""


def blocks(page: str) -> list[Block]:
    """The blocks of a page in order, and the comments between them."""
    found, end = [], 0
    for match in _BLOCK.finditer(page):
        between = page[end : match.start()]
        line = page.count("\n", 0, match.start()) + 1
        found += [Block(line=line, language="", notes=_notes(comment)) for comment in _ALONE.findall(between)]
        mine = _MINE.search(_ALONE.sub("", between))
        text = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append(Block(line=line, language=match[2], text=text, notes=_notes(mine[0]) if mine else {}))
        end = match.end()
    return found


def _notes(comments: str) -> dict[str, str]:
    notes = {}
    for words in _COMMENT.findall(comments):
        key, _, value = words.partition(": ")
        within = re.fullmatch(r"(printed )?within (\d+) s", words)
        notes |= {"printed" if within[1] else "within": within[2]} if within else {key: value}
    return notes


def matches(shown: str, printed: str) -> bool:
    """Whether what was printed is what the page shows: blanks count as one, a line ``...`` is any number of lines."""
    if not shown.strip():
        return True
    pattern = "".join(r"(?:.*\n)*?" if line == ["..."] else f"{_line(line)}\n" for line in _lines(shown))
    return re.fullmatch(pattern, "".join(f"{' '.join(line)}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def _line(words: Sequence[str]) -> str:
    return ".*".join(map(re.escape, " ".join(words).split("...")))


class Story:
    """A page on its way: its folder, and what runs in the background."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Running] = []

    def tell(self, page: Sequence[Block]) -> None:
        """Do what the page says; raises StoryError."""
        with ExitStack() as stack:
            try:
                for block in page:
                    self._do(block, stack)
                self.stop()
            finally:
                for one in self._running:
                    one.kill()

    def stop(self) -> None:
        """End what runs, the newest first."""
        while self._running:
            self._running.pop().stop()

    def _do(self, block: Block, stack: ExitStack) -> None:
        if "given" in block.notes:
            port = int(block.notes["given"].removeprefix(_BROKER))
            stack.enter_context(nats_server(Path(tempfile.mkdtemp(dir=self._folder)), port=port))
        elif "stop" in block.notes:
            self.stop()
        elif path := block.notes.get("file"):
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_text(block.text, encoding="utf-8")
        elif "printed" in block.notes:
            self._printed(block)
        elif block.language in ("sh", "console") and not block.not_run:
            self._run(block)

    def _run(self, block: Block) -> None:
        sys.stderr.write(f"line {block.line}\n")
        if words := block.notes.get("runs until stopped") or block.notes.get("runs until killed"):
            self._running.append(Running(block, self._folder, words))
            return
        for command, shown in block.commands:
            self._command(block, command, shown)

    def _printed(self, block: Block) -> None:
        until = time.monotonic() + float(block.notes["printed"])
        anywhere = f"...\n{block.text}...\n"
        while not any(matches(anywhere, one.printed) for one in self._running):
            if time.monotonic() > until:
                seen = "\n".join(one.printed for one in self._running)
                raise StoryError(f"line {block.line}: nobody printed this\n{block.text}\nbut\n{seen}")
            time.sleep(0.1)

    def _command(self, block: Block, command: str, shown: str) -> None:
        until = time.monotonic() + float(block.notes.get("within", 0))
        expected = int(block.notes.get("exit", 0))
        while True:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command], cwd=self._folder, capture_output=True, text=True,
                timeout=_LONGEST_S, check=False,
            )  # fmt: skip
            if done.returncode == expected and matches(shown, done.stdout + done.stderr):
                return
            if time.monotonic() > until:
                raise StoryError(
                    f"line {block.line}: exit {done.returncode}, expected {expected}\n{command}\n"
                    f"{done.stdout}{done.stderr}\nexpected:\n{shown}"
                )
            time.sleep(0.2)  # what the page waits for happens in other processes, as it would for its reader


class Running:
    """A long-running command that has said that it is ready."""

    def __init__(self, block: Block, folder: Path, words: str) -> None:
        self._block = block
        self._log = Path(tempfile.mkstemp(dir=folder, suffix=".log")[1])
        ((command, _),) = block.commands
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(  # no shell between: a signal is the command's own
                _words(command),
                cwd=folder,
                stdout=log,
                stderr=log,
                env=_environment(command),
                start_new_session=True,
            )
        until = time.monotonic() + _LONGEST_S
        while words not in self.printed:
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise StoryError(f"line {block.line}: never said {words!r}\n{self.printed}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, as from systemd; for make Ctrl-C, which reaches every process of a terminal: it waits for none."""
        by_make = self._block.text.startswith("make ")
        if by_make:
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            self.process.terminate()
        code = self.process.wait(_LONGEST_S)
        if code not in self._expected() or "Traceback" in self.printed:
            raise StoryError(f"line {self._block.line}: exit {code} when it was stopped\n{self.printed}")
        self._wait_for_children()

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(encoding="utf-8")

    def _expected(self) -> tuple[int, ...]:
        if "runs until killed" in self._block.notes:
            return (-signal.SIGTERM,)
        return (2, -signal.SIGINT) if self._block.text.startswith("make ") else (0,)

    def kill(self) -> None:
        """With all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _wait_for_children(self) -> None:
        until = time.monotonic() + _LONGEST_S
        with suppress(ProcessLookupError):
            while time.monotonic() < until:
                os.killpg(self.process.pid, 0)
                time.sleep(0.02)
            raise StoryError(f"line {self._block.line}: a child still runs\n{self.printed}")


def _words(command: str) -> list[str]:
    return [word for word in shlex.split(command, comments=True) if not _assignment(word)]


def _environment(command: str) -> dict[str, str]:
    given = (word.partition("=") for word in shlex.split(command, comments=True) if _assignment(word))
    return os.environ | {name: value for name, _, value in given}


def _assignment(word: str) -> bool:
    return re.match(r"[A-Z_]+=", word) is not None


def raise_loopback() -> None:
    """Let a fresh network namespace speak to itself; on the machine's own loopback there is nothing to do."""
    with socket.socket() as any_socket:
        name, flags = _FLAGS.unpack(fcntl.ioctl(any_socket, _GET_FLAGS, _FLAGS.pack(b"lo", 0)))
        if not flags & _UP:
            fcntl.ioctl(any_socket, _SET_FLAGS, _FLAGS.pack(name, flags | _UP))


def clone(folder: Path) -> Path:
    """A folder that looks like a clone after ``make run``; new files in it touch nothing of ours."""
    for entry in ROOT.iterdir():
        if entry.name != ".git" and not entry.name.endswith("_cache"):
            (folder / entry.name).symlink_to(entry)
    return folder


def shell_blocks(page: str) -> Iterator[Block]:
    """The blocks that hold commands."""
    return (block for block in blocks(page) if block.language in ("sh", "console") and "file" not in block.notes)


def main() -> None:
    """Tell one story."""
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])
    raise_loopback()
    try:
        Story(clone(folder)).tell(blocks(page.read_text(encoding="utf-8")))
    except (StoryError, subprocess.TimeoutExpired) as exc:
        sys.exit(f"{page.name}: {exc}")


if __name__ == "__main__":
    main()
