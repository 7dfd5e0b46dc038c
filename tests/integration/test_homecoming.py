"""Many gateways come back after an outage: their backlog is taken in once, and what is live passes it."""

import asyncio

import numpy as np
import pytest

from ingest.service import Ingest
from ingest.store.duckdb import DuckDBStore
from telemetry.broker import parse_broker
from telemetry.clock import SystemClock
from tests.chaos.homecoming import SITE, Homecoming
from tests.integration.brokers import nats_server

GATEWAYS, BATCHES, SIZE = 20, 40, 400


@pytest.fixture
def broker(tmp_path):
    with nats_server(tmp_path) as running:
        yield running


async def test_a_backlog_of_many_gateways_is_taken_once_while_live_rows_pass_it(broker, tmp_path):
    """``benchmarks/homecoming.py`` at a thirtieth of its size; live rows wait for less than half of the drain."""
    store = DuckDBStore(tmp_path / "store.duckdb")
    lag_s = []

    async def on_commit(_):
        lag_s.append(ingest.waiting_s())

    ingest = Ingest(
        store, parse_broker(broker.url), SystemClock(), on_commit, site=SITE, drill=False, rng=np.random.default_rng(1)
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(ingest.run())
        async with asyncio.timeout(30):
            await ingest.subscriber.connected.wait()
            outcome = await Homecoming(GATEWAYS, BATCHES, SIZE, every_s=0.05).run(broker.port)
        running.cancel()
    assert outcome.rows == GATEWAYS * BATCHES * SIZE
    assert store.count() == store.distinct_count() >= outcome.rows + 10 * len(outcome.live_s)
    assert ingest.intake.dropped.total() == 0
    assert len(outcome.live_s) >= 5
    assert np.median(outcome.live_s) < max(outcome.seconds / 2, 0.5)
    assert max(lag_s) > 0.0
    store.close()
