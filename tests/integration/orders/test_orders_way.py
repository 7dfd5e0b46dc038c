"""Commands from the centre to a relay and back, over a real broker and a real Modbus device."""

import asyncio
import time
from contextlib import asynccontextmanager

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.maintenance import Work, begin, end, targets
from gateway.settings import compile_gateway, load_gateway
from petrel.errors import CommandError
from telemetry import audit
from telemetry.clock import SECOND_NS, SystemClock
from telemetry.orders import Outcome, Verb
from telemetry.signing import KEYS, Key, sign
from telemetry.topics import Channel, topic
from telemetry.wire import encode
from tests.integration.brokers import mosquitto, nats_server
from tests.integration.gateway_centre import until
from tests.integration.order_things import (
    KEY,
    SOURCE,
    centre,
    command,
    config,
    running,
    write_files,
)

COMMANDS = topic(SOURCE, Channel.COMMAND)


@pytest.fixture(params=[nats_server, mosquitto], ids=["nats", "mosquitto"])
def broker(request, tmp_path):
    with request.param(tmp_path) as one:
        yield one


@asynccontextmanager
async def at_work(files, broker, board, **options):
    """The gateway and a centre that can ask it, both connected."""
    path = write_files(files, broker.port, board.port)
    async with running(path, **options) as gateway, centre(files, broker.port) as ask:
        await until(lambda: gateway.uplink.connected and gateway._source.devices()["board"] == "ok")
        yield gateway, ask


def publish(port, name, payload, *, retain=False):
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(name, payload, qos=1, retain=retain).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


async def test_a_siren_is_switched_and_both_ends_keep_account(files, broker, board):
    async with at_work(files, broker, board) as (_, ask):
        order = command(files, "siren", 1, reason="level 4")
        answer = await ask(order)
        assert (answer.outcome, answer.reason, answer.final) == (Outcome.DONE, "reads back 1", True)
        assert answer.switched.read_back == 1
        assert board.writes == [(5, 2, [1])]
        assert (await ask(command(files, "volume", 17, drill=True))).outcome is Outcome.DONE
    here, there = audit.entries(files / "remote" / "audit.jsonl"), audit.entries(files / "centre.jsonl")
    assert [entry["what"] for entry in here] == ["order", "answer"] * 2
    assert [entry["what"] for entry in there] == ["sent", "answer"] * 2
    assert here[0]["key"] == "desk"
    assert here[0]["by"] == "officer"
    assert here[0]["reason"] == "level 4"
    assert here[0]["id"] == here[1]["id"] == there[0]["id"] == there[1]["id"] == order.id
    assert here[1]["outcome"] == there[1]["outcome"] == "done"


async def test_the_answer_comes_within_the_poll_interval(files, nats, board):
    """P23: writes that queue behind polls for seconds."""
    async with at_work(files, nats, board) as (_, ask):
        for turn in range(10):
            started_s = time.monotonic()
            answer = await ask(command(files, "siren", (turn + 1) % 2))
            took_s = time.monotonic() - started_s
            assert answer.outcome is Outcome.DONE
            assert answer.switched.took_ms < 100
            assert took_s < 0.3, "the centre's disk, the broker twice and the gateway's disk are in it"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (("pump", 1, {}), "unknown output 'pump', expected one of: siren, lamp, volume"),
        (("volume", 21, {}), "21 is out of range, expected 0 to 20"),
        (("volume", 1.5, {}), "1.5, expected a whole number"),
        (("volume", float("nan"), {}), "nan is out of range"),
        (("siren", 1, {"drill": True}), "siren takes no part in drills"),
        (("siren", 1, {"ttl_s": 601}), "it counts for 601 s, expected more than 0 and at most 600"),
        (("siren", 1, {"ttl_s": -1}), "it counts for -1 s"),
        (("siren", 1, {"old_s": 20}), "it expired 1"),
        (("siren", 1, {"old_s": -60}), "ahead of this gateway's clock, expected at most 30"),
        (("siren", 1, {"id": "7"}), "id '7', expected 32 hexadecimal digits"),
    ],
)
async def test_what_may_not_be_is_refused_with_a_reason_and_touches_nothing(files, nats, board, what, words):
    output, value, how = what
    old_ns, id_ = round(how.pop("old_s", 0) * SECOND_NS), how.pop("id", None)
    order = command(files, output, value, **how)
    order = msgspec.structs.replace(
        order, issued_ns=order.issued_ns - old_ns, expires_ns=order.expires_ns - old_ns, id=id_ or order.id
    )
    async with at_work(files, nats, board) as (_, ask):
        answer = await ask(order)
    assert answer.outcome is Outcome.REFUSED
    assert words in answer.reason
    assert board.writes == []


async def test_a_command_counts_once(files, nats, board):
    """The same signed bytes again bring the first answer again; also after a restart of the gateway."""
    order = command(files, "siren", 1)
    async with at_work(files, nats, board) as (_, ask):
        first = await ask(order)
        again = await ask(order)
        assert (first.repeated, again.repeated) == (False, True)
        assert again.reason == first.reason
    async with at_work(files, nats, board) as (_, ask):
        after = await ask(order)
    assert (after.outcome, after.repeated) == (Outcome.DONE, True)
    assert len(board.writes) == 1


async def test_a_command_that_a_stop_interrupted_is_unknown_for_ever(files, nats, board):
    """Between the journal and the answer the gateway dies: the next run neither repeats it nor calls it done."""
    order = command(files, "siren", 1)
    path = write_files(files, nats.port, board.port)
    async with running(path) as gateway:
        await until(lambda: gateway.uplink.connected)
        gateway._remote.desk._journal.accept(order)
    async with at_work(files, nats, board) as (_, ask):
        answer = await ask(order)
    assert answer.outcome is Outcome.UNKNOWN
    assert board.writes == []


async def test_long_words_end_nobody(files, nats, board):
    """An output's name, or a value in a configuration that is quoted in the refusal, as long as a message may be."""
    long = "x" * 30_000
    async with at_work(files, nats, board) as (gateway, ask):
        text = gateway._remote._configuration._now.text.replace("period_s: 0.1", f"period_s: {long}")
        for channel, order in (
            (Channel.COMMAND, command(files, long, 1)),
            (Channel.CONFIG, config(files, Verb.DRY_RUN, text=text)),
        ):
            name = topic(SOURCE, channel)
            await asyncio.to_thread(publish, nats.port, name, sign(encode(order), KEY, name))
        await until(lambda: (files / "remote" / "audit.jsonl").exists())
        assert (await ask(command(files, "siren", 1))).outcome is Outcome.DONE
    found = audit.entries(files / "remote" / "audit.jsonl")
    assert len(found) >= 4
    assert max(len(str(entry)) for entry in found) < 4000


async def test_a_recorded_order_that_is_repeated_for_ever_fills_no_disk(files, nats, board):
    """Its signature is right, so it is answered each time; in the account it stands once."""
    order = command(files, "siren", 1)
    late = msgspec.structs.replace(order, issued_ns=order.issued_ns - 10**12, expires_ns=order.expires_ns - 10**12)
    async with at_work(files, nats, board) as (_, ask):
        answers = [await ask(late) for _ in range(20)]
    assert {(answer.outcome, "it expired" in answer.reason) for answer in answers} == {(Outcome.REFUSED, True)}
    assert len(audit.entries(files / "remote" / "audit.jsonl")) == 1


@pytest.mark.parametrize("how", ["noise", "other key", "changed", "other gateway", "as result"])
async def test_what_is_not_signed_for_this_gateway_is_ignored(files, nats, board, how):
    body = encode(command(files, "siren", 1))
    signed = {
        "noise": b"SP1" + bytes(100),
        "other key": sign(body, Key("desk", bytes(32)), COMMANDS),
        "changed": sign(body, KEY, COMMANDS)[:-1] + b"\x01",
        "other gateway": sign(body, KEY, topic("xiuyu/gw-2", Channel.COMMAND)),
        "as result": sign(body, KEY, topic(SOURCE, Channel.RESULT)),
    }[how]
    async with at_work(files, nats, board) as (gateway, ask):
        await asyncio.to_thread(publish, nats.port, COMMANDS, signed)
        assert (await ask(command(files, "volume", 3))).outcome is Outcome.DONE, "it still listens"
        assert gateway._remote.desk._unsigned == 1
    assert [write[:2] for write in board.writes] == [(6, 7)]
    assert len(audit.entries(files / "remote" / "audit.jsonl")) == 2, "who can't sign can't fill the disk"


async def test_a_retained_command_is_refused(files, broker, board):
    """It would sound the siren at every reconnect of the gateway."""
    await asyncio.to_thread(
        publish, broker.port, COMMANDS, sign(encode(command(files, "siren", 1, ttl_s=60)), KEY, COMMANDS), retain=True
    )
    async with at_work(files, broker, board):
        await until(lambda: (files / "remote" / "audit.jsonl").exists())
    (entry,) = audit.entries(files / "remote" / "audit.jsonl")
    assert (entry["outcome"], entry["reason"]) == (
        "refused",
        "the broker had retained it, expected an order that is not",
    )
    assert board.writes == []


async def test_a_pulse_ends_by_itself(files, nats, board):
    async with at_work(files, nats, board) as (_, ask):
        started_s = time.monotonic()
        assert (await ask(command(files, "lamp", 1))).outcome is Outcome.DONE
        await until(lambda: len(board.writes) == 2)
        assert 0.35 < time.monotonic() - started_s < 2
        await until(lambda: audit.entries(files / "remote" / "audit.jsonl")[-1]["what"] == "pulse ended")
    assert board.writes == [(5, 2, [1]), (5, 2, [0])]


async def test_a_pulse_that_a_kill_left_open_ends_with_the_next_start(files, nats, board):
    path = write_files(files, nats.port, board.port)
    (files / "remote").mkdir()
    (files / "remote" / "pulses.json").write_text('["lamp"]')
    async with running(path):
        await until(lambda: (files / "remote" / "pulses.json").read_text() == "[]")
    assert board.writes[0] == (5, 2, [0])


async def test_a_stop_leaves_no_siren_on(files, nats, board):
    async with at_work(files, nats, board) as (_, ask):
        path = files / "gateway.yaml"
        assert (await ask(command(files, "lamp", 1))).outcome is Outcome.DONE
        assert path.exists()
    assert board.writes[-1] == (5, 2, [0])


async def test_an_interlock_is_read_at_the_device(files, nats, board):
    async with at_work(files, nats, board) as (_, ask):
        assert (await ask(command(files, "siren", 0))).outcome is Outcome.DONE
        assert (1, 9) not in board.requests, "nothing holds a siren on"
        assert (await ask(command(files, "siren", 1))).outcome is Outcome.DONE
        assert board.requests.index((1, 9)) < board.requests.index((5, 2), board.requests.index((1, 9)))


@pytest.mark.parametrize("target", ["board", "river/load"])
async def test_no_output_leaves_its_rest_while_somebody_works_at_its_device(files, nats, board, target):
    """No siren beside the man who tests its cabinet. Its rest is never held, and the work ends by itself."""
    path = write_files(files, nats.port, board.port)
    series = targets(compile_gateway(load_gateway(path)).buses)[target]
    now_ns = SystemClock().now_ns()
    work = Work(target=target, series=series, since_ns=now_ns, until_ns=now_ns + 60 * SECOND_NS, by="Lin")
    async with at_work(files, nats, board) as (gateway, ask):
        begin(files / "spool", work)
        held = await ask(command(files, "siren", 1))
        assert held.outcome is Outcome.REFUSED
        assert held.reason.startswith(f"{target} under maintenance until ")
        assert held.reason.endswith(" by Lin, expected nobody at work on board")
        assert board.writes == []
        assert (await ask(command(files, "siren", 0))).outcome is Outcome.DONE
        assert end(files / "spool", target, now_ns)
        assert (await ask(command(files, "siren", 1))).outcome is Outcome.DONE
        assert gateway._maintenance.work("board", frozenset(map(int, series)), now_ns) is None


async def test_a_drill_gateway_takes_commands_of_drills_alone(files, nats, board):
    """F16: nobody believes that a siren sounds which is simulated."""
    path = write_files(files, nats.port, board.port)
    path.write_text(path.read_text(encoding="utf-8") + "drill: true\n", encoding="utf-8")
    async with running(path) as gateway, centre(files, nats.port) as ask:
        await until(lambda: gateway.uplink.connected)
        real = await ask(command(files, "volume", 3))
        drill = await ask(command(files, "volume", 3, drill=True))
    assert (real.outcome, drill.outcome) == (Outcome.REFUSED, Outcome.DONE)


async def test_a_gateway_that_is_away_hears_a_command_once_it_is_back(files, nats, board, monkeypatch):
    """Sent again while it counts: the broker keeps nothing for a gateway without a connection."""
    monkeypatch.setattr("petrel.orders._RESEND_S", 0.2)
    path = write_files(files, nats.port, board.port)
    async with centre(files, nats.port) as ask, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(ask(command(files, "siren", 1, ttl_s=10), 10))
        await asyncio.sleep(0.5)
        async with running(path):
            answer = await asked
    assert answer.outcome is Outcome.DONE
    assert len(board.writes) == 1


async def test_silence_is_called_unknown(files, nats, board):
    async with centre(files, nats.port) as ask:
        with pytest.raises(CommandError, match="whether the order was carried out is unknown"):
            await ask(command(files, "siren", 1), 0.3)
    assert audit.entries(files / "centre.jsonl")[-1]["what"] == "no answer"


async def test_without_a_key_rows_flow_and_orders_are_declined(files, nats, board, monkeypatch):
    path = write_files(files, nats.port, board.port)
    monkeypatch.delenv(f"{KEYS}_FILE")
    async with running(path) as gateway:
        await until(lambda: gateway.polled_rows)
        assert any("no orders are taken: PETREL_GATEWAY_KEYS is not set" in note for note in gateway.status().notes)
