"""A store as the command line has it: the file where nobody holds it, else the running centre that does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from ingest.store import backup
from ingest.store.backup import snapshot, tar, tar_bytes
from ingest.store.duckdb import DuckDBStore
from ingest.store.export import Label, Wanted
from ingest.store.importing import batches
from ingest.store.protocol import StoreError, StoreOpenError
from petrel.commands.output import progress, received
from petrel.desk import Query, desk
from petrel.errors import CommandError, in_one_line
from telemetry.series import series_id
from telemetry.wire import Announce, decode

_HELD: Final = "in use by another process"
_ALL: Final = 2**62


@contextmanager
def opened(path: Path) -> Iterator[DuckDBStore | None]:
    """The store in a file that is there, None where another process holds it; raises CommandError."""
    if not path.is_file():
        raise CommandError(f"{path}: no file, expected the store of a centre, e.g. petrel.duckdb")
    try:
        store = DuckDBStore(path)
    except StoreOpenError as exc:
        if _HELD not in str(exc):
            raise CommandError(str(exc)) from exc
        yield None
        return
    try:
        with in_one_line(StoreError):
            yield store
    finally:
        store.close()


def asked(centre: str, path: str) -> dict[str, Any]:
    """What a running centre answers."""
    with desk(centre) as one:
        return one.read(path, {}, dict[str, Any])


def take(path: Path | None, centre: str, target: Path) -> list[str]:
    """Take a backup of the file, or of the centre that runs, into a new folder; what is wrong with it, a line each."""
    if target.exists():
        raise CommandError(f"{target}: is there already, expected a name for a new folder")
    carrier = target.with_name(target.name + ".tar.part")
    with in_one_line(StoreError, OSError):
        carrier.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path is None or not _packed(path, carrier):
                with carrier.open("wb") as into, received() as told, desk(centre) as one:
                    one.keep("/api/v1/store/backup", {}, into, told)
            with carrier.open("rb") as stream:
                return backup.take(stream, target)
        finally:
            carrier.unlink(missing_ok=True)


def _packed(path: Path, carrier: Path) -> bool:
    with opened(path) as store:
        if store is None:
            return False
        with snapshot(store) as files, carrier.open("wb") as into, progress(tar_bytes(files)) as told:
            for piece in tar(files):
                into.write(piece)
                told(into.tell(), tar_bytes(files), "bytes")
    return True


def labels(store: DuckDBStore, filters: Query) -> dict[int, Label]:
    """The announced series that filters choose, by identity; several values of one filter choose any of them."""
    found: dict[int, Label] = {}
    for source, payload in store.announcements():
        site = source.partition("/")[0]
        for one in decode(payload, Announce).series:
            identity = series_id(site, one.station, one.point, one.quantity)
            words = {"series": str(identity), "station": one.station, "quantity": one.quantity}
            if all(words[name] in str_list(values) for name, values in filters.items()):
                found[identity] = Label(station=one.station, point=one.point, quantity=one.quantity, unit=one.unit)
    return found


def str_list(values: object) -> list[str]:
    """Values of a filter."""
    return [str(one) for one in values] if isinstance(values, list) else [str(values)]


def wanted(store: DuckDBStore, filters: Query, begin_ns: int | None, end_ns: int | None, timezone: str) -> Wanted:
    """Rows to export: all, or what filters and times leave; raises CommandError where there is no such series."""
    chosen = labels(store, filters)
    if not chosen:
        raise CommandError(f"{store.path}: no series of {dict(filters) or 'any kind'}, expected one that was announced")
    spans = store.spans()
    held = np.isin(spans.series, np.array(list(chosen), np.int64))
    first = int(spans.first_ns[held].min(initial=_ALL))
    last = int(spans.last_ns[held].max(initial=-_ALL)) + 1
    from_ns, to_ns = begin_ns if begin_ns is not None else first, end_ns if end_ns is not None else last
    return Wanted(labels=chosen, from_ns=max(from_ns, first), to_ns=min(to_ns, last), timezone=timezone)


def take_in(store: DuckDBStore, path: Path, source: str) -> tuple[int, int]:
    """Commit the rows of an export; how many were new, and how many the file has."""
    new = total = 0
    with progress(1) as told:
        done = 0
        for batch, total in batches(path, source):
            new += store.commit([batch]).rows
            done += len(batch)
            told(done, total, "rows")
    return new, total
