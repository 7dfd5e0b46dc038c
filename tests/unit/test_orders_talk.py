"""Waiting for the answer to an order: none that arrives is lost, at whatever moment."""

import asyncio

import aiomqtt
import pytest
from aiomqtt.client import MessagesIterator

from petrel import orders
from petrel.errors import CommandError
from petrel.orders import Correspondence, Sender, issued
from telemetry.clock import SystemClock
from telemetry.orders import Answer, Command, Outcome
from telemetry.signing import Key, sign
from telemetry.topics import Channel, topic
from telemetry.wire import encode

SOURCE = "xiuyu/gw-1"
KEY = Key("desk", bytes(32))
RESULT = topic(SOURCE, Channel.RESULT)


class Wire:
    """The part of aiomqtt's client that is used, with its own way of waiting for messages; a test says what arrives."""

    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self._queue = asyncio.Queue()
        self._disconnected = self._loop.create_future()
        self.messages = MessagesIterator(self)
        self.sent = []
        self.on_first = lambda _: None

    async def publish(self, _name, payload, **_how):
        self.sent.append(payload)
        if len(self.sent) == 1:
            self.on_first(self._loop.time())

    def arrives(self, answer):
        payload = sign(encode(answer), KEY, RESULT)
        self._queue.put_nowait(aiomqtt.Message(RESULT, payload, 1, False, 1, None))


@pytest.fixture
def who(tmp_path):
    return Sender(SOURCE, KEY, "officer", tmp_path / "account.jsonl", SystemClock())


@pytest.fixture
def order(who, monkeypatch):
    monkeypatch.setattr(orders, "_RESEND_S", 0.05)
    return issued(Command, who, 30.0, output="siren", value=1, drill=False)


def told(order, **other):
    return Answer(id=order.id, outcome=Outcome.DONE, reason="reads back 1", time_ns=1, **other)


async def test_an_answer_that_comes_as_the_order_is_sent_again_is_heard(who, order):
    """The trial of a configuration takes a round number of those waits, so its verdict often came at such a moment."""
    wire = Wire()
    wire.on_first = lambda now_s: [
        wire._loop.call_at(now_s + turn * orders._RESEND_S + lag_s, wire.arrives, told(order, final=turn == 3))
        for turn, lag_s in ((1, 0.0), (2, 0.0), (3, 0.0))
    ]
    heard = []
    answer = await Correspondence(wire, who).ask(order, 2.0, heard.append)
    assert answer.final
    assert len(heard) == 2


async def test_it_is_sent_again_until_something_comes_and_no_more_then(who, order):
    wire = Wire()
    wire.on_first = lambda now_s: [
        wire._loop.call_at(now_s + 0.12, wire.arrives, told(order, final=False)),
        wire._loop.call_at(now_s + 0.40, wire.arrives, told(order)),
    ]
    assert (await Correspondence(wire, who).ask(order, 2.0)).outcome is Outcome.DONE
    assert len(wire.sent) == 3


async def test_silence_and_a_lost_connection_are_told_apart(who, order):
    with pytest.raises(CommandError, match=r"no answer within 0\.1 s"):
        await Correspondence(Wire(), who).ask(order, 0.1)
    wire = Wire()
    wire.on_first = lambda _: wire._disconnected.set_exception(aiomqtt.MqttError("gone"))
    with pytest.raises(aiomqtt.MqttError, match="Disconnected during message iteration"):
        await Correspondence(wire, who).ask(order, 2.0)
