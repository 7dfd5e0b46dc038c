"""``petrel tap``: live traffic of the wire as JSON, one line a message, so that nobody misses text payloads."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from petrel.errors import CommandError
from telemetry import topics, wire
from telemetry.batch import Batch
from telemetry.broker import PASSWORD, parse_broker
from telemetry.orders import Answer, Command, ConfigOrder
from telemetry.quality import Cause, Quality
from telemetry.settings import secret
from telemetry.signing import unverified
from telemetry.topics import Channel

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

_KINDS: dict[Channel, type[msgspec.Struct]] = {
    Channel.ANNOUNCE: wire.Announce,
    Channel.ACK: wire.Ack,
    Channel.STATUS: wire.Status,
    Channel.WATCH: wire.Watch,
}
_ORDERS: dict[Channel, type[msgspec.Struct]] = {
    Channel.COMMAND: Command,
    Channel.CONFIG: ConfigOrder,
    Channel.RESULT: Answer,
}
"""Signed; shown as they claim to be, since whoever listens has no key."""


def tap(
    broker: Annotated[
        str, typer.Option(help="Broker to listen on, mqtt://[user@]host:port.")
    ] = "mqtt://127.0.0.1:1883",
    count: Annotated[int, typer.Option(help="Stop after so many messages; 0 never stops.", min=0)] = 0,
    rows: Annotated[int, typer.Option(help="Rows shown of each batch at most.", min=0)] = 20,
) -> None:
    """Show live traffic between gateways and centre as JSON lines."""
    client = _client(broker)
    left = [count]

    def show(client: "Client", _: object, message: "MQTTMessage") -> None:
        if count and not left[0]:
            return  # what arrives between the last one and the end of the connection
        print(msgspec.json.encode(describe(message.topic, bytes(message.payload), rows)).decode(), flush=True)  # noqa: T201
        left[0] -= 1
        if left[0] == 0:
            client.disconnect()

    client.on_message = show
    client.loop_forever()


def describe(topic: str, payload: bytes, rows: int) -> dict[str, Any]:
    """One message as JSON-ready data; what can't be read is shown with the reason instead."""
    try:
        address = topics.parse(topic)
        if not payload:  # clears what the broker has kept
            return {"topic": topic, "message": None}
        if address.channel is Channel.DATA:
            batch, lane = wire.decode_batch(payload, address.source)
            return {"topic": topic, "lane": lane.name.lower(), **_batch(batch, rows)}
        if address.channel in _ORDERS:
            key, body = unverified(payload)
            return {"topic": topic, "key": key, "message": wire.decode(body, _ORDERS[address.channel])}
        kind = _KINDS.get(address.channel)
        return {"topic": topic, "message": wire.decode(payload, kind) if kind else payload.hex()}
    except ValueError as exc:
        return {"topic": topic, "unreadable": str(exc), "bytes": len(payload)}


def _batch(batch: Batch, rows: int) -> dict[str, Any]:
    shown = batch.take(slice(rows))
    return {
        "epoch": str(batch.epoch),
        "seq": batch.seq,
        "rows": len(batch),
        "series": [str(key) for key in shown.series.tolist()],
        "time": [datetime.fromtimestamp(ns / 1e9, UTC).isoformat() for ns in shown.time_ns.tolist()],
        "value": [None if value != value else value for value in shown.value.tolist()],  # NaN is no JSON
        "quality": [Quality(flag).name for flag in shown.quality.tolist()],
        "cause": [[c.name for c in Cause(bits)] for bits in shown.cause.tolist()],
    }


def _client(broker: str) -> "Client":
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    try:
        address = parse_broker(broker)
    except ValueError as exc:
        raise CommandError(f"--{exc}", code=2) from exc
    if address.tls:
        raise CommandError(f"--broker {broker!r}, expected mqtt://[user@]host:port", code=2)
    client = Client(CallbackAPIVersion.VERSION2)
    if address.user:
        client.username_pw_set(address.user, secret(PASSWORD))
    client.on_connect = lambda client, *_: client.subscribe(f"{topics.PREFIX}/+/+/+")
    try:
        client.connect(address.host, address.port)
    except OSError as exc:
        raise CommandError(f"no broker at {broker}: {exc.strerror or exc}; start one with `petrel up`") from exc
    return client
