"""Sketch areas for a map: every place belongs to the nearest seat. Indicative only, never a boundary.

No free boundaries of township-level units were found, so the default site draws these cells (Voronoi, clipped to the
outline of the district) and marks them as a sketch. ``python -m petrel.sites.sketch SITE.yaml OUTLINE.geojson`` prints
the layer.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from alerting.site import Area, load_site

Point = tuple[float, float]
Ring = list[Point]
DECIMALS: Final = 4


def cells(seats: dict[str, Point], outline: Sequence[Ring]) -> dict[str, list[Ring]]:
    """The part of each ring of ``outline`` that is nearest to each seat; all in degrees, rings not closed."""
    squeeze = math.cos(math.radians(sum(lat for _, lat in seats.values()) / len(seats)))
    flat = {code: (lon * squeeze, lat) for code, (lon, lat) in seats.items()}
    rings = [[(lon * squeeze, lat) for lon, lat in ring] for ring in outline]
    return {
        code: [[(x / squeeze, y) for x, y in cell] for cell in _nearest(rings, place, [*flat.values()])]
        for code, place in flat.items()
    }


def _nearest(rings: list[Ring], own: Point, places: Sequence[Point]) -> list[Ring]:
    """Cut away, for every other place, the half plane that is nearer to it."""
    for other in places:
        if other != own:
            rings = [part for ring in rings for part in _cut(ring, own, other)]
    return rings


def _cut(ring: Ring, own: Point, other: Point) -> list[Ring]:
    """The parts of a simple ring on ``own``'s side of the line halfway to ``other``.

    The ring falls into chains of points between crossings; along the line, every other stretch between crossings lies
    inside, and there the end of a chain is joined to the beginning of one.
    """
    margins = [_distance2(p, other) - _distance2(p, own) for p in ring]
    chains = _chains(ring, margins)
    if not chains:
        return [ring] if margins[0] >= 0.0 else []
    along = (other[1] - own[1], own[0] - other[0])
    ends = sorted((p[0] * along[0] + p[1] * along[1], i, last) for i, c in enumerate(chains) for last, p in _tips(c))
    partner = {one[1:]: two[1:] for pair in zip(ends[::2], ends[1::2], strict=True) for one, two in (pair, pair[::-1])}
    rings, left = [], set(range(len(chains)))
    while left:
        part, chain = [], min(left)
        while chain in left:
            left.remove(chain)
            part += chains[chain]
            chain = partner[chain, True][0]
        rings.append(part)
    return rings


def _chains(ring: Ring, margins: Sequence[float]) -> list[Ring]:
    """The stretches of a ring inside, each from the crossing where it comes in to that where it goes out."""
    n = len(ring)
    entries = [i for i in range(n) if margins[i - 1] < 0.0 <= margins[i]]
    chains = []
    for start in entries:
        inside = list(takewhile(lambda i: margins[i % n] >= 0.0, range(start, start + n)))
        first, last = inside[0] % n, inside[-1] % n
        entry = _crossing(ring, margins, (first - 1) % n, first)
        chains.append([entry, *(ring[i % n] for i in inside), _crossing(ring, margins, last, (last + 1) % n)])
    return chains


def _crossing(ring: Ring, margins: Sequence[float], one: int, two: int) -> Point:
    share = margins[one] / (margins[one] - margins[two])
    (x, y), (u, v) = ring[one], ring[two]
    return x + share * (u - x), y + share * (v - y)


def _tips(chain: Ring) -> Iterator[tuple[bool, Point]]:
    yield False, chain[0]
    yield True, chain[-1]


def _distance2(a: Point, b: Point) -> float:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def layer(areas: Sequence[Area], outline: Any) -> dict[str, Any]:
    """The areas that have a seat as GeoJSON, within the outline of a GeoJSON layer of one feature."""
    seats = {area.code: (area.lon, area.lat) for area in areas if area.lon is not None and area.lat is not None}
    rings = [[(p[0], p[1]) for p in polygon[0][:-1]] for polygon in outline["features"][0]["geometry"]["coordinates"]]
    drawn = cells(seats, rings)
    return {
        "type": "FeatureCollection",
        "name": "townships_sketch",
        "features": [_feature(area, drawn[area.code]) for area in areas if area.code in drawn],
    }


def _feature(area: Area, rings: Sequence[Ring]) -> dict[str, Any]:
    closed = [[[[round(x, DECIMALS), round(y, DECIMALS)] for x, y in [*ring, ring[0]]]] for ring in rings]
    return {
        "type": "Feature",
        "properties": {"code": area.code, "zh": area.name.zh, "en": area.name.en, "sketch": True},
        "geometry": {"type": "MultiPolygon", "coordinates": closed},
    }


def main() -> None:
    """Print the sketch layer of a site."""
    site, outline = (Path(argument) for argument in sys.argv[1:3])
    drawn = layer(load_site(site).settings.areas, json.loads(outline.read_text(encoding="utf-8")))
    sys.stdout.write(json.dumps(drawn, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
