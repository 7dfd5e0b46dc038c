"""SIGKILL of broker, gateway and centre, ten times each, in turn, at random moments."""

import os

import pytest

from tests.chaos.trial import stand_trial

KILLS = 10
SEED = int(os.environ.get("PETREL_CHAOS_SEED", "2023"))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_ten_kills_of_each_part_lose_and_double_nothing(tmp_path):
    print(f"PETREL_CHAOS_SEED={SEED}")  # noqa: T201  # pytest shows it when the test fails
    assert await stand_trial(tmp_path, [SEED], KILLS, print) == []
