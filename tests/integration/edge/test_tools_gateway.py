"""``petrel gateway init`` and ``check``, and ``petrel doctor``: what works, what does not, what to do."""

import asyncio
import json
import os
import pty
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from device_profiles import registry
from gateway.settings import compile_gateway, load_gateway
from gateway.tools import add as adding
from gateway.tools import init as tool
from gateway.tools.init import Bus, Draft, Member, Place
from gateway.tools.target import Reach
from simulators.devices import serve
from simulators.field_bus import FieldLine
from simulators.field_twin import FieldUnit
from telemetry.clock import SystemClock
from tests.integration.brokers import nats_server
from tests.integration.edge.commands import PETREL, petrel
from tests.integration.edge.test_tools_bus import GATEWAY
from tests.integration.test_uplink_broker import permissions

PLACE = ("--site", "demo", "--station", "wx-1", "--lat", "25.3", "--lon", "119", "--town", "350305001")
CLOCK = "clock"
MIDAS = Bus(
    station="wx-1", reach=Reach(tcp=("127.0.0.1", 502)), members=(Member(profile="midas", unit=1),), period_s=1.5
)


def states(ended) -> dict[str, list[str]]:
    """What was looked at, by its state; the clock of this machine is its own affair."""
    found: dict[str, list[str]] = {}
    for look in ended.json["looks"]:
        if look["what"] != CLOCK:
            found.setdefault(look["state"], []).append(f"{look['what']}: {look['says']}")
    return found


@pytest.fixture
def gateway(tmp_path, profile):
    """Write a gateway with one bus of some units, and give its file."""

    def write(line: str, broker: str = "127.0.0.1:9", units=(1,), period_s: float = 60) -> Path:
        name = profile(("level", "holding 4 u16"))
        devices = "\n".join(
            f"      - {{name: dev{unit}, profile: {name}, unit: {unit}, station: here, period_s: {period_s}, "
            f"points: {{level: {{name: level-{unit}}}}}}}"
            for unit in units
        )
        path = tmp_path / "gateway.yaml"
        text = GATEWAY.format(line=line, devices=devices).replace("127.0.0.1:1883", broker)
        path.write_text(text, encoding="utf-8")
        return path

    return write


async def test_the_status_of_a_damaged_spool_has_no_log_on_stdout(gateway):
    """The contract of the command line: what a command says is on stdout, what it complains of on stderr."""
    file = gateway("tcp: {host: 127.0.0.1, port: 9}")
    (file.parent / "spool" / "0000000001.samples").mkdir(parents=True)
    ended = await petrel("gateway", "status", file)
    assert ended.code == 0
    assert "damage     1 corrupt pieces" in ended.out
    assert "segment" not in ended.out
    (line,) = ended.err.splitlines()
    assert "segment can't be read" in line


async def test_each_device_is_read_once_and_the_dead_one_is_told_with_what_to_do(rtu_peer, answering, gateway):
    """P1, P20: who does not answer is named, and costs the others nothing."""
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] != 2 else [])
    ended = await petrel("gateway", "check", gateway(f"serial: {{port: {peer.port}}}", units=(1, 2, 3)), "--json")
    assert ended.code == 1
    found = states(ended)
    devices = [one.rpartition(",")[0] for one in found["ok"] if one.startswith("device")]
    assert devices == ["device dev1: level-1 104 m", "device dev3: level-3 304 m"]
    assert found["finding"] == ["device dev2: unit 2: no answer within 0.3 s"]
    (dead,) = (look for look in ended.json["looks"] if look["what"] == "device dev2")
    assert "petrel bus scan" in dead["do"]
    assert [request[0] for _, request in peer.requests] == [1, 2, 3]


async def test_a_bus_that_is_too_busy_is_refused(gateway):
    """A read of one register at 1200 baud takes 0.19 s with its silence: five a second are too many."""
    ended = await petrel("gateway", "check", gateway("serial: {port: nowhere, baud: 1200}", period_s=0.2), "--desk")
    assert ended.code == 1
    assert "finding    bus line: busy 9" in ended.out
    assert "at most 80%" in ended.out


async def test_a_port_that_is_not_there_is_said_once_for_each_that_needs_it(gateway):
    ended = await petrel("gateway", "check", gateway("serial: {port: /dev/ttyNOWHERE}"), "--json")
    assert "/dev/ttyNOWHERE: no such port" in states(ended)["finding"]


async def test_a_broker_that_lets_us_hear(pymodbus_tcp, gateway, tmp_path):
    _, port = await pymodbus_tcp(1)
    with nats_server(tmp_path) as broker:
        file = gateway(f"tcp: {{host: 127.0.0.1, port: {port}}}", f"127.0.0.1:{broker.port}")
        ended = await petrel("gateway", "check", file, "--json")
    found = states(ended)
    assert "finding" not in found, found
    assert "broker: lets us hear petrel/1/demo/gw-1/ack" in found["ok"]
    assert "device dev1: level-1 104 m" in " ".join(found["ok"])
    assert any("whether it hands on what we publish" in one for one in found["not tried"])
    assert ended.json["findings"] == []


async def test_a_broker_that_refuses_the_acknowledgements_is_found(pymodbus_tcp, gateway, tmp_path, monkeypatch):
    """P14: such a gateway connects, sends, and is never acknowledged; the broker's access list is the likely cause."""
    _, port = await pymodbus_tcp(1)
    monkeypatch.setenv("PETREL_MQTT_PASSWORD", "x")
    with nats_server(tmp_path, extra=permissions("ack", "watch"), needs_password=True) as broker:
        file = gateway(f"tcp: {{host: 127.0.0.1, port: {port}}}", f"gw@127.0.0.1:{broker.port}")
        ended = await petrel("gateway", "check", file, "--json")
    found = states(ended)
    assert ended.code == 1
    assert found["finding"] == ["broker: refuses the subscription to petrel/1/demo/gw-1/ack"]
    assert found["note"] == ["broker: refuses the subscription to petrel/1/demo/gw-1/watch"]


async def test_a_broker_that_does_not_know_us_is_found(pymodbus_tcp, gateway, tmp_path):
    _, port = await pymodbus_tcp(1)
    with nats_server(tmp_path, extra=permissions("ack"), needs_password=True) as broker:
        file = gateway(f"tcp: {{host: 127.0.0.1, port: {port}}}", f"127.0.0.1:{broker.port}")
        ended = await petrel("gateway", "check", file, "--json")
    (found,) = states(ended)["finding"]
    assert "refuses" in found


async def test_what_a_person_sees_fits_a_terminal(rtu_peer, answering, gateway):
    peer = rtu_peer(lambda request: [(0, answering(request))])
    ended = await petrel("gateway", "check", gateway(f"serial: {{port: {peer.port}}}"))
    assert "ok         device dev1: level-1 104 m" in ended.out
    assert ended.err == ""


async def test_a_file_that_was_written_without_asking_passes_the_check(rtu_peer, answering, tmp_path):
    """In a pipe nobody is asked: units 3 and 5 are scanned for and get the profile that fits best."""
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] in (3, 5) else [])
    file = tmp_path / "gateway.yaml"
    line = ("--serial", peer.port, "--units", "3-5", "--kind", "weather", "--name-zh", '一号, "站"')
    ended = await petrel("gateway", "init", file, *PLACE, *line)
    assert (ended.code, ended.err) == (0, "")
    settings = load_gateway(file).settings
    assert [device.unit for device in settings.buses[0].devices] == [3, 5]
    assert settings.stations[0].name.zh == '一号, "站"'
    checked = await petrel("gateway", "check", file, "--json")
    found = states(checked)
    assert len([one for one in found["ok"] if one.startswith("device")]) == 2
    assert "finding" not in found
    again = await petrel("gateway", "init", file, *PLACE, *line)
    assert again.code == 2
    assert "exists already" in again.refusal


async def test_a_port_is_written_as_seen_from_the_file(tmp_path, monkeypatch):
    """A file in a folder of its own, and a port that is named from where the command was typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    ended = await petrel("gateway", "init", "site/gateway.yaml", *PLACE, "--serial", "line", "--device", "1=qdy30a")
    assert (ended.code, ended.err) == (0, "")
    plan = compile_gateway(load_gateway(tmp_path / "site" / "gateway.yaml"))
    assert plan.buses[0].line.port == str(tmp_path / "site" / ".." / "line")


async def test_what_can_not_be_is_refused_before_the_scan(rtu_peer, tmp_path):
    peer = rtu_peer(lambda _: [])
    ended = await petrel("gateway", "init", tmp_path / "g.yaml", *PLACE, "--serial", peer.port, "--lat", "95")
    assert (ended.code, ended.out, peer.requests) == (2, "", [])
    assert ended.refusal == "--lat 95.0, expected -90 to 90 degrees (WGS 84)"


async def test_what_is_missing_is_named_at_once(tmp_path):
    ended = await petrel("gateway", "init", tmp_path / "new.yaml", "--no-ask", "--site", "demo")
    assert ended.code == 2
    assert ended.refusal == (
        "nobody to ask, expected --station, --lat, --lon, --town, one of --serial, --serial-server, --tcp"
    )
    assert not (tmp_path / "new.yaml").exists()


async def test_a_person_is_asked(rtu_peer, answering, tmp_path):
    """At a terminal: the questions come one by one, a default is taken by Enter, and what can't be is asked again."""
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] == 1 else [])
    ours, theirs = pty.openpty()
    answers = ["Demo", "demo", "", "", "wx-1", "一号站", "", "river", "95", "25.3", "119", "350305001", "1"]
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    process = await asyncio.create_subprocess_exec(
        PETREL, "gateway", "init", tmp_path / "new.yaml", "--serial", peer.port, "--units", "1-2",
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        _, asked = await process.communicate()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, asked
    assert "'Demo', expected lower-case letters" in asked.decode()
    assert "95.0, expected -90 to 90 degrees" in asked.decode()
    settings = load_gateway(tmp_path / "new.yaml").settings
    assert (settings.site, settings.node, settings.stations[0].name.zh) == ("demo", "gw-1", "一号站")
    assert len(settings.buses[0].devices) == 1


@pytest.mark.parametrize("text", ["yes", "1", "a: b", "中文", "#x", "~", "-"])
def test_a_name_stays_text_whatever_it_is(text, tmp_path):
    place = Place(id="wx-1", zh=text, en=text, kind="river", lat=1, lon=2, town="1")
    draft = Draft(site="null", node="no", broker="mqtt://h", place=place, bus=MIDAS)
    tool.write(draft, tmp_path / "g.yaml")
    settings = load_gateway(tmp_path / "g.yaml").settings
    assert (settings.site, settings.node, settings.stations[0].name.en) == ("null", "no", text)


def test_nothing_is_written_that_a_gateway_would_refuse(tmp_path):
    place = Place(id="wx 1", zh="x", en="x", kind="river", lat=1, lon=2, town="1")
    draft = Draft(site="demo", node="gw", broker="mqtt://h", place=place, bus=MIDAS)
    with pytest.raises(ValueError, match=r"not written: .*'wx 1', expected lower-case"):
        tool.write(draft, tmp_path / "g.yaml")
    assert not (tmp_path / "g.yaml").exists()


BY_HAND = """\
# The box on the weir.  Ask Chen for the key.
site: demo
node: gw-1
broker: mqtt://127.0.0.1:1883
spool: {dir: spool}

buses:   # two of three lines are wired
    # north side
    - name: line-1
      serial: {port: /dev/ttyS1}   # by-id is broken on this box
      devices:
          - {name: qdy30a-1, profile: qdy30a, unit: 1, station: wx-1, period_s: 60}
      # - {name: spare, profile: qdy30a, unit: 9, station: wx-1, period_s: 60}

# where they stand
stations:
    - {id: wx-1, name: {zh: 站, en: S}, kind: river, lat: 25.3, lon: 119.0, town: "350305001"}
    - {id: wx-2, name: {zh: 站, en: S}, kind: river, lat: 25.3, lon: 119.1, town: "350305001"}
"""


@pytest.fixture
def by_hand(tmp_path):
    """A file that somebody wrote with care."""
    file = tmp_path / "gateway.yaml"
    file.write_text(BY_HAND, encoding="utf-8")
    return file


async def test_a_bus_is_added_and_every_line_of_the_file_stays(by_hand):
    """Also what has the same name: the devices, and what they measure, get others."""
    line = ("--serial-server", "127.0.0.1:4001", "--device", "1=qdy30a", "--device", "2=qdy30a")
    ended = await petrel("gateway", "init", by_hand, "--add", "--station", "wx-1", *line)
    assert (ended.code, ended.err) == (0, "")
    assert "2 devices added as bus line-2" in ended.out
    text = by_hand.read_text(encoding="utf-8")
    before, after = BY_HAND.split("\n# where they stand")
    assert text.startswith(before)
    assert text.endswith("\n# where they stand" + after)
    plan = compile_gateway(load_gateway(by_hand))
    assert [(bus.name, [one.name for one in bus.devices]) for bus in plan.buses] == [
        ("line-1", ["qdy30a-1"]), ("line-2", ["qdy30a-1-2", "qdy30a-2"]),
    ]  # fmt: skip
    points = [series.point for bus in plan.buses for one in bus.devices for series in one.series]
    assert len(points) == len(set(points))
    sensor = Bus(
        station="wx-2", reach=Reach(serial="/dev/ttyS2"), members=(Member(profile="cs451", address="0"),), period_s=60
    )
    assert adding.add(sensor, by_hand) == "line-3"
    assert [bus.name for bus in load_gateway(by_hand).settings.buses] == ["line-1", "line-2", "line-3"]


async def test_what_was_scanned_is_added(rtu_peer, answering, by_hand):
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] == 3 else [])
    ended = await petrel(
        "gateway", "init", by_hand, "--add", "--station", "wx-2", "--serial", peer.port, "--units", "3", "--baud", 9600,
        "--parity", "N",
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    settings = load_gateway(by_hand).settings
    assert [device.unit for device in settings.buses[1].devices] == [3]
    assert settings.buses[1].serial.baud == 9600


async def test_sensors_that_do_not_speak_modbus_are_added_as_they_were_found(by_hand, tmp_path):
    """Behind an adapter at 9600 8N1: a profile has the seven bits of the wire, and the gateway must not."""
    units = tuple(
        FieldUnit(
            device=f"d{one}", address=one, profile=registry.load("cs451"), station="s", points={}, period_ns=10**9
        )
        for one in "03"
    )
    line = FieldLine(bus="port", way="serial", units=units, baud=9600)
    async with serve([line], lambda *_: 1.0, SystemClock(), tmp_path) as ends:
        ended = await petrel(
            "gateway", "init", by_hand, "--add", "--station", "wx-2", "--serial", ends["port"], "--protocol", "sdi12",
            "--addresses", "0,3", "--baud", 9600, "--parity", "N",
        )  # fmt: skip
        assert (ended.code, ended.err) == (0, "")
    bus = load_gateway(by_hand).settings.buses[1]
    assert [(one.profile, one.address) for one in bus.devices] == [("cs451", "0"), ("cs451", "3")]
    assert (bus.serial.baud, bus.serial.parity, bus.serial.data, bus.timeout_s) == (9600, "N", 8, 2.0)


async def test_what_the_file_says_itself_is_not_told_anew(by_hand):
    ended = await petrel("gateway", "init", by_hand, "--add", "--site", "demo", "--serial", "/dev/x")
    assert (ended.code, ended.refusal) == (2, "--site with --add, expected the file's own")


@pytest.mark.parametrize(
    ("station", "port", "words"),
    [
        ("wx-9", "/dev/ttyS2", "no station 'wx-9', expected one of wx-1, wx-2"),
        ("wx-2", "/dev/ttyS1", "not written: .*stands in line 9 already"),
    ],
)
def test_a_bus_that_can_not_be_added_leaves_the_file_alone(by_hand, station, port, words):
    bus = replace(MIDAS, station=station, reach=Reach(serial=port))
    with pytest.raises(ValueError, match=words):
        adding.add(bus, by_hand)
    assert by_hand.read_text(encoding="utf-8") == BY_HAND


def test_buses_in_one_line_are_refused(tmp_path):
    file = tmp_path / "g.yaml"
    head, tail = BY_HAND.index("buses:"), BY_HAND.index("# where")
    device = "{name: a, profile: qdy30a, unit: 1, station: wx-1, period_s: 60}"
    flow = f"buses: [{{name: one, serial: {{port: x}}, devices: [{device}]}}]\n"
    file.write_text(BY_HAND[:head] + flow + BY_HAND[tail:], encoding="utf-8")
    with pytest.raises(ValueError, match="buses in one line"):
        adding.add(MIDAS, file)


async def test_the_doctor_looks_at_this_machine(tmp_path):
    ended = await petrel("doctor", "--data", tmp_path, "--json")
    report = json.loads(ended.out)
    looks = {look["what"]: look["state"] for look in report["looks"]}
    assert looks["python"] == "ok"
    assert looks["disk"] == "ok"
    assert {"extra gateway", "extra centre", "extra sim", "clock"} <= set(looks)
    assert report["versions"]["python"].startswith("3.")
    assert ended.code == (1 if looks["clock"] == "finding" else 0)
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_can_not_be_written_is_told(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    ended = await petrel("doctor", "--data", tmp_path)
    assert ended.code == 1
    assert "can't be written" in ended.out
