"""Every profile of another protocol than Modbus: its golden messages decode, its twin says what it was given."""

import math

import pytest

from device_profiles import convert, registry
from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import cjt188, dlt645, sl651
from edge_agent import columns
from edge_agent.columns import PointSettings
from edge_agent.drivers.contract import FrameError
from edge_agent.fields import FieldDecoder
from simulators.talk import contract
from simulators.talk.contract import Answering
from simulators.twin import OWN
from telemetry.quality import Quality
from tests.unit.field_things import numbers_of

PROFILES = {name: one for name in registry.names() if isinstance(one := registry.load(name), FieldProfile)}
ADDRESSES = {"hj212": "010000A8900016F000169DC0", "sl651": "0012345678", "gb26875": "000000000379"}
NOW_NS = 1_795_489_200 * 10**9


def address_of(profile: FieldProfile) -> str:
    return profile.address or profile.golden[0].address or ADDRESSES[profile.protocol]


def readings(profile: FieldProfile, numbers) -> dict[str, tuple[float, int]]:
    """Value and quality of each point that came, in canonical units, as the gateway takes them."""
    decoder = FieldDecoder([columns.field_column(point, PointSettings()) for point in profile.points])
    sent, found = decoder.sent(numbers), decoder.decode(numbers)
    return {
        point.name: (float(found.value[row]), int(found.quality[row]))
        for row, point in enumerate(profile.points)
        if sent[row]
    }


@pytest.mark.parametrize("name", PROFILES)
def test_every_golden_set_covers_every_point(name):
    profile = PROFILES[name]
    assert {point for golden in profile.golden for point in golden.values} == {point.name for point in profile.points}


def decimals(profile: FieldProfile, point: FieldPoint) -> int:
    """Of the raw number, as the protocol writes it."""
    if profile.protocol == "dlt645":
        return dlt645.parse(point.field).format.decimals
    if profile.protocol == "sl651":
        return {"26": 1, "38": 2}.get(sl651.parse(point.field).element, 3)
    if profile.protocol == "cjt188":
        return {"flow": 4, "valve": 0}.get(cjt188.parse(point.field).name, 2)
    lines = {"direction": 0, "range": 0}.get(point.field, 1)
    return {"hj212": 4, "sdi12": 3, "nmea0183": 4, "gb26875": 0, "ascii_line": lines}[profile.protocol]


def raw(profile: FieldProfile, point: FieldPoint) -> float:
    """A number that the sensor can measure and the protocol can write, not a round one."""
    low, high = ((end - point.offset) / point.scale for end in point.valid)
    return round(low + 0.3712345 * (high - low), decimals(profile, point))


class Bench:
    """A world that has for each point what ``raw`` gives, and nothing for those that are ``lost``."""

    def __init__(self, profile: FieldProfile, lost: str = "") -> None:
        self._points = {point.name: point for point in profile.points}
        self._profile, self._lost = profile, lost

    def __call__(self, station: str, name: str, quantity: str, time_ns: int) -> float:
        point = self._points[name]
        assert (station, quantity) == ("bench", point.quantity)
        return math.nan if name == self._lost else convert.linear(point).value(raw(self._profile, point))


def said(profile: FieldProfile, bench: Bench) -> dict[str, tuple[float, int]]:
    """What the gateway reads from the twin of a device."""
    return readings(profile, numbers_of(profile, address_of(profile), bench, NOW_NS))


@pytest.mark.parametrize("name", PROFILES)
def test_a_device_can_be_simulated_and_reads_back_what_it_was_given(name):
    profile = PROFILES[name]
    found = said(profile, Bench(profile))
    for point in profile.points:
        value, quality = found[point.name]
        expected = 0.0 if point.quantity in OWN else convert.linear(point).value(raw(profile, point))
        assert value == pytest.approx(expected, rel=1e-9), point.name
        assert quality <= Quality.GOOD


@pytest.mark.parametrize(
    ("name", "lost"), [(name, p.name) for name, one in PROFILES.items() for p in one.points if p.quantity not in OWN]
)
def test_a_twin_never_says_a_number_that_is_not_to_be_had(name, lost):
    """It says so in the protocol's way, or is silent: an empty answer is none."""
    profile = PROFILES[name]
    try:
        found = said(profile, Bench(profile, lost))
    except FrameError:
        if not isinstance(contract.of(profile), Answering):
            raise
        return
    assert lost not in found or found[lost][1] == Quality.MISSING


def test_there_are_sixteen_devices_and_every_protocol_has_one():
    protocols = {registry.load(name).protocol for name in registry.names()}
    assert len(registry.names()) >= 16
    assert protocols == {"modbus", "hj212", "sl651", "sdi12", "nmea0183", "dlt645", "cjt188", "gb26875", "ascii_line"}
