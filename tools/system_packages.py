"""Install the Debian packages that the tests use and that are missing; `make test` runs this.

Without root, or off Debian, it says in one line what is missing and succeeds: pytest then skips the tests
concerned and says why. A package that starts a service on installation is kept from doing so.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Each package with a path, or a command, that shows it is there.
PACKAGES = {
    "mosquitto": "/usr/sbin/mosquitto",
    "chromium": "chromium",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "libmodbus-dev": "/usr/include/modbus/modbus.h",
    "mbpoll": "mbpoll",
    "victoria-metrics": "victoria-metrics",
}
SERVICES = ("mosquitto", "victoria-metrics")
APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300")
LIMIT_S = 900
POLICY = Path("/usr/sbin/policy-rc.d")
SET_ASIDE = POLICY.with_name("policy-rc.d.before-stormpetrel")
NEVER_START = "#!/bin/sh\nexit 101\n"


def missing() -> list[str]:
    """Packages of which neither the file nor the command is found."""
    return [name for name, sign in PACKAGES.items() if not (Path(sign).exists() or shutil.which(sign))]


@contextmanager
def services_held() -> Iterator[None]:
    """Let no package start its service meanwhile; a policy of the machine's own is put back afterwards.

    The set-aside file outlives a killed run, so that the next run puts the right one back.
    """
    if os.path.lexists(POLICY) and not os.path.lexists(SET_ASIDE):
        POLICY.rename(SET_ASIDE)
    POLICY.write_text(NEVER_START)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if os.path.lexists(SET_ASIDE):
            SET_ASIDE.rename(POLICY)


def apt(*arguments: str) -> None:
    """Run apt-get without questions."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*APT, *arguments], env=environment, stdin=subprocess.DEVNULL, check=True, timeout=LIMIT_S)


def install(packages: list[str]) -> None:
    """Install, and keep the servers that we brought from starting with the machine."""
    with services_held():
        apt("update")
        apt("install", "--no-install-recommends", *packages)
    brought = [name for name in SERVICES if name in packages]
    if brought and shutil.which("systemctl"):
        subprocess.run(["systemctl", "--quiet", "disable", *brought], check=False, timeout=LIMIT_S)


def main() -> None:
    """Install what is missing where that is possible, else say so."""
    packages = missing()
    if not packages:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        names = " ".join(packages)
        print(f"system packages: {names} missing, tests that need them are skipped; as root: apt-get install {names}")
        return
    install(packages)


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"system packages: {error}; see above") from None
