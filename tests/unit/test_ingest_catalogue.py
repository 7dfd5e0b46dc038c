"""The catalogue: what is announced is known, what is impossible is refused with a reason, the rest counts."""

import math

import numpy as np
import pytest
from msgspec import structs

from ingest.catalogue import UNKNOWN, Catalogue
from telemetry.deployment import Deployment, Zero
from telemetry.series import Station, Text
from telemetry.wire import Announce
from tests.unit.ingest_data import SOURCE, announce, ids, level, station


@pytest.fixture
def catalogue():
    return Catalogue(site="demo", drill=False)


def test_an_empty_catalogue_knows_nothing(catalogue):
    assert catalogue.known(ids("a", "b")).tolist() == [False, False]
    assert catalogue.revision == 0
    assert list(catalogue.entries()) == []


def test_what_is_announced_is_known_by_its_identity(catalogue):
    verdict = catalogue.announce(SOURCE, announce(level("a"), level("b")))
    assert (verdict.reason, verdict.refused, len(verdict.changed)) == (None, (), 2)
    assert catalogue.known(ids("b", "x", "a", "a")).tolist() == [True, False, True, True]
    assert catalogue.places(ids("x", "a"))[0] == UNKNOWN
    entry = catalogue.entry(int(ids("b")[0]))
    assert (entry.source, entry.site, entry.path) == (SOURCE, "demo", "demo/st-1/b/water_level")
    assert (entry.series, entry.station, entry.drill, entry.active) == (level("b"), station(), False, True)
    with pytest.raises(KeyError):
        catalogue.entry(5)


def test_lookups_agree_with_a_dictionary(catalogue):
    rng = np.random.default_rng(1)
    catalogue.announce(SOURCE, announce(*(level(f"p{n}") for n in range(300))))
    places = {entry.id: entry.place for entry in catalogue.entries()}
    asked = np.concatenate((rng.choice(list(places), 500), rng.integers(0, 2**62, 500), [0, 2**63 - 1]))
    assert catalogue.places(asked).tolist() == [places.get(key, UNKNOWN) for key in asked.tolist()]


def test_the_revision_grows_only_when_something_changes(catalogue):
    catalogue.announce(SOURCE, announce(level("a")))
    assert catalogue.revision == 1
    assert catalogue.announce(SOURCE, announce(level("a"))).changed == ()
    assert catalogue.revision == 1
    catalogue.announce(SOURCE, announce(level("a", valid=(0.0, 12.0))))
    assert catalogue.revision == 2


def test_a_place_is_kept_for_ever(catalogue):
    catalogue.announce(SOURCE, announce(level("a"), level("b")))
    before = catalogue.places(ids("a", "b")).tolist()
    catalogue.announce("demo/gw-2", announce(*(level(f"p{n}") for n in range(50))))
    catalogue.announce(SOURCE, announce(level("b"), level("c"), level("a")))
    assert catalogue.places(ids("a", "b")).tolist() == before


def test_a_series_that_is_no_longer_announced_stays_known_but_is_not_waited_for(catalogue):
    """P6: a pushed configuration must not make the backlog of a removed device unwelcome."""
    catalogue.announce(SOURCE, announce(level("a"), level("b")))
    catalogue.announce(SOURCE, announce(level("a")))
    assert catalogue.known(ids("b")).all()
    assert [entry.series.point for entry in catalogue.entries()] == ["a"]
    assert not catalogue.entry(int(ids("b")[0])).active
    catalogue.announce(SOURCE, announce(level("b")))
    assert [entry.series.point for entry in catalogue.entries()] == ["b"]


def test_two_gateways_can_not_announce_one_series_at_a_time(catalogue):
    catalogue.announce(SOURCE, announce(level("a")))
    verdict = catalogue.announce("demo/gw-2", announce(level("a"), level("b")))
    assert verdict.refused == (
        ("demo/st-1/a/water_level", f"already announced by {SOURCE}, expected one gateway for a series"),
    )
    assert catalogue.entry(int(ids("a")[0])).source == SOURCE
    assert catalogue.known(ids("b")).all(), "one collision does not silence the other series of a gateway"
    assert "already announced by" in catalogue.refusal("demo/gw-2", ids("a", "b"))
    assert catalogue.refusal("demo/gw-2", ids("b")) is None


def test_a_replaced_gateway_takes_over_what_the_old_one_gave_up(catalogue):
    catalogue.announce(SOURCE, announce(level("a"), level("b")))
    catalogue.announce(SOURCE, announce(level("b")))
    assert catalogue.announce("demo/gw-2", announce(level("a"))).refused == ()
    assert catalogue.entry(int(ids("a")[0])).source == "demo/gw-2"
    assert catalogue.has_announced(SOURCE, ids("a")), "the old one's backlog is still welcome"
    assert catalogue.owners(catalogue.places(ids("a")))[0] == catalogue.number("demo/gw-2")


def test_two_names_with_one_identity_are_refused(catalogue, monkeypatch):
    monkeypatch.setattr("ingest.catalogue.series_id", lambda *_: 42)
    verdict = catalogue.announce(SOURCE, announce(level("a"), level("b")))
    assert [path for path, _ in verdict.refused] == ["demo/st-1/b/water_level"]
    assert "identity 42 is already taken by demo/st-1/a/water_level" in verdict.refused[0][1]
    later = catalogue.announce("demo/gw-2", announce(level("c")))
    assert "already taken by demo/st-1/a/water_level, expected a name of its own" in later.refused[0][1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unit": "mm"}, r"unit 'mm', expected 'm', the canonical unit of water_level"),
        ({"quantity": "magic"}, r"unknown quantity 'magic'"),
        ({"danger": "up"}, r"danger 'up', expected one of high, low, both, none"),
        (
            {"valid": (5.0, 5.0)},
            r"valid range 5.0 to 5.0, expected two finite numbers in ascending order, 1e+12 at most",
        ),
        ({"valid": (0.0, math.inf)}, r"valid range 0.0 to inf"),
        ({"valid": (math.nan, 1.0)}, r"valid range nan"),
        ({"period_s": 0.0}, r"period 0.0 s, expected 0.001 to 31622400"),
        ({"modulus": -1.0}, r"modulus -1.0, expected 1e-06 to 1e+12"),
        ({"point": "Level 1"}, r"name st-1/Level 1, expected lower-case"),
        ({"station": "nowhere"}, r"no station 'nowhere' in the announcement"),
    ],
)
def test_an_impossible_series_is_refused_and_its_neighbour_counts(catalogue, changes, reason):
    fields = {"point": "bad"} | changes
    verdict = catalogue.announce(SOURCE, announce(level(fields.pop("point"), **fields), level("good")))
    assert len(verdict.refused) == 1
    assert reason in verdict.refused[0][1]
    assert [entry.series.point for entry in catalogue.entries()] == ["good"]


def test_a_station_off_the_earth_is_refused(catalogue):
    nowhere = Station(id="st-1", name=Text(zh="", en=""), kind="x", lat=math.nan, lon=119.0, town="t")
    verdict = catalogue.announce(SOURCE, Announce(revision="r", drill=False, stations=(nowhere,), series=(level("a"),)))
    assert "station st-1 at nan, 119.0, expected degrees" in verdict.refused[0][1]


@pytest.mark.parametrize("drill", [False, True])
def test_drills_and_live_data_never_mix(drill):
    """F16: whatever a drill sends must not reach the public, nor live data end in a drill."""
    catalogue = Catalogue(site="demo", drill=drill)
    verdict = catalogue.announce(SOURCE, announce(level("a"), drill=not drill))
    assert "expected one of its own kind" in verdict.reason
    assert catalogue.refusal(SOURCE) == verdict.reason
    assert not catalogue.known(ids("a")).any()
    assert catalogue.announce(SOURCE, announce(level("a"), drill=drill)).reason is None
    assert catalogue.refusal(SOURCE) is None


def test_a_gateway_that_turns_into_a_drill_is_refused_though_its_series_are_known(catalogue):
    """F16."""
    catalogue.announce(SOURCE, announce(level("a")))
    revision = catalogue.revision
    catalogue.announce(SOURCE, announce(level("a"), drill=True))
    assert catalogue.refusal(SOURCE) is not None
    assert catalogue.revision > revision


def test_a_gateway_of_another_site_is_refused(catalogue):
    """Whatever way it came: also from the store of a run that heard everybody."""
    verdict = catalogue.announce("other/gw-1", announce(level("a")))
    assert verdict.reason == "this is the centre of demo, expected a gateway of that site"
    assert catalogue.refusal("other/gw-1") == verdict.reason
    assert list(catalogue.entries()) == []


def _history(**changes: object) -> dict[str, tuple[Deployment, ...]]:
    zero = Zero(**({"height": 3.2, "datum": "1985", "surveyor": "Lin", "date": "2026-01-31"} | changes))
    return {"gauge": (Deployment(since="2026-05-01T09:00+08:00", serial="B7", zeros={"a/water_level": zero}),)}


def test_the_history_of_an_instrument_belongs_to_its_series(catalogue):
    told = structs.replace(announce(level("a", device="gauge"), level("b")), deployments=_history())
    catalogue.announce(SOURCE, told)
    with_one, without = catalogue.entries()
    assert (with_one.datum, with_one.deployments[0].serial) == ("1985", "B7")
    assert (without.datum, without.deployments) == (None, ())
    assert catalogue.announce(SOURCE, told).changed == ()
    moved = structs.replace(told, deployments=_history(height=2.9))
    assert [entry.path for entry in catalogue.announce(SOURCE, moved).changed] == ["demo/st-1/a/water_level"]


@pytest.mark.parametrize(
    "changes", [{"height": math.inf}, {"datum": "x" * 201}, {"surveyor": "\x1b[2J"}, {"date": "?"}]
)
def test_a_history_that_can_not_be_refuses_the_series_of_its_device_alone(catalogue, changes):
    told = structs.replace(announce(level("a", device="gauge"), level("b")), deployments=_history(**changes))
    verdict = catalogue.announce(SOURCE, told)
    [(path, reason)] = verdict.refused
    assert path == "demo/st-1/a/water_level"
    assert reason.startswith("deployments of gauge: ")
    assert catalogue.known(ids("a", "b")).tolist() == [False, True]
