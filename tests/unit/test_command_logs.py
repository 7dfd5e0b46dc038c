"""Logs of a command: libraries' lines stand beside ours, and the terminal stays clean."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import logging, pathlib, sys
from petrel.run import configure_logs

configure_logs(pathlib.Path(sys.argv[1]))
for name in ("mqtt", "uvicorn.error"):
    try:
        raise KeyError(name)
    except KeyError:
        logging.getLogger(name).exception("seen by %s", name)
logging.getLogger("httpx").info("chatter")
"""


def test_what_libraries_log_goes_where_ours_goes(tmp_path):
    """The MQTT client's in one line each; what a page's handler met keeps its traceback."""
    log = tmp_path / "log"
    done = subprocess.run([sys.executable, "-c", SCRIPT, log], capture_output=True, text=True, check=True, timeout=30)
    assert (done.stdout, done.stderr) == ("", "")
    written = log.read_text(encoding="utf-8")
    assert "mqtt: seen by mqtt\n" in written
    assert "KeyError: 'mqtt'" not in written
    assert "KeyError: 'uvicorn.error'" in written
    assert "chatter" not in written


TALK = """
import logging, structlog
from petrel.run import configure_logs

configure_logs()
log = structlog.get_logger()
log.info("uplink connected", broker="mqtt://127.0.0.1")
log.warning("clock was set")
log.error("disk takes nothing")
logging.getLogger("mqtt").warning("of a library")
"""


@pytest.mark.parametrize("journal", [True, False])
def test_lines_have_their_level_where_the_journal_takes_them(tmp_path, journal):
    """``journalctl --priority warning`` showed nothing of a gateway, whatever had happened."""
    with (tmp_path / "log").open("wb") as file:
        place = os.fstat(file.fileno())
        said = f"{place.st_dev}:{place.st_ino if journal else 0}"
        environment = {**os.environ, "JOURNAL_STREAM": said}
        subprocess.run([sys.executable, "-c", TALK], stderr=file, env=environment, check=True, timeout=30)
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [line[:3] if line[0] == "<" else "" for line in lines] == (
        ["<6>", "<4>", "<3>", "<4>"] if journal else [""] * 4
    )
