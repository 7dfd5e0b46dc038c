"""Orders on a disk that takes nothing: a siren sounds all the same, also after a start on such a disk."""

import shutil

import pytest

from telemetry.orders import Outcome, Verb
from telemetry.signing import KEYS
from tests.integration.disks import mounted, stuff
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.order_things import SOURCE, centre, command, config, running, write_files


@pytest.fixture
def disk(tmp_path, monkeypatch):
    with mounted(tmp_path / "disk", 4) as folder:
        monkeypatch.setenv(f"{KEYS}_FILE", str(folder / "keys"))
        yield folder


@pytest.mark.parametrize("first", [True, False], ids=["first start", "later start"])
async def test_a_gateway_that_starts_on_a_full_disk_takes_orders(disk, tmp_path, broker, board, first):
    path = write_files(disk, broker.port, board.port)
    async with running(path) as gateway:
        await until(lambda: gateway.uplink.connected)
    if first:
        shutil.rmtree(disk / "remote")
    stuff(disk, 0)
    order = command(tmp_path, "siren", 1)
    async with running(path) as gateway, centre(tmp_path, broker.port) as ask:
        await until(lambda: gateway.uplink.connected and gateway._source.devices()["board"] == "ok")
        assert (await ask(order)).outcome is Outcome.DONE
        assert (await ask(order)).repeated, "it is remembered, if only in memory"
        listed = await ask(config(tmp_path, Verb.LIST))
        notes = gateway.status().notes
    assert len([write for write in board.writes if write[2] == [1]]) == 1
    if first:
        assert listed.outcome is Outcome.REFUSED
        assert "the configuration can't be changed: " in listed.reason
        assert "No space left on device, expected a directory that can be written, and a restart then" in listed.reason
        assert listed.reason in notes
    else:
        assert listed.outcome is Outcome.DONE


async def test_a_configuration_that_the_disk_does_not_take_is_refused_and_taken_later(disk, tmp_path, broker, board):
    path = write_files(disk, broker.port, board.port)
    async with (
        scripted_centre(broker.port, SOURCE),
        running(path) as gateway,
        centre(tmp_path, broker.port) as ask,
    ):
        await until(lambda: gateway.uplink.connected)
        text = path.read_text(encoding="utf-8")
        slower = text.replace("period_s: 0.1", "period_s: 0.2")
        ballast = stuff(disk, 0)
        full = await ask(config(tmp_path, Verb.PUSH, number=1, text=slower))
        assert full.outcome is Outcome.REFUSED
        assert full.reason == f"{disk}: No space left on device, expected a disk that takes it"
        assert path.read_text(encoding="utf-8") == text
        ballast.unlink()
        assert (await ask(config(tmp_path, Verb.PUSH, number=2, text=slower))).outcome is Outcome.DONE
    assert path.read_text(encoding="utf-8") == slower
