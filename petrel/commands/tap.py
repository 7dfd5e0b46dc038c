"""``petrel tap``: live traffic of the wire as JSON, one line a message, so that nobody misses text payloads."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from petrel.errors import CommandError
from telemetry import bundle, topics, wire
from telemetry.batch import Batch
from telemetry.broker import PASSWORD, BrokerAddress, parse_broker, secured, unreachable
from telemetry.orders import Answer, Command, ConfigOrder
from telemetry.quality import Cause, Quality
from telemetry.settings import secret
from telemetry.signing import unverified
from telemetry.tls import TlsSettings
from telemetry.topics import Channel

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
        str, typer.Option(help="Broker to listen on, mqtt://[user@]host:port or mqtts://.")
    ] = "mqtt://127.0.0.1:1883",
    ca: Annotated[Path | None, typer.Option(help="Authorities to trust (PEM), for mqtts://.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="Our certificate (PEM), where the broker wants one.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    count: Annotated[int, typer.Option(help="Stop after so many messages; 0 never stops.", min=0)] = 0,
    rows: Annotated[int, typer.Option(help="Rows shown of each batch at most.", min=0)] = 20,
) -> None:
    """Show live traffic between gateways and centre as JSON lines, until Ctrl-C."""
    from petrel.run import run

    address = _address(broker, ca, certificate, key)
    if (trouble := unreachable(address)) is not None:
        raise CommandError(f"{trouble}; `petrel up` starts one" if not address.tls else trouble)
    run(_listen(address, count, rows))


def _address(broker: str, ca: Path | None, certificate: Path | None, key: Path | None) -> BrokerAddress:
    files = {"ca": ca, "certificate": certificate, "key": key}
    named = {name: str(path.absolute()) for name, path in files.items() if path is not None}
    try:
        address = parse_broker(broker)
    except ValueError as exc:
        raise CommandError(f"--{exc}", code=2) from exc
    try:
        return secured(address, TlsSettings(**named) if named else None, Path.cwd())
    except ValueError as exc:
        raise CommandError(f"--{next(iter(named))}: {exc}", code=2) from exc


async def _listen(broker: BrokerAddress, count: int, rows: int) -> None:
    """Print messages; raises CommandError when the broker refuses us, or goes away."""
    from aiomqtt import MqttError

    from telemetry.mqtt import Client

    left = count
    try:
        async with Client(broker, secret(PASSWORD) if broker.user else None) as client:
            await client.subscribe(f"{topics.PREFIX}/+/+/+")
            async for message in client.messages:
                shown = describe(str(message.topic), bytes(message.payload), rows)
                print(msgspec.json.encode(shown).decode(), flush=True)  # noqa: T201
                left -= 1
                if left == 0:
                    return
    except MqttError as exc:
        raise CommandError(f"{broker}: {exc}") from exc


def describe(topic: str, payload: bytes, rows: int) -> dict[str, Any]:
    """One message as JSON-ready data; what can't be read is shown with the reason instead."""
    try:
        address = topics.parse(topic)
        if not payload:  # clears what the broker has kept
            return {"topic": topic, "message": None}
        if address.channel is Channel.DATA:
            inside = bundle.parts(payload)
            if len(inside) > 1:
                return {"topic": topic, "bundle": [_data(part, address.source, rows) for part in inside]}
            return {"topic": topic, **_data(payload, address.source, rows)}
        if address.channel in _ORDERS:
            key, body = unverified(payload)
            return {"topic": topic, "key": key, "message": wire.decode(body, _ORDERS[address.channel])}
        kind = _KINDS.get(address.channel)
        return {"topic": topic, "message": wire.decode(payload, kind) if kind else payload.hex()}
    except ValueError as exc:
        return {"topic": topic, "unreadable": str(exc), "bytes": len(payload)}


def _data(payload: bytes, source: str, rows: int) -> dict[str, Any]:
    batch, lane = wire.decode_batch(payload, source)
    return {"lane": lane.name.lower(), **_batch(batch, rows)}


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
