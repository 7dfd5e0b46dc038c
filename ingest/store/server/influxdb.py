"""InfluxDB 2: lines in, rows out by Flux, both through influxdb-client.

It syncs its log before it answers, as it comes, so what it took is on its disk.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Final

import numpy as np

from ingest.store.server.address import Address
from ingest.store.server.connection import Connection
from ingest.store.server.protocol import Ends, ServerHours, UnfitError
from ingest.store.server.rows import Field, Rows, assembled, put_field, together
from telemetry.batch import I64, MILLISECOND_NS
from telemetry.clock import HOUR_NS
from telemetry.quality import Quality

ENGINE: Final = "InfluxDB 2"
_ASKED_AT_ONCE: Final = 100
_PROBE_S: Final = 1.0
_LAST_MS: Final = 4_102_444_800_000
"""The year 2100, as far as it is asked for."""
_AHEAD_MS: Final = 365 * 24 * HOUR_NS // MILLISECOND_NS


class InfluxDB:
    """One server; ``ingest.store.server.protocol.Server`` says what the methods promise."""

    engine = ENGINE
    settle_s = 0.0

    def __init__(self, address: Address) -> None:
        self._connection = Connection(address)
        self._from = f"from(bucket: {_text(address.bucket)})"
        self._mine = f"r._measurement == {_text(address.measurement)}"

    def incarnation(self) -> str:
        """One word for ever, since it loses nothing that it took; refuses another kind of server."""
        answer = self._connection.get("/ping", _PROBE_S)
        version = answer.headers.get("X-Influxdb-Version", "no version")
        if not version.lstrip("v").startswith("2."):
            raise UnfitError(f"{self._connection.address.url}: InfluxDB {version}, expected version 2")
        return ENGINE

    def write(self, lines: bytes) -> None:
        """Send lines."""
        self._connection.write(lines)

    def span_ms(self, now_ms: int) -> tuple[int, int]:
        """All times after 1970 and up to a year ahead: what lies further is no time, and would hide what follows."""
        return 1, now_ms + _AHEAD_MS

    def read(self, series: I64 | None, start_ms: int, stop_ms: int) -> Rows:
        """Rows by series (sorted) and span, its layer as the rank."""
        start_ms, stop_ms = max(start_ms, 0), min(stop_ms, _LAST_MS)
        if stop_ms <= start_ms:
            return together(())
        parts = [self._rows(chosen, start_ms, stop_ms) for chosen in _selections(series)]
        return together(parts)

    def ends(self) -> Ends:
        """From when to when it has rows of every series and layer."""
        first, last = self._times("first"), self._times("last")
        table = np.array([(*key, first.get(key, at_ms), at_ms) for key, at_ms in last.items()], np.int64).reshape(-1, 4)
        return Ends(series=table[:, 0], layer=table[:, 1], first_ms=table[:, 2], last_ms=table[:, 3])

    def hours(self, _series: I64, _start_ms: int, _stop_ms: int) -> ServerHours | None:
        """None: its windows of time have not been tried at a server."""
        return None

    def count(self, quality: Quality | None = None) -> int:
        """Rows, or those of one quality."""
        chosen = 'r._field == "quality"' + ("" if quality is None else f" and r._value == {int(quality)}")
        return sum(int(row["_value"]) for row in self._ask(self._flux(chosen, 0, _LAST_MS, "group() |> count()")))

    def close(self) -> None:
        """End all connections."""
        self._connection.close()

    def _flux(self, chosen: str, start_ms: int, stop_ms: int, then: str) -> str:
        """A query; ``chosen`` stands in its filter, ``then`` after it."""
        span = f"range(start: {_time(start_ms)}, stop: {_time(stop_ms)})"
        return f"{self._from}\n  |> {span}\n  |> filter(fn: (r) => {self._mine} and {chosen})\n  |> {then}"

    def _rows(self, chosen: str, start_ms: int, stop_ms: int) -> Rows:
        kept = 'keep(columns: ["_time", "_value", "_field", "series", "layer"])'
        found: dict[tuple[int, int, str], tuple[list[str], list[str]]] = {}
        for row in self._ask(self._flux(chosen, start_ms, stop_ms, kept)):
            key = int(row["series"]), int(row.get("layer") or 0), row["_field"]
            times, values = found.setdefault(key, ([], []))
            times.append(row["_time"])
            values.append(row["_value"])
        fields: dict[tuple[int, int], dict[str, Field]] = {}
        for (series, layer, field), (times, values) in found.items():
            put_field(fields.setdefault((series, layer), {}), field, _ms(times), np.array(values, np.float64))
        return assembled(fields)

    def _times(self, end: str) -> dict[tuple[int, int], int]:
        then = f'{end}() |> keep(columns: ["_time", "series", "layer"])'
        flux = self._flux('r._field == "quality"', 0, _LAST_MS, then)
        return {
            (int(row["series"]), int(row.get("layer") or 0)): int(_ms([row["_time"]])[0]) for row in self._ask(flux)
        }

    def _ask(self, flux: str) -> Iterator[dict[str, str]]:
        with self._connection.explained():
            answer = self._connection.querying.query_api().query_raw(flux)
            text = answer.read().decode("utf-8")
        return rows_of_csv(text)


def rows_of_csv(text: str) -> Iterator[dict[str, str]]:
    """The rows of an annotated CSV, table after table: each begins with annotations and a header of its own."""
    header: list[str] = []
    for line in csv.reader(io.StringIO(text)):
        if not line or line[0].startswith("#"):
            header = []
        elif not header:
            header = line
        else:
            yield dict(zip(header, line, strict=True))


def _selections(series: I64 | None) -> Iterator[str]:
    """Conditions that choose some series each; a plain ``or`` over one tag is what its storage can answer by itself."""
    if series is None:
        yield 'r.series != ""'
        return
    for start in range(0, len(series), _ASKED_AT_ONCE):
        some = series[start : start + _ASKED_AT_ONCE].tolist()
        yield "(" + " or ".join(f'r.series == "{one}"' for one in some) + ")"


def _time(time_ms: int) -> str:
    return f"time(v: {time_ms * MILLISECOND_NS})"


def _ms(times: list[str]) -> I64:
    """RFC 3339 in UTC, as it writes times, to milliseconds."""
    return np.array([text.rstrip("Z") for text in times], "datetime64[ms]").astype(np.int64)


def _text(text: str) -> str:
    """A literal of Flux: that of JSON but for ``${``, which it would take for an expression."""
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")
