"""Looking at places on a disk, also at those that are closed to us."""

import os
import tempfile
from pathlib import Path

import pytest

from petrel.commands import gateway
from petrel.errors import CommandError
from telemetry.disk import free_bytes, standing, unwritable

NOBODY = 65_534


@pytest.fixture
def closed():
    """A folder in one that only root may look into, seen by somebody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "closed"
        folder.mkdir(mode=0o700)
        (folder / "spool").mkdir()
        Path(name).chmod(0o755)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield folder
        finally:
            os.setresuid(0, 0, 0)


def test_what_may_not_be_looked_at_is_said_in_a_line(closed):
    """A look around as an ordinary user of the box ended with a traceback."""
    spool = closed / "spool"
    assert standing(spool) == closed
    assert unwritable(spool) == f"{spool}: {closed} can't be written, expected a directory of ours"
    assert free_bytes(spool) > 0


def test_the_status_of_a_gateway_that_is_closed_to_us_is_no_empty_one(tmp_path, monkeypatch):
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "site: demo\nnode: gw-1\nbroker: mqtt://127.0.0.1:1883\nspool: {dir: spool}\nstations: []\nbuses: []\n"
    )
    monkeypatch.setattr(os, "access", lambda *_: False)
    for json in (False, True):
        with pytest.raises(CommandError, match="spool: can't be looked at, expected the gateway's user, or root"):
            gateway.status(file, json=json)
