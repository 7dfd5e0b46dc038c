"""The trial of a configuration: kept when it proves itself, and rolled back when it does not."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from gateway.spool import peek
from telemetry.orders import Outcome, Verb
from tests.integration.brokers import free_port, nats_server
from tests.integration.gateway_centre import always, scripted_centre, until
from tests.integration.order_things import (
    SOURCE,
    TIMING,
    Board,
    centre,
    command,
    config,
    running,
)
from tests.integration.order_things import site_at_work as at_work


async def test_a_dead_broker_is_rolled_back_and_the_old_one_is_told(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        answer = await site.push(site.text.replace(f"127.0.0.1:{broker.port}", f"127.0.0.1:{free_port()}"))
        assert answer.outcome is Outcome.FAILED
        assert "rolled back after 1 s: no connection to mqtt://127.0.0.1:" in answer.reason
        assert answer.change.others == ("broker",)
        assert site.gateway.uplink.connected
        assert site.path.read_text(encoding="utf-8") == site.text
        _, failed = await site.versions()
        assert failed.state == "rolled back"
        assert "no connection" in failed.reason
        arrived = len(site.centre.committed)
        await site.centre.until(lambda: len(site.centre.committed) > arrived)


async def test_a_gateway_moves_to_another_broker(files, broker, boards, tmp_path):
    with nats_server(tmp_path / "second") as second:
        async with (
            at_work(files, broker, boards[0]) as site,
            scripted_centre(second.port, SOURCE) as there,
            centre(files, second.port) as ask,
        ):
            order = config(files, Verb.PUSH, number=1, text=site.text.replace(f"{broker.port}", f"{second.port}"))
            with pytest.raises(Exception, match="no answer within 2 s"):
                await site.ask(order, 2)
            answer = await ask(order)
            assert answer.outcome is Outcome.DONE
            assert there.committed
            assert site.centre.statuses[-1].presence == "offline", "nobody takes the old one's last word for news"


async def test_a_device_that_does_not_answer_is_rolled_back(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        acquisition = site.gateway._source
        line = acquisition.line("relays")
        answer = await site.push(site.with_bus(free_port()))
        assert answer.outcome is Outcome.FAILED
        assert "rolled back after 1 s: more: 127.0.0.1" in answer.reason
        assert site.devices == {"board": "ok"}
        assert acquisition.line("relays") is line
        await site.centre.until(lambda: site.announced == {"river"})


async def test_a_device_that_was_dead_before_is_not_blamed_on_the_change(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        text = site.with_bus(free_port())
    site.path.write_text(text, encoding="utf-8")
    async with (
        scripted_centre(broker.port, SOURCE),
        running(site.path) as gateway,
        centre(files, broker.port) as ask,
    ):
        await until(lambda: "127.0.0.1" in gateway._source.devices().get("more", ""))
        await until(lambda: gateway.uplink.connected)
        text = text.replace("timeout_s: 0.2", "timeout_s: 0.1")
        answer = await ask(config(files, Verb.PUSH, text=text, number=2))
    assert answer.outcome is Outcome.DONE, answer.reason
    assert answer.change.replaced == ("more",)


async def test_a_stop_during_a_trial_leaves_what_proved_itself(files, broker, boards):
    async with at_work(files, broker, boards[0], replace(TIMING, trial_s=60.0)) as site, asyncio.TaskGroup() as tasks:
        pushed = tasks.create_task(site.push(site.with_bus(boards[1].port)))
        await until(lambda: site.interim and site.devices.get("more") == "ok")
        pushed.cancel()
        text = site.text
    assert (files / "gateway.yaml").read_text(encoding="utf-8") == text
    async with running(files / "gateway.yaml") as gateway:
        await until(lambda: gateway.uplink.connected)
        assert set(gateway._source.devices()) == {"board"}
        last = gateway._remote._configuration._versions.notes()[-1]
    assert (last.state, last.reason) == ("rolled back", "the gateway stopped while it was on trial")


async def test_a_backlog_outlives_a_change(files, broker, boards):
    """P6: a pushed configuration destroys the stored backlog."""
    async with at_work(files, broker, boards[0]) as site:
        site.gateway._remote._configuration._trial_s = 0.3
        site.centre.script = always("silent")
        await until(lambda: site.gateway.spool.stats().batches >= 5)
        before = site.gateway.spool.stats()
        await site.push(site.text.replace("period_s: 0.1", "period_s: 0.15"))
        after = site.gateway.spool.stats()
        assert after.batches >= before.batches
        assert after.dropped_rows == 0
        site.centre.script = always("ack")
        await site.centre.until(lambda: site.gateway.spool.stats().batches == 0)
        seqs = sorted(seq for _, seq in site.centre.committed)
        assert seqs == list(range(1, len(seqs) + 1))
    assert peek(files / "spool").batches == 0


async def test_rows_that_the_centre_refuses_are_rolled_back(files, broker, boards, monkeypatch):
    """What is refused is set aside and in no record: such a configuration is worse than the one before."""
    async with at_work(files, broker, boards[0]) as site:
        monkeypatch.setattr(site.centre, "script", lambda _: "refuse" if "more" in site.devices else "ack")
        answer = await site.push(site.with_bus(boards[1].port))
        assert answer.outcome is Outcome.FAILED
        assert "the centre refuses what is sent, and it is set aside here: poison" in answer.reason
        assert site.devices == {"board": "ok"}


@pytest.mark.parametrize("where", ["on a bus that stays", "on a bus that goes"])
async def test_no_siren_of_a_trial_that_fails_is_left_on(files, broker, boards, where):
    """The output goes with the rollback, and nobody else would ever silence it."""
    device = "board" if where == "on a bus that stays" else "more"
    horn = f"outputs:\n  - {{name: horn, device: {device}, output: siren, pulse_s: 60}}\n"
    async with at_work(files, broker, boards[0]) as site, asyncio.TaskGroup() as tasks:
        text = site.with_bus(boards[1].port).replace("outputs:\n", horn)
        site.centre.script = lambda _: "refuse" if "more" in site.devices else "ack"
        pushed = tasks.create_task(site.push(text))
        await until(lambda: site.devices.get("more") == "ok")
        async with centre(files, broker.port) as ask:
            assert (await ask(command(files, "horn", 1))).outcome is Outcome.DONE
        assert (await pushed).outcome is Outcome.FAILED
        board = boards[0] if device == "board" else boards[1]
        assert board.writes == [(5, 2, [1]), (5, 2, [0])]
        assert not site.gateway._remote.outputs.away


async def test_a_siren_that_can_not_be_silenced_is_no_reason_to_refuse_the_line_on_which_it_can(files, broker, boards):
    """Its serial server got another address in the middle of a pulse: the new address comes from afar, too."""
    async with AsyncExitStack() as until_gone:
        dying = await until_gone.enter_async_context(Board().serving())
        async with at_work(files, broker, dying) as site:
            assert (await site.ask(command(files, "lamp", 1))).outcome is Outcome.DONE
            await until_gone.aclose()
            await until(lambda: site.gateway._remote.outputs.away and not site.gateway._remote.outputs.pulsing)
            answer = await site.push(site.text.replace(f"port: {dying.port}", f"port: {boards[0].port}"))
            assert answer.outcome is Outcome.DONE, answer.reason
            await until(lambda: not site.gateway._remote.outputs.away)
    assert boards[0].writes[-1] == (5, 2, [0])
