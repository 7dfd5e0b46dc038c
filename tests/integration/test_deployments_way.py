"""A rain gauge is replaced by one whose counter stands higher: one series and no false rain, from device to engine."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import numpy as np

from alerting.service import open_service
from alerting.settings import parse_centre
from gateway.timing import Timing
from ingest.store.duckdb import DuckDBStore
from telemetry.clock import SystemClock
from telemetry.quality import Quality
from telemetry.series import series_id
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import until
from tests.integration.gateways import modbus_tcp, running
from tests.unit.centre_world import World, write_files

SETTINGS = """
site: demo
node: gw-1
broker: mqtt://127.0.0.1:{broker}
spool: {{dir: spool}}
stations:
  - {{id: hill, name: {{zh: 山, en: Hill}}, kind: weather, lat: 25.3, lon: 119.1, town: "1001"}}
buses:
  - name: one
    tcp: {{host: 127.0.0.1, port: {port}}}
    devices:
      - {{name: bucket, profile: bucket.yaml, station: hill, period_s: 0.05, deployments: [{deployments}]}}
"""
PROFILE = """
name: bucket
title: {zh: 雨量计, en: Rain gauge}
source: made up for this test
transports: [tcp]
points:
  - name: rain
    quantity: rain_total
    unit: mm
    scale: 0.1
    register: holding 0 u16
    valid: [0, 6553.5]
    modulus: 6553.6
golden:
  - {frame: tcp, exchange: [{request: "00", answer: "00"}], values: {}, source: none}
"""
RAIN = series_id("demo", "hill", "rain", "rain_total")
TIMING = Timing(reconnect_s=(0.02, 0.2), resend_s=0.5, deadline_s=1.0)


class Bucket:
    """A counter in tenths of a millimetre, on a pymodbus server."""

    def __init__(self) -> None:
        self.tenths, self.reads = 120, 0

    async def act(self, function, first, address, count, registers, written):
        registers[0] = self.tenths
        self.reads += 1

    async def read(self, times: int) -> None:
        before = self.reads
        await until(lambda: self.reads >= before + times)

    def serving(self):
        return modbus_tcp([0], self.act)


def gateway(folder, broker, port, *deployments):
    text = SETTINGS.format(broker=broker, port=port, deployments=", ".join(deployments))
    (folder / "gateway.yaml").write_text(text, encoding="utf-8")
    return running(folder / "gateway.yaml", TIMING)


@asynccontextmanager
async def centre(folder, broker):
    path = write_files(folder, broker=broker)
    clock, store = SystemClock(), DuckDBStore(folder / "store.duckdb")
    document = parse_centre(path.read_text(encoding="utf-8"), path)
    async with (
        open_service(document, store=store, clock=clock, rng=np.random.default_rng(1)) as service,
        asyncio.TaskGroup() as tasks,
    ):
        work = tasks.create_task(service.run())
        yield World(service, store, clock)
        work.cancel()
    store.close()


def fallen_mm(place: World) -> float:
    """The rain of the last quarter of an hour, as the engine counts it."""
    window = place.service.centre.engine.window
    slots = window.slots(np.array([RAIN]))
    return float(window.span("rain_total", slots, np.array([place.clock.now_ns()]), 15).total[0])


async def test_a_replaced_counter_continues_its_series_without_false_rain(tmp_path):
    (tmp_path / "bucket.yaml").write_text(PROFILE, encoding="utf-8")
    bucket, first = Bucket(), '{since: "2024-05-01T09:00+08:00", serial: R1}'
    with nats_server(tmp_path) as broker:
        async with centre(tmp_path, broker.url) as place, bucket.serving() as port:
            async with gateway(tmp_path, broker.port, port, first):
                await bucket.read(5)
            now = datetime.now(UTC).isoformat()
            bucket.tenths = 525
            second = f'{{since: "{now}", serial: R2, baselines: {{rain: 52.5}}}}'
            async with gateway(tmp_path, broker.port, port, first, second):
                await bucket.read(3)
                bucket.tenths = 527
                await bucket.read(3)
            await until(lambda: fallen_mm(place) > 0)
            assert round(fallen_mm(place), 6) == 0.2
            rows = place.store.points(RAIN, 0, place.clock.now_ns(), 1000)
            async with place.client() as client:
                told = (await client.get(f"/api/v1/series/{RAIN}")).json()
    assert [one["serial"] for one in told["deployments"]] == ["R1", "R2"]
    by_hand = rows.value[rows.quality == Quality.BAD].tolist()
    assert by_hand == [52.5]
    assert sorted(set(rows.value[rows.quality < Quality.BAD].tolist())) == [12.0, 52.5, 52.7]
