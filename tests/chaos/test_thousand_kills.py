"""`make chaos`: a thousand kills of each part, in rounds with a verdict each, so that a finding names its seed."""

import os
import secrets

import pytest

from tests.chaos.trial import stand_trial

ROUND = 50
KILLS = int(os.environ.get("PETREL_CHAOS_KILLS", "1000"))
SEED = int(os.environ.get("PETREL_CHAOS_SEED", secrets.randbelow(2**32)))


@pytest.mark.chaos
@pytest.mark.parametrize("first", range(0, KILLS, ROUND))
async def test_a_thousand_kills_of_each_part_lose_and_double_nothing(tmp_path, request, capsys, first):
    """DESIGN 9, kills: 0 rows lost, 0 doubled. PETREL_CHAOS_SEED and PETREL_CHAOS_KILLS choose others."""
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def tell(line: str) -> None:
        with capsys.disabled():
            terminal.write_line(f"[seed {SEED}, round {first // ROUND + 1} of {-(-KILLS // ROUND)}] {line}")

    assert await stand_trial(tmp_path, [SEED, first], min(ROUND, KILLS - first), tell) == []
