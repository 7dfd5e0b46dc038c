"""Pin every package by hash; run by `make lock`.

constraints.txt holds every extra; constraints-source.txt what of it ships no wheel; constraints-gateway.txt the same
pins for a gateway in the field alone. Existing pins stay unless setup.cfg asks otherwise; a name as argument raises
that pin, `all` raises all.
"""

import configparser
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EVERYTHING = "constraints.txt"
GATEWAY = "constraints-gateway.txt"
SOURCE = "constraints-source.txt"
# Packages without a wheel. Each is one more that make venv must build: only for tests, pure Python, and by tools that
# are pinned themselves.
WITHOUT_WHEEL = ("ioos-qc",)
HEADER = "# Pinned by hash. Made by `make lock`; do not edit.\n"
# For every platform and Python that we support, so that one file serves all; and wheels alone but for what has none,
# since building foreign source would fetch its build tools without a hash.
RESOLVE = ("--universal", "--python-version", "3.11", "--generate-hashes", "--only-binary", ":all:")
# Gigabytes that nothing here needs: refused, so that no new dependency brings them along unseen.
UNWANTED = re.compile(r"^(torch|tensorflow|nvidia-[a-z0-9-]+)==", re.MULTILINE)
NOT_IN_THE_FIELD = re.compile(r"^(duckdb|scipy|fastapi|sqlalchemy|pandas)==", re.MULTILINE)
ADDRESS = re.compile(r"(https?|file)://")


def requirements(*extras: str) -> str:
    """What setup.cfg asks for: the core and the extras named, or all of them."""
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    chosen = metadata["options.extras_require"]
    texts = [metadata["options"]["install_requires"], *(chosen[name] for name in extras or chosen)]
    return "\n".join(texts)


def resolve(target: str, wanted: str, *options: str) -> None:
    """Resolve requirements, and write the pins without a word on how."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    command = [str(uv), "pip", "compile", "-", *RESOLVE, *options, "--no-header", "--quiet", "-o", target]
    subprocess.run(command, cwd=ROOT, input=wanted.encode(), check=True, stdout=subprocess.DEVNULL)


def finish(target: str, *refused: re.Pattern[str]) -> None:
    """Refuse what must not stand in a lock; put the header on top."""
    text = (ROOT / target).read_text()
    for pattern in refused:
        if found := pattern.search(text):
            raise SystemExit(f"lock: {target}: holds {found.group()}, expected nothing of that kind")
    (ROOT / target).write_text(HEADER + text)


def main(upgrade: list[str]) -> None:
    """Lock everything, then the gateway's part of it to the same pins."""
    raised = ["--upgrade"] if upgrade == ["all"] else [word for name in upgrade for word in ("--upgrade-package", name)]
    from_source = [word for name in WITHOUT_WHEEL for word in ("--no-binary", name)]
    left_out = [word for name in WITHOUT_WHEEL for word in ("--no-emit-package", name)]
    resolve(EVERYTHING, requirements(), *raised, *from_source, *left_out)
    finish(EVERYTHING, UNWANTED, ADDRESS)
    pinned = "\n".join(line for line in requirements().splitlines() if line.startswith(WITHOUT_WHEEL))
    resolve(SOURCE, pinned, *from_source, "--no-deps")
    finish(SOURCE, ADDRESS)
    resolve(GATEWAY, requirements("gateway"), "--constraint", EVERYTHING)
    finish(GATEWAY, UNWANTED, ADDRESS, NOT_IN_THE_FIELD)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"lock: uv: exit {error.returncode}; see above") from None
