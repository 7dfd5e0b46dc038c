"""The webhook against a real HTTP receiver that answers, refuses, hangs and resets."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from alerting.alarms import Event
from alerting.channels import ChannelError, Message, Receipt, kinds, marked
from alerting.channels.webhook import WebhookChannel, WebhookSettings
from alerting.state.tables import Progress
from telemetry.clock import SECOND_NS
from tests.unit.centre_receiver import OK, receiving, status
from tests.unit.centre_things import HandWall, make_event, running

HERE = Path(__file__).parent


def message(**changes) -> Message:
    event: Event = make_event(**changes)
    return Message(key=f"{event.key}.hook", attempt=1, event=event, text=marked(event.text, drill=event.drill))


def channel(url: str, **settings) -> WebhookChannel:
    return WebhookChannel(WebhookSettings(name="hook", url=url, **settings), HERE)


async def test_the_body_says_what_a_receiver_needs():
    async with receiving() as receiver:
        hook = channel(receiver.url)
        sent = await hook.send(message(answered_ns=123, series=("7",), value=13.9, drill=True))
        await hook.close()
    body = receiver.requests[0].json
    assert sent.receipt is Receipt.ACCEPTED
    assert body["key"] == receiver.requests[0].key == "a1.1.raised.hook"
    assert (body["answered_ns"], body["drill"], body["alarm"]["series"]) == (123, True, ["7"])
    assert body["text"] == body["alarm"]["text"] == {"zh": "【演练】大风蓝色", "en": "DRILL: Gale blue"}
    assert receiver.requests[0].headers["petrel-drill"] == "true"
    assert "petrel-signature" not in receiver.requests[0].headers


async def test_a_receiver_can_check_who_sent_it_and_when(monkeypatch):
    monkeypatch.setenv("HOOK_KEY", "a very secret word")
    async with receiving() as receiver:
        hook = channel(receiver.url, secret="HOOK_KEY")
        await hook.send(message())
        await hook.close()
    request = receiver.requests[0]
    fields = dict(part.split("=", 1) for part in request.headers["petrel-signature"].split(","))
    expected = hmac.new(b"a very secret word", f"{fields['t']}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert fields["v1"] == expected


async def test_connections_are_kept_open():
    async with receiving() as receiver:
        hook = channel(receiver.url)
        for _ in range(5):
            await hook.send(message())
        await hook.close()
    assert (receiver.connections, len(receiver.requests)) == (1, 5)


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        (status("500 Oops"), False),
        (status("429 Slow down"), False),
        (status("408 Late"), False),
        (None, False),
        (status("404 Not here"), True),
        (status("301 Moved", "location: http://127.0.0.1:1/"), True),
        (b"not http at all\r\n\r\n", False),
    ],
)
async def test_what_is_tried_again_and_what_is_not(answer, final):
    async with receiving([answer]) as receiver:
        hook = channel(receiver.url)
        with pytest.raises(ChannelError) as found:
            await hook.send(message())
        await hook.close()
    assert found.value.final is final
    assert str(found.value)


async def test_a_receiver_may_say_how_long_to_wait():
    """F20: a robot that takes twenty a minute says so."""
    async with receiving([status("429 Slow down", "retry-after: 37")]) as receiver:
        hook = channel(receiver.url)
        with pytest.raises(ChannelError) as found:
            await hook.send(message())
        await hook.close()
    assert found.value.retry_after_s == 37


async def test_nobody_there():
    hook = channel("http://127.0.0.1:1/hook")
    with pytest.raises(ChannelError, match="ConnectError") as found:
        await hook.send(message())
    await hook.close()
    assert not found.value.final


async def test_an_endless_answer_is_cut():
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 100_000
    async with receiving([endless]) as receiver:
        hook = channel(receiver.url)
        sent = await hook.send(message())
        await hook.close()
    assert len(sent.note) <= 210


async def test_a_bad_receiver_gets_each_alarm_once_it_is_well(tmp_path):
    """F2: failures, a reset and a hang; each event is accepted once, under one key."""
    script = [status("500 Oops"), None, "hang", status("503 Busy"), OK]
    settings = {"timeout_s": 0.3, "parallel": 1, "retry_for_s": 86_400.0}
    async with receiving(script) as receiver:
        wall = HandWall()
        async with running(tmp_path / "s.db", {"hook": channel(receiver.url)}, wall, **settings) as (state, outbox):
            await state.record([make_event(f"a{i}") for i in range(3)], 1)
            outbox.wake()
            for requests in range(1, 5):
                await receiver.wait(requests)
                wall.ns += 100 * SECOND_NS
            while await state.undelivered():
                wall.ns += 100 * SECOND_NS
                outbox.wake()
                outbox._turned.clear()
                await outbox._turned.wait()
            assert await state.depth() == {"hook": {Progress.DELIVERED: 3}}
    assert {request.key for request in receiver.requests} == {f"a{i}.1.raised.hook" for i in range(3)}


async def test_the_log_channel_writes_whole_lines(tmp_path):
    kind = kinds()["log"]
    log = kind.open(kind.settings(name="log", path="alarms.jsonl"), tmp_path)  # type: ignore[call-arg]
    async with running(tmp_path / "s.db", {"log": log}) as (state, outbox):
        await state.record([make_event(f"a{i}", drill=i == 1) for i in range(20)], 1)
        outbox.wake()
        await outbox.drained()
    lines = [json.loads(line) for line in (tmp_path / "alarms.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["key"] for line in lines} == {f"a{i}.1.raised.log" for i in range(20)}
    assert next(line for line in lines if line["drill"])["text"]["zh"].startswith("【演练】")


async def test_a_log_that_cannot_be_written_is_tried_again(tmp_path):
    kind = kinds()["log"]
    log = kind.open(kind.settings(name="log", path="."), tmp_path)  # type: ignore[call-arg]
    with pytest.raises(ChannelError, match="Is a directory") as found:
        await log.send(message())
    assert not found.value.final
