"""What the engine says of an area: it is normal only where everything that is watched there is known to be."""

import pytest

from alerting.alarms import Outcome
from alerting.fusion import AreaLevel
from tests.unit.engine_things import Desk, desk

SAFE = {"tank/lel-1": 1.0, "tank/lel-2": 1.0, "tank/h2s": 0.0}
WATCHED = ("flood", "combustible_gas", "toxic_gas")
"""The hazards that are watched in area B with a river gauge and a tank farm."""


def area(one: Desk, code: str) -> AreaLevel:
    return next(found for found in one.engine.areas() if found.code == code)


def outcomes(found: AreaLevel) -> dict[str, Outcome]:
    return {hazard: cell.outcome for hazard, cell in found.hazards.items()}


def test_an_area_of_which_all_is_known_is_normal() -> None:
    one = desk(only=["river", "tank"])
    one.feed(0, SAFE | {"river/stage": 1.0})
    found = area(one, "B")
    assert (found.outcome, found.level, found.confidence) == (Outcome.NORMAL, 0, 1.0)
    assert outcomes(found) == dict.fromkeys(WATCHED, Outcome.NORMAL)


def test_a_hazard_without_thresholds_keeps_an_area_from_normal() -> None:
    """F13: the river is not judged, so nobody knows that there is no flood."""
    one = desk(only=["river", "tank"], thresholds=False)
    one.feed(0, SAFE | {"river/stage": 9.0})
    found = area(one, "B")
    assert outcomes(found) == dict.fromkeys(WATCHED, Outcome.NORMAL) | {"flood": Outcome.UNCONFIGURED}
    assert (found.outcome, found.level) == (Outcome.UNCONFIGURED, 0)
    assert found.confidence == pytest.approx(2 / 3)
    assert "未配置阈值" in found.explanation.zh
    assert "Flood: no thresholds configured" in found.explanation.en


def test_a_hazard_without_data_keeps_an_area_from_normal() -> None:
    one = desk(only=["river", "tank"])
    one.feed(0, SAFE)
    found = area(one, "B")
    assert outcomes(found) == dict.fromkeys(WATCHED, Outcome.NORMAL) | {"flood": Outcome.NO_DATA}
    assert (found.outcome, found.level) == (Outcome.NO_DATA, 0)
    assert found.confidence == pytest.approx(2 / 3)


def test_a_level_stands_before_what_is_not_known() -> None:
    one = desk(only=["river", "tank"], thresholds=False)
    one.feed(0, SAFE | {"tank/lel-1": 55.0})
    found = area(one, "B")
    assert (found.outcome, found.level) == (Outcome.LEVEL, 4)
    assert found.confidence == pytest.approx(2 / 3)


def test_an_open_alarm_about_silence_keeps_an_area_from_normal() -> None:
    """One end of a pipeline is no rule's, but people count on it, and it is gone: that, too, is not known."""
    one = desk(only=["river", "tank", "end"])
    for minute in range(60):
        one.feed(minute, SAFE | {"river/stage": 1.0})
        one.tick(minute + 0.5)
    assert [event.subject for event in one.log if event.hazard == "no_data"] == ["end"]
    found = area(one, "B")
    assert (found.outcome, found.level, found.confidence) == (Outcome.NO_DATA, 0, pytest.approx(3 / 5))


def test_an_area_without_a_sensor_has_no_confidence() -> None:
    one = desk(only=["tide"])
    found = area(one, "C")
    assert (found.outcome, found.confidence) == (Outcome.NO_DATA, None)
