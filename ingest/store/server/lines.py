"""Rows as line protocol: one line a row, in milliseconds; ``quality``, ``value`` unless missing, ``cause`` if any.

    petrel,point=level,quantity=water_level,series=81,station=st-1 value=1.25,quality=1i 1690500000000

The text is made by one formatting of all rows of a kind: line by line costs five times as much.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from ingest.store.server.rows import Rows
from telemetry.quality import Quality
from telemetry.series import series_id
from telemetry.wire import Announce, decode

BODY_ROWS: Final = 20_000
"""Rows in one request: some 2 MB, a twentieth of a second of VictoriaMetrics."""
_SPECIAL: Final = re.compile("([,= ])")


class Names(NamedTuple):
    """What a series is called, for people who look at the server; all of it belongs to the identity of the series."""

    station: str
    point: str
    quantity: str


def names_of(source: str, payload: bytes) -> dict[int, Names]:
    """What the series of an announcement are called; none of what can't be read, which is somebody else's to say."""
    try:
        announce = decode(payload, Announce)
    except ValueError:
        return {}
    site = source.partition("/")[0]
    return {
        series_id(site, one.station, one.point, one.quantity): Names(one.station, one.point, one.quantity)
        for one in announce.series
    }


def bodies(rows: Rows, names: Mapping[int, Names], measurement: str) -> Iterator[bytes]:
    """The lines of all rows, in requests of some 20,000; ``rank`` is the layer."""
    for start in range(0, len(rows), BODY_ROWS):
        yield _body(rows.take(slice(start, start + BODY_ROWS)), names, measurement)


def _body(rows: Rows, names: Mapping[int, Names], measurement: str) -> bytes:
    pairs, place = np.unique(np.stack([rows.series, rows.rank]), axis=1, return_inverse=True)
    heads = [_head(measurement, series, layer, names.get(series)) for series, layer in pairs.T.tolist()]
    head = np.array(heads, object)[place.ravel()]
    valued, caused = rows.quality != Quality.MISSING, rows.cause != 0
    text = ""
    for with_value in (False, True):
        for with_cause in (False, True):
            some = np.flatnonzero((valued == with_value) & (caused == with_cause))
            text += _formatted(rows.take(some), head[some], with_value=with_value, with_cause=with_cause)
    return text.encode()


def _formatted(rows: Rows, head: np.ndarray, *, with_value: bool, with_cause: bool) -> str:
    line = "%s " + "value=%r," * with_value + "quality=%di" + ",cause=%di" * with_cause + " %d\n"
    columns = [head.tolist(), rows.quality.tolist(), rows.time_ms.tolist()]
    if with_cause:
        columns.insert(2, rows.cause.tolist())
    if with_value:
        columns.insert(1, rows.value.tolist())
    return (line * len(rows)) % tuple(chain.from_iterable(zip(*columns, strict=True)))


@lru_cache(maxsize=65_536)
def _head(measurement: str, series: int, layer: int, names: Names | None) -> str:
    tags = (
        {"series": str(series)} | ({} if names is None else names._asdict()) | ({"layer": str(layer)} if layer else {})
    )
    return ",".join([_plain(measurement), *(f"{key}={_plain(tags[key])}" for key in sorted(tags))])


def _plain(text: str) -> str:
    """A name or tag as line protocol writes it, which has no way to write a backslash or the end of a line in one."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.replace("\\", "/").split())) or "-"
