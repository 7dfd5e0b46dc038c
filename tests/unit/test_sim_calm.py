"""An ordinary world: every device of the catalogue can show it, and what it shows lies in its own range."""

import math

import pytest

from device_profiles import registry
from device_profiles.field_model import FieldProfile
from device_profiles.model import Profile
from simulators.calm import USUAL, Calm
from simulators.devices import Line
from simulators.field_bus import FieldLine
from simulators.field_twin import FieldTwin, FieldUnit
from simulators.twin import Choice, Twin, Unit
from telemetry.clock import HOUR_NS, SECOND_NS
from telemetry.quantity import DERIVED, QUANTITIES

BEGINS_NS = 1_795_489_200 * SECOND_NS
HOURS = (0, 1, 7, 1000)


def test_every_quantity_that_is_measured_has_an_ordinary_value():
    assert USUAL.keys() == QUANTITIES.keys() - DERIVED


@pytest.mark.parametrize("name", registry.names())
def test_every_device_can_show_it(name):
    profile = registry.load(name)
    choices = {profile.points[0].name: Choice(offset=1.5)}
    if isinstance(profile, Profile):
        unit = Unit(device="d", unit=1, profile=profile, station="s", points=choices)
        plain = Calm([Line(bus="b", transport="rtu", units=(unit,))], BEGINS_NS)
        for hours in HOURS:
            Twin(unit).memory(plain, BEGINS_NS + hours * HOUR_NS)  # raises where a register can't hold it
        return
    assert isinstance(profile, FieldProfile)
    unit = FieldUnit(device="d", address="1", profile=profile, station="s", points=choices, period_ns=SECOND_NS)
    plain = Calm([FieldLine(bus="b", way="serial", units=(unit,))], BEGINS_NS)
    twin = FieldTwin(unit, plain)
    for hours in HOURS:
        assert all(math.isfinite(twin.at(point, BEGINS_NS + hours * HOUR_NS)) for point in profile.points)


def test_it_moves_and_totals_rise():
    meter = registry.modbus("tuf-2000m")
    unit = Unit(device="d", unit=1, profile=meter, station="s", points={})
    plain = Calm([Line(bus="b", transport="rtu", units=(unit,))], BEGINS_NS)

    def shown(point: str, minutes: int) -> float:
        return plain("s", point, "", BEGINS_NS + minutes * 60 * SECOND_NS)

    assert len({shown("flow", minutes) for minutes in range(4)}) == 4
    assert all(abs(shown("flow", minutes) - USUAL["flow"]) <= 0.5 for minutes in range(60))
    assert shown("total", 120) - shown("total", 60) == pytest.approx(USUAL["flow"])


def test_what_the_gateway_adds_is_not_on_the_device():
    probe = registry.modbus("qdy30a")
    unit = Unit(device="d", unit=1, profile=probe, station="s", points={"level": Choice(name="stage", offset=10.0)})
    plain = Calm([Line(bus="b", transport="rtu", units=(unit,))], BEGINS_NS)
    assert plain("s", "stage", "", BEGINS_NS) == pytest.approx(USUAL["water_level"] + 10.0, abs=0.05)
