"""Versions of a gateway's configuration on its disk: what each was, who sent it when, and what became of it."""

from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import structlog

from gateway.remote.files import write_whole
from telemetry.orders import VersionNote

_LOG = structlog.get_logger()
_KEPT: Final = 32
INTERRUPTED: Final = "the gateway stopped while it was on trial"


class State(StrEnum):
    """What became of a version. At most one is RUNNING; the one before it is PAST."""

    TRIAL = "trial"
    RUNNING = "running"
    PAST = "past"
    ROLLED_BACK = "rolled back"


def digest(text: str) -> str:
    """By which a text is known."""
    return sha256(text.encode()).hexdigest()[:16]


class Versions:
    """A folder with two files a version: ``000007.yaml`` and what is known of it, ``000007.json``."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._notes = {note.number: note for note in _read(folder)}

    @property
    def highest(self) -> int:
        """The highest number that was ever given, -1 before the first; none is given twice."""
        return max(self._notes, default=-1)

    @property
    def running(self) -> VersionNote | None:
        """The version that stands in gateway.yaml."""
        return next((note for note in self.notes() if note.state == State.RUNNING), None)

    def notes(self) -> tuple[VersionNote, ...]:
        """All versions, oldest first. A copy: files are written in threads."""
        return tuple(note for _, note in sorted(self._notes.copy().items()))

    def text(self, number: int) -> str:
        """A version as it was sent; raises ValueError for one that is not kept, or not as it was."""
        note = self._notes.get(number)
        try:
            text = self._path(number, "yaml").read_text(encoding="utf-8")
        except OSError as exc:
            note, text = None, str(exc)
        if note is None:
            known = ", ".join(str(number) for number in sorted(self._notes))
            raise ValueError(f"no version {number}, expected one of {known}")
        if digest(text) != note.digest:
            raise ValueError(
                f"version {number} is not as it was sent: the disk has spoilt it, expected another version"
            )
        return text

    def settle(self, text: str, now_ns: int) -> None:
        """Bring the list in line with what stands in gateway.yaml at a start; raises OSError.

        A trial that the end of the last run cut short is rolled back by the start itself, since the file is written
        when a trial has been passed. A file that was changed by hand becomes a version.
        """
        found = digest(text)
        for note in self.notes():
            if note.state == State.TRIAL and note.digest == found:
                self._run(note.number)
            elif note.state == State.TRIAL:
                self.mark(note.number, State.ROLLED_BACK, INTERRUPTED)
        if self.running is None or self.running.digest != found:
            by = "as installed" if self.highest < 0 else "changed at the gateway"
            number = self.highest + 1
            note = VersionNote(number=number, digest=found, key="", by=by, time_ns=now_ns, state=State.PAST)
            self.keep(note, text)
            self._run(number)

    def keep(self, note: VersionNote, text: str) -> None:
        """Put a version on the disk; raises OSError."""
        write_whole(self._path(note.number, "yaml"), text.encode())
        self._write(note)
        for number in sorted(self._notes)[:-_KEPT]:
            if self._notes[number].state not in (State.RUNNING, State.TRIAL):
                del self._notes[number]
                self._path(number, "yaml").unlink(missing_ok=True)
                self._path(number, "json").unlink(missing_ok=True)

    def mark(self, number: int, state: State, reason: str = "") -> None:
        """Say what became of a version; raises OSError, and then it is known until the next start."""
        self._notes[number] = msgspec.structs.replace(self._notes[number], state=state, reason=reason)
        self._write(self._notes[number])

    def confirm(self, number: int, path: Path) -> None:
        """Put a version into gateway.yaml: from here on a restart runs it. Raises OSError, and then it does not.

        Once it stands there it runs, whatever the disk says afterwards: the next start brings the list in line with it.
        """
        text = self.text(number)
        try:
            write_whole(path, text.encode())
        except OSError:
            if digest(path.read_text(encoding="utf-8")) != digest(text):
                raise
        with suppress(OSError):
            self._run(number)

    def _run(self, number: int) -> None:
        before = self.running
        self._notes[number] = msgspec.structs.replace(self._notes[number], state=State.RUNNING, reason="")
        if before is not None and before.number != number:
            self.mark(before.number, State.PAST)
        self._write(self._notes[number])

    def _write(self, note: VersionNote) -> None:
        write_whole(self._path(note.number, "json"), msgspec.json.encode(note))
        self._notes[note.number] = note

    def _path(self, number: int, suffix: str) -> Path:
        return self._folder / f"{number:06d}.{suffix}"


def _read(folder: Path) -> Iterator[VersionNote]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=VersionNote)
        except msgspec.DecodeError as exc:
            _LOG.error("version can't be read", path=str(path), reason=str(exc))
