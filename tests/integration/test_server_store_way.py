"""The whole way with rows in a real VictoriaMetrics that is cut off and killed: gateway, broker, proxy, centre."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from alerting.service import Service
from alerting.settings import load_centre
from ingest.store.server.victoriametrics import VictoriaMetrics
from petrel import parts as halves
from telemetry.clock import SystemClock
from tests.contract.cutting import cutting
from tests.contract.store_servers import victoria_metrics
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import until
from tests.integration.test_full_disk_way import LONG, STATIONS, Way, gateway_to, parts, raised, same_rows
from tests.unit.centre_receiver import receiving
from tests.unit.centre_world import write_files


def settings(folder: Path, broker: str, hook: str, url: str) -> Path:
    """Files of a centre, made once."""
    path = folder / "centre.yaml"
    if not path.exists():
        folder.mkdir()
        write_files(folder, channels=f'{{kind: webhook, name: hook, url: "{hook}"}}', broker=broker)
        kept = f'{{kind: victoriametrics, path: journal.sqlite, url: "{url}"}}'
        path.write_text(path.read_text("utf-8").replace("{path: store.duckdb}", kept), "utf-8")
    return path


@asynccontextmanager
async def centre_with(folder: Path, broker: str, hook: str, url: str):
    """A centre as ``petrel centre run`` makes it, its rows at ``url``."""
    path = settings(folder, broker, hook, url)
    document = load_centre(path)
    assert document.settings.store.kind == "victoriametrics"
    async with (
        halves.centre(document, SystemClock(), np.random.default_rng(2)) as service,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(service.run())
        try:
            yield service
        finally:
            running.cancel()


async def settled(service: Service, way: Way) -> None:
    """Everything measured has come to the server itself, once; and nobody heard of an alarm twice."""
    await way.emptied()
    await service.drained()
    shown = STATIONS * len(way.source.sent)
    await until(lambda: service.centre.store.count() >= shown)  # it shows the last of them a moment later
    same_rows(service, way.source)
    assert len(set(way.heard())) == len(way.heard())
    assert sorted(await raised(service)) == sorted({subject for subject, _, _ in way.heard()})


async def test_a_server_that_is_cut_off_and_killed_silences_no_alarm_and_loses_no_row(tmp_path, monkeypatch):
    """Held meanwhile (ADR 0005), and a centre that starts without its server goes on without its past.

    The second kill may pass without an error: what was in its memory only is missed when the server is next looked at.
    """
    monkeypatch.setattr(VictoriaMetrics, "settle_s", 2.0)
    with victoria_metrics(tmp_path / "vm") as server, cutting(server.port) as proxy, nats_server(tmp_path) as broker:
        async with receiving() as receiver, gateway_to(broker.port, tmp_path / "spool") as (gateway, source):
            way = Way(gateway, source, receiver, tmp_path)
            async with centre_with(tmp_path / "centre", broker.url, receiver.url, proxy.url) as service:
                await until(lambda: service.ingest.stats.rows > 0)
                proxy.after = 300
                await until(lambda: service.ingest.stats.store_problem != "")
                server.kill()
                proxy.heal()
                await way.alarm(0)
                await way.source.until_sent(LONG)
                await way.alarm(1)
                assert way.gateway.spool.held_batches() > LONG // 2
                assert (await parts(service))["store"] == "down"
            async with centre_with(tmp_path / "centre", broker.url, receiver.url, proxy.url) as service:
                await way.alarm(2)
                assert "expected a server that answers" in service.ingest.stats.store_problem
                server.start()
                await until(lambda: service.ingest.stats.store_problem == "", seconds=20)
                store = service.centre.store
                before = store._delivery._incarnation
                await asyncio.to_thread(server.restart)
                await until(lambda: store._delivery._incarnation != before, seconds=20)
                await settled(service, way)
                assert way.heard() == [(f"gas-{i}", "raised", 4) for i in range(STATIONS)], "each once"
