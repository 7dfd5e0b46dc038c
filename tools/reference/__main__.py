"""Write the generated pages of the reference, or with ``--check`` say which are stale (exit code 1)."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from device_profiles import document as devices
from simulators import document as scenarios
from tools.reference import commands, http, messages, rules, settings

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "petrel.md": commands.page,
    "settings.md": settings.page,
    "devices.md": devices.page,
    "rules.md": rules.page,
    "scenarios.md": scenarios.page,
    "routes.md": http.routes,
    "metrics.md": http.metrics,
    "messages.md": messages.page,
}


def stale() -> list[str]:
    """The pages that are not as the code says."""
    return [name for name, page in PAGES.items() if _written(name) != page()]


def write() -> list[str]:
    """Write what changed; the names of those pages."""
    changed = stale()
    for name in changed:
        (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
    return changed


def _written(name: str) -> str | None:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def main() -> int:
    """The tool; returns its exit code."""
    if sys.argv[1:] not in ([], ["--check"]):
        print("usage: python -m tools.reference [--check]", file=sys.stderr)
        return 2
    if sys.argv[1:] == ["--check"]:
        found = stale()
        for name in found:
            print(f"docs/reference/{name}: not what the code says, expected it made by `make docs`", file=sys.stderr)
        return 1 if found else 0
    for name in write():
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
