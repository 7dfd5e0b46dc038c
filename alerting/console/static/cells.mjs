// Areas that come without a polygon are drawn as the part of a clip outline that lies nearest to their seat. That is a
// sketch, no boundary: it is dashed on the map and said so in the attribution.

/** @typedef {[number, number]} Point */

const KM_PER_DEGREE = 111.32;

/** The part of a ring that lies nearer to `seat` than to `other`, in a flat projection at this latitude.
 * @param {Point[]} ring without the closing point
 * @param {Point} seat
 * @param {Point} other
 * @returns {Point[]} */
export function nearer(ring, seat, other) {
  const shrink = Math.cos((seat[1] * Math.PI) / 180);
  const side = (/** @type {Point} */ [x, y]) =>
    (x - (seat[0] + other[0]) / 2) * (seat[0] - other[0]) * shrink * shrink + (y - (seat[1] + other[1]) / 2) * (seat[1] - other[1]);
  /** @type {Point[]} */
  const kept = [];
  ring.forEach((point, i) => {
    const next = ring[(i + 1) % ring.length];
    const [here, there] = [side(point), side(next)];
    if (here >= 0) kept.push(point);
    if (here >= 0 !== there >= 0) {
      const part = here / (here - there);
      kept.push([point[0] + part * (next[0] - point[0]), point[1] + part * (next[1] - point[1])]);
    }
  });
  return kept;
}

/** Cut a clip outline among seats.
 * @param {{code: string, lon: number, lat: number}[]} areas
 * @param {Point[][]} rings the outer rings of the clip
 * @returns {Map<string, Point[][]>} per code its rings (none where the clip has nothing near the seat) */
export function cells(areas, rings) {
  const found = new Map();
  for (const area of areas) {
    /** @type {Point} */
    const seat = [area.lon, area.lat];
    const others = areas.filter((other) => other.lon !== area.lon || other.lat !== area.lat);
    const parts = rings.map((ring) => others.reduce((left, other) => nearer(left, seat, [other.lon, other.lat]), ring));
    found.set(area.code, parts.filter((part) => part.length > 2).map((part) => [...part, part[0]]));
  }
  return found;
}

/** The outer rings of every polygon of a GeoJSON object, unclosed. @param {any} geojson @returns {Point[][]} */
export function outlines(geojson) {
  const geometries = (geojson.features ?? [geojson]).map((/** @type {any} */ f) => f.geometry ?? f);
  return geometries.flatMap((/** @type {any} */ g) => {
    if (g.type === 'Polygon') return [g.coordinates[0].slice(0, -1)];
    if (g.type === 'MultiPolygon') return g.coordinates.map((/** @type {any} */ p) => p[0].slice(0, -1));
    return [];
  });
}

/** A circle as a ring, for a seat that no outline reaches. @param {Point} centre @param {number} km @returns {Point[]} */
export function circle([lon, lat], km) {
  const shrink = Math.cos((lat * Math.PI) / 180);
  return Array.from({ length: 49 }, (_, i) => {
    const angle = (i / 48) * 2 * Math.PI;
    return [lon + (km / KM_PER_DEGREE / shrink) * Math.cos(angle), lat + (km / KM_PER_DEGREE) * Math.sin(angle)];
  });
}
