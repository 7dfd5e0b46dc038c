"""Whatever the order in which the rows of some seconds arrive, the areas come to the same levels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.commit import Commit
from telemetry.clock import SECOND_NS
from tests.unit.engine_things import T0, commit, desk, reading

TIDES = (3.0, 3.3, 3.6, 4.2)


@st.composite
def bursts(draw: st.DrawFn) -> tuple[list[tuple[float, float, float]], list[int], list[int]]:
    n = draw(st.integers(2, 8))
    seconds = sorted(draw(st.sets(st.integers(0, 28), min_size=n, max_size=n)))
    rows = [(second, draw(st.sampled_from(TIDES)), draw(st.sampled_from([1.0, 30.0, 60.0]))) for second in seconds]
    cuts = sorted(draw(st.sets(st.integers(1, n - 1), max_size=3)))
    return rows, list(draw(st.permutations(range(n)))), cuts


def areas(rows: list[tuple[float, float, float]], parts: list[np.ndarray]) -> object:
    one = desk(only=["tide", "tank"])
    one.feed(-1, {"tide/sea-level": 3.0, "tank/lel-1": 1.0, "tank/lel-2": 1.0, "tank/h2s": 0.0})
    for part in parts:
        one.take(_commit(rows, part))
    one.tick(0.6)
    return [
        (area.code, area.level, {name: cell.level for name, cell in area.hazards.items()})
        for area in one.engine.areas()
    ], [event.time_ns - T0 < 30 * SECOND_NS for event in one.log]


def _commit(rows: list[tuple[float, float, float]], part: np.ndarray) -> Commit:
    return commit(
        1,
        *(
            batch
            for index in part.tolist()
            for batch in reading({"tide/sea-level": rows[index][1], "tank/lel-1": rows[index][2]}, rows[index][0] / 60)
        ),
    )


@settings(max_examples=25, deadline=None)
@given(bursts())
def test_area_levels_do_not_depend_on_the_order_within_the_lateness(
    case: tuple[list[tuple[float, float, float]], list[int], list[int]],
) -> None:
    rows, order, cuts = case
    in_order, _ = areas(rows, [np.arange(len(rows))])
    shuffled, _ = areas(rows, np.split(np.array(order), cuts))
    assert in_order == shuffled
