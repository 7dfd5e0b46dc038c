"""Hazards, one file each: this package finds them. A name with a leading underscore is shared code, not a hazard."""

import importlib
import pkgutil
from functools import cache

from alerting.metric import Hazard


@cache
def hazards() -> dict[str, Hazard]:
    """All hazards by name, in alphabetical order; raises ValueError when a file and its hazard differ in name."""
    found: dict[str, Hazard] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            found[module.name] = _hazard(module.name)
    return found


def _hazard(name: str) -> Hazard:
    hazard: Hazard = importlib.import_module(f"{__name__}.{name}").HAZARD
    if hazard.id != name:
        raise ValueError(f"alerting/hazards/{name}.py: hazard {hazard.id!r}, expected the name of the file")
    return hazard


def sums() -> frozenset[str]:
    """The quantities whose sums the window must keep."""
    return frozenset(quantity for hazard in hazards().values() for quantity in hazard.sums)
