import pytest

from telemetry.broker import BrokerAddress, parse_broker


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtt://127.0.0.1", BrokerAddress("127.0.0.1", 1883)),
        ("mqtt://broker.example:1884/", BrokerAddress("broker.example", 1884)),
        ("mqtt://gw-1@broker", BrokerAddress("broker", 1883, user="gw-1")),
        ("mqtts://[::1]", BrokerAddress("::1", 8883, tls=True)),
    ],
)
def test_an_address_is_read(text, expected):
    assert parse_broker(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:1883",
        "http://broker",
        "mqtt://",
        "mqtt://broker:x",
        "mqtt://broker:70000",
        "mqtt://broker:0",
        "mqtt://broker/topic",
        "mqtt://broker?tls=1",
        "mqtt://[::1",
        "mqtt://gw:hunter2@broker",
        "mqtt://gw:hunter2@broker:x",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(text):
    with pytest.raises(ValueError, match=r"expected mqtt://\[user@\]host:port") as caught:
        parse_broker(text)
    assert "hunter2" not in str(caught.value)
