"""`make chaos`: the gateway's unit under a real systemd, with its secrets, its folder, its watchdog and its fences."""

import errno
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.chaos.box import ROOT, Box, booted, install

UNIT: Final = "petrel-gateway"
UNITS: Final = ROOT / "deploy/systemd"
SETTINGS: Final = """\
site: demo
node: gw-1
broker: mqtt://gw-1@127.0.0.1:1883
spool: {dir: /var/lib/stormpetrel/spool, max_bytes: 8388608}
stations:
  - {id: river-1, name: {zh: 河, en: River}, kind: river, lat: 25.31, lon: 119.07, town: "1"}
buses:
  - name: line-1
    serial: {port: /dev/ttyUSB0}
    devices: [{name: probe-1, profile: qdy30a, unit: 1, station: river-1, period_s: 1}]
remote: {dir: /var/lib/stormpetrel/remote}
"""
NO_TIME: Final = """\
[Unit]
Description=As systemd-time-wait-sync, where no server ever answers
DefaultDependencies=no
Before=time-sync.target
Wants=time-sync.target
[Service]
Type=oneshot
ExecStart=/bin/sleep infinity
TimeoutStartSec=infinity
"""
IMPATIENT: Final = "[Service]\nWatchdogSec=3\nRestartSec=500ms\n"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """What docs/howto/install-a-gateway.md puts on a box, and a clock that is never set right."""
    folder = tmp_path_factory.mktemp("systemd")
    files = folder / "files"
    install(files, f"{UNIT}.service no-time.service")
    system, settings = files / "etc/systemd/system", files / "etc/stormpetrel"
    drop_ins, users = system / f"{UNIT}.service.d", files / "usr/lib/sysusers.d"
    for place in (settings, drop_ins, users):
        place.mkdir(parents=True)
    shutil.copy(UNITS / f"{UNIT}.service", system)
    shutil.copy(UNITS / "petrel.conf", users)
    for name in ("password.conf", "orders.conf"):
        shutil.copy(UNITS / name, drop_ins)
    (drop_ins / "impatient.conf").write_text(IMPATIENT)
    (system / "no-time.service").write_text(NO_TIME)
    (settings / "gateway.yaml").write_text(SETTINGS)
    for name, secret in (("mqtt-password", "secret"), ("gateway-keys", f"desk {'A' * 43}=")):
        (settings / name).write_text(f"{secret}\n")
        (settings / name).chmod(0o600)
    with booted(folder, files) as one:
        one.until(lambda: one.shown(UNIT, "ActiveState") == "active")
        yield one


def _process(box: Box) -> int:
    """The gateway, as this machine counts: the only one whose group is the unit's."""
    (found,) = [
        int(place.name)
        for place in Path("/proc").iterdir()
        if place.name.isdecimal() and _is_inside(place, box) and b"gateway\0run" in (place / "cmdline").read_bytes()
    ]
    return found


def _is_inside(place: Path, box: Box) -> bool:
    try:
        return (place / "ns/pid").readlink() == Path(f"/proc/{box.process}/ns/pid").readlink()
    except OSError:
        return False


def _killed(box: Box, number: int) -> None:
    """End the gateway, and wait until there is another one that is ready."""
    before, restarts = _process(box), int(box.shown(UNIT, "NRestarts"))
    os.kill(before, number)
    box.until(lambda: int(box.shown(UNIT, "NRestarts")) > restarts and box.shown(UNIT, "ActiveState") == "active")
    assert _process(box) != before


def _status(box: Box) -> dict[str, Any]:
    """What it has left beside its spool, every ten seconds."""
    left = box.run("cat", "/var/lib/stormpetrel/spool/status.json")
    return json.loads(left)["status"] if left else {"devices": {"probe-1": ""}}


def _state(box: Box) -> str:
    return str(_status(box)["devices"]["probe-1"])


@pytest.mark.chaos
def test_it_is_ready_without_network_or_time_and_takes_its_secrets(box: Box) -> None:
    assert box.shown("no-time.service", "ActiveState") == "activating"
    box.until(lambda: "rows polled" in box.shown(UNIT, "StatusText"))
    assert "takes orders" in box.journal(UNIT)
    assert "uplink lost" in box.journal(UNIT, "--priority=warning"), "lines have their level"
    assert box.run("stat", "--format=%U %a", "/var/lib/stormpetrel").split() == ["petrel", "750"]


@pytest.mark.chaos
def test_an_adapter_that_is_plugged_in_later_is_let_in(box: Box) -> None:
    """Nothing may answer there (no driver, no adapter), but it is nothing that the unit forbids."""

    box.until(lambda: "No such file" in _state(box))
    box.run("sh", "-c", "mknod -m 660 /dev/ttyUSB0 c 188 0 && chgrp dialout /dev/ttyUSB0")
    box.until(lambda: "No such file" not in _state(box), 90)
    assert os.strerror(errno.EPERM) not in _state(box)


@pytest.mark.chaos
def test_a_gateway_that_stands_still_or_dies_is_started_again(box: Box) -> None:
    for number in (signal.SIGSTOP, signal.SIGKILL):
        started_s = time.monotonic()
        _killed(box, number)
        assert time.monotonic() - started_s < 20


@pytest.mark.chaos
def test_it_writes_to_its_own_folder_alone(box: Box) -> None:
    status = Path(f"/proc/{_process(box)}")
    lines = (status / "status").read_text().splitlines()
    inside = {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    assert (inside["NoNewPrivs:"], inside["CapBnd:"], inside["Seccomp:"]) == ("1", "0" * 16, "2")
    writable = [
        line.split()[4] for line in (status / "mountinfo").read_text().splitlines() if line.split()[5].startswith("rw")
    ]
    assert "/" not in writable
    assert "/var/lib/stormpetrel" in writable


@pytest.mark.chaos
def test_settings_that_can_not_be_stop_it_for_good_and_a_stop_is_clean(box: Box) -> None:
    box.run("systemctl", "stop", UNIT)
    assert box.shown(UNIT, "Result") == "success"
    assert _status(box)["presence"] == "offline"
    box.run("sed", "-i", "s/^site:/sit:/", "/etc/stormpetrel/gateway.yaml")
    box.run("systemctl", "start", UNIT)
    box.until(lambda: box.shown(UNIT, "ActiveState") == "failed")
    assert (box.shown(UNIT, "ExecMainStatus"), box.shown(UNIT, "NRestarts")) == ("2", "0")
    assert "unknown key 'sit'" in box.journal(UNIT)
