"""Host names that make the standard library's resolver end in UnicodeError: refused when read, and at every socket."""

import aiomqtt
import numpy as np
import pytest

from alerting.channels.webhook import KIND, WebhookSettings
from edge_agent.compiled import TcpPlan
from edge_agent.drivers.modbus.tcp import TcpLine
from edge_agent.lines.line import LineDownError
from edge_agent.lines.wire import Ears, TcpWire
from telemetry.broker import BrokerAddress, parse_broker, unreachable
from telemetry.host import check_host, check_port
from telemetry.mqtt import Client

NAMES = ("bad..host", ".host", "h" * 64)


@pytest.mark.parametrize(
    "host",
    ["broker", "broker.example.", "gw_1", "10.0.0.7", "::1", "fe80::1%eth0", "bücher.example", "h" * 63, "7seas.cn"],
)
def test_names_and_addresses_pass(host):
    check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        *NAMES,
        "",
        ".",
        "a b",
        "-a",
        "a-",
        "a/b",
        "x\n",
        "1.2.3",
        "256.0.0.1",
        "[::1]",
        "1::2::3",
        ".".join(["h" * 60] * 5),
    ],
)
def test_what_no_resolver_takes_is_refused(host):
    with pytest.raises(ValueError, match="expected a host name or an address"):
        check_host(host)


def test_ports():
    check_port(1)
    check_port(65_535)
    check_port(0, or_free=True)
    for port in (-1, 0, 65_536):
        with pytest.raises(ValueError, match=f"port {port}, expected 1 to 65535"):
            check_port(port)


@pytest.mark.parametrize("host", NAMES)
def test_a_broker_is_refused(host):
    with pytest.raises(ValueError, match=f"host '{host}'"):
        parse_broker(f"mqtt://{host}:1883")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://bad..host/x", "url: host 'bad..host'"),
        ("http://h:0/", "url: port 0, expected 1"),
        ("http:///x", "url: 'http:///x'"),
    ],
)
def test_a_webhook_is_refused(url, words):
    assert (KIND.problem(WebhookSettings(name="w", url=url)) or "").startswith(words)


@pytest.mark.parametrize("host", NAMES)
async def test_every_socket_says_that_it_is_down(host):
    """What passes a check one day, or comes by another way, still ends no process."""
    with pytest.raises(LineDownError, match=f"{host}:502: "):
        await TcpLine(host, 502, 1.0).connect()
    with pytest.raises(LineDownError, match=f"{host}:502: "):
        await TcpWire(TcpPlan(host, 502)).open(Ears(lambda _: None, lambda _: None), 1.0)
    with pytest.raises(aiomqtt.MqttError, match="expected a host name"):
        async with Client(BrokerAddress(host, 1883), None, identifier=f"test-{np.random.default_rng().integers(9)}"):
            pass
    assert "expected a host name" in (unreachable(BrokerAddress(host, 1883)) or "")
