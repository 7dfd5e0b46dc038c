"""Logs of a command: libraries' lines stand beside ours, and the terminal stays clean."""

import subprocess
import sys

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
