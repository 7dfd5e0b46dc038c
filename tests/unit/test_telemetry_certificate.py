"""When a certificate ends, beside what openssl says of it, and how soon that is said."""

import shutil
import ssl
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent import Gateway
from gateway.check import check
from gateway.settings import compile_gateway, load_gateway
from gateway.tools.look import State
from telemetry.certificate import ends_ns
from telemetry.clock import HOUR_NS, SECOND_NS, SystemClock
from telemetry.tls import TlsFiles
from tests.integration.certificates import Authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
DAY_NS = 24 * HOUR_NS


def at_ns(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki") / "district")


@pytest.mark.parametrize(
    ("ends", "moment"),
    [
        ("20291231235959Z", "2029-12-31T23:59:59"),
        ("20491231000000Z", "2049-12-31T00:00:00"),
        ("20500101000000Z", "2050-01-01T00:00:00"),
        ("21060207062816Z", "2106-02-07T06:28:16"),
    ],
)
def test_the_end_of_a_certificate_of_openssl(authority, ends, moment):
    """Until 2049 it stands there with two digits of the year, from 2050 on with four."""
    made = authority.issue(f"gw-{ends.lower()}", ends=ends)
    assert ends_ns(made.certificate.read_text()) == at_ns(moment)


def test_python_reads_the_same_of_an_authority(authority):
    """The one case in which Python's ssl tells it: a certificate that is trusted."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    (known,) = context.get_ca_certs()
    assert ends_ns(authority.certificate.read_text()) == ssl.cert_time_to_seconds(known["notAfter"]) * SECOND_NS


@given(cut=st.integers(0, 400), noise=st.binary(max_size=4))
def test_what_is_none_raises_one_error(authority, cut, noise):
    der = ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())
    damaged = ssl.DER_cert_to_PEM_cert(der[:cut] + noise + der[cut + len(noise) :][: len(der) - cut - 1])
    try:
        ends_ns(damaged)
    except ValueError:
        return


def test_it_is_said_in_time_for_a_visit(authority, tmp_path):
    made = authority.issue("gw-1", ends="20300601000000Z")
    files = TlsFiles(certificate=made.certificate, key=made.key)
    end_ns = at_ns("2030-06-01T00:00:00")
    assert list(files.running_out(end_ns - 61 * DAY_NS)) == []
    (soon,) = files.running_out(end_ns - 20 * DAY_NS)
    assert soon == f"tls.certificate {made.certificate} ends on 2030-06-01: renew it"
    (over,) = files.running_out(end_ns + DAY_NS)
    assert "ended on 2030-06-01" in over
    (ca,) = TlsFiles(ca=authority.certificate).running_out(end_ns)
    assert ca.startswith("tls.ca ")
    (tmp_path / "none").write_text("no certificate")
    assert list(TlsFiles(ca=tmp_path / "none", certificate=tmp_path / "gone").running_out(end_ns)) == []


async def test_the_check_and_the_status_of_a_gateway_say_it(authority, tmp_path):
    soon = SystemClock().now_ns() + 10 * DAY_NS
    made = authority.issue("gw-soon", ends=f"{datetime.fromtimestamp(soon // SECOND_NS, UTC):%Y%m%d%H%M%SZ}")
    file = tmp_path / "gateway.yaml"
    tls = f"tls: {{certificate: {made.certificate}, key: {made.key}}}"
    file.write_text(
        f"site: s\nnode: gw-1\nbroker: mqtts://127.0.0.1:1\n{tls}\nspool: {{dir: spool}}\nstations: []\nbuses: []\n"
    )
    said = f"tls.certificate {made.certificate} ends on "
    (look,) = [look for look in check(file).looks if look.what == "certificate"]
    assert (look.state, look.says.startswith(said)) == (State.NOTE, True)
    gateway = Gateway(compile_gateway(load_gateway(file)), SystemClock(), np.random.default_rng(1))
    assert any(note.startswith(said) for note in gateway.status().notes)
    gateway.spool.close()
