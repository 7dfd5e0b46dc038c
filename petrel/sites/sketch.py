"""Sketch areas for a map: every place belongs to the nearest seat. Indicative only, never a boundary.

No free boundaries of township-level units were found, so the default site draws these cells (Voronoi, clipped to the
outline of the district) and marks them as a sketch. ``python -m petrel.sites.sketch SITE.yaml OUTLINE.geojson`` prints
the layer.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from alerting.site import Area, load_site

Point = tuple[float, float]
Ring = list[Point]
DECIMALS: Final = 4


def cells(seats: dict[str, Point], outline: Sequence[Ring]) -> dict[str, list[Ring]]:
    """The part of each ring of ``outline`` that is nearest to each seat; all in degrees, rings not closed."""
    squeeze = math.cos(math.radians(sum(lat for _, lat in seats.values()) / len(seats)))
    return {
        code: [cell for ring in outline if len(cell := _nearest(ring, code, seats, squeeze)) > 2] for code in seats
    }


def _nearest(ring: Ring, code: str, seats: dict[str, Point], squeeze: float) -> Ring:
    """Cut away, for every other seat, the half plane that is nearer to it (Sutherland and Hodgman, 1974)."""
    own = seats[code]
    for other, place in seats.items():
        if other != code:
            ring = list(_clip(ring, own, place, squeeze))
    return ring


def _clip(ring: Ring, own: Point, other: Point, squeeze: float) -> Iterator[Point]:
    margins = [_distance2(p, other, squeeze) - _distance2(p, own, squeeze) for p in ring]
    for i, here in enumerate(ring):
        before, left, right = ring[i - 1], margins[i - 1], margins[i]
        if (left >= 0.0) is not (right >= 0.0):
            share = left / (left - right)
            yield before[0] + share * (here[0] - before[0]), before[1] + share * (here[1] - before[1])
        if right >= 0.0:
            yield here


def _distance2(a: Point, b: Point, squeeze: float) -> float:
    return ((a[0] - b[0]) * squeeze) ** 2 + (a[1] - b[1]) ** 2


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
