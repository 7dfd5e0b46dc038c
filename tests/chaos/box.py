"""A box with a systemd of its own: this machine's files below a layer of others, in namespaces of its own.

What is written goes to memory, and nothing of this machine is changed: its devices are not in the box, and its kernel's
settings are there to be read only. Needs root, overlayfs and the unified hierarchy of control groups.
"""

import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = Path("/usr/bin/python3.11")
_SYSTEMD: Final = Path("/usr/lib/systemd/systemd")
_STARTS: Final = """\
set -eu
box=$1 files=$2 site=$3 source=$4
mount --make-rprivate /
mount -t tmpfs tmpfs "$box"
mkdir "$box/upper" "$box/work" "$box/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" "$box/root"
cd "$box/root"
cp -R "$files/." .
mkdir -p opt/stormpetrel/site opt/stormpetrel/source
mount --bind "$site" opt/stormpetrel/site
mount --bind "$source" opt/stormpetrel/source
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mknod -m 600 dev/console c 1 3
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
ip link set lo up || true
mkdir .before
pivot_root . .before
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c '
    umount -l /.before
    mount --make-rshared /
    systemd-sysusers
    exec /usr/lib/systemd/systemd systemd.unit=box.target
' <dev/null >dev/null 2>&1
"""
_PETREL: Final = """\
#!/usr/bin/python3.11
import sys
sys.path[:0] = ["/opt/stormpetrel/source", "/opt/stormpetrel/site"]
from petrel.cli import app_main
app_main()
"""
_TARGET: Final = """\
[Unit]
Requires=basic.target
Wants={wants}
After=basic.target
AllowIsolate=yes
"""


@dataclass
class Box:
    """A box that runs."""

    process: int
    """Its systemd, as this machine counts."""

    def run(self, *command: str) -> str:
        """What a command in the box prints, whatever comes of it."""
        enter = ["nsenter", "--target", str(self.process), "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]
        enter += ["--root", "--wd=/", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS=0"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=60, check=False).stdout

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").strip()

    def journal(self, unit: str, *more: str) -> str:
        """What a unit has said."""
        return self.run("journalctl", f"--unit={unit}", "--output=cat", "--no-pager", *more)

    def until(self, condition: Callable[[], object], within_s: float = 30.0) -> None:
        """Wait until something holds; looks ten times a second, since systemd tells nobody outside."""
        ends_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < ends_s, self.run("journalctl", "--no-pager", "--lines=60")
            time.sleep(0.1)


def install(files: Path, wants: str) -> None:
    """The program, and the target that the box starts with."""
    petrel = files / "opt/stormpetrel/bin/petrel"
    petrel.parent.mkdir(parents=True)
    petrel.write_text(_PETREL, encoding="utf-8")
    petrel.chmod(0o755)
    target = files / "etc/systemd/system/box.target"
    target.parent.mkdir(parents=True)
    target.write_text(_TARGET.format(wants=wants), encoding="utf-8")


@contextmanager
def booted(folder: Path, files: Path) -> Iterator[Box]:
    """A box with ``files`` over this machine's, for the length of a block; skips the test where that can't be."""
    group = _group()
    (folder / "box").mkdir()
    script = folder / "start"
    script.write_text(_STARTS, encoding="utf-8")
    spaces = "unshare --fork --kill-child --pid --mount --uts --ipc --net --cgroup"
    arguments = (script, folder / "box", files, sysconfig.get_path("purelib"), ROOT)
    command = f'echo $$ > {group}/cgroup.procs && exec {spaces} sh "$@"'
    with (folder / "start.log").open("wb") as log:
        outer = subprocess.Popen(["sh", "-c", command, "sh", *map(str, arguments)], stdout=log, stderr=log)
    try:
        yield Box(_inner(outer, folder / "start.log"))
    finally:
        outer.send_signal(signal.SIGKILL)
        outer.wait()
        _forget(group)


def _group() -> Path:
    """A control group of our own; skips the test where there can be none, or no box."""
    if os.geteuid() != 0:
        pytest.skip("needs root to start a systemd")
    if not (_SYSTEMD.exists() and PYTHON.exists() and shutil.which("nsenter") and shutil.which("pivot_root")):
        pytest.skip("needs systemd, python3.11 and util-linux of Debian")
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
    place = next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)
    if place is None:
        pytest.skip("needs the unified hierarchy of control groups")
    group = place / f"petrel-box-{os.getpid()}"
    group.mkdir()
    return group


def _inner(outer: "subprocess.Popen[bytes]", log: Path) -> int:
    """The first process of the box, once it is systemd."""
    ends_s = time.monotonic() + 20
    while time.monotonic() < ends_s and outer.poll() is None:
        with suppress(OSError):
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split()
            if children and Path(f"/proc/{children[0]}/comm").read_text(encoding="utf-8").strip() == "systemd":
                return int(children[0])
        time.sleep(0.05)
    pytest.skip(f"no box can be started here: {log.read_text(encoding='utf-8').strip()[-300:]}")


def _forget(group: Path) -> None:
    """The groups go once nobody is in them, the innermost first."""
    ends_s = time.monotonic() + 10
    while group.exists() and time.monotonic() < ends_s:
        for place in sorted((one for one in group.rglob("*") if one.is_dir()), reverse=True):
            with suppress(OSError):
                place.rmdir()
        with suppress(OSError):
            group.rmdir()
        time.sleep(0.05)
