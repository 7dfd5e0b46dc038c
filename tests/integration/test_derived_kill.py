"""SIGKILL of a centre that derives: no moment is left out, none is written twice with the same value."""

import time

import duckdb
import numpy as np
import pytest

from telemetry.clock import HOUR_NS, MINUTE_NS
from tests.integration.derived_victim import LEVEL, RAIN, SPEED, live
from tests.integration.lives import lives
from tests.unit.derived_centre import START_NS, Place, announcement

KILLS = 3
TWICE = """
SELECT count(*) FROM (
    SELECT series, time_ms, value, quality, row_number() OVER (PARTITION BY series, time_ms ORDER BY commit_no) AS n,
        lag(value) OVER w AS before, lag(quality) OVER w AS quality_before
    FROM samples WINDOW w AS (PARTITION BY series, time_ms ORDER BY commit_no)
) WHERE n > 1 AND value IS NOT DISTINCT FROM before AND quality = quality_before
"""


async def test_kills_lose_no_moment_and_write_none_twice(tmp_path):
    """DESIGN 4: whatever dies in between. Each life finds rows that nobody derived, and parts of ticks."""
    rng, t0_ms = np.random.default_rng(5), round(time.time() * 1000)
    with lives(live, tmp_path) as victim:
        for epoch in range(1, KILLS + 1):
            victim.start(t0_ms, epoch)
            assert victim.heard().startswith("ticked")
            time.sleep(rng.uniform(0.2, 0.7))  # noqa: ASYNC251 - a life has no event for "somewhere in the middle"
            victim.kill()
    now_ns = START_NS + round((time.time() * 1000 - t0_ms) / 1000 * SPEED) * 1_000_000_000
    place = Place(tmp_path, announcement(RAIN, LEVEL), epoch=99)
    async with place.running(now_ns):
        await place.settled()
        rain, rise = place.stored("st-1", "rain-1h", "rain_sum"), place.stored("rv-1", "level-rise-30min", "rise_rate")
        raw = place.store.samples(np.array([place.catalogue.entry(one).id for one in ids(place)]), 0, 2**62)
        last = int(raw.time_ns.max() - START_NS) // MINUTE_NS // 5 * 5
        before = place.store.count()
        place.stage.owed.everything(START_NS, now_ns - HOUR_NS)
        await place.settled()
        assert place.store.count() == before
    assert last > 120
    moments = range(65, last + 1, 5)
    assert [rain[minute] for minute in moments] == pytest.approx([12.0] * len(moments))
    assert [rise[minute] for minute in moments] == pytest.approx([0.5] * len(moments))
    with duckdb.connect(str(tmp_path / "store.duckdb"), read_only=True) as database:
        assert database.execute(TWICE).fetchall() == [(0,)]


def ids(place: Place) -> list[int]:
    return [entry.id for entry in place.catalogue.entries() if not entry.is_derived]
