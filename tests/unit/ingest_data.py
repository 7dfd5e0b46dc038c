"""Batches, series and announcements for tests of the centre's side."""

import numpy as np

from telemetry.batch import Batch, rows
from telemetry.clock import SECOND_NS
from telemetry.series import Series, Station, Text, series_id
from telemetry.wire import Announce

SOURCE = "demo/gw-1"
START_NS = 1_690_500_000 * SECOND_NS


class HandClock:
    """Data time that moves by hand, and counts who holds it."""

    def __init__(self) -> None:
        self.time_ns = START_NS
        self.holds = 0

    def now_ns(self) -> int:
        return self.time_ns

    async def sleep_until(self, time_ns: int) -> None:
        self.time_ns = max(self.time_ns, time_ns)

    def hold(self) -> None:
        self.holds += 1

    def release(self) -> None:
        assert self.holds > 0, "released more often than held"
        self.holds -= 1


def station(name: str = "st-1") -> Station:
    return Station(id=name, name=Text(zh="站", en="Station"), kind="water", lat=25.3, lon=119.1, town="dongzhuang")


def level(point: str, **changes: object) -> Series:
    """A water level series that is announced correctly but for ``changes``."""
    fields = {
        "station": "st-1",
        "point": point,
        "quantity": "water_level",
        "unit": "m",
        "valid": (0.0, 10.0),
        "period_s": 1.0,
    }
    return Series(**(fields | changes))  # type: ignore[arg-type] # fields by name


def announce(*series: Series, drill: bool = False, revision: str = "r1") -> Announce:
    return Announce(revision=revision, drill=drill, stations=(station(),), series=series)


def ids(*points: str, site: str = "demo", quantity: str = "water_level") -> "np.ndarray":
    return np.array([series_id(site, "st-1", point, quantity) for point in points], np.int64)


def batch(
    seq: int,
    values: list[float],
    *,
    points: tuple[str, ...] = ("a", "b"),
    source: str = SOURCE,
    epoch: int = 7,
    time_ns: int = START_NS,
) -> Batch:
    """One poll: every point once, at one moment; NaN is a missing reading."""
    series = ids(*points, site=source.partition("/")[0])
    return rows(source, series, np.full(len(series), time_ns, np.int64), np.array(values, float)).numbered(epoch, seq)
