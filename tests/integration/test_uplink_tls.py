"""TLS, certificates, passwords and access lists against Debian's mosquitto: every refusal says its cause and cure."""

import asyncio
import itertools
import json
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from gateway.spool import Limits, Spool
from gateway.timing import Timing
from gateway.uplink import Uplink
from ingest.intake import Intake
from ingest.presence import PresenceBook
from ingest.replies import Replies
from ingest.subscriber import Subscriber
from telemetry.broker import BrokerAddress, unreachable
from telemetry.clock import SystemClock
from telemetry.tls import TlsFiles
from telemetry.topics import PREFIX
from telemetry.wire import Announce, Lane, Presence, Status
from tests.integration.brokers import mosquitto, mosquitto_binary
from tests.integration.certificates import Authority
from tests.integration.gateway_centre import scripted_centre, until
from tests.unit.gateway_batches import SOURCE, HandClock, make_batch

pytestmark = pytest.mark.skipif(
    mosquitto_binary() is None or shutil.which("openssl") is None, reason="mosquitto or openssl is not installed"
)
PETREL = Path(sys.executable).with_name("petrel")
QUICK = Timing(reconnect_s=(0.02, 0.05), deadline_s=2.0)
ANNOUNCE = Announce(revision="r1", drill=True, stations=(), series=())


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates") / "district-ca")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates") / "another-ca")


@pytest.fixture
def spool(tmp_path):
    opened = Spool.open(tmp_path / "spool", Limits(), HandClock())
    yield opened
    opened.close()


@asynccontextmanager
async def uplink_to(address, spool, password=None):
    uplink = Uplink(
        SOURCE,
        address,
        spool,
        password=password,
        announce=ANNOUNCE,
        rng=np.random.default_rng(1),
        timing=QUICK,
        status=lambda presence: Status(presence=presence),
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(uplink.run())
        try:
            yield uplink
        finally:
            task.cancel()


def secure(shown):
    """The lines of a listener that shows a certificate."""
    return f"certfile {shown.certificate}\nkeyfile {shown.key}\n"


def mutual(shown, authority):
    return secure(shown) + f"cafile {authority.certificate}\nrequire_certificate true\n"


def tls(port, *, ca=None, mine=None, host="127.0.0.1", user=None):
    files = TlsFiles(ca=ca, certificate=mine and mine.certificate, key=mine and mine.key)
    return BrokerAddress(host, port, tls=True, user=user, files=files)


async def trouble_of(address, spool, password=None):
    """What the uplink, the centre's subscriber and the check say of a broker that can't be used."""
    async with uplink_to(address, spool, password) as uplink:
        await until(lambda: uplink.trouble != "not connected yet")
        assert not uplink.connected
    said = uplink.trouble
    assert "\n" not in said
    assert await centre_problem(address, password) in said
    return said


async def centre_problem(address, password=None):
    subscriber = Subscriber(
        address,
        "demo",
        Intake(),
        Replies(),
        PresenceBook(),
        SystemClock(),
        np.random.default_rng(1),
        password=password,
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(subscriber.run())
        await until(lambda: subscriber.problem != "not connected yet")
        task.cancel()
    return subscriber.problem.partition(": ")[2]


async def test_rows_travel_through_mutual_tls(tmp_path, authority, spool):
    shown, mine = authority.issue("broker"), authority.issue("gw-1")
    with mosquitto(tmp_path, tls=mutual(shown, authority)) as broker:
        address = tls(broker.tls_port, ca=authority.certificate, mine=mine)
        assert unreachable(address) is None
        async with scripted_centre(broker.port, SOURCE) as centre, uplink_to(address, spool) as uplink:
            expected = [entry.key for entry in spool.append(make_batch(5), Lane.ALARM)]
            uplink.notify()
            await centre.until(lambda: spool.stats().batches == 0)
            assert list(centre.committed) == expected
            assert centre.statuses[-1].presence is Presence.ONLINE
        assert await centre_problem(address) == "", "the centre's half takes the same files"


async def test_a_certificate_that_nobody_signed_is_said(tmp_path, authority, stranger, spool):
    with mosquitto(tmp_path, tls=secure(stranger.issue("broker"))) as broker:
        address = tls(broker.tls_port, ca=authority.certificate)
        said = await trouble_of(address, spool)
        assert "signed by nobody we trust: set tls.ca to" in said
        assert unreachable(address) in said


async def test_without_an_authority_the_machine_s_own_are_trusted(tmp_path, authority, spool):
    with mosquitto(tmp_path, tls=secure(authority.issue("broker"))) as broker:
        assert "signed by nobody we trust" in await trouble_of(tls(broker.tls_port), spool)


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        ({"begins": "20200101000000Z", "ends": "20210101000000Z"}, "has expired: renew it, or set the clock"),
        ({"begins": "20490101000000Z"}, "is not valid yet: set the clock of this machine, which says 20"),
    ],
)
async def test_a_certificate_out_of_its_time_is_said(tmp_path, authority, spool, dates, said):
    """A gateway that wakes in 1970 must not blame the broker."""
    with mosquitto(tmp_path, tls=secure(authority.issue("late", **dates))) as broker:
        assert said in await trouble_of(tls(broker.tls_port, ca=authority.certificate), spool)


@pytest.mark.parametrize(("host", "san"), [("localhost", "IP:127.0.0.1"), ("127.0.0.1", "DNS:broker.example")])
async def test_a_certificate_for_another_host_is_said(tmp_path, authority, spool, host, san):
    with mosquitto(tmp_path, tls=secure(authority.issue("other", san=san))) as broker:
        said = await trouble_of(tls(broker.tls_port, ca=authority.certificate, host=host), spool)
        assert f"certificate is not for {host}: write the address as the certificate names it" in said


async def test_a_missing_certificate_of_ours_is_said(tmp_path, authority, spool):
    with mosquitto(tmp_path, tls=mutual(authority.issue("broker"), authority)) as broker:
        address = tls(broker.tls_port, ca=authority.certificate)
        said = await trouble_of(address, spool)
        assert "the broker wants a certificate of ours: set tls.certificate and tls.key" in said
        assert unreachable(address) in said


async def test_a_certificate_of_ours_that_the_broker_does_not_trust_is_said(tmp_path, authority, stranger, spool):
    with mosquitto(tmp_path, tls=mutual(authority.issue("broker"), authority)) as broker:
        address = tls(broker.tls_port, ca=authority.certificate, mine=stranger.issue("gw-1"))
        assert "the broker does not trust our certificate" in await trouble_of(address, spool)


async def test_a_refusal_that_a_reset_overtakes_is_said_too(authority, stranger, spool):
    """With TLS 1.3 our certificate is refused after the handshake; the alert is lost when we have written by then."""
    shown, mine = authority.issue("broker"), stranger.issue("gw-1")
    with curt_broker(shown, authority) as port:
        address = tls(port, ca=authority.certificate, mine=mine)
        async with uplink_to(address, spool) as uplink:
            await until(lambda: uplink.trouble != "not connected yet")
            assert "the broker does not trust our certificate" in uplink.trouble


@contextmanager
def curt_broker(shown, authority):
    """Resets the first connection in mid-handshake; with the next ones it shakes hands, and says what it refuses."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(shown.certificate, shown.key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for turn in itertools.count():
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                if turn == 0:
                    line.recv(1)
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    line.close()
                else:
                    with suppress(OSError):
                        context.wrap_socket(line, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_an_expired_certificate_of_ours_is_said(tmp_path, authority, spool):
    old = authority.issue("old", ends="20210101000000Z")
    with mosquitto(tmp_path, tls=mutual(authority.issue("broker"), authority)) as broker:
        address = tls(broker.tls_port, ca=authority.certificate, mine=old)
        assert "our certificate has expired: renew tls.certificate" in await trouble_of(address, spool)


async def test_tls_at_a_port_without_it_and_the_other_way_round_are_said(tmp_path, authority, spool):
    with mosquitto(tmp_path, tls=secure(authority.issue("broker"))) as broker:
        said = await trouble_of(tls(broker.port, ca=authority.certificate), spool)
        assert "expected the broker's port for mqtts, or mqtt:// here" in said
        plain = BrokerAddress("127.0.0.1", broker.tls_port)
        assert "hung up before it answered; a port that expects mqtts:// does so" in await trouble_of(plain, spool)


async def test_files_that_can_not_be_used_are_said_and_mended_without_a_restart(tmp_path, authority, spool):
    mine = authority.issue("mine")
    with mosquitto(tmp_path, tls=mutual(authority.issue("broker"), authority)) as broker:
        address = tls(broker.tls_port, ca=authority.certificate, mine=mine)
        mine.key.chmod(0o640)
        async with uplink_to(address, spool) as uplink:
            await until(lambda: "mode 0640, expected 0600" in uplink.trouble)
            assert f"tls.key {mine.key}" in uplink.trouble
            mine.key.chmod(0o600)
            await until(lambda: uplink.connected)


@pytest.mark.parametrize("host", ["127.0.0.1"])
def test_a_refused_handshake_leaves_no_socket(tmp_path, authority, stranger, host):
    with mosquitto(tmp_path, tls=secure(stranger.issue("broker"))) as broker:
        assert "nobody we trust" in unreachable(tls(broker.tls_port, ca=authority.certificate, host=host))


def password_file(folder, **users):
    path = folder / "passwords"
    path.touch(0o600)
    for user, word in users.items():
        subprocess.run(["mosquitto_passwd", "-b", path, user, word], check=True, capture_output=True)
    return path


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
async def test_a_wrong_password_is_said_with_where_it_comes_from(tmp_path, authority, spool):
    extra = f"password_file {password_file(tmp_path, gw='right')}"
    shown = secure(authority.issue("broker"))
    with mosquitto(tmp_path, extra=extra, needs_password=True, tls=shown) as broker:
        address = tls(broker.tls_port, ca=authority.certificate, user="gw")
        said = await trouble_of(address, spool, password="wrong")
        assert "refuses the user gw" in said
        assert "PETREL_MQTT_PASSWORD" in said
        nobody = await trouble_of(tls(broker.tls_port, ca=authority.certificate), spool)
        assert "refuses a client without a user" in nobody
        async with uplink_to(address, spool, password="right") as uplink:
            await until(lambda: uplink.connected)


async def test_a_person_taps_the_wire_through_mutual_tls(tmp_path, authority, spool):
    shown, mine = authority.issue("broker"), authority.issue("tap")
    with mosquitto(tmp_path, tls=mutual(shown, authority)) as broker:
        url = f"mqtts://127.0.0.1:{broker.tls_port}"
        files = ("--ca", authority.certificate, "--certificate", mine.certificate, "--key", mine.key)
        async with uplink_to(tls(broker.tls_port, ca=authority.certificate, mine=mine), spool) as uplink:
            await until(lambda: uplink.connected)  # its announcement and its status are retained
            code, out, _ = await petrel("tap", "--broker", url, *files, "--count", 2)
            assert code == 0
            assert {json.loads(line)["topic"] for line in out.splitlines()} == {
                f"{PREFIX}/{SOURCE}/announce",
                f"{PREFIX}/{SOURCE}/status",
            }
        code, _, said = await petrel("tap", "--broker", url, *files[:2])
        assert (code, "the broker wants a certificate of ours" in said) == (1, True), said


async def petrel(*arguments: object) -> tuple[int, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(PETREL, *map(str, arguments), stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()
