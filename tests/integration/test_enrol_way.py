"""Gateways that were enrolled, at Debian's mosquitto: each speaks for itself alone, and the broker says so."""

import asyncio
import re
import stat
import subprocess
import sys
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path

import aiomqtt
import numpy as np
import pytest

from gateway.agent import Gateway
from gateway.settings import compile_gateway, load_gateway
from gateway.tools.enrol import enrol
from telemetry.clock import SystemClock
from telemetry.topics import Channel
from tests.integration.brokers import free_port, mosquitto, mosquitto_binary
from tests.integration.certificates import Authority
from tests.integration.gateway_centre import until

ROOT = Path(__file__).parents[2]
PETREL = Path(sys.executable).with_name("petrel")
NODES = ("gw-1", "gw-2")
CLEAN = re.compile(r"petrel/1/demo/(gw-[12])/(\w+)")
pytestmark = pytest.mark.skipif(mosquitto_binary() is None, reason="mosquitto is not here")


def petrel(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [PETREL, "gateway", "enrol", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two gateways enrolled by the command itself, in the folder ``broker``."""
    where = tmp_path_factory.mktemp("enrol")
    for node in NODES:
        done = petrel(where, f"demo/{node}")
        assert done.returncode == 0, done.stderr
    return where


@pytest.fixture(scope="module")
def broker(folder, tmp_path_factory):
    """Debian's mosquitto with the delivered configuration, but for paths and the port."""
    home = tmp_path_factory.mktemp("home")
    (home / "certs").mkdir()
    made = Authority(home / "ca").issue("broker")
    (home / "certs/broker.crt").write_bytes(made.certificate.read_bytes())
    (home / "certs/broker.key").write_bytes(made.key.read_bytes())
    for name in ("petrel.acl", "petrel.passwd"):
        (home / name).write_bytes((folder / "broker" / name).read_bytes())
    port = free_port()
    delivered = (ROOT / "deploy/mosquitto/petrel.conf").read_text(encoding="utf-8")
    text = delivered.replace("/etc/mosquitto", str(home)).replace("listener 8883", f"listener {port} 127.0.0.1")
    with mosquitto(home, extra=text, needs_password=True) as running:
        running.tls_port = port
        running.ca = home / "ca" / "ca.crt"
        yield running


def password_of(folder: Path, user: str) -> str:
    return (folder / "broker/demo" / user / "mqtt-password").read_text().strip()


def client(broker, folder: Path, user: str, password: str | None = None) -> aiomqtt.Client:
    return aiomqtt.Client(
        "127.0.0.1",
        broker.tls_port,
        username=user,
        password=password or password_of(folder, user),
        tls_params=aiomqtt.TLSParameters(ca_certs=str(broker.ca)),
    )


TOPICS = [f"petrel/1/demo/{node}/{channel}" for node in NODES for channel in Channel]


async def test_each_gateway_reads_and_writes_its_own_topics_and_no_other(broker, folder):
    """Every user writes to every topic of both gateways; who reads them gets exactly what was allowed."""
    users = (*NODES, "demo-centre", "demo-desk")
    got: dict[str, set[tuple[str, str, str]]] = {user: set() for user in users}
    async with AsyncExitStack() as stack:
        links = {user: await stack.enter_async_context(client(broker, folder, user)) for user in users}
        for link in links.values():
            await link.subscribe([(topic, 1) for topic in TOPICS])
        for user, topic in product(users, TOPICS):
            await links[user].publish(topic, user.encode(), qos=1)
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(hear(link, got[user])) for user, link in links.items()]
            await until(lambda: len(got["demo-centre"]) >= 6 and len(got["demo-desk"]) >= 2 and len(got["gw-2"]) >= 4)
            await asyncio.sleep(0.3)
            for task in listening:
                task.cancel()
    for node in NODES:
        assert got[node] == {
            (node, "ack", "demo-centre"),
            (node, "watch", "demo-centre"),
            (node, "command", "demo-desk"),
            (node, "config", "demo-desk"),
        }
    assert got["demo-centre"] == {(node, what, node) for node in NODES for what in ("announce", "data", "status")}
    assert got["demo-desk"] == {(node, "result", node) for node in NODES}


async def hear(link: aiomqtt.Client, got: set[tuple[str, str, str]]) -> None:
    async for message in link.messages:
        node, channel = CLEAN.fullmatch(str(message.topic)).groups()
        got.add((node, channel, message.payload.decode()))


async def test_a_wildcard_shows_a_gateway_nothing_of_another(broker, folder):
    async with client(broker, folder, "gw-1") as spy, client(broker, folder, "gw-2") as other:
        await spy.subscribe("#", qos=1)
        await spy.subscribe("petrel/1/+/+/data", qos=1)
        await other.publish("petrel/1/demo/gw-2/data", b"x", qos=1)
        got: set[tuple[str, str, str]] = set()
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(hear(spy, got))
            async with client(broker, folder, "demo-centre") as centre:
                await centre.publish("petrel/1/demo/gw-1/ack", b"mine", qos=1)
            await until(lambda: got)
            await asyncio.sleep(0.2)
            listening.cancel()
    assert got == {("gw-1", "ack", "mine")}


async def test_a_password_of_another_gateway_opens_nothing(broker, folder):
    with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authori"):
        async with client(broker, folder, "gw-1", password_of(folder, "gw-2")):
            pass
    with pytest.raises(aiomqtt.MqttError):
        async with client(broker, folder, "nobody", "x"):
            pass


async def test_a_gateway_of_ours_gets_through_with_what_was_made_for_it(broker, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PETREL_MQTT_PASSWORD_FILE", str(folder / "broker/demo/gw-1/mqtt-password"))
    (tmp_path / "gateway.yaml").write_text(
        f"site: demo\nnode: gw-1\nbroker: mqtts://gw-1@127.0.0.1:{broker.tls_port}\n"
        f"tls: {{ca: {broker.ca}}}\nspool: {{dir: spool}}\nremote: {{}}\n"
        "stations: [{id: r, name: {zh: r, en: r}, kind: river, lat: 1.0, lon: 1.0, town: '1'}]\n"
        "buses: [{name: b, tcp: {host: 127.0.0.1, port: 1},"
        " devices: [{name: d, profile: qdy30a, station: r, period_s: 1}]}]\n",
        encoding="utf-8",
    )
    gateway = Gateway(compile_gateway(load_gateway(tmp_path / "gateway.yaml")), SystemClock(), np.random.default_rng(1))
    async with client(broker, folder, "demo-centre") as centre, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(gateway.run())
        await centre.subscribe("petrel/1/demo/gw-1/data")
        async with asyncio.timeout(20):
            async for message in centre.messages:
                assert message.payload
                break
        assert not gateway.uplink.refused
        running.cancel()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_again_it_changes_nothing(folder):
    before = contents(folder)
    done = petrel(folder, "demo/gw-1")
    assert (done.returncode, contents(folder)) == (0, before)
    assert "rights unchanged, known: broker/demo/gw-1/mqtt-password" in done.stdout


def test_secrets_are_for_their_owner_alone(folder):
    for path in (folder / "broker").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o007 == 0, path
        assert path.name != "mqtt-password" or mode == 0o600


def test_what_somebody_added_stays_and_what_somebody_removed_comes_back(tmp_path, folder):
    random = np.random.default_rng(1).bytes
    enrol(tmp_path, "demo", "gw-1", random)
    acl = tmp_path / "petrel.acl"
    whole = acl.read_text()
    added = (
        whole.replace("user demo-desk\n", "user demo-desk\ntopic read petrel/#\n") + "\nuser guest\ntopic read $SYS/#\n"
    )
    acl.write_text(added.replace("topic write petrel/1/demo/gw-1/data\n", ""))
    done = enrol(tmp_path, "demo", "gw-1", random)
    assert [one.added for one in done] == [1, 0, 0]
    assert sorted(acl.read_text().split("\n")) == sorted(added.split("\n"))
    enrol(tmp_path, "demo", "gw-2", random)
    assert [line for line in acl.read_text().splitlines() if line.startswith("user ")] == [
        "user gw-1", "user demo-centre", "user demo-desk", "user guest", "user gw-2",
    ]  # fmt: skip


def test_a_password_that_was_taken_away_is_made_again_only_when_asked(tmp_path):
    random = np.random.default_rng(2).bytes
    secret = enrol(tmp_path, "demo", "gw-1", random)[0].secret
    secret.unlink()
    entries = (tmp_path / "petrel.passwd").read_text()
    again = enrol(tmp_path, "demo", "gw-1", random)[0]
    assert (again.secret, (tmp_path / "petrel.passwd").read_text()) == (None, entries)
    renewed = enrol(tmp_path, "demo", "gw-1", random, renew=True)
    assert renewed[0].secret == secret
    changed = (tmp_path / "petrel.passwd").read_text()
    assert [a == b for a, b in zip(entries.splitlines(), changed.splitlines(), strict=True)] == [False, True, True]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("other/gw-1",), 1, "petrel.acl: user gw-1 speaks for demo/gw-1, expected a name of its own"),
        (("demo/demo-centre",), 1, "demo-centre: a user of that name is the site's own"),
        (("gw-1",), 2, "'gw-1', expected SITE/NODE"),
        (("demo/gw#1",), 2, "expected SITE/NODE"),
        (("demo/gw-9", "--out", "/proc/nothing"), 1, "expected a folder of yours"),
    ],
)
def test_what_can_not_be_is_one_line(folder, arguments, code, said):
    before = contents(folder)
    done = petrel(folder, *arguments)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert said in done.stderr
    assert contents(folder) == before


def test_a_request_for_a_certificate_names_the_gateway(tmp_path):
    done = petrel(tmp_path, "demo/gw-1", "--certificate")
    assert done.returncode == 0, done.stderr
    request = tmp_path / "broker/demo/gw-1/gw-1.csr"
    shown = subprocess.run(
        ["openssl", "req", "-in", request, "-noout", "-subject", "-verify"], capture_output=True, text=True, check=True
    )
    assert re.search(r"CN ?= ?gw-1", shown.stdout)
    assert stat.S_IMODE(request.with_suffix(".key").stat().st_mode) == 0o600
    assert not (tmp_path / "broker/petrel.passwd").exists()
    before = contents(tmp_path)
    assert petrel(tmp_path, "demo/gw-1", "--certificate").returncode == 0
    assert contents(tmp_path) == before
