"""What a broker lets a gateway do: connect, and hear the acknowledgements. Publishes nothing."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiomqtt import MqttError
from paho.mqtt.reasoncodes import ReasonCode

from gateway.tools.look import Look, State
from telemetry.broker import PASSWORD, BrokerAddress
from telemetry.mqtt import Client
from telemetry.settings import secret
from telemetry.topics import Channel, topic

_DEADLINE_S: Final = 5.0
_REFUSED: Final = 0x80
_HEARD: Final = (Channel.ACK, Channel.WATCH)
_ORDERS: Final = (Channel.COMMAND, Channel.CONFIG)
_LEFT: Final = Look(
    what="broker",
    state=State.UNTRIED,
    says="whether it hands on what we publish, and acknowledgements to us: MQTT 3.1.1 refuses in silence",
    do="`petrel gateway status`: rows that are acknowledged arrived",
)


async def rights(broker: BrokerAddress, source: str, *, orders: bool = False) -> list[Look]:
    """Connect under a name of its own, so that a running gateway keeps its connection, and subscribe as one does.

    ``orders``: as one that takes orders.
    """
    topics = [topic(source, channel) for channel in (*_HEARD, *(_ORDERS if orders else ()))]
    try:
        async with asyncio.timeout(_DEADLINE_S):
            name = f"petrel-check-{source.replace('/', '-')}"
            async with Client(broker, secret(PASSWORD), identifier=name, timeout=_DEADLINE_S) as client:
                granted: Sequence[int | ReasonCode] = await client.subscribe([(one, 1) for one in topics])
    except (MqttError, OSError, TimeoutError) as exc:
        reason = f"no answer within {_DEADLINE_S:g} s" if isinstance(exc, TimeoutError) else str(exc)
        do = f"look at the user in `broker`, the password in {PASSWORD}, the broker's log"
        return [Look(what="broker", state=State.FINDING, says=f"{broker}: {reason}", do=do)]
    return [*(_heard(one, code) for one, code in zip(topics, granted, strict=True)), _LEFT]


def _heard(name: str, code: int | ReasonCode) -> Look:
    if (code if isinstance(code, int) else code.value) < _REFUSED:
        return Look(what="broker", state=State.OK, says=f"lets us hear {name}")
    state = State.FINDING if name.endswith(Channel.ACK) else State.NOTE  # without the rest, rows are still delivered
    return Look(
        what="broker", state=state, says=f"refuses the subscription to {name}",
        do="allow it in the broker's access list (docs/howto/use-another-broker.md)",
    )  # fmt: skip
