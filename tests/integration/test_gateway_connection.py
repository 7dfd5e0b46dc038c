"""One connection of a gateway, on real brokers."""

import asyncio

import pytest

from gateway.connection import Connection
from telemetry.broker import parse_broker
from tests.integration.brokers import mosquitto, mosquitto_binary, nats_server


@pytest.fixture(params=["nats-server", "mosquitto"])
def broker(request, tmp_path):
    if request.param == "mosquitto" and mosquitto_binary() is None:
        pytest.skip("mosquitto is not installed")
    with (nats_server if request.param == "nats-server" else mosquitto)(tmp_path) as running:
        yield running


async def test_what_is_told_at_once_does_not_cost_the_connection(broker):
    """An announcement, and an answer to an order: each waits for the broker's receipt, and neither for the other."""

    def nobody(topic: str, payload: bytes, retained: bool) -> None:
        raise AssertionError(topic)

    address = parse_broker(broker.url)
    connection = Connection(address, "two", None, will=("w", b""), take=nobody, deadline_s=5.0)
    async with connection as link, asyncio.TaskGroup() as tasks:
        for name in ("a", "b", "c"):
            tasks.create_task(link.send(name, b"x", qos=1))
