"""Finds the channels: every module of this package that offers ``KIND``, read once."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import alerting.channels as package
from alerting.channels.contract import Channel, ChannelSettings, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of channel: its name in centre.yaml, its settings, what its receipt can say, and how it is opened."""

    name: str
    settings: type[ChannelSettings]
    receipt: Receipt
    open: Callable[[Any, Path], Channel]
    """Settings, and the folder that their paths are relative to; raises ValueError in one line."""
    problem: Callable[[Any], str | None]
    """What is wrong with settings, beyond their types: found and expected, in one line."""


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name; raises ValueError when two modules claim one name."""
    modules = (importlib.import_module(f"{package.__name__}.{found.name}") for found in _modules())
    return MappingProxyType(index(module.KIND for module in modules if hasattr(module, "KIND")))


def index(found: Iterable[Kind]) -> dict[str, Kind]:
    """Kinds by name; raises ValueError when two share one."""
    named: dict[str, Kind] = {}
    for kind in found:
        if kind.name in named:
            raise ValueError(f"two channels are named {kind.name!r}, expected a name of its own for each")
        named[kind.name] = kind
    return named


def _modules() -> list[pkgutil.ModuleInfo]:
    return sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name)
