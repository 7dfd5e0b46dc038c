"""The maintenance switch: what it marks, when it ends, and what a damaged file does."""

import numpy as np
import pytest

from gateway import maintenance
from gateway.maintenance import LONGEST_NS, Maintenance, Work
from telemetry.batch import rows
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from tests.unit.gateway_batches import SOURCE, START_NS

BAD = (int(Quality.BAD), int(Cause.MANUAL))
CLEAN = (0, 0)


def work(target: str = "tank/lel", series: tuple[str, ...] = ("10",), minutes: int = 30) -> Work:
    until_ns = START_NS + minutes * MINUTE_NS
    return Work(target=target, series=series, since_ns=START_NS, until_ns=until_ns, by="Lin", note="bump test")


def marks(switch: Maintenance, at_ns: int = START_NS) -> list[tuple[int, int]]:
    """What becomes of a row of series 10 and one of series 20; the values stay."""
    batch = switch.mark(rows(SOURCE, np.array([10, 20]), np.full(2, at_ns), np.array([95.0, np.nan])), at_ns)
    np.testing.assert_array_equal(batch.value, [95.0, np.nan])
    return list(zip(batch.quality.tolist(), batch.cause.tolist(), strict=True))


def test_it_counts_at_once_ends_by_itself_and_survives_a_restart(tmp_path):
    switch = Maintenance(tmp_path)
    assert marks(switch) == [CLEAN, (4, 0)]
    maintenance.begin(tmp_path, work())
    assert marks(switch) == [BAD, (4, 0)]
    assert marks(Maintenance(tmp_path)) == [BAD, (4, 0)], "another run of the gateway"
    assert marks(switch, START_NS + 30 * MINUTE_NS - 1) == [BAD, (4, 0)]
    assert marks(switch, START_NS + 30 * MINUTE_NS) == [CLEAN, (4, 0)]
    assert switch.notes(START_NS + 30 * MINUTE_NS) == []


def test_a_failed_poll_under_maintenance_stays_missing_and_says_why(tmp_path):
    maintenance.begin(tmp_path, work(series=("10", "20")))
    assert marks(Maintenance(tmp_path)) == [BAD, (int(Quality.MISSING), int(Cause.MANUAL))]


def test_it_is_said_who_works_on_what_and_until_when(tmp_path):
    maintenance.begin(tmp_path, work())
    [note] = Maintenance(tmp_path).notes(START_NS)
    assert note.startswith("tank/lel under maintenance until 2023-")
    assert note.endswith("by Lin (bump test): its rows raise no alarm")


def test_it_ends_when_it_is_told_to_and_others_go_on(tmp_path):
    switch = Maintenance(tmp_path)
    maintenance.begin(tmp_path, work())
    maintenance.begin(tmp_path, work("tide-gauge", ("20",)))
    maintenance.begin(tmp_path, work(minutes=60))
    assert len(switch.notes(START_NS)) == 2, "the same again is longer, not twice"
    assert maintenance.end(tmp_path, "tank/lel", START_NS)
    assert marks(switch)[0] == CLEAN
    assert len(switch.notes(START_NS)) == 1
    assert not maintenance.end(tmp_path, "tank/lel", START_NS)


def test_a_clock_that_is_wrong_makes_no_maintenance_longer(tmp_path):
    """A gateway that wakes in 1970, and a file that somebody edited."""
    maintenance.begin(tmp_path, work(minutes=60 * 24 * 365))
    switch = Maintenance(tmp_path)
    assert marks(switch, START_NS - 30 * SECOND_NS)[0] == BAD
    assert marks(switch, START_NS - HOUR_NS)[0] == CLEAN
    assert marks(switch, START_NS + LONGEST_NS)[0] == CLEAN


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'[{"target":1}]', b"\xff\xfe", b"[" * 10_000, b'[{"target":"a","series":["x"]}]']
)
def test_a_damaged_file_silences_nothing_and_is_said(tmp_path, content):
    (tmp_path / "maintenance.json").write_bytes(content)
    switch = Maintenance(tmp_path)
    assert marks(switch) == [CLEAN, (4, 0)]
    assert "expected what petrel gateway maintain writes" in switch.notes(START_NS)[0]


def test_ids_that_are_none_silence_nothing(tmp_path):
    bad = b'[{"target":"a","series":["x"],"since_ns":%d,"until_ns":%d}]' % (START_NS, START_NS + HOUR_NS)
    (tmp_path / "maintenance.json").write_bytes(bad)
    switch = Maintenance(tmp_path)
    assert marks(switch) == [CLEAN, (4, 0)]
    assert "maintenance.json" in switch.notes(START_NS)[0]
