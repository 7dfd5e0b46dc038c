"""What is said of serial ports, on a made-up machine; and what stands in the way of a line."""

import os
import tty
from pathlib import Path

import pytest

from edge_agent.compiled import SerialPlan
from gateway.timekeeping import EARLIEST_NS
from gateway.tools import machine, ports
from gateway.tools.look import State


class Clock:
    """A machine whose clock is as it is told."""

    boot_id = "x"

    def __init__(self, wall_ns: int, *, synchronised: bool) -> None:
        self._wall_ns, self._synchronised = wall_ns, synchronised

    def wall_ns(self) -> int:
        return self._wall_ns

    def boot_ns(self) -> int:
        return 0

    def synchronised(self) -> bool:
        return self._synchronised


@pytest.fixture
def adapter(tmp_path):
    """A pseudo-terminal under the names of a USB adapter: gives the root and the port."""
    far, near = os.openpty()
    tty.setraw(near)
    (tmp_path / "dev" / "serial" / "by-id").mkdir(parents=True)
    (tmp_path / "dev" / "ttyUSB0").symlink_to(os.ttyname(near))
    (tmp_path / "dev" / "serial" / "by-id" / "usb-FTDI_1").symlink_to(os.ttyname(near))
    timer = tmp_path / "sys/bus/usb-serial/devices" / Path(os.ttyname(near)).name / "latency_timer"
    timer.parent.mkdir(parents=True)
    timer.write_text("16\n")
    yield tmp_path, str(tmp_path / "dev" / "ttyUSB0")
    os.close(far)
    os.close(near)


def test_an_adapter_that_waits_is_said_with_the_cure(adapter):
    root, port = adapter
    found = ports.facts(port, root)
    assert (found.exists, found.allowed, found.latency_ms) == (True, True, 16)
    (look,) = found.looks()
    assert look.state is State.NOTE
    assert "waits 16 ms" in look.says
    assert "latency_timer" in look.do


def test_the_name_that_lasts_is_known(adapter):
    root, port = adapter
    assert ports.facts(port, root).lasting == (str(root / "dev/serial/by-id/usb-FTDI_1"),)
    assert ports.ports(root) == [port]


def test_who_holds_a_port_is_named_where_it_can_be_seen(adapter, tmp_path):
    root, port = adapter
    device = Path(port).resolve()
    (root / "proc" / "4711" / "fd").mkdir(parents=True)
    (root / "proc" / "4711" / "comm").write_text("modpoll\n")
    (root / "proc" / "4711" / "fd" / "3").symlink_to(device)
    assert ports.holder(device, root) == "process 4711 (modpoll)"
    assert ports.facts(port, root).held_by == "process 4711 (modpoll)"


def test_built_in_ports_without_a_chip_are_not_shown(tmp_path):
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
        (tmp_path / "sys/class/tty" / name).mkdir(parents=True)
        (tmp_path / "sys/class/tty" / name / "type").write_text(kind)
    assert ports.ports(tmp_path) == [str(tmp_path / "dev" / "ttyS0")]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"exists": False}, "x: no such port, expected one of"),
        ({"exists": True, "allowed": False, "group": "dialout"}, "usermod -aG dialout"),
        ({"exists": True, "allowed": True, "held_by": "process 7 (minicom)"}, "held by process 7 (minicom)"),
    ],
)
def test_what_is_in_the_way_is_one_line(facts, words):
    assert words in ports.PortFacts(port="x", **facts).obstacle()


def test_a_simulated_line_is_held_by_whoever_simulates_it():
    assert ports.PortFacts(port="x", exists=True, allowed=True, is_pty=True, held_by="process 7").obstacle() is None


def test_a_plain_file_is_no_port(tmp_path):
    (tmp_path / "file").touch()
    line = SerialPlan(port=str(tmp_path / "file"), baud=9600, parity="N", stop=1)
    assert "no such port" in ports.explained(line, "whatever")


@pytest.mark.parametrize(
    ("wall_ns", "synchronised", "state"),
    [(0, False, State.FINDING), (EARLIEST_NS, False, State.FINDING), (EARLIEST_NS, True, State.OK)],
)
def test_a_clock_that_nobody_keeps_right_is_found(wall_ns, synchronised, state):
    assert machine.clock(Clock(wall_ns, synchronised=synchronised)).state is state
