"""A log: the segments of one class of records, oldest first, and how they are found again after a crash."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import structlog

from gateway.spool import quick, record
from gateway.spool.folder import set_aside
from gateway.spool.journal import Ranges
from gateway.spool.segment import Segment, State
from gateway.spool.store import FileStore, MemoryStore

_LOG = structlog.get_logger()


class Kind(IntEnum):
    """The classes of records; what is dropped first comes first."""

    SAMPLES = 0
    ALARMS = 1


@dataclass(slots=True)
class Damage:
    """What a crash or a bad disk has done to the files of a spool."""

    corrupt_pieces: int = 0
    torn_bytes: int = 0


class Log:
    """Segments on disk (and, while the disk takes nothing, in memory) under names ``<number>.<kind>``."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.folder = folder
        self.kind = kind
        self.segments: list[Segment] = []
        self._suffix = kind.name.lower()

    @property
    def disk_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(segment.size for segment in self.segments if segment.store.durable)

    @property
    def memory_bytes(self) -> int:
        """Bytes that are in memory only."""
        return sum(segment.open_bytes for segment in self.segments if not segment.store.durable)

    def load(self, released: Ranges, *, repair: bool) -> Damage:
        """Find what a former run left; ``repair`` cuts torn tails and sets corrupt pieces aside."""
        damage = Damage()
        paths = sorted(path for path in self.folder.glob(f"*.{self._suffix}") if path.stem.isdecimal())
        for path in paths:
            try:
                self._load(path, released, damage, repair=repair, newest=path == paths[-1])
            except FileNotFoundError:
                continue  # its owner has just deleted it: all of it was acknowledged
            except OSError as exc:
                damage.corrupt_pieces += 1
                _LOG.error("segment can't be read", path=str(path), reason=exc.strerror)
        return damage

    def _load(self, path: Path, released: Ranges, damage: Damage, *, repair: bool, newest: bool) -> None:
        data = path.read_bytes()
        segment, garbage = _index(path, data, verify=newest)
        for first, last in released.of(self.kind, segment.epoch):
            for index in segment.between(first, last):
                segment.release(index)
        if segment.open_records:
            self.segments.append(segment)
        if not repair:
            return
        try:
            _repair(path, data, garbage, damage, newest=newest)
            if not segment.open_records:
                path.unlink()
        except OSError as exc:
            if exc.errno != errno.EROFS:
                raise
            _LOG.error("segment can't be repaired", path=str(path), reason=exc.strerror)

    def active(self) -> Segment | None:
        """The segment that grows."""
        last = self.segments[-1] if self.segments else None
        return last if last is not None and not last.sealed else None

    def grow(self, number: int, epoch: int, *, on_disk: bool) -> Segment:
        """Seal the active segment and start another; raises OSError."""
        store = self._file(number) if on_disk else MemoryStore()
        self.seal()
        self.segments.append(Segment(number, epoch, store))
        return self.segments[-1]

    def rescue(self, segment: Segment) -> None:
        """Bring a segment in memory to disk, where it grows no more. Raises OSError and leaves it in memory."""
        store = self._file(segment.number)
        try:
            segment.move(store)
        except OSError:
            store.remove()
            raise
        segment.sealed = True
        store.seal()

    def _file(self, number: int) -> FileStore:
        return FileStore.create(self.folder / f"{number:010d}.{self._suffix}")

    def seal(self) -> None:
        """Let the active segment grow no more; it goes when nothing in it is needed."""
        if (active := self.active()) is not None:
            active.sealed = True
            active.store.seal()
            self.tidy(active)

    def tidy(self, segment: Segment) -> None:
        """Delete a sealed segment of which nothing is needed any more."""
        if not segment.sealed or segment.open_records:
            return
        self.segments.remove(segment)
        try:
            segment.store.remove()
        except OSError as exc:  # a disk that went read-only: the next start deletes it
            _LOG.error("segment can't be deleted", folder=str(self.folder), reason=exc.strerror)

    def first(self, state: State) -> tuple[Segment, int] | None:
        """The oldest record in a state."""
        for segment in self.segments:
            if (index := segment.first(state)) is not None:
                return segment, index
        return None

    def of_epoch(self, epoch: int) -> Iterator[Segment]:
        """Segments with numbers of one epoch; they may be deleted meanwhile."""
        return iter([segment for segment in self.segments if segment.epoch == epoch])


def _index(path: Path, data: bytes, *, verify: bool) -> tuple[Segment, list[record.Piece]]:
    """The sound records of a file, and the stretches that are none; payloads are compared when ``verify``."""
    segment, garbage = Segment(int(path.stem), 0, FileStore(path)), list[record.Piece]()
    segment.sealed = True
    if (found := quick.read(data, verify=verify)) is not None:
        segment.index_all(*found)
        return segment, garbage
    for piece in record.scan(data):
        if piece.header is None or not _belongs(piece, data, segment, verify=verify):
            garbage.append(piece)
            continue
        segment.epoch = piece.header.epoch
        segment.index(piece.start, piece.header)
    return segment, garbage


def _belongs(piece: record.Piece, data: bytes, segment: Segment, *, verify: bool) -> bool:
    header = piece.header
    if header is None or segment.epoch not in (0, header.epoch) or (segment.seq and header.seq <= segment.seq[-1]):
        return False
    payload = memoryview(data)[piece.start + record.HEADER_BYTES : piece.end]
    return not verify or record.sound(payload, header.payload_crc)


def _repair(path: Path, data: bytes, garbage: list[record.Piece], damage: Damage, *, newest: bool) -> None:
    """Cut what a crash tore off at the end of the newest file; set everything else aside and say so.

    A file of which nothing is or was a record is somebody's, not a tail.
    """
    tail = len(data)
    for piece in reversed(garbage):
        if newest and piece.end == tail and (piece.start or record.is_torn(data)):
            tail = piece.start
            continue
        aside = path.with_name(f"{path.name}.{piece.start}.corrupt")
        if set_aside(aside, data[piece.start : piece.end]):
            damage.corrupt_pieces += 1
            _LOG.error("corrupt piece set aside", aside=str(aside), n_bytes=piece.end - piece.start)
    if tail < len(data):
        damage.torn_bytes += len(data) - tail
        _LOG.warning("torn tail cut", path=str(path), n_bytes=len(data) - tail)
        with path.open("r+b") as file:
            file.truncate(tail)
