// How the map is painted: the style of MapLibre from our own layers, colours and local fonts, and its little pictures.
import { isOfAreas } from './areas.mjs';
import { t } from './i18n/index.mjs';
import { colour, DASHED, LETTER_Y, LOOKS, SHAPES } from './levels.mjs';

/** @typedef {import('./types.mjs').Layer} Layer */
/** @typedef {import('./levels.mjs').Look} Look */

const RATIO = 2;
const ICON = 26;
const HATCH = 12;
const NAMES_FROM_ZOOM = 10.8;
const EMPTY = { type: 'FeatureCollection', features: [] };
/** WGS-84, and CGCS2000, which is the same to a decimetre. */
const TRUE_PLACES = new Set(['EPSG:4326', 'EPSG:4490']);

/** The shift of Chinese maps is 500 m here: a layer that does not say where it is true is not drawn. @param {Layer} layer */
export const isUsable = (layer) => TRUE_PLACES.has(layer.crs);

/** @param {import('./areas.mjs').Loaded[]} loaded @returns {any} a style of MapLibre */
export function style(loaded) {
  const drawn = loaded.filter((one) => !isOfAreas(one));
  const own = Object.fromEntries(drawn.map((one) => [`layer-${one.layer.id}`, { type: 'geojson', data: one.data }]));
  const layers = drawn.map((one) => one.layer);
  return {
    version: 8,
    sources: {
      ...own,
      areas: { type: 'geojson', data: EMPTY },
      seats: { type: 'geojson', data: EMPTY },
      stations: { type: 'geojson', data: EMPTY },
    },
    layers: [
      { id: 'sea', type: 'background', paint: { 'background-color': colour('sea') } },
      ...layers.filter((l) => !l.sketch).flatMap(ground),
      ...areaLayers(),
      ...layers.filter((l) => l.sketch).flatMap(outline),
      ...seatLayers(),
      ...stationLayers(),
    ],
  };
}

/** Land and coast. @param {Layer} layer */
function ground({ id }) {
  const source = `layer-${id}`;
  return [
    {
      id: `${source}-fill`,
      type: 'fill',
      source,
      filter: ['==', ['geometry-type'], 'Polygon'],
      paint: { 'fill-color': colour('land') },
    },
    { id: `${source}-line`, type: 'line', source, paint: { 'line-color': colour('coast'), 'line-width': 1 } },
  ];
}

/** A sketched outline. @param {Layer} layer */
function outline({ id }) {
  const paint = { 'line-color': colour('outline'), 'line-width': 1.6, 'line-dasharray': [4, 2] };
  return [{ id: `layer-${id}-line`, type: 'line', source: `layer-${id}`, paint }];
}

/** The fill of an area by its look; unknown is hatched grey, never a plain colour. */
function areaLayers() {
  const unknown = ['in', ['get', 'look'], ['literal', ['partial', 'no_data', 'unconfigured', 'suspect']]];
  const fill = ['match', ['get', 'look'], ...LOOKS.flatMap((key) => [key, colour(key)]), colour('no_data')];
  const strength = ['match', ['get', 'look'], ['red', 'orange', 'yellow', 'blue'], 0.42, 0.08];
  return [
    {
      id: 'area-fill',
      type: 'fill',
      source: 'areas',
      filter: ['!', unknown],
      paint: { 'fill-color': fill, 'fill-opacity': strength },
    },
    { id: 'area-unknown', type: 'fill', source: 'areas', filter: unknown, paint: { 'fill-pattern': 'hatch' } },
    {
      id: 'area-line',
      type: 'line',
      source: 'areas',
      paint: { 'line-color': colour('cell'), 'line-width': 1, 'line-dasharray': [2, 2] },
    },
    {
      id: 'area-chosen',
      type: 'line',
      source: 'areas',
      filter: ['get', 'chosen'],
      paint: { 'line-color': colour('choice'), 'line-width': 3 },
    },
  ];
}

const NAME = {
  'text-field': ['get', 'name'],
  'text-font': ['sans-serif'],
  'text-padding': 1,
};

/** Names of areas, with the badge of their level in the same label; they make way for the stations, which are exact. */
function seatLayers() {
  const warned = ['match', ['get', 'look'], ['red', 'orange', 'yellow', 'blue'], true, false];
  const badge = ['image', ['concat', 'look-', ['get', 'look']]];
  return [
    {
      id: 'seat',
      type: 'symbol',
      source: 'seats',
      layout: {
        ...NAME,
        'text-field': [
          'case',
          warned,
          ['format', badge, {}, ' ', {}, ['get', 'name'], {}],
          ['format', ['get', 'name'], {}],
        ],
        'text-size': ['case', warned, 16, 13],
        'text-variable-anchor': [
          'center',
          'bottom',
          'top',
          'left',
          'right',
          'top-left',
          'top-right',
          'bottom-left',
          'bottom-right',
        ],
        'text-radial-offset': 0.7,
        'symbol-sort-key': ['-', 0, ['get', 'level']],
      },
      paint: { 'text-color': colour('map-name'), 'text-halo-color': colour('land'), 'text-halo-width': 1.6 },
    },
  ];
}

function stationLayers() {
  const stale = ['case', ['get', 'stale'], '-stale', ''];
  const layout = {
    'icon-image': ['concat', 'look-', ['get', 'look'], stale],
    'icon-size': ['case', ['get', 'chosen'], 0.85, 0.6],
    'icon-allow-overlap': true,
    'symbol-sort-key': ['get', 'level'],
  };
  const name = {
    ...NAME,
    'text-size': 11.5,
    'text-variable-anchor': ['top', 'bottom', 'right', 'left'],
    'text-radial-offset': 1.1,
  };
  const paint = { 'text-color': colour('map-station'), 'text-halo-color': colour('land'), 'text-halo-width': 1.4 };
  return [
    {
      id: 'station-chosen',
      type: 'circle',
      source: 'stations',
      filter: ['get', 'chosen'],
      paint: {
        'circle-radius': 15,
        'circle-color': 'rgba(0,0,0,0)',
        'circle-stroke-color': colour('choice'),
        'circle-stroke-width': 3,
      },
    },
    { id: 'station', type: 'symbol', source: 'stations', layout },
    {
      id: 'station-name',
      type: 'symbol',
      source: 'stations',
      minzoom: NAMES_FROM_ZOOM,
      filter: ['!', ['get', 'chosen']],
      layout: name,
      paint,
    },
    {
      id: 'station-name-chosen',
      type: 'symbol',
      source: 'stations',
      filter: ['get', 'chosen'],
      layout: { ...name, 'text-size': 13 },
      paint: { ...paint, 'text-color': colour('map-name') },
    },
  ];
}

/** Draw the pictures that the style names: every look plain and hatched (stale), and the pattern of the unknown.
 * @param {any} map */
export function addPictures(map) {
  for (const key of LOOKS) {
    add(map, `look-${key}`, ICON, (pen) => drawLook(pen, key, false));
    add(map, `look-${key}-stale`, ICON, (pen) => drawLook(pen, key, true));
  }
  add(map, 'hatch', HATCH, (pen) => hatch(pen, HATCH, colour('hatch'), 1.2));
}

/** @param {any} map @param {string} name @param {number} size @param {(pen: OffscreenCanvasRenderingContext2D) => void} draw */
function add(map, name, size, draw) {
  const canvas = new OffscreenCanvas(size * RATIO, size * RATIO);
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  pen.scale(RATIO, RATIO);
  draw(pen);
  const image = pen.getImageData(0, 0, size * RATIO, size * RATIO);
  if (map.hasImage(name)) map.updateImage(name, image);
  else map.addImage(name, image, { pixelRatio: RATIO });
}

/** @param {OffscreenCanvasRenderingContext2D} pen @param {Look} key @param {boolean} stale */
function drawLook(pen, key, stale) {
  const shape = new Path2D(SHAPES[key]);
  pen.translate(1, 1);
  pen.fillStyle = DASHED.has(key) ? colour('panel') : colour(key);
  pen.fill(shape);
  if (stale) {
    pen.save();
    pen.clip(shape);
    hatch(pen, 24, colour('panel'), 2.4);
    pen.restore();
  }
  pen.lineWidth = 1.5;
  pen.setLineDash(DASHED.has(key) ? [3.2, 2.4] : []);
  pen.strokeStyle = DASHED.has(key) ? colour('no_data') : colour('sea');
  pen.stroke(shape);
  pen.font = '600 13px sans-serif';
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillStyle = colour(`${key}-ink`);
  pen.fillText(t(`letter.${key}`), 12, LETTER_Y[key] + 0.6);
}

/** Diagonal lines over a square. @param {OffscreenCanvasRenderingContext2D} pen @param {number} size @param {string} ink @param {number} width */
function hatch(pen, size, ink, width) {
  pen.strokeStyle = ink;
  pen.lineWidth = width;
  pen.beginPath();
  for (let x = -size; x <= size; x += size / 2) {
    pen.moveTo(x, size);
    pen.lineTo(x + size, 0);
  }
  pen.stroke();
}
