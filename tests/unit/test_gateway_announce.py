import zlib

import pytest

from telemetry.series import Series
from telemetry.wire import MAX_PAYLOAD, MAX_UNPACKED, Announce, Status, decode, encode


def _announce(n):
    series = tuple(
        Series(station=f"st-{i:05d}", point="level", quantity="water_level", unit="m", valid=(0.0, 9.5), period_s=1.0)
        for i in range(n)
    )
    return Announce(revision="r", drill=False, stations=(), series=series)


@pytest.mark.parametrize("n", [0, 1, 100, 20_000])
def test_a_gateway_of_any_size_fits_into_one_announcement(n):
    payload = encode(_announce(n))
    assert len(payload) <= MAX_PAYLOAD
    assert decode(payload, Announce) == _announce(n)


@pytest.mark.parametrize(
    "damage",
    [
        lambda payload: payload[:-1],
        lambda payload: payload[: len(payload) // 2],
        lambda payload: payload + b"x",
        lambda payload: payload[:9] + bytes([payload[9] ^ 0xFF]) + payload[10:],
        lambda payload: payload[:1],
    ],
)
def test_a_damaged_announcement_is_refused(damage):
    with pytest.raises(ValueError):
        decode(damage(encode(_announce(500))), Announce)


def test_a_bomb_is_refused_before_it_bursts():
    bomb = zlib.compress(bytes(20 * MAX_UNPACKED))
    assert len(bomb) < MAX_PAYLOAD
    with pytest.raises(ValueError, match="more than"):
        decode(bomb, Status)
