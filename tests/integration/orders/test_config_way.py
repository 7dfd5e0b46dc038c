"""A configuration from afar: checked, compared, swapped where it changed, in numbered versions."""

import asyncio

import msgspec
import pytest

from telemetry.orders import Outcome, Verb
from tests.integration.brokers import free_port
from tests.integration.gateway_centre import until
from tests.integration.order_things import (
    PROFILE,
    centre,
    command,
    config,
    running,
    write_files,
)
from tests.integration.order_things import site_at_work as at_work


async def test_a_bus_is_added_and_the_others_go_on_untouched(files, broker, boards):
    """P6: the bus that stays keeps its connection; the spool keeps its epoch, and every row arrives once."""
    async with at_work(files, broker, boards[0]) as site:
        acquisition, epoch = site.gateway._source, site.gateway.spool.stats().epoch
        line, text = acquisition.line("relays"), site.with_bus(boards[1].port)
        answer = await site.push(text)
        assert (answer.outcome, answer.reason) == (Outcome.DONE, "devices answer and rows arrive")
        (trial,) = site.interim
        assert (trial.outcome, trial.final) == (Outcome.TRIAL, False)
        assert (answer.change.kept, answer.change.added, answer.change.removed) == (("relays",), ("more",), ())
        assert answer.change.others == ("stations",)
        assert "+  - name: more" in answer.change.diff
        assert acquisition.line("relays") is line
        assert acquisition.stats()["relays"].line.connects == 1
        assert site.devices == {"board": "ok", "more": "ok"}
        assert site.path.read_text(encoding="utf-8") == text
        assert site.gateway.spool.stats().epoch == epoch
        await site.centre.until(lambda: site.announced == {"river", "hill"})
        await site.centre.until(lambda: site.gateway.spool.stats().batches == 0)
        seqs = sorted(seq for _, seq in site.centre.committed)
        assert seqs == list(range(1, len(seqs) + 1))
        assert [(note.number, note.state, note.by, note.key) for note in await site.versions()] == [
            (0, "past", "as installed", ""),
            (1, "running", "officer", "desk"),
        ]


async def test_a_dry_run_says_what_would_change_and_changes_nothing(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        answer = await site.push(site.text.replace("period_s: 0.1", "period_s: 0.2"), verb=Verb.DRY_RUN)
        assert (answer.outcome, answer.reason) == (Outcome.DONE, "valid; nothing was changed")
        assert (answer.change.replaced, answer.change.kept) == (("relays",), ())
        assert site.path.read_text(encoding="utf-8") == site.text
        assert len(await site.versions()) == 1
        assert site.interim == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("period_s: 0.1", "period_s: nine", "gateway.yaml:11: buses[0].devices[0].period_s: 'nine', expected"),
        ("node: gw-1", "node: gw-2", "gateway.yaml:2: node: can't be changed from afar"),
        ("dir: spool", "dir: other", "spool: can't be changed from afar"),
        ("remote: {}", "remote: {dir: x}", "remote: can't be changed from afar"),
        ("name: siren", "name: siren  # the loud one", "it says the same as what runs"),
        ("output: volume", "output: pump", "board has no output 'pump', expected one of: siren, volume"),
    ],
)
async def test_what_can_not_be_is_refused_with_its_line(files, broker, boards, old, new, words):
    async with at_work(files, broker, boards[0]) as site:
        assert old in site.text
        answer = await site.push(site.text.replace(old, new, 1))
        assert answer.outcome is Outcome.REFUSED
        assert words in answer.reason
        assert site.path.read_text(encoding="utf-8") == site.text
        assert site.devices == {"board": "ok"}


async def test_a_stale_change_is_refused(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        order = config(files, Verb.PUSH, number=1, text=site.text.replace("period_s: 0.1", "period_s: 0.2"))
        late = msgspec.structs.replace(order, issued_ns=1, expires_ns=2)
        answer = await site.ask(late)
    assert answer.outcome is Outcome.REFUSED
    assert "it expired" in answer.reason


async def test_versions_only_go_up_and_any_can_be_gone_back_to(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        site.gateway._remote._configuration._trial_s = 0.3
        slower = site.text.replace("period_s: 0.1", "period_s: 0.15")
        assert (await site.push(slower, number=3)).outcome is Outcome.DONE
        for number in (0, 2, 3):
            stale = await site.push(site.text, number=number)
            assert (stale.outcome, stale.reason) == (Outcome.REFUSED, f"version {number}, expected 4 or more")
        back = await site.push("", number=4, verb=Verb.ROLLBACK, to=0)
        assert back.outcome is Outcome.DONE
        assert site.path.read_text(encoding="utf-8") == site.text
        nowhere = await site.push("", number=5, verb=Verb.ROLLBACK, to=2)
        assert "no version 2, expected one of 0, 3, 4" in nowhere.reason


async def test_one_change_at_a_time_and_the_same_one_once(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site, asyncio.TaskGroup() as tasks:
        order = config(files, Verb.PUSH, number=1, text=site.text.replace("period_s: 0.1", "period_s: 0.15"))
        async with centre(files, broker.port) as ask:
            first = tasks.create_task(ask(order))
            await until(lambda: site.gateway._remote._configuration._busy)
            other = await site.push(site.text.replace("period_s: 0.1", "period_s: 0.3"), number=2)
            assert (other.outcome, other.reason) == (Outcome.REFUSED, "another change is on trial, expected none")
            assert "version 1 of the configuration is on trial" in site.gateway.status().notes
            assert (await first).outcome is Outcome.DONE
            assert site.gateway.status().notes == ()
            again = await ask(order)
        assert (again.outcome, again.repeated) == (Outcome.DONE, True)


async def test_a_profile_comes_along_and_goes_with_a_change_that_fails(files, broker, boards):
    new = PROFILE.replace("name: board", "name: board-2")
    async with at_work(files, broker, boards[0]) as site:
        failed = await site.push(site.with_bus(free_port(), profile="board-2.yaml"), profiles={"board-2.yaml": new})
        assert failed.outcome is Outcome.FAILED
        assert not (files / "board-2.yaml").exists()
        other = new.replace("holding 0 u16", "holding 1 u16")
        done = await site.push(
            site.with_bus(boards[1].port, profile="board-2.yaml"), number=2, profiles={"board-2.yaml": other}
        )
        assert done.outcome is Outcome.DONE
        assert (files / "board-2.yaml").read_text(encoding="utf-8") == other
        assert (3, 1) in boards[1].requests, "as it came the second time, not the first"
        taken = await site.push(site.text, number=3, profiles={"board.yaml": new})
        assert "profile board.yaml is there with other content" in taken.reason
        evil = await site.push(site.text, number=3, profiles={"../x.yaml": new})
        assert "expected a file name such as" in evil.reason


async def test_a_change_by_hand_is_not_overwritten_and_becomes_a_version(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        by_hand = site.text.replace("period_s: 0.1", "period_s: 0.2")
        site.path.write_text(by_hand, encoding="utf-8")
        answer = await site.push(site.text.replace("period_s: 0.1", "period_s: 0.3"))
        assert answer.outcome is Outcome.REFUSED
        assert "was changed at the gateway and does not run yet, expected a restart first" in answer.reason
    async with running(files / "gateway.yaml") as gateway:
        notes = gateway._remote._configuration._versions.notes()
        await until(lambda: gateway.uplink.connected)
    assert [(note.number, note.state, note.by) for note in notes] == [
        (0, "past", "as installed"),
        (1, "running", "changed at the gateway"),
    ]


async def test_outputs_change_with_a_configuration_but_not_under_a_pulse(files, broker, boards):
    async with at_work(files, broker, boards[0]) as site:
        site.gateway._remote._configuration._trial_s = 0.2
        assert (await site.ask(command(files, "lamp", 1))).outcome is Outcome.DONE
        text = site.text.replace("range: [0, 20]", "range: [0, 25]")
        assert "output lamp is in a pulse" in site.gateway.status().notes
        under = await site.push(text)
        assert "lamp in a pulse, expected every output at rest" in under.reason
        await until(lambda: not site.gateway._remote.outputs.away)
        assert (await site.push(text)).outcome is Outcome.DONE
        assert (await site.ask(command(files, "volume", 25, drill=True))).outcome is Outcome.DONE


async def test_a_gateway_may_keep_its_configuration_to_itself(files, broker, boards):
    path = write_files(files, broker.port, boards[0].port)
    path.write_text(path.read_text(encoding="utf-8").replace("remote: {}", "remote: {configuration: false}"))
    async with running(path) as gateway, centre(files, broker.port) as ask:
        await until(lambda: gateway.uplink.connected)
        answer = await ask(config(files, Verb.LIST))
    assert answer.outcome is Outcome.REFUSED
    assert "expected remote.configuration: true" in answer.reason
