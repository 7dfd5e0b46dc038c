"""The maintenance switch: rows of what is being worked on are marked MANUAL, which raises no alarm, until it ends.

A small file beside the spool says what is being worked on and until when. ``petrel gateway maintain`` writes it; the
gateway looks at it with every batch, so it counts at once, survives a restart, and needs no gateway to be running. It
ends by itself: a switch that somebody forgot must not keep an alarm silent.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
import structlog

from edge_agent.compiled import AnyBusPlan
from gateway.remote.files import write_whole
from telemetry.batch import I64, Batch
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality

_LOG: Final = structlog.get_logger()
_NAME: Final = "maintenance.json"
LONGEST_NS: Final = 24 * HOUR_NS
_NOTHING: Final[I64] = np.empty(0, np.int64)
_BEHIND_NS: Final = MINUTE_NS
"""A clock that was set back by more than that says nothing about when work ends: then it has ended."""


_Moment = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class Work(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is being worked on, from and until when, by whom and why."""

    target: str
    """``station/point``, or the name of a device."""
    series: tuple[str, ...]
    """Ids as text."""
    since_ns: _Moment
    until_ns: _Moment
    by: str = ""
    note: str = ""

    @property
    def ids(self) -> I64:
        """The ids of its series, shape (n,); raises ValueError where they are none."""
        ids = [int(one) for one in self.series]
        if not all(0 <= one < 2**63 for one in ids):
            raise ValueError(f"{self.target}: an id of more than 63 bits")
        return np.array(ids, np.int64)

    def lasts(self, now_ns: int) -> bool:
        """Whether it is under way at a moment."""
        return self.since_ns - _BEHIND_NS <= now_ns < min(self.until_ns, self.since_ns + LONGEST_NS)

    def words(self) -> str:
        """What is worked on, until when, by whom and why, for people."""
        until = datetime.fromtimestamp(self.until_ns // SECOND_NS, UTC).astimezone().isoformat()
        who = f" by {self.by}" if self.by else ""
        why = f" ({self.note})" if self.note else ""
        return f"{self.target} under maintenance until {until}{who}{why}"

    def text(self) -> str:
        """For people who wait for its rows."""
        return f"{self.words()}: its rows raise no alarm"


def targets(buses: Sequence[AnyBusPlan]) -> dict[str, tuple[str, ...]]:
    """What can be worked on, and the ids of its series: every ``station/point`` and every device by its name."""
    found: dict[str, tuple[str, ...]] = {}
    for device in (device for bus in buses for device in bus.devices):
        ids = [str(one) for one in device.ids.tolist()]
        found[device.name] = tuple(ids)
        for series, identity in zip(device.series, ids, strict=True):
            point = f"{series.station}/{series.point}"
            found[point] = (*found.get(point, ()), identity)
    return found


def read_works(folder: Path) -> tuple[Work, ...]:
    """What the file says, ended or not; nothing where there is none. Raises OSError and ValueError."""
    try:
        works = msgspec.json.decode((folder / _NAME).read_bytes(), type=tuple[Work, ...])
    except FileNotFoundError:
        return ()
    except RecursionError as exc:
        raise ValueError("nested too deep") from exc
    if not all(len(work.ids) for work in works):
        raise ValueError("work on no series")
    return works


def begin(folder: Path, work: Work) -> None:
    """Write down that work begins; it takes the place of earlier work on the same. Raises OSError and ValueError."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, (*_others(folder, work.target, work.since_ns), work))


def end(folder: Path, target: str, now_ns: int) -> bool:
    """Write down that work has ended; False when there was none. Raises OSError and ValueError."""
    under_way = any(work.target == target and work.lasts(now_ns) for work in read_works(folder))
    if under_way:
        _write(folder, _others(folder, target, now_ns))
    return under_way


def _others(folder: Path, target: str, now_ns: int) -> tuple[Work, ...]:
    return tuple(work for work in read_works(folder) if work.target != target and work.lasts(now_ns))


def _write(folder: Path, works: Sequence[Work]) -> None:
    write_whole(folder / _NAME, msgspec.json.encode(works))


class Maintenance:
    """The switch as a running gateway sees it."""

    def __init__(self, folder: Path) -> None:
        self._path, self._folder = folder / _NAME, folder
        self._seen: tuple[int, int, int] | None = None
        self._works: tuple[Work, ...] = ()
        self._trouble: str | None = None
        self._under_way: tuple[Work, ...] = ()
        self._ids = _NOTHING

    def mark(self, batch: Batch, now_ns: int) -> Batch:
        """The batch with its rows of what is worked on BAD and MANUAL: their values stay, and no rule judges them."""
        self._look(now_ns)
        if not len(self._ids):
            return batch
        hit = np.isin(batch.series, self._ids)
        if not hit.any():
            return batch
        return batch.flagged(hit * np.uint8(Quality.BAD), hit * np.uint16(Cause.MANUAL))

    def notes(self, now_ns: int) -> list[str]:
        """What people must know, a line each."""
        self._look(now_ns)
        return [work.text() for work in self._under_way] + ([self._trouble] if self._trouble else [])

    def work(self, device: str, series: frozenset[int], now_ns: int) -> str | None:
        """Who works on a device or on anything that it measures, in words; None where nobody does."""
        self._look(now_ns)
        at_work = (one for one in self._under_way if one.target == device or not series.isdisjoint(one.ids.tolist()))
        return next((one.words() for one in at_work), None)

    def _look(self, now_ns: int) -> None:
        """See what is under way: the file when it has changed, and the time."""
        seen = self._stamp()
        if seen != self._seen:
            self._seen = seen
            self._read()
        under_way = tuple(work for work in self._works if work.lasts(now_ns))
        if under_way == self._under_way:
            return
        for work in {*under_way} ^ {*self._under_way}:
            what = "maintenance begins" if work in under_way else "maintenance ends"
            _LOG.warning(what, target=work.target, by=work.by, note=work.note)
        self._under_way = under_way
        self._ids = np.concatenate([_NOTHING, *(work.ids for work in under_way)])

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # once a batch: half the time of Path.stat
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self) -> None:
        """A file that can't be read silences nothing, and is said."""
        try:
            self._works, self._trouble = read_works(self._folder), None
        except (OSError, ValueError) as exc:
            self._works, self._trouble = (), f"{self._path}: {exc}, expected what petrel gateway maintain writes"
            _LOG.error("nothing is under maintenance", reason=self._trouble)
