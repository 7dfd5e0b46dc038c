"""VictoriaMetrics (single node): lines in by the client's /api/v2/write, rows out by its own export; it speaks no Flux.

Measured with 1.79 (Debian 12): it answers 204 and holds rows in memory for a second, so that SIGKILL then loses them;
of two values of one time it keeps one; NaN, times before 1970 or more than two days ahead vanish behind a 204; a time
of 0 is taken for now. Values of one block share a decimal exponent: 13 digits below the largest are kept.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Final

import msgspec
import numpy as np

from ingest.store.protocol import StoreRefusedError
from ingest.store.server.address import Address
from ingest.store.server.connection import Connection
from ingest.store.server.protocol import Ends, ServerHours, UnfitError
from ingest.store.server.rows import Field, Rows, assembled, put_field, together
from telemetry.batch import I64
from telemetry.clock import HOUR_NS
from telemetry.quality import Quality

ENGINE: Final = "VictoriaMetrics"
_AHEAD_MS: Final = 2 * 24 * HOUR_NS // 1_000_000 - 60_000
"""It refuses what lies more than two days ahead of its own clock; a minute is for the difference of two clocks."""
_ASKED_AT_ONCE: Final = 500
_HOUR_MS: Final = HOUR_NS // 1_000_000
_PROBE_S: Final = 1.0
_LAST_MS: Final = 4_102_444_800_000
"""The year 2100, as far as it can be asked for."""
_FLAG: Final = re.compile(r'^flag\{name="([\w.]+)", value="([^"]*)", is_set="(\w+)"\}', re.MULTILINE)
_STARTED: Final = re.compile(r"^process_start_time_seconds (\S+)$", re.MULTILINE)
_EVER: Final = "[130y]"
"""Back to the beginning of 1970 from there; a window in seconds finds nothing."""


class _Exported(msgspec.Struct):
    metric: dict[str, str]
    values: list[float]
    timestamps: list[int]


class _Sample(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Result(msgspec.Struct):
    result: list[_Sample]


class _Answer(msgspec.Struct):
    data: _Result


class _Curve(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Curves(msgspec.Struct):
    result: list[_Curve]


class _Matrix(msgspec.Struct):
    data: _Curves


_MATRIX: Final = msgspec.json.Decoder(_Matrix)
_EXPORTED: Final = msgspec.json.Decoder(_Exported)
_ANSWER: Final = msgspec.json.Decoder(_Answer)


class VictoriaMetrics:
    """One server; ``ingest.store.server.protocol.Server`` says what the methods promise."""

    engine = ENGINE
    settle_s = 10.0
    """It writes to its disk every second, and merges what it wrote; five of these are documented for newer versions."""

    def __init__(self, address: Address) -> None:
        self._connection = Connection(address)
        self._name = re.escape(address.measurement).replace("\\", "\\\\")
        self._asked = count(time.monotonic_ns())

    def incarnation(self) -> str:
        """When it was started; refuses where its flags would lose or double rows."""
        text = self._connection.get("/metrics", _PROBE_S).text
        flags = {name: (value, is_set == "true") for name, value, is_set in _FLAG.findall(text)}
        started = _STARTED.search(text)
        if started is None or "retentionPeriod" not in flags:
            raise self._unfit("its /metrics are of something else", "VictoriaMetrics")
        if flags.get("dedup.minScrapeInterval", ("", False))[0] != "1ms":
            raise self._unfit("rows that are sent again would count twice", "-dedup.minScrapeInterval=1ms")
        if not flags["retentionPeriod"][1]:
            raise self._unfit("rows older than a month would vanish", "-retentionPeriod, e.g. 100y")
        return started[1]

    def write(self, lines: bytes) -> None:
        """Send lines."""
        self._connection.write(lines)

    def span_ms(self, now_ms: int) -> tuple[int, int]:
        """What it takes: times after 1970 and up to two days ahead."""
        return 1, now_ms + _AHEAD_MS

    def read(self, series: I64 | None, start_ms: int, stop_ms: int) -> Rows:
        """Rows by series (sorted) and span, its layer as the rank."""
        start_ms, last_ms = max(start_ms, 0), min(stop_ms - 1, _LAST_MS)
        if last_ms < start_ms:
            return together(())
        parts = [self._export(chosen, start_ms, last_ms) for chosen in _selections(series)]
        return together(parts)

    def ends(self) -> Ends:
        """From when to when it has rows of every series and layer."""
        first, last = (self._times(f"{end}_over_time({self._metric('quality')}{_EVER})") for end in ("tfirst", "tlast"))
        table = np.array([(*key, first.get(key, at_ms), at_ms) for key, at_ms in last.items()], np.int64).reshape(-1, 4)
        return Ends(series=table[:, 0], layer=table[:, 1], first_ms=table[:, 2], last_ms=table[:, 3])

    def hours(self, series: I64, start_ms: int, stop_ms: int) -> ServerHours | None:
        """The hours of some series; a window of its ends with a moment, so it is the last millisecond of an hour."""
        ends_s = f"{(start_ms + _HOUR_MS - 1) / 1000:.3f}", f"{(stop_ms - 1) / 1000:.3f}"
        parts = [self._summed(chosen, ends_s) for chosen in _selections(series)]
        return ServerHours(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in ServerHours.__slots__}
        )

    def count(self, quality: Quality | None = None) -> int:
        """Rows, or those of one quality; those of the last moment may be missing while it writes them to its disk."""
        with suppress(StoreRefusedError):
            self._connection.get("/internal/force_flush")
        rows = f"{self._metric('quality')}{_EVER}"
        found = self._ask(
            f"sum(count_over_time({rows}))" if quality is None else f"sum(count_eq_over_time({rows}, {int(quality)}))"
        )
        return int(float(found[0].value[1])) if found else 0

    def close(self) -> None:
        """End all connections."""
        self._connection.close()

    def _metric(self, field: str, chosen: str = "") -> str:
        """A selector of ours. It is another each time: the server remembers for ten seconds which series one finds."""
        return f'{{__name__=~"{self._name}_({field})",series!="-{next(self._asked)}"{chosen}}}'

    def _export(self, chosen: str, start_ms: int, last_ms: int) -> Rows:
        selector = self._metric("value|quality|cause", chosen)
        form = {"match[]": selector, "start": f"{start_ms / 1000:.3f}", "end": f"{last_ms / 1000:.3f}"}
        found: dict[tuple[int, int], dict[str, Field]] = {}
        for line in self._connection.post("/api/v1/export", form).content.splitlines():
            one = _EXPORTED.decode(line)
            key = int(one.metric["series"]), int(one.metric.get("layer", 0))
            field = one.metric["__name__"].rpartition("_")[2]
            times, values = np.array(one.timestamps, np.int64), np.array(one.values, np.float64)
            put_field(found.setdefault(key, {}), field, times, values)
        return assembled(found)

    def _summed(self, chosen: str, ends_s: tuple[str, str]) -> ServerHours:
        quality, value = self._metric("quality", chosen), self._metric("value", chosen)
        counts = [self._range(f"count_eq_over_time({quality}[1h], {int(one)})", ends_s) for one in Quality]
        mean, maximum = (self._range(f"{name}_over_time({value}[1h])", ends_s) for name in ("avg", "max"))
        keys = sorted(counts[0])
        table = np.array(keys, np.int64).reshape(-1, 3)
        return ServerHours(
            series=table[:, 0],
            layer=table[:, 1],
            hour_ms=table[:, 2],
            mean=np.array([mean.get(key, np.nan) for key in keys]),
            maximum=np.array([maximum.get(key, np.nan) for key in keys]),
            by_quality=np.array([[int(one.get(key, 0)) for one in counts] for key in keys], np.int64).reshape(-1, 5),
        )

    def _range(self, query: str, ends_s: tuple[str, str]) -> dict[tuple[int, int, int], float]:
        """A figure of each hour, by series, layer and the hour's begin."""
        form = {"query": query, "start": ends_s[0], "end": ends_s[1], "step": "3600", "nocache": "1"}
        answer = _MATRIX.decode(self._connection.post("/api/v1/query_range", form).content)
        return {
            (int(one.metric["series"]), int(one.metric.get("layer", 0)), round(at_s * 1000) + 1 - _HOUR_MS): float(text)
            for one in answer.data.result
            for at_s, text in one.values
        }

    def _times(self, query: str) -> dict[tuple[int, int], int]:
        """A query whose values are moments in seconds, by series and layer."""
        return {
            (int(one.metric["series"]), int(one.metric.get("layer", 0))): round(float(one.value[1]) * 1000)
            for one in self._ask(query)
        }

    def _ask(self, query: str) -> list[_Sample]:
        form = {"query": query, "time": str(_LAST_MS // 1000), "nocache": "1"}
        return _ANSWER.decode(self._connection.post("/api/v1/query", form).content).data.result

    def _unfit(self, found: str, expected: str) -> UnfitError:
        return UnfitError(f"{self._connection.address.url}: {found}, expected {expected}")


def _selections(series: I64 | None) -> Iterator[str]:
    if series is None:
        yield ""
        return
    for start in range(0, len(series), _ASKED_AT_ONCE):
        some = series[start : start + _ASKED_AT_ONCE].tolist()
        yield f',series="{some[0]}"' if len(some) == 1 else f',series=~"{"|".join(map(str, some))}"'
