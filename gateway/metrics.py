"""What a gateway shows to Prometheus: its buses and devices, spool, uplink, clock and line.

Counters count from the start of the gateway. An address is opened only where the settings name one.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge_agent.stats import OK, BusStats
from gateway.spool import Loss, Stats
from gateway.timing import UplinkCounts
from telemetry.clock import SECOND_NS
from telemetry.exposition import exposition
from telemetry.wire import Status

Caller = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]
_LOG: Final = structlog.get_logger()
_DEADLINE_S: Final = 5.0
_MOST_ASKING: Final = 8
_LONGEST_REQUEST: Final = 8 * 1024
_RETRY_S: Final = 30.0
_DEVICE: Final = {
    "polls": "polls, or reports heard",
    "failures": "polls that brought nothing whole, or silences",
    "held_back": "polls left out since the device was dead a moment ago",
    "skipped": "moments that passed before the bus got to them",
    "rows": "rows, missing ones included",
    "missing_rows": "rows without a value",
}
_LINE: Final = {
    "requests": "requests sent",
    "answers": "answers and reports that were accepted",
    "refusals": "exceptions answered, and reports of devices that nobody entered",
    "timeouts": "requests that nobody answered in time",
    "garbled": "frames refused",
    "late": "answers that came too late, or bytes on a silent line",
    "connects": "times that the line was opened",
    "connect_failures": "times that it could not be opened",
    "withheld": "replies that devices did not get: what they reported was not kept, or nobody entered them",
}


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Prometheus may ask for the gateway's figures; nobody is asked who they are."""

    port: int
    """One that is free; 9464 is usual."""
    host: str = "127.0.0.1"
    """An address of this machine on loopback or in a private network."""

    def complaint(self) -> tuple[str, str] | None:
        """The key that can't be and why, or None."""
        if not 0 < self.port < 65_536:
            return "port", f"{self.port}, expected 1 to 65535"
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return "host", f"{self.host!r}, expected an IP address of this machine"
        if address.is_unspecified or not address.is_private:
            return "host", f"{self.host!r} can be reached from anywhere, expected loopback or a private network"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A moment of a gateway."""

    status: Status
    spool: Stats
    uplink: UplinkCounts
    connected: bool
    buses: Mapping[str, BusStats]


def shown(figures: Figures) -> bytes:
    """The answer to a scrape."""
    return exposition([*_buses(figures.buses), *_spool(figures), *_uplink(figures), *_machine(figures.status)])


def _buses(buses: Mapping[str, BusStats]) -> Iterable[Metric]:
    for name, meaning in _LINE.items():
        line = CounterMetricFamily(f"petrel_line_{name}", meaning, labels=("bus",))
        for bus, stats in buses.items():
            line.add_metric((bus,), getattr(stats.line, name))
        yield line
    devices = [(bus, name, one) for bus, found in buses.items() for name, one in found.devices.items()]
    for name, meaning in _DEVICE.items():
        family = CounterMetricFamily(f"petrel_device_{name}", meaning, labels=("bus", "device"))
        for bus, device, one in devices:
            family.add_metric((bus, device), getattr(one, name))
        yield family
    well = GaugeMetricFamily("petrel_device_ok", "1 when its last poll or report was whole", labels=("bus", "device"))
    for bus, device, one in devices:
        well.add_metric((bus, device), float(one.state == OK))
    yield well


def _spool(figures: Figures) -> Iterable[Metric]:
    spool, now_ns = figures.spool, figures.status.time_ns
    yield _gauge("spool_rows", "rows that the centre has not acknowledged", spool.rows)
    yield _gauge("spool_batches", "batches that it has not acknowledged", spool.batches)
    yield _gauge("spool_bytes", "disk that they take", spool.disk_bytes)
    yield _gauge("spool_memory_batches", "batches in memory, since the disk takes nothing", spool.memory_batches)
    oldest_s = 0.0 if spool.oldest_ns is None else max(0, now_ns - spool.oldest_ns) / SECOND_NS
    yield _gauge("spool_oldest_seconds", "age of the oldest row that waits; 0 when none does", oldest_s)
    yield _gauge("spool_hours_until_full", "at the present rate; absent while nothing is known", spool.hours_until_full)
    yield _counter("spool_acknowledged_rows", "rows that the centre has stored", spool.acked_rows)
    yield _counter("spool_refused_batches", "batches that the centre will never take", spool.refused_batches)
    yield _counter("spool_corrupt_pieces", "pieces set aside as corrupt", spool.corrupt_pieces)
    yield _counter("spool_sync_failures", "failed syncs of its disk", spool.sync_failures)
    lost = CounterMetricFamily("petrel_spool_lost_rows", "rows given up, by reason", labels=("reason",))
    for reason in Loss:
        lost.add_metric((reason.name.lower(),), spool.lost_rows.get(reason, 0))
    yield lost


def _uplink(figures: Figures) -> Iterable[Metric]:
    uplink = figures.uplink
    yield _gauge("uplink_connected", "1 while the broker is", float(figures.connected))
    yield _gauge("uplink_unacknowledged_seconds", "so long nothing was acknowledged", figures.status.unacknowledged_s)
    yield _counter("uplink_connections", "connections made", uplink.connections)
    yield _counter("uplink_sent_batches", "batches sent, repetitions included", uplink.sent_batches)
    yield _counter("uplink_sent_bytes", "bytes of their payloads", uplink.sent_bytes)
    yield _counter("uplink_malformed_acks", "acknowledgements that were none", uplink.malformed_acks)


def _machine(status: Status) -> Iterable[Metric]:
    yield _counter("polled_rows", "rows that left for the spool", status.polled_rows)
    yield _gauge("notes", "lines that petrel gateway status shows as notes", len(status.notes))
    if (clock := status.clock) is not None:
        yield _gauge("clock_synchronised", "1 while something keeps it right", float(clock.synchronised))
        yield _gauge("clock_known", "1 while it may be believed", float(clock.known))
        yield _counter("clock_steps", "times that it was set", clock.steps)
        yield _gauge("clock_held_rows", "rows that wait for the time", clock.held_rows)
        yield _counter("clock_lost_rows", "rows whose time can't be known any more", clock.lost_rows)
    if (line := status.line) is not None:
        yield _gauge("quota_day_bytes", "carried to and from the broker today", line.day_bytes)
        yield _gauge("quota_month_bytes", "carried this month", line.month_bytes)
        yield _gauge("quota_bytes", "what a month may carry; absent where nothing is said", line.quota_bytes)
        yield _gauge("quota_sparing", "1 while it is used up", float(line.sparing))


def _gauge(name: str, meaning: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(f"petrel_{name}", meaning)
    if value is not None:
        family.add_metric((), value)
    return family


def _counter(name: str, meaning: str, value: int) -> Metric:
    return CounterMetricFamily(f"petrel_{name}", meaning, value=value)


class Scraped:
    """Answers ``GET /metrics`` until cancelled; an address that is taken stops nothing else, and is tried again."""

    def __init__(self, settings: MetricsSettings, figures: Callable[[], Figures]) -> None:
        self._settings, self._figures = settings, figures
        self._asking = 0
        self.trouble: str | None = None

    async def run(self) -> None:
        """Serve."""
        async with asyncio.TaskGroup() as tasks:

            def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._answer(reader, writer), name="scrape")

            server = await self._listen(caller)
            async with server:
                await server.serve_forever()

    async def _listen(self, caller: Caller) -> asyncio.Server:
        host, port = self._settings.host, self._settings.port
        while True:
            try:
                server = await asyncio.start_server(caller, host, port, limit=_LONGEST_REQUEST, backlog=_MOST_ASKING)
            except OSError as exc:
                self.trouble = f"metrics: {host}:{port}: {exc.strerror}, expected a free port"
                _LOG.warning("no metrics", reason=self.trouble)
                await asyncio.sleep(_RETRY_S)
            else:
                self.trouble = None
                return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asking += 1
        try:
            async with asyncio.timeout(_DEADLINE_S):
                if self._asking <= _MOST_ASKING:
                    writer.write(self._response(await reader.readuntil(b"\r\n\r\n")))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            _LOG.debug("scrape given up", reason=str(exc))
        finally:
            self._asking -= 1
            writer.close()

    def _response(self, request: bytes) -> bytes:
        words = request.split(b"\r\n", 1)[0].split(b" ")
        if words[:1] != [b"GET"] or words[1:2] != [b"/metrics"]:
            return _http(b"404 Not Found", b"text/plain; charset=utf-8", b"expected GET /metrics\n")
        return _http(b"200 OK", CONTENT_TYPE_LATEST.encode(), shown(self._figures()))


def _http(status: bytes, kind: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, kind, len(body)) + body
