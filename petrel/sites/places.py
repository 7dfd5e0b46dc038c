"""Where the sites that come with the product stand."""

from importlib.resources import files
from pathlib import Path

from petrel.errors import CommandError


def folder(site: str) -> Path:
    """The folder of a shipped site, with ``site.yaml``, ``gateway.yaml`` and ``centre.yaml``; raises CommandError."""
    path = Path(str(files("petrel.sites") / site))
    if not (path / "site.yaml").is_file():
        raise CommandError(f"no site {site!r} comes with this package, expected a scenario of one that does", code=2)
    return path
