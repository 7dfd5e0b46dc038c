"""What a new configuration does otherwise than the present one, and whether it may."""

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from device_profiles import registry
from edge_agent.compiled import AnyBusPlan
from gateway.remote.files import write_whole
from gateway.settings import GatewayPlan, GatewaySettings, compile_gateway
from telemetry.orders import Change
from telemetry.settings import Document, SettingsError, parse

_VISITED: Final = ("site", "node", "spool", "drill", "quota", "metrics", "remote")
"""What says who the gateway is, or what an open file depends on: changed by a visit and a restart."""
_PROFILE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.yaml")
_LONGEST_DIFF: Final = 16_000


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration that is in use, or could be: its text, its settings, its plan."""

    text: str
    document: Document[GatewaySettings]
    plan: GatewayPlan


@dataclass(frozen=True, slots=True)
class Step:
    """The way from one setup to another: buses that go, and buses that come; the others are not touched."""

    to: Setup
    gone: tuple[str, ...]
    fresh: tuple[AnyBusPlan, ...]
    replaced: tuple[str, ...]
    others: tuple[str, ...]

    def change(self, number: int, before: Setup) -> Change:
        """For people."""
        names = [bus.name for bus in self.to.plan.buses]
        fresh = [bus.name for bus in self.fresh]
        return Change(
            number=number,
            kept=tuple(name for name in names if name not in fresh),
            replaced=self.replaced,
            added=tuple(name for name in fresh if name not in self.replaced),
            removed=tuple(name for name in self.gone if name not in self.replaced),
            others=self.others,
            diff=_diff(before.text, self.to.text),
        )


def read(text: str, path: Path) -> Setup:
    """A setup from the text of a gateway.yaml that stands, or would stand, at a path; raises SettingsError.

    Profiles are read anew: a file may have come since they were read last.
    """
    registry.read.cache_clear()
    document = parse(text, path, GatewaySettings)
    return Setup(text, document, compile_gateway(document))


def step(before: Setup, to: Setup) -> Step:
    """The way to another setup; raises SettingsError for one that takes a visit."""
    old, new = before.document.settings, to.document.settings
    for section in _VISITED:
        if getattr(old, section) != getattr(new, section):
            problem = "can't be changed from afar, expected as it is: it takes a visit and a restart"
            raise to.document.error((section,), problem)
    was = {bus.name: bus for bus in old.buses}
    same = {bus.name for bus in new.buses if was.get(bus.name) == bus}
    kept = {plan.name: plan for plan in before.plan.buses if plan.name in same}
    # A bus that stays keeps its plan, too: the moments of its polls depend on its place among all buses.
    buses = tuple(kept.get(plan.name, plan) for plan in to.plan.buses)
    fresh = tuple(plan for plan in buses if plan.name not in same)
    gone = tuple(name for name in was if name not in same)
    others = ("broker", "tls", "stations", "outputs")
    return Step(
        to=replace(to, plan=replace(to.plan, buses=buses)),
        gone=gone,
        fresh=fresh,
        replaced=tuple(plan.name for plan in fresh if plan.name in was),
        others=tuple(section for section in others if getattr(old, section) != getattr(new, section)),
    )


class Profiles:
    """Profiles that come with a configuration: new files beside it, gone again when it does not stay."""

    def __init__(self, folder: Path, profiles: Mapping[str, str]) -> None:
        """Raises SettingsError for a file that is there with other content: what runs now may depend on it."""
        self._new = dict(_new_files(folder, profiles))

    def write(self) -> None:
        """Put them there; raises OSError."""
        for path, text in self._new.items():
            write_whole(path, text.encode())

    def remove(self) -> None:
        """Take them back."""
        for path in self._new:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _new_files(folder: Path, profiles: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for name, text in profiles.items():
        path = folder / name
        if _PROFILE.fullmatch(name) is None or name == "gateway.yaml":
            raise SettingsError(f"profile {name!r}, expected a file name such as gauge-2.yaml")
        if not path.exists():
            yield path, text
        elif path.read_bytes() != text.encode():
            raise SettingsError(f"profile {name} is there with other content, expected another name for this one")


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="")
    text = "\n".join(lines)
    return text if len(text) <= _LONGEST_DIFF else f"{text[:_LONGEST_DIFF]}\n..."


def is_same(one: Setup, other: Setup) -> bool:
    """Whether two setups say the same, whatever their layout and remarks."""
    settings = (one.document.settings, other.document.settings)
    return msgspec.to_builtins(settings[0]) == msgspec.to_builtins(settings[1])
