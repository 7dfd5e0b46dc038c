"""VictoriaMetrics and PostgreSQL for ``benchmarks/store.py``: the same rows and questions, each in its own words.

Neither is asked of sums that were made before: the one has none by itself, the other not in its free edition.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import duckdb
import numpy as np

from telemetry.batch import I64, MILLISECOND_NS, Batch, concat
from telemetry.clock import HOUR_NS

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.contract.store_servers import free_port, victoria_metrics

_DAY_MS: Final = 24 * HOUR_NS // MILLISECOND_NS
_READS: Final = 20
_CHART: Final = 50
_PG: Final = Path("/usr/lib/postgresql/15/bin")
_OWNER: Final = "postgres"
_WRITTEN: Final = "SELECT series, make_timestamptz(t) AS time, value, quality, cause FROM rows"
Line = Callable[[str, list[float]], None]


def peers(folder: Path, days: Sequence[Batch], series: I64, line: Line) -> None:
    """Load the days into both, and read; whichever is not installed is left out."""
    rows = concat(days)
    if shutil.which("victoria-metrics"):
        _victoria(folder / "victoria", rows, series, line)
    if (_PG / "postgres").exists():
        _postgres(folder / "postgres", rows, series, line)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _told(what: str, rows: Batch, size: int, begun_s: float) -> None:
    seconds = time.perf_counter() - begun_s
    print(f"{what}: {len(rows)} rows in {seconds:.0f} s, {size / len(rows):.2f} bytes a row")


def _spans(rows: Batch, series: I64) -> Iterator[tuple[I64, int, int]]:
    """Fifty series, and the last day and week before the end, in milliseconds."""
    rng, end = np.random.default_rng(4), int(rows.time_ns.max()) // MILLISECOND_NS + 1
    for _ in range(_READS):
        yield rng.choice(series, _CHART), end - _DAY_MS, end


def _victoria(folder: Path, rows: Batch, series: I64, line: Line) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with victoria_metrics(folder) as server:
        begun_s = time.perf_counter()
        order = np.lexsort((rows.time_ns, rows.series))
        cuts = np.flatnonzero(np.diff(rows.series[order])) + 1
        for chunk in np.array_split(np.arange(len(cuts) + 1), 40):
            _ask(server.url, "/api/v1/import", _lines(rows, order, cuts, chunk))
        server.show()
        _ask(server.url, "/internal/force_merge")
        _told(
            "VictoriaMetrics (value only)", rows, _size(folder / "data") if (folder / "data").exists() else 0, begun_s
        )
        raw, chart = [], []
        for chosen, start, end in _spans(rows, series):
            raw.append(
                _timed(
                    server.url,
                    "/api/v1/export",
                    {"match[]": f'v{{s="{chosen[0]}"}}', "start": start / 1e3, "end": end / 1e3},
                )
            )
            one_of = "|".join(map(str, chosen.tolist()))
            query = {
                "query": f'avg_over_time(v{{s=~"{one_of}"}}[1h])',
                "start": end / 1e3 - 7 * 86_400,
                "end": end / 1e3,
                "step": "1h",
                "nocache": 1,
            }
            chart.append(_timed(server.url, "/api/v1/query_range", query))
    line("VictoriaMetrics: 24 h of one series", raw)
    line("VictoriaMetrics: 7 days of 50 series, hourly", chart)
    shutil.rmtree(folder)


def _lines(rows: Batch, order: I64, cuts: I64, chunk: I64) -> bytes:
    edges = np.concatenate([[0], cuts, [len(order)]])
    found = []
    for at in chunk.tolist():
        one = order[edges[at] : edges[at + 1]]
        one = one[~np.isnan(rows.value[one])]
        times = (rows.time_ns[one] // MILLISECOND_NS).tolist()
        metric = {"__name__": "v", "s": str(rows.series[one[0]])}
        found.append(json.dumps({"metric": metric, "values": rows.value[one].tolist(), "timestamps": times}))
    return "\n".join(found).encode()


def _ask(url: str, path: str, body: bytes | None = None) -> bytes:
    with urlopen(Request(url + path, data=body), timeout=120) as answer:  # noqa: S310 - of loopback
        return bytes(answer.read())


def _timed(url: str, path: str, query: dict[str, object]) -> float:
    begun_s = time.perf_counter()
    found = _ask(url, f"{path}?{urlencode(query)}")
    taken = (time.perf_counter() - begun_s) * 1e3
    if len(found) < 1_000:
        raise RuntimeError(f"{path}: {found[:200]!r}, expected rows")
    return taken


def _postgres(folder: Path, rows: Batch, series: I64, line: Line) -> None:
    with _server(folder) as psql:
        begun_s = time.perf_counter()
        psql("CREATE TABLE r (series bigint, time timestamptz, value float8, quality smallint, cause smallint)")
        table = folder / "rows.csv"
        columns = {
            "series": rows.series,
            "t": rows.time_ns // 1000,
            "value": rows.value,
            "quality": rows.quality,
            "cause": rows.cause,
        }
        with duckdb.connect() as writer:
            writer.register("rows", columns)
            writer.execute(f"COPY ({_WRITTEN}) TO '{table}' (HEADER false)")
        table.chmod(0o644)
        psql(f"\\copy r FROM '{table}' (FORMAT csv)")
        table.unlink()
        psql("CREATE INDEX ON r (series, time)")
        psql("VACUUM ANALYZE r")
        size = int(psql("SELECT pg_total_relation_size('r')").split()[-1])
        _told("PostgreSQL 15 (table and index)", rows, size, begun_s)
        raw, chart = [], []
        for chosen, start, end in _spans(rows, series):
            span = f"time >= to_timestamp({start / 1e3}) AND time < to_timestamp({end / 1e3})"
            raw.append(
                _psql_ms(psql(f"\\timing on\nSELECT * FROM r WHERE series = {chosen[0]} AND {span} ORDER BY time"))
            )
            week = span.replace(f"{start / 1e3}", f"{end / 1e3 - 7 * 86_400}", 1)
            some = ", ".join(map(str, chosen.tolist()))
            chart.append(_psql_ms(psql(
                "\\timing on\nSELECT series, date_trunc('hour', time), min(value), avg(value), max(value), count(*) "
                f"FROM r WHERE series IN ({some}) AND {week} GROUP BY 1, 2 ORDER BY 1, 2"
            )))  # fmt: skip
    line("PostgreSQL: 24 h of one series", raw)
    line("PostgreSQL: 7 days of 50 series, hourly", chart)


def _psql_ms(said: str) -> float:
    return float(re.findall(r"Time: ([\d.]+) ms", said)[-1])


@contextmanager
def _server(folder: Path) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL of our own; it does not run as root."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    user = _OWNER if os.geteuid() == 0 else None
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    port, place = str(free_port()), str(folder / "data")
    made = [f"{_PG}/initdb", "-D", place, "-A", "trust", "-U", _OWNER]
    subprocess.run(made, user=user, check=True, capture_output=True, cwd="/")
    settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "shared_buffers=1GB")
    command = [f"{_PG}/postgres", "-D", place, "-p", port, *(word for one in settings for word in ("-c", one))]
    server = subprocess.Popen(command, user=user, cwd="/", stderr=subprocess.DEVNULL)
    asking = ["-h", "127.0.0.1", "-p", port]

    def psql(text: str) -> str:
        command = [f"{_PG}/psql", *asking, "-U", _OWNER, "-v", "ON_ERROR_STOP=1", "-At"]
        return subprocess.run(command, input=text, check=True, capture_output=True, text=True, cwd="/").stdout

    try:
        while subprocess.run([f"{_PG}/pg_isready", *asking], capture_output=True).returncode and server.poll() is None:
            time.sleep(0.1)
        yield psql
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)
