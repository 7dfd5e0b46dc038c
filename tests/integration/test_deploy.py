"""What is delivered to install from: units that systemd takes, and an installation that needs no network."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy/systemd"
PETREL = Path(sys.executable).with_name("petrel")
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def placed(folder: Path, part: str, *drop_ins: str) -> Path:
    """A unit with its drop-ins as they lie on a machine, but for our command and a user that exists here."""
    path = folder / f"petrel-{part}.service"
    text = (UNITS / path.name).read_text(encoding="utf-8")
    text = text.replace("/opt/stormpetrel/bin/petrel", str(PETREL)).replace("=petrel\n", "=daemon\n")
    path.write_text(text, encoding="utf-8")
    beside = folder / f"{path.name}.d"
    beside.mkdir()
    for name in drop_ins:
        shutil.copy(UNITS / name, beside)
    return path


def analyzed(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@needs_systemd
@pytest.mark.parametrize(
    ("part", "drop_ins"),
    [("gateway", ("password.conf", "certificate.conf", "orders.conf")), ("centre", ("password.conf",))],
)
def test_units_and_their_drop_ins_are_what_systemd_takes(tmp_path, part, drop_ins):
    path = placed(tmp_path, part, *drop_ins)
    done = analyzed("verify", "--man=no", path)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "petrel" in line]) == (0, [])


@needs_systemd
@pytest.mark.parametrize("part", ["gateway", "centre"])
def test_a_unit_is_confined(tmp_path, part):
    """The measure of systemd itself, here in tenths: 100 is unconfined, a network and serial ports cost about 20."""
    done = analyzed("security", "--offline=yes", "--threshold=25", placed(tmp_path, part))
    assert done.returncode == 0, done.stdout


def test_a_unit_asks_for_what_the_program_tells():
    """Without Type=notify the pings are for nobody; without a start limit of 0 systemd gives up after five failures."""
    for part in ("gateway", "centre"):
        lines = (UNITS / f"petrel-{part}.service").read_text(encoding="utf-8").splitlines()
        assert {"Type=notify", "Restart=always", "RestartPreventExitStatus=2", "StartLimitIntervalSec=0"} <= {*lines}
        (watchdog,) = (int(line.partition("=")[2]) for line in lines if line.startswith("WatchdogSec="))
        assert watchdog >= 30
        assert not [line for line in lines if re.match(r"(Environment|LoadCredential)", line)], "secrets are drop-ins"


@pytest.mark.parametrize("part", ["gateway", "centre"])
def test_neither_end_waits_for_a_network_or_for_the_time(part):
    """A gateway keeps rows without the one and holds them without the other; a centre that waits warns nobody.

    Behind systemd-time-wait-sync they would never start.
    """
    unit = (UNITS / f"petrel-{part}.service").read_text(encoding="utf-8")
    ordered = " ".join(line for line in unit.splitlines() if re.match(r"(After|Wants|Requires|BindsTo)=", line))
    assert "network-online.target" not in ordered
    assert "time-sync.target" not in ordered


def test_a_port_whose_driver_is_not_loaded_at_the_start_is_not_refused_later():
    """systemd looks names of drivers up once: an adapter that is plugged in later would be "not permitted"."""
    unit = (UNITS / "petrel-gateway.service").read_text(encoding="utf-8")
    assert re.findall(r"^DeviceAllow=(.*)$", unit, re.MULTILINE) == ["char-* rw"]


def wheel(folder: Path, name: str, content: dict[str, str], version: str = "1.0") -> Path:
    """A wheel of plain files, made by hand (PEP 427)."""
    info = f"{name}-{version}.dist-info"
    files = {
        **content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},{_sum(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return path


def _sum(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def house(tmp_path):
    """A wheelhouse in the small: one pinned package, and a petrel that answers."""
    folder = tmp_path / "house"
    folder.mkdir()
    shutil.copy(ROOT / "deploy/install-gateway.sh", folder)
    pinned = wheel(folder, "leaf", {"leaf.py": "VALUE = 1\n"})
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()
    (folder / "constraints-gateway.txt").write_text(f"leaf==1.0 --hash=sha256:{digest}\n")
    points = "[console_scripts]\npetrel = gate:main\n"
    code = "import leaf\n\n\ndef main():\n    print(leaf.VALUE)\n"
    wheel(folder, "stormpetrel", {"gate.py": code, "stormpetrel-1.0.dist-info/entry_points.txt": points})
    return folder


def install(house: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", house / "install-gateway.sh", house.parent / "venv"]
    # An index that can't be reached: whoever asks it fails.
    environment = os.environ | {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_a_gateway_installs_from_the_folder_alone_and_a_second_time(house):
    for _ in range(2):
        done = install(house)
        assert done.returncode == 0, done.stderr
    assert re.search(r"venv: \d+ packages, \d+ MB; next: .*/petrel gateway init\n$", done.stdout)
    assert subprocess.run([house.parent / "venv/bin/petrel"], capture_output=True, check=True).stdout == b"1\n"


def test_a_wheel_that_was_altered_is_refused(house):
    wheel(house, "leaf", {"leaf.py": "VALUE = 2\n"})
    done = install(house)
    assert done.returncode != 0
    assert "HASHES" in done.stderr
    assert not (house.parent / "venv/bin/petrel").exists()


def test_a_folder_without_the_project_is_one_line(house):
    next(house.glob("stormpetrel-*.whl")).unlink()
    done = install(house)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "expected one stormpetrel-*.whl" in done.stderr
