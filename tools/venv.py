"""Create .venv from constraints.txt with every hash verified, then install the project itself in place.

Run by `make venv`. A lock serialises concurrent calls; a stamp makes the next call free.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".stamp"
INPUTS = ("constraints.txt", "constraints-source.txt", "setup.cfg", "pyproject.toml", "tools/venv.py")
PIP = (str(VENV / "bin" / "pip"), "--disable-pip-version-check", "install", "--quiet", "--quiet")


def fingerprint() -> str:
    """Digest of all that decides what the environment holds: the inputs and the interpreter."""
    digest = hashlib.sha256(sys.version.encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def ensure_venv_module() -> None:
    """Debian splits ensurepip off into its own package: install that as root, else say which it is."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"venv: {sys.executable} has no ensurepip; expected it: apt-get install {package}")
    apt = ["apt-get", "-q", "-y", "--no-install-recommends"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update"], check=True, env=environment)
    subprocess.run([*apt, "install", package], check=True, env=environment)


def same_interpreter() -> bool:
    """Whether the environment that is there was made by this version of Python."""
    settings = VENV / "pyvenv.cfg"
    return settings.exists() and f"version = {platform.python_version()}\n" in settings.read_text()


def build() -> None:
    """Make the environment anew where it is missing or of another interpreter, then bring it to the lock."""
    if not same_interpreter():
        ensure_venv_module()
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    # Wheels alone: building foreign source would fetch its build tools without a hash.
    verified = ("--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "constraints.txt"))
    subprocess.run([*PIP, *verified], check=True)
    # What has no wheel, built by the setuptools that the lock has just brought.
    from_source = ("--require-hashes", "--no-deps", "--no-build-isolation", "-r", str(ROOT / "constraints-source.txt"))
    subprocess.run([*PIP, *from_source], check=True)
    # A plain path entry, so that a package folder that is added later is found too, by mypy as well.
    in_place = ("--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat", "-e", str(ROOT))
    subprocess.run([*PIP, *in_place], check=True)


def main() -> None:
    """Build unless the stamp says that nothing changed."""
    with (ROOT / "constraints.txt").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = fingerprint()
        if not STAMP.exists() or STAMP.read_text() != wanted:
            build()
            STAMP.write_text(wanted)
        STAMP.touch()


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"venv: exit {error.returncode} from {' '.join(error.cmd)}; see above") from None
