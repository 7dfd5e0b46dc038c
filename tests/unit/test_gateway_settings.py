"""gateway.yaml: every mistake is one line with file, line, what was found and what was expected."""

import socket

import pytest

from gateway.check import check
from gateway.settings import compile_gateway, load_gateway
from telemetry.broker import BrokerAddress
from telemetry.settings import SettingsError

GOOD = """\
site: demo
node: gw-1
broker: mqtt://127.0.0.1:1883
spool: {dir: spool}
stations:
  - {id: river, name: {zh: 河, en: River}, kind: river, lat: 25.3, lon: 119.1, town: "350305001"}
  - {id: hill, name: {zh: 山, en: Hill}, kind: weather, lat: 25.2, lon: 119.0, town: "350305001"}
buses:
  - name: line-1
    serial: {port: /dev/ttyS1, baud: 9600}
    devices:
      - {name: level-1, profile: qdy30a, unit: 1, station: river, period_s: 60}
  - name: net-1
    tcp: {host: 192.0.2.1}
    devices:
      - {name: gas-1, profile: midas, unit: 1, station: hill, period_s: 30}
"""


@pytest.fixture
def written(tmp_path):
    def write(old="", new=""):
        assert old in GOOD
        path = tmp_path / "gateway.yaml"
        path.write_text(GOOD.replace(old, new, 1) if old else GOOD, encoding="utf-8")
        return path

    return write


def test_good_settings_become_a_plan(written, tmp_path):
    plan = compile_gateway(load_gateway(written()))
    assert plan.source == "demo/gw-1"
    assert plan.broker == BrokerAddress("127.0.0.1", 1883)
    assert plan.spool_dir == tmp_path / "spool"
    assert [bus.name for bus in plan.buses] == ["line-1", "net-1"]
    assert {series.station for series in plan.announce.series} == {"river", "hill"}
    assert plan.announce.drill is False


def test_the_revision_is_a_digest_of_what_is_announced(written):
    first = compile_gateway(load_gateway(written())).announce
    assert compile_gateway(load_gateway(written("period_s: 60", "period_s: 60.0"))).announce == first
    assert compile_gateway(load_gateway(written("period_s: 60", "period_s: 61"))).announce.revision != first.revision


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("site: demo", "site: Demo", 1, "'Demo', expected lower-case"),
        ("node: gw-1", "node: a/b", 2, "'a/b', expected lower-case"),
        ("node: gw-1", "node: derived", 2, "'derived' is the centre's own"),
        ("node: gw-1", "nod: gw-1", 2, "unknown key 'nod', expected 'node'"),
        ("mqtt://127.0.0.1:1883", "tcp://127.0.0.1", 3, "expected mqtt://[user@]host:port"),
        ("1:1883", "1:1883\ntls: {ca: ca.crt}", 4, "tls: beside mqtt://127.0.0.1:1883, expected mqtts://"),
        ("mqtt://127.0.0.1:1883", "mqtts://b\ntls: {key: k}", 4, "a key and no certificate, expected both or neither"),
        ("mqtt://127.0.0.1:1883", "mqtts://b\ntls: {cafile: k}", 4, "unknown key 'cafile', expected"),
        ("site: demo", "site: demo\nquota: {month_bytes: 0}", 2, "0, expected more than 0"),
        ("site: demo", "site: demo\nquota: {month_bytes: 9, warn_share: 1.2}", 2, "1.2, expected more than 0 and at"),
        ("dir: spool", "dir: ''", 4, "empty, expected a directory"),
        ("dir: spool", "dir: spool, max_bytes: 1000", 4, "1000, expected 4194304 to"),
        ("dir: spool", "dir: spool, max_age_h: 0", 4, "expected more than 0"),
        ("dir: spool", "dir: spool, max_age_h: .nan", 4, "nan, expected a finite number"),
        ("dir: spool", "dir: spool, max_byte: 1", 4, "unknown key 'max_byte', expected 'max_bytes'"),
        ("lat: 25.3", "lat: 95.3", 6, "95.3, expected -90 to 90 degrees"),
        ("lat: 25.3", "lat: .nan", 6, "nan, expected a finite number"),
        ("lon: 119.1", "lon: -180.5", 6, "-180.5, expected -180 to 180 degrees"),
        ("lon: 119.1", "lon: east", 6, "float"),
        ('town: "350305001"', "town: ' '", 6, "empty, expected the code of a township-level unit"),
        ("id: hill", "id: river", 7, "'river' stands in line 6 already, expected it once"),
        ("id: hill", "id: Hill", 7, "'Hill', expected lower-case"),
        ("name: gas-1", "name: level-1", 16, "'level-1' stands in line 12 already, expected it once"),
        ("name: net-1", "name: line-1", 13, "'line-1' stands in line 9 already, expected it once"),
        ("station: hill", "station: moon", 16, "unknown station 'moon'"),
        ("profile: midas", "profile: nidas", 16, "unknown profile 'nidas'"),
    ],
)
def test_a_mistake_is_one_line(written, old, new, line, message):
    with pytest.raises(SettingsError) as caught:
        load_gateway(written(old, new))
    text = str(caught.value)
    assert "\n" not in text
    assert f"gateway.yaml:{line}: " in text, text
    assert message in text


def test_a_gateway_too_large_for_its_announcement_is_told_to_split(written, monkeypatch):
    monkeypatch.setattr("gateway.settings.MAX_PAYLOAD", 100)
    with pytest.raises(SettingsError, match=r"expected at most 100: split the buses between two gateways"):
        load_gateway(written())


def test_check_says_what_would_happen(written):
    with socket.socket() as broker:
        broker.bind(("127.0.0.1", 0))
        broker.listen()
        report = check(written(":1883", f":{broker.getsockname()[1]}"))
    assert report.findings == ()
    assert (report.buses, report.devices, report.stations) == (2, 2, 2)
    plan = compile_gateway(load_gateway(written()))
    counts = [len(bus.devices[0].series) for bus in plan.buses]
    assert report.rows_per_minute == pytest.approx(counts[0] + 2 * counts[1])
    assert "rows a minute" in report.text()


def test_check_finds_what_stands_in_the_way(written, tmp_path):
    (tmp_path / "spool").write_text("a file")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        report = check(written(":1883", f":{nobody.getsockname()[1]}"))
    assert len(report.findings) == 2
    assert "can't be written" in report.findings[0]
    assert "Connection refused, expected a broker that listens" in report.findings[1]
    assert not list(tmp_path.glob("*.lock"))
