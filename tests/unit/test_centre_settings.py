"""centre.yaml: every mistake is one line with file, line, what was found and what was expected."""

from pathlib import Path

import pytest

from alerting.channels.log import LogSettings
from alerting.channels.webhook import WebhookSettings
from alerting.settings import check_bind, load_centre, parse_centre
from telemetry.settings import SettingsError
from tests.unit.centre_world import write_files

GOOD = """\
site: site.yaml
broker: mqtt://127.0.0.1:1883
store: {path: store.duckdb}
state: {path: state.db}
http: {host: 127.0.0.1, port: 8460}
channels:
  - {kind: webhook, name: duty-room, url: "https://duty.example/hook", min_level: 2, secret: HOOK_KEY}
  - {kind: log, name: archive, path: alarms.jsonl, drills: true}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOOK_KEY", "word")
    write_files(tmp_path)
    return tmp_path


def test_each_kind_of_channel_brings_its_own_keys(folder):
    (folder / "centre.yaml").write_text(GOOD, encoding="utf-8")
    webhook, log = load_centre(folder / "centre.yaml").settings.channels
    assert isinstance(webhook, WebhookSettings)
    assert isinstance(log, LogSettings)
    assert (webhook.name, webhook.min_level, webhook.drills, log.drills) == ("duty-room", 2, False, True)


MISTAKES = {
    "unknown key": ("secret: HOOK_KEY", "secrets: HOOK_KEY", 7, "unknown key 'secrets', expected 'secret'"),
    "key of another kind": ("path: alarms.jsonl", "url: alarms.jsonl", 8, "unknown key 'url'"),
    "unknown kind": ("kind: log", "kind: pager", 8, "expected one of log, webhook"),
    "wrong type": ("port: 8460", "port: soon", 5, "'soon', expected int"),
    "level out of bounds": ("min_level: 2", "min_level: 5", 7, "<= 4"),
    "duplicate name": ("name: archive", "name: duty-room", 8, "'duty-room' stands here twice"),
    "impossible name": ("name: archive", "name: Archive 1", 8, "expected lower-case letters"),
    "no address": ("https://duty.example/hook", "duty.example", 7, "expected http://host/path"),
    "password in an address": ("https://duty", "https://me:word@duty", 7, "expected them in the environment"),
    "secret that is not set": ("HOOK_KEY", "OTHER_KEY", 7, "environment variable OTHER_KEY is not set"),
    "address that others reach": ("host: 127.0.0.1", "host: 0.0.0.0", 5, "expected a loopback address"),
    "no site file": ("site: site.yaml", "site: sites.yaml", 1, "no file 'sites.yaml'"),
    "other broker": ("mqtt://", "http://", 2, "expected mqtt://"),
    "TLS without it": (
        "1:1883",
        "1:1883\ntls: {ca: ca.crt}",
        3,
        "tls: beside mqtt://127.0.0.1:1883, expected mqtts://",
    ),
    "rows nowhere": ("{path: store.duckdb}", "{path: j, kind: victoriametrics}", 3, "expected http://host:port"),
    "rows in two places": ("{path: store.duckdb}", '{path: j, url: "http://h:1"}', 3, "expected kind: victoriametrics"),
    "rows at a password": (
        "{path: store.duckdb}",
        '{path: j, kind: influxdb, url: "http://me:word@h:1"}',
        3,
        "the password in PETREL_STORE_TOKEN",
    ),
    "retention that nobody keeps": (
        "{path: store.duckdb}",
        '{path: j, kind: victoriametrics, url: "http://h:1", keep_days: {wind_speed: 400}}',
        3,
        "expected the server's own retention",
    ),
    "rows in the clear": (
        "{path: store.duckdb}",
        '{path: j, kind: influxdb, url: "http://h:1", tls: {ca: ca.crt}}',
        3,
        "expected https://",
    ),
    "one file for two": ("state.db", "store.duckdb", 4, "expected a file of its own"),
}


@pytest.mark.parametrize(("old", "new", "line", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(folder, old, new, line, words):
    assert old in GOOD
    with pytest.raises(SettingsError) as found:
        parse_centre(GOOD.replace(old, new), folder / "centre.yaml")
    text = str(found.value)
    assert text.startswith(f"{folder / 'centre.yaml'}:{line}: ")
    assert words in text
    assert "\n" not in text
    assert "word@" not in text, "a password is never repeated"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1", "[::1]"])
def test_loopback_may_be_served(host):
    check_bind(host)
