"""Deployments: which instrument measures a series since when, where its zero lies and where its counter began.

A series outlives the instruments that measure it: a sensor that is replaced is a new deployment of the same device, and
its series goes on. The words are those of the WIGOS Metadata Standard (WMO-No. 1192, category 5: the instrument, its
serial number, and the dates of its deployment).
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from telemetry.span import moment_ns

MOST: Final = 100
"""Deployments of a device at most."""
_LONGEST: Final = 200
_FARTHEST: Final = 1e9
_EARLIEST: Final = datetime.fromisoformat("1900-01-01T00:00:00+00:00")
_LATEST: Final = datetime.fromisoformat("2200-01-01T00:00:00+00:00")


class Zero(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the zero of a gauge lies: what is added to its readings, and who says so."""

    height: float
    """Above the datum, in the canonical unit of the quantity; below it is negative."""
    datum: str
    """What heights count from, in the words of the site's thresholds: ``"1985"`` (国家高程基准)."""
    surveyor: str
    """Who levelled it."""
    date: str
    """The day of that: ``"2026-01-31"``."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instrument at its place from ``since`` until the next one's."""

    since: str
    """ISO 8601 with offset: ``"2026-05-01T09:00+08:00"``."""
    serial: str = ""
    """Its serial number."""
    by: str = ""
    """Who put it up."""
    note: str = ""
    zeros: dict[str, Zero] = {}
    """By point; in the place of ``offset``. A point that has one in any deployment has one in each."""
    baselines: dict[str, float] = {}
    """By point that is a totaliser: what its counter showed at ``since``, in the unit of the device."""

    @property
    def since_ns(self) -> int:
        """Nanoseconds UTC; raises ValueError."""
        return moment_ns(self.since)


class Fitting(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as one series sees it."""

    since: str
    serial: str = ""
    by: str = ""
    note: str = ""
    zero: Zero | None = None
    baseline: float | None = None


class DeploymentError(ValueError):
    """A history that can't be; ``steps`` lead to the place in it."""

    def __init__(self, problem: str, *steps: str | int) -> None:
        super().__init__(problem)
        self.steps = steps


def check(deployments: Sequence[Deployment]) -> None:
    """Whether a history can be, oldest first; raises DeploymentError at its first mistake."""
    if len(deployments) > MOST:
        raise DeploymentError(f"{len(deployments)} deployments, expected at most {MOST}")
    before_ns: int | None = None
    for at, deployment in enumerate(deployments):
        now_ns = _since_ns(at, deployment)
        if before_ns is not None and now_ns <= before_ns:
            raise DeploymentError(
                f"{deployment.since} is not after the one before, expected them in order", at, "since"
            )
        before_ns = now_ns
        _check_texts(deployment, (at,), ("serial", "by", "note"))
        for point, zero in deployment.zeros.items():
            _check_zero(zero, (at, "zeros", point))
        for point, number in deployment.baselines.items():
            if not 0 <= number < math.inf:
                raise DeploymentError(f"{number}, expected 0 or more", at, "baselines", point)
    _check_gaps(deployments)


def fittings(deployments: Sequence[Deployment], point: str) -> tuple[Fitting, ...]:
    """The deployments as the series of one point sees them."""
    return tuple(
        Fitting(
            since=one.since,
            serial=one.serial,
            by=one.by,
            note=one.note,
            zero=one.zeros.get(point),
            baseline=one.baselines.get(point),
        )
        for one in deployments
    )


def renamed(deployment: Deployment, names: Mapping[str, str]) -> Deployment:
    """The same with other names of points; what has none there is left out."""
    return msgspec.structs.replace(
        deployment,
        zeros={names[point]: zero for point, zero in deployment.zeros.items() if point in names},
        baselines={names[point]: number for point, number in deployment.baselines.items() if point in names},
    )


def _since_ns(at: int, deployment: Deployment) -> int:
    try:
        since_ns = deployment.since_ns
    except (ValueError, OverflowError) as exc:
        raise DeploymentError(str(exc), at, "since") from exc
    if not _EARLIEST <= datetime.fromisoformat(deployment.since) <= _LATEST:
        raise DeploymentError(f"{deployment.since}, expected a time from 1900 to 2200", at, "since")
    return since_ns


def _check_zero(zero: Zero, where: tuple[str | int, ...]) -> None:
    if not abs(zero.height) <= _FARTHEST:
        raise DeploymentError(f"{zero.height}, expected a height in the canonical unit", *where, "height")
    _check_texts(zero, where, ("datum", "surveyor"))
    for key in ("datum", "surveyor"):
        if not getattr(zero, key).strip():
            raise DeploymentError(f"empty, expected the {key} of the gauge's zero", *where, key)
    try:
        date.fromisoformat(zero.date)
    except ValueError as exc:
        raise DeploymentError(f"{zero.date!r}, expected a day such as 2026-01-31", *where, "date") from exc


def _check_texts(holder: msgspec.Struct, where: tuple[str | int, ...], keys: Sequence[str]) -> None:
    for key in keys:
        text: str = getattr(holder, key)
        if len(text) > _LONGEST or not text.isprintable():
            problem = f"{text[:40]!r}, expected printable text of at most {_LONGEST} characters"
            raise DeploymentError(problem, *where, key)


def _check_gaps(deployments: Sequence[Deployment]) -> None:
    """A gauge whose zero was levelled once has one ever after: to leave it out would shift its readings."""
    points = {point for one in deployments for point in one.zeros}
    for at, deployment in enumerate(deployments):
        if missing := sorted(points - deployment.zeros.keys()):
            problem = f"no zero of {missing[0]}, expected it in each deployment since one of them has it"
            raise DeploymentError(problem, at, "zeros")
