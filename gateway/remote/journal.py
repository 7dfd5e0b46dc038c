"""Which orders have come, and what became of them: none is carried out twice, over no restart and by no clock.

An order is forgotten some time after it counts no more. A box without a battery behind its clock may wake up before
that time, when the order seems to count again: so the newest are kept whatever the clock says, and of those that were
forgotten the latest moment. An order that was over by then may have been one of them.
"""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from gateway.remote.files import write_whole
from telemetry.clock import HOUR_NS
from telemetry.orders import Answer, Order, Outcome

_LOG = structlog.get_logger()
_KEPT_NS: Final = HOUR_NS
"""Beyond its time to live an order is refused anyway; this covers a clock that is set back."""
_MOST: Final = 4096
_NEWEST: Final = 256
"""So many are kept whatever the clock says."""
_SPARE: Final = 1024
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_FORGOTTEN: Final = ""
"""The id of the entry that says until when orders were forgotten; no order has it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was accepted; without an answer it was still being carried out."""

    id: str
    until_ns: int
    answer: Answer | None = None


class Journal:
    """Accepted orders in a file of JSON lines; the last line of an order counts."""

    def __init__(self, path: Path, now_ns: int) -> None:
        """Read what an earlier run has left; raises OSError, but not for a disk that is full."""
        self._path = path
        self._lock = threading.Lock()  # files are written in threads
        self._lines = 0
        self._entries = {entry.id: entry for entry in _read(path)}
        mark = self._entries.pop(_FORGOTTEN, None)
        self._forgotten_ns = 0 if mark is None else mark.until_ns
        self._forget(now_ns)
        for entry in list(self._entries.values()):
            if entry.answer is None:
                self._entries[entry.id] = msgspec.structs.replace(entry, answer=_interrupted(entry.id, now_ns))
        try:
            self._rewrite()
        except OSError as exc:
            if exc.errno not in _FULL:
                raise
            self._lines = _SPARE + 2 * _MOST  # as in ``_keep``
            _LOG.error("orders are remembered in memory alone", path=str(path), reason=exc.strerror)

    def answer(self, order: Order) -> Answer | None:
        """What the order was answered when it came first; None when it has not come before."""
        entry = self._entries.get(order.id)
        if entry is None:
            return None
        under_way = Answer(
            id=order.id, outcome=Outcome.UNKNOWN, reason="it is being carried out", time_ns=0, final=False
        )
        return msgspec.structs.replace(entry.answer or under_way, repeated=True)

    def is_full(self, now_ns: int) -> bool:
        """Whether no more orders can be remembered."""
        with self._lock:
            self._forget(now_ns)
        return len(self._entries) >= _MOST + _NEWEST

    def too_old(self, order: Order) -> str | None:
        """Why an order counts no more, whatever the clock says by now: it may have come and been forgotten."""
        if order.expires_ns + _KEPT_NS > self._forgotten_ns:
            return None
        return "it is older than what is remembered here, expected a new one, and a clock here that is right"

    def accept(self, order: Order) -> None:
        """Remember an order before it is carried out; on the disk when this returns. Raises OSError."""
        self._keep(Entry(id=order.id, until_ns=order.expires_ns + _KEPT_NS), sync=True)

    def settle(self, answer: Answer) -> None:
        """Remember what became of an order. Raises OSError."""
        entry = self._entries.get(answer.id)
        if entry is not None:
            self._keep(msgspec.structs.replace(entry, answer=answer), sync=False)

    def _forget(self, now_ns: int) -> None:
        over = sorted((one.until_ns, one.id) for one in self._entries.values() if one.until_ns <= now_ns)
        for until_ns, id_ in over[:-_NEWEST]:
            del self._entries[id_]
            self._forgotten_ns = max(self._forgotten_ns, until_ns)

    def _keep(self, entry: Entry, *, sync: bool) -> None:
        """In memory first: a disk that takes nothing must not let an order be carried out twice."""
        with self._lock:
            self._entries[entry.id] = entry
            self._lines += 1
            if self._lines > _SPARE + 2 * len(self._entries):
                self._rewrite()
                return
            try:
                self._append(msgspec.json.encode(entry) + b"\n", sync=sync)
            except OSError:
                self._lines = _SPARE + 2 * _MOST  # half a line may stand there: the next time all is written anew
                raise

    def _append(self, line: bytes, *, sync: bool) -> None:
        with self._path.open("ab") as file:
            file.write(line)
            file.flush()
            if sync:
                os.fsync(file.fileno())

    def _rewrite(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        mark = Entry(id=_FORGOTTEN, until_ns=self._forgotten_ns)
        entries = (mark, *self._entries.values())
        write_whole(self._path, b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
        self._lines = len(self._entries)


def _read(path: Path) -> Iterator[Entry]:
    """Whole lines; half of one that a power cut left was not carried out yet."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def _interrupted(id_: str, now_ns: int) -> Answer:
    reason = (
        "the gateway stopped while it was carried out: look at the output, or at the versions, before you repeat it"
    )
    return Answer(id=id_, outcome=Outcome.UNKNOWN, reason=reason, time_ns=now_ns)
