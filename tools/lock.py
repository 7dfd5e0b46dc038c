"""Pin every package of every extra by hash into constraints.txt; run by `make lock`.

Existing pins stay unless setup.cfg asks otherwise; a name as argument raises that pin, `all` raises all.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.txt"
HEADER = "# Every package of every extra, pinned by hash. Made by `make lock`; do not edit.\n"
# Gigabytes that nothing here needs: refused, so that no new dependency brings them along unseen.
UNWANTED = re.compile(r"^(torch|tensorflow|nvidia-[a-z0-9-]+)==", re.MULTILINE)
ADDRESS = re.compile(r"https?://|file://")


def compile_lock(upgrade: list[str]) -> None:
    """Resolve for every platform and Python that we support, so that one file serves all."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    chosen = ["--upgrade"] if upgrade == ["all"] else [word for name in upgrade for word in ("--upgrade-package", name)]
    how = ("--all-extras", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet")
    command = [str(uv), "pip", "compile", "setup.cfg", *how, *chosen, "--output-file", LOCK.name]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def finish(text: str) -> str:
    """Refuse what must not stand in the lock; put the header on top."""
    if found := UNWANTED.search(text):
        raise SystemExit(f"lock: constraints.txt: {found.group(1)} is pulled in, expected nothing of that kind")
    if found := ADDRESS.search(text):
        raise SystemExit(f"lock: constraints.txt: holds an address ({found.group()}), expected none")
    return HEADER + text.removeprefix(HEADER)


if __name__ == "__main__":
    try:
        compile_lock(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"lock: uv: exit {error.returncode}; see above") from None
    LOCK.write_text(finish(LOCK.read_text()))
