"""Scenarios: what happens in a world, when, and which alarms must come of it (``scenarios/<name>.yaml``)."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Literal

import msgspec

from telemetry.clock import HOUR_NS
from telemetry.series import Text
from telemetry.settings import Document, SettingsError, load
from telemetry.span import moment_ns

_FOLDER: Final = "scenarios"
FaultKind = Literal["dead", "slow", "garbage", "truncated", "wrong_unit", "wrong_values"]


class Storm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A typhoon: its best track, the pressure around it, and how much rain over the climatology of such storms."""

    track: str
    ambient_hpa: float
    rain_factor: float


class Leak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hole in a pipeline: at which share of its length, how large (m3/h per sqrt(kPa)), from when to when."""

    pipeline: str
    place: float
    opening: float
    begins: str
    ends: str


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that misbehaves for a while; kinds are those of ``simulators.faults``."""

    device: str
    kind: FaultKind
    begins: str
    ends: str


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An alarm that must come: ``level`` is the highest that it reaches, first raised within ``after`` to ``before``.

    Derived from the world's own truth by an independent computation, never from what the engine said.
    """

    hazard: str
    subject: str
    outcome: Literal["level", "no_data"] = "level"
    level: int = 0
    after: str
    before: str
    cleared: bool
    note: str = ""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One drill: ``hours`` of data time from ``start`` (ISO 8601 with offset) at ``site``."""

    id: str
    name: Text
    summary: Text
    site: str
    start: str
    hours: float
    seed: int
    storm: Storm | None = None
    leak: Leak | None = None
    faults: tuple[Fault, ...] = ()
    expect: tuple[Expect, ...] = ()

    @property
    def start_ns(self) -> int:
        """The first moment in nanoseconds UTC."""
        return moment_ns(self.start)

    @property
    def end_ns(self) -> int:
        """The last moment in nanoseconds UTC."""
        return self.start_ns + round(self.hours * HOUR_NS)


@cache
def names() -> tuple[str, ...]:
    """The scenarios that come with the product, sorted."""
    return tuple(sorted(_stem(file) for file in _shipped().iterdir() if file.name.endswith(".yaml")))


def load_scenario(name_or_path: str) -> Document[Scenario]:
    """A shipped scenario by name, or any by path; raises SettingsError with file, line, found and expected."""
    path = Path(name_or_path)
    if path.suffix != ".yaml":
        if name_or_path not in names():
            raise SettingsError(f"no scenario {name_or_path!r}, expected one of {', '.join(names())} or a .yaml file")
        path = Path(str(_shipped() / f"{name_or_path}.yaml"))
    document = load(path, Scenario)
    for where, problem in _mistakes(document.settings, path.stem):
        raise document.error(where, problem)
    return document


Mistake = tuple[tuple[str | int, ...], str]


def _mistakes(scenario: Scenario, stem: str) -> Iterator[Mistake]:
    if scenario.id != stem:
        yield ("id",), f"{scenario.id!r}, expected the name of the file, {stem!r}"
    if not 0 < scenario.hours <= 24 * 366:
        yield ("hours",), f"{scenario.hours}, expected more than 0 and at most a year"
    yield from _moment(("start",), scenario.start)
    spans: list[tuple[tuple[str | int, ...], str, str]] = []
    spans += [(("faults", i), fault.begins, fault.ends) for i, fault in enumerate(scenario.faults)]
    spans += [(("expect", i), expect.after, expect.before) for i, expect in enumerate(scenario.expect)]
    if scenario.leak:
        spans.append((("leak",), scenario.leak.begins, scenario.leak.ends))
        if not 0 <= scenario.leak.place <= 1:
            yield ("leak", "place"), f"{scenario.leak.place}, expected a share from 0 to 1"
    for where, begins, ends in spans:
        yield from _span(where, begins, ends)


def _moment(where: tuple[str | int, ...], text: str) -> Iterator[Mistake]:
    try:
        moment_ns(text)
    except ValueError as exc:
        yield where, str(exc)


def _span(where: tuple[str | int, ...], begins: str, ends: str) -> Iterator[Mistake]:
    yield from _moment(where, begins)
    yield from _moment(where, ends)
    if moment_ns(begins) > moment_ns(ends):
        yield where, f"{ends} is before {begins}, expected a later time"


def _shipped() -> Traversable:
    return files("simulators") / _FOLDER


def _stem(file: Traversable) -> str:
    return file.name.removesuffix(".yaml")
