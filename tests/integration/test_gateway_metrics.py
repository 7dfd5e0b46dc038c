"""What Prometheus reads at a gateway, over a real socket; and who may not read it."""

import asyncio
import socket
from contextlib import suppress

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.agent import Gateway
from gateway.settings import compile_gateway, load_gateway
from telemetry.clock import SystemClock
from telemetry.settings import SettingsError
from tests.integration.brokers import free_port, nats_server
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.test_urgent_way import PROFILE, SETTINGS, SOURCE, TIMING, River
from tests.unit.gateway_machine import NOW_NS, HandMachine


def plan_of(folder, broker, port, metrics):
    (folder / "gauge.yaml").write_text(PROFILE, encoding="utf-8")
    settings = SETTINGS.format(broker=broker, port=port).replace("deadband: 0.5, heartbeat_s: 3600", "")
    (folder / "gateway.yaml").write_text(f"{settings}metrics: {metrics}\nquota: {{month_bytes: 1000000}}\n")
    return compile_gateway(load_gateway(folder / "gateway.yaml"))


async def scrape(port: int) -> dict[tuple[str, ...], float]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = [one for family in text_string_to_metric_families(answer.text) for one in family.samples]
    return {(one.name, *one.labels.values()): one.value for one in samples}


async def test_a_scrape_counts_what_the_device_and_the_centre_counted(tmp_path):
    river, port = River(), free_port()
    machine = HandMachine(wall_ns=NOW_NS, synchronised=True)
    with nats_server(tmp_path) as broker:
        async with scripted_centre(broker.port, SOURCE) as centre, river.serving() as modbus:
            plan = plan_of(tmp_path, broker.port, modbus, f"{{port: {port}}}")
            gateway = Gateway(plan, SystemClock(), np.random.default_rng(1), timing=TIMING, machine=machine)
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(gateway.run())
                await until(lambda: gateway.spool.stats().acked_rows > 3)
                least, least_stored = river.reads - 1, sum(map(len, centre.committed.values())) - 1
                found = await scrape(port)
                most, most_stored = river.reads + 1, sum(map(len, centre.committed.values())) + 1
                async with httpx.AsyncClient(trust_env=False) as client:
                    assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 404
                    assert (await client.post(f"http://127.0.0.1:{port}/metrics")).status_code == 404
                running.cancel()
    polls = found["petrel_device_polls_total", "one", "gauge"]
    assert least <= polls <= most
    assert least_stored - 3 <= found["petrel_spool_acknowledged_rows_total",] <= most_stored
    assert found["petrel_line_answers_total", "one"] >= polls - 1
    assert found["petrel_device_ok", "one", "gauge"] == found["petrel_uplink_connected",] == 1
    assert found["petrel_uplink_connections_total",] == found["petrel_clock_synchronised",] == 1
    assert found["petrel_quota_bytes",] == 1_000_000
    assert found["petrel_spool_lost_rows_total", "full"] == found["petrel_quota_sparing",] == 0


async def test_a_port_that_is_taken_is_said_and_stops_nothing(tmp_path):
    river = River()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with river.serving() as modbus:
            plan = plan_of(tmp_path, 1, modbus, f"{{port: {other.getsockname()[1]}}}")
            gateway = Gateway(plan, SystemClock(), np.random.default_rng(1), timing=TIMING)
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(gateway.run())
                await until(lambda: gateway.polled_rows > 3)
                assert any(note.startswith("metrics: 127.0.0.1:") for note in gateway.status().notes)
                running.cancel()


async def test_nonsense_and_silence_at_the_port_disturb_nobody(tmp_path):
    river, port = River(), free_port()
    async with river.serving() as modbus:
        gateway = Gateway(plan_of(tmp_path, 1, modbus, f"{{port: {port}}}"), SystemClock(), np.random.default_rng(1))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(gateway.run())
            await until(lambda: gateway.polled_rows)
            for nonsense in (b"\r\n\r\n", b"\xff" * 20_000, b"GET", b"GET /metrics\r\n\r\n"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(nonsense)
                writer.write_eof()
                with suppress(ConnectionResetError):
                    await reader.read()
                writer.close()
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            assert (await scrape(port))["petrel_device_ok", "one", "gauge"] == 1
            for _, writer in silent:
                writer.close()
            running.cancel()


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("{port: 9464, host: 0.0.0.0}", "metrics.host: '0.0.0.0' can be reached from anywhere"),
        ("{port: 9464, host: 8.8.8.8}", "expected loopback or a private network"),
        ("{port: 9464, host: box.example}", "expected an IP address of this machine"),
        ("{port: 0}", "metrics.port: 0, expected 1 to 65535"),
    ],
)
def test_an_address_that_others_can_reach_is_refused(tmp_path, metrics, said):
    with pytest.raises(SettingsError, match=r"gateway.yaml:\d+: ") as error:
        plan_of(tmp_path, 1, 2, metrics)
    assert said in str(error.value)


def test_an_address_of_a_private_network_is_taken(tmp_path):
    assert plan_of(tmp_path, 1, 2, "{port: 9464, host: 192.168.7.1}").metrics.host == "192.168.7.1"
