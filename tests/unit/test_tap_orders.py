"""What ``petrel tap`` shows of orders: the text of what was signed, and with which key it claims to be."""

import msgspec

from petrel.commands.tap import describe
from telemetry.orders import Answer, Command, Outcome
from telemetry.signing import Key, sign
from telemetry.topics import Channel, topic
from telemetry.wire import encode

KEY = Key("desk", bytes(32))
COMMAND = Command(id="0" * 32, by="officer", issued_ns=1, expires_ns=2, output="siren", value=1, drill=False)


def shown(message, channel):
    name = topic("xiuyu/gw-1", channel)
    return msgspec.json.decode(msgspec.json.encode(describe(name, sign(encode(message), KEY, name), 20)))


def test_orders_and_answers_are_shown_as_text():
    command = shown(COMMAND, Channel.COMMAND)
    assert (command["key"], command["message"]["output"]) == (KEY.id.hex(), "siren")
    answer = shown(Answer(id="0" * 32, outcome=Outcome.DONE, reason="reads back 1", time_ns=3), Channel.RESULT)
    assert answer["message"]["outcome"] == "done"


def test_what_is_no_order_is_shown_with_the_reason():
    found = describe(topic("xiuyu/gw-1", Channel.COMMAND), b"siren on", 20)
    assert "not signed" in found["unreadable"]


def test_what_clears_a_topic_is_shown_as_nothing():
    assert describe(topic("xiuyu/gw-1", Channel.ANNOUNCE), b"", 20)["message"] is None
