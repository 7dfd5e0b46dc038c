"""Which extra of the package brings a module that is not there, from the package's own metadata."""

import re
from importlib import metadata
from typing import Final

_PACKAGE: Final = "stormpetrel"
_NEED: Final = re.compile(r"([\w.-]+).*\bextra == [\"'](\w+)[\"']")
_NOT_FOR_USERS: Final = "dev"
_DISTRIBUTIONS: Final = {"paho": "paho-mqtt", "serial": "pyserial"}
"""Of modules that are not called as what brings them."""


def missing(module: str) -> str:
    """One line on a module that could not be imported: which package it is, and the extra that brings it."""
    name = module.partition(".")[0]
    found = _extras().get(_DISTRIBUTIONS.get(name, name.replace("_", "-")), ())
    wanted = f"the extra {' or '.join(f'[{extra}]' for extra in found)}" if found else "a whole installation"
    return f"the package {name!r} is not installed, expected {wanted}"


def _extras() -> dict[str, tuple[str, ...]]:
    """The extras by the distribution that they bring."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        needs = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from its source
        needs = []
    for need in needs:
        match = _NEED.match(need)
        if match is not None and match[2] != _NOT_FOR_USERS:
            found[match[1].lower()] = (*found.get(match[1].lower(), ()), match[2])
    return found
