"""docs/reference/wire.md says of the wire what the code does."""

import re
from pathlib import Path

import pytest

from gateway.flight import BACKLOG_ROWS, BUNDLED, WINDOW
from gateway.timing import Timing
from telemetry import wire
from telemetry.batch import MAX_ROWS
from telemetry.bundle import MAX_PARTS, MAX_ROWS_IN_ALL
from telemetry.orders import LONGEST_TTL_S
from telemetry.topics import PREFIX, Channel
from telemetry.wire import Lane
from tools.reference import messages

PAGE = (Path(__file__).parents[2] / "docs/reference/wire.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose first column is called so."""
    table = PAGE[PAGE.index(f"\n| {first} |") :].strip().partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_channel_has_its_row_and_its_fields():
    assert {name for name, *_ in rows("channel")} == {f"`{channel}`" for channel in Channel}
    assert set(re.findall(r"^## (\w+)$", messages.page(), re.MULTILINE)) == set(Channel)


def test_every_lane_has_its_window():
    found = {name: window for name, _, window in rows("lane")}
    assert set(found) == {f"{lane.value} {lane.name.lower()}" for lane in Lane}
    for lane, most in WINDOW.items():
        assert found[f"{lane.value} {lane.name.lower()}"].split(",")[0] == str(most)
    assert f"{BACKLOG_ROWS:,} rows" in found["2 backlog"]


@pytest.mark.parametrize(
    "words",
    [
        f"`{PREFIX}/<site>/<node>/<channel>`",
        f"At most {wire.MAX_PAYLOAD // 1024} KiB, and {wire.MAX_UNPACKED // 1024**2} MiB once unpacked",
        f"(1 to {MAX_ROWS:,})",
        f"{MAX_PARTS} batches and {MAX_ROWS_IN_ALL:,} rows at most",
        f"in bundles {BUNDLED:,}, and {BACKLOG_ROWS:,} rows",
        f"window of {sum(WINDOW.values())} batches",
        f"sends it again after {Timing().resend_s:g} s",
        f"Every {Timing().status_s:g} s",
        {600.0: "at most ten minutes"}[LONGEST_TTL_S],
    ],
)
def test_a_number_is_that_of_the_code(words):
    assert words in TEXT
