"""A broker, relay boards, and where the key of a gateway stands."""

import pytest

from telemetry.signing import KEYS
from tests.integration.brokers import nats_server
from tests.integration.order_things import Board


@pytest.fixture
def nats(tmp_path):
    with nats_server(tmp_path) as one:
        yield one


@pytest.fixture
def broker(nats):
    return nats


@pytest.fixture
async def board():
    async with Board().serving() as one:
        yield one


@pytest.fixture
async def boards(board):
    async with Board().serving() as other:
        yield board, other


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The gateway's folder; the key in it is the one that counts."""
    monkeypatch.setenv(f"{KEYS}_FILE", str(tmp_path / "keys"))
    return tmp_path
