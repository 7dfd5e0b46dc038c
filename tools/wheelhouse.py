"""Make dist/wheelhouse: all that a gateway is installed from, where there is no network.

Run by `make wheelhouse`, on a machine with one. Wheels alone: the project's own, and every other with its hash in
constraints-gateway.txt. ``ARCH=aarch64`` makes it for another processor than this machine's.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
HOUSE: Final = ROOT / "dist" / "wheelhouse"
PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check")
PINS: Final = "constraints-gateway.txt"
BESIDE: Final = (
    PINS,
    "deploy/install-gateway.sh",
    "deploy/systemd/petrel-gateway.service",
    "deploy/systemd/petrel.conf",
    "deploy/systemd/password.conf",
    "deploy/systemd/certificate.conf",
    "deploy/systemd/orders.conf",
)
GLIBC: Final = (
    "manylinux2014",
    "manylinux_2_17",
    "manylinux_2_24",
    "manylinux_2_27",
    "manylinux_2_28",
    "manylinux_2_34",
)
"""Debian 12 has glibc 2.36, so it takes all of these."""
MEGA: Final = 1_000_000


def download(arch: str) -> None:
    """The pinned packages, for another processor by its tags."""
    command = [*PIP, "download", "--quiet", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(HOUSE), "-r", str(ROOT / PINS)]
    if arch != platform.machine():
        command += ["--python-version", "3.11", "--implementation", "cp"]
        command += [word for tag in GLIBC for word in ("--platform", f"{tag}_{arch}")]
    subprocess.run(command, check=True)


def built() -> Path:
    """The project's own wheel, the newest that `make wheel` made."""
    wheels = sorted((ROOT / "dist").glob("stormpetrel-*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise SystemExit(f"wheelhouse: no stormpetrel-*.whl in {ROOT / 'dist'}, expected it made by `make wheel`")
    return wheels[-1]


def main() -> None:
    """Fill the folder anew and say how large it is."""
    arch = os.environ.get("ARCH") or platform.machine()
    own = built()
    shutil.rmtree(HOUSE, ignore_errors=True)
    HOUSE.mkdir(parents=True)
    download(arch)
    for path in (own, *(ROOT / name for name in BESIDE)):
        shutil.copy(path, HOUSE)
    wheels = sorted(HOUSE.glob("*.whl"), key=lambda path: path.stat().st_size, reverse=True)
    for wheel in wheels[:5]:
        print(f"{wheel.stat().st_size / MEGA:7.1f} MB  {wheel.name}")
    total = sum(path.stat().st_size for path in HOUSE.iterdir())
    print(f"{total / MEGA:7.1f} MB  {HOUSE.relative_to(ROOT)}: {len(wheels)} wheels for {arch}")


if __name__ == "__main__":
    main()
