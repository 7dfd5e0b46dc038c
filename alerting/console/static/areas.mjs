// Where the areas lie: the features of a layer that carry an area's code, else a circle around its seat.

/** @typedef {import('./types.mjs').SiteArea & {lon: number, lat: number}} Placed */
/** @typedef {{layer: import('./types.mjs').Layer, data: any}} Loaded */

const KM_PER_DEGREE = 111.32;
const SEAT_ONLY_KM = 2.5;
const STEPS = 48;

/** The areas whose seat is known. @param {import('./types.mjs').Site|null} site */
export function placedAreas(site) {
  return /** @type {Placed[]} */ ((site?.areas ?? []).filter((area) => area.lon !== null && area.lat !== null));
}

/** Whether the features of a layer are areas. @param {Loaded} loaded */
export const isOfAreas = ({ data }) => features(data).some((feature) => feature.properties?.code);

/** @param {any} data @returns {any[]} */
const features = (data) => data.features ?? [];

/** A geometry per code.
 * @param {import('./types.mjs').Site} site @param {Loaded[]} loaded @returns {Map<string, any>} */
export function areaShapes(site, loaded) {
  const drawn = loaded.flatMap(({ data }) => features(data)).filter((feature) => feature.properties?.code);
  const known = new Map(drawn.map((feature) => [String(feature.properties.code), feature.geometry]));
  const seats = placedAreas(site).filter((area) => !known.has(area.code));
  for (const area of seats) known.set(area.code, circle([area.lon, area.lat], SEAT_ONLY_KM));
  const codes = new Set(site.areas.map((area) => area.code));
  return new Map([...known].filter(([code]) => codes.has(code)));
}

/** @param {[number, number]} centre @param {number} km */
function circle([lon, lat], km) {
  const shrink = Math.cos((lat * Math.PI) / 180);
  const ring = Array.from({ length: STEPS + 1 }, (_, i) => {
    const angle = (i / STEPS) * 2 * Math.PI;
    return [lon + (km / KM_PER_DEGREE / shrink) * Math.cos(angle), lat + (km / KM_PER_DEGREE) * Math.sin(angle)];
  });
  return { type: 'Polygon', coordinates: [ring] };
}
