"""Series: one quantity measured at one point of one station; its identity outlives the device that measures it."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

_ID_BITS: Final = 63


class SeriesCollisionError(ValueError):
    """Two different series hash to one identity: the later announcement is refused."""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text for people, in Chinese and English."""

    zh: str
    en: str


class Station(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place with instruments: WGS-84 degrees, and the code of the township-level unit it stands in."""

    id: str
    """Its own in the site: lower-case letters, digits and hyphens."""
    name: Text
    kind: str
    """A word for the symbol on the map, e.g. ``weather``, ``tide``, ``river``, ``air``, ``pipeline``, ``gas``."""
    lat: float
    lon: float
    town: str
    """Code of the area (site file, ``areas``)."""


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the centre must know of a series: everything in the canonical unit of its quantity.

    ``valid`` is the range that the sensor can measure. ``danger`` says beyond which end a reading is still evidence
    (``high``: a gauge that reads above its range in a flood is doubtful, not void).
    """

    station: str
    point: str
    quantity: str
    unit: str
    valid: tuple[float, float]
    danger: str = "high"
    period_s: float
    device: str = ""
    modulus: float | None = None
    """Of a totaliser: the value at which it starts again from zero."""

    @property
    def key(self) -> str:
        """Its name within its station."""
        return f"{self.point}/{self.quantity}"


def series_id(site: str, station: str, point: str, quantity: str) -> int:
    """The 63-bit identity of ``site/station/point/quantity``: positive, so that it fits a signed 64-bit column."""
    path = f"{site}/{station}/{point}/{quantity}".encode()
    return int.from_bytes(blake2b(path, digest_size=8).digest(), "big") >> (64 - _ID_BITS)


def identify(site: str, catalogue: Iterable[Series]) -> dict[int, Series]:
    """Index a catalogue by identity; raises SeriesCollisionError when two series would share one."""
    known: dict[int, Series] = {}
    for series in catalogue:
        key = series_id(site, series.station, series.point, series.quantity)
        if key in known:
            raise SeriesCollisionError(
                f"{site}/{series.station}/{series.point}/{series.quantity}: identity {key} is already taken by "
                f"{known[key].station}/{known[key].point}/{known[key].quantity}, expected a name of its own"
            )
        known[key] = series
    return known
