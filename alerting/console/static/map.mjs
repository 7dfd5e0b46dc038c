// The map: land, areas by level, stations by level. Everything on it comes from our own server.
import { Badge } from './badge.mjs';
import { layer } from './api.mjs';
import { areaShapes, placedAreas } from './areas.mjs';
import { lang, pick, t } from './i18n/index.mjs';
import { LOOKS, placeLook } from './levels.mjs';
import { html, loadMapLibre, useEffect, useRef, useState } from './lib.mjs';
import { addPictures, isUsable, style } from './mapstyle.mjs';
import { show } from './route.mjs';
import { isSilent, state } from './store.mjs';

const PADDING = 14;
/** The legend lies over the left edge, where there is room for it. */
const LEGEND = 90;
const ROOMY = 700;

/** @typedef {{station?: string, area?: string}} Chosen */

/** @param {{chosen: Chosen}} props */
export function MapView({ chosen }) {
  const box = useRef(/** @type {HTMLDivElement|null} */ (null));
  const [map, setMap] = useState(/** @type {any} */ (null));
  const [shapes, setShapes] = useState(/** @type {Map<string, any>|null} */ (null));
  const [broken, setBroken] = useState('');
  const { site } = state;
  useEffect(() => {
    if (!site || !box.current) return undefined;
    const container = box.current;
    const made = loadLayers(site).then((loaded) => {
      setShapes(areaShapes(site, loaded));
      return create(container, site, loaded, setMap);
    });
    made.catch((/** @type {Error} */ error) => setBroken(error.message));
    return () =>
      void made.then(
        (m) => m.remove(),
        () => undefined,
      );
  }, [site?.id]);
  useEffect(() => {
    if (map) addPictures(map);
  }, [map, lang()]);
  useEffect(() => {
    if (!map || !shapes) return;
    map.getSource('areas').setData(areaFeatures(shapes, chosen));
    map.getSource('seats').setData(seatFeatures());
    map.getSource('stations').setData(stationFeatures(chosen));
  }, [map, shapes, lang(), state.revision, chosen.station, chosen.area]);
  return html`<div class=${`map ${isSilent() ? 'is-old' : ''}`}>
    <div ref=${box} class="canvas" role="img" aria-label=${spokenMap()}></div>
    ${broken && html`<p class="map-broken">${t('map.broken')} <small>${broken}</small></p>`}
    <div class="zoom">
      <button aria-label=${t('map.in')} onClick=${() => map?.zoomIn()}>+</button>
      <button aria-label=${t('map.out')} onClick=${() => map?.zoomOut()}>−</button>
      <button aria-label=${t('map.whole')} title=${t('map.whole')} onClick=${() => site && map?.fitBounds(site.bounds, { padding: padding(box.current) })}>⤢</button>
    </div>
    <ul class="legend">${LOOKS.map((key) => html`<li key=${key}><${Badge} of=${key} size="17" word=${true} /></li>`)}
      <li class="stale-key"><i aria-hidden="true"></i>${t('map.stale')}</li></ul>
    <p class="credit">${credit()}</p>
  </div>`;
}

/** @param {HTMLElement|null} box */
function padding(box) {
  const left = (box?.clientWidth ?? 0) > ROOMY ? LEGEND : PADDING;
  return { top: PADDING, right: PADDING, bottom: PADDING, left };
}

/** The map in words: the areas that have a level, worst first. */
function spokenMap() {
  const warned = [...state.areas.values()].filter((area) => area.outcome === 'level').sort((a, b) => b.level - a.level);
  const said = warned.map((area) => `${pick(area.name)} ${t(`level.${placeLook(area)}`)}`);
  return [t('map.label'), ...said].join(' ');
}

/** Whose maps these are; a sketch says so in its own words. */
function credit() {
  const layers = state.site?.layers ?? [];
  const owners = [
    ...new Set(
      layers
        .filter(isUsable)
        .map((l) => pick(l.attribution))
        .filter(Boolean),
    ),
  ];
  const refused = layers.filter((l) => !isUsable(l)).map((l) => l.id);
  return [...owners, refused.length > 0 && t('map.refused', { ids: refused.join(', ') })].filter(Boolean).join(' · ');
}

/** The layers that say where they are true, with their data.
 * @param {import('./types.mjs').Site} site @returns {Promise<import('./areas.mjs').Loaded[]>} */
function loadLayers(site) {
  return Promise.all(site.layers.filter(isUsable).map(async (one) => ({ layer: one, data: await layer(one.url) })));
}

/**
 * @param {HTMLElement} container
 * @param {import('./types.mjs').Site} site
 * @param {import('./areas.mjs').Loaded[]} loaded
 * @param {(map: any) => void} ready
 */
async function create(container, site, loaded, ready) {
  const { Map: GlMap } = await loadMapLibre();
  const map = new GlMap({
    container,
    style: style(loaded),
    bounds: site.bounds,
    fitBoundsOptions: { padding: padding(container) },
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    keyboard: false,
    maxZoom: 15,
    localIdeographFontFamily: 'sans-serif',
  });
  map.touchZoomRotate.disableRotation();
  addPictures(map);
  map.on('load', () => ready(map));
  map.on('click', (/** @type {any} */ event) => clicked(map, event.point));
  map.on('mousemove', (/** @type {any} */ event) => {
    map.getCanvas().style.cursor = hit(map, event.point) ? 'pointer' : '';
  });
  return map;
}

/** The topmost station or area under a point. @param {any} map @param {any} point */
function hit(map, point) {
  const layers = ['station', 'seat', 'area-fill', 'area-unknown'].filter((id) => map.getLayer(id));
  return map.queryRenderedFeatures(point, { layers })[0];
}

/** @param {any} map @param {any} point */
function clicked(map, point) {
  const feature = hit(map, point);
  if (!feature) return;
  const { station, area } = feature.properties;
  show(station ? { station } : { area });
}

/** @param {any[]} features */
const collection = (features) => ({ type: 'FeatureCollection', features });

/** @param {string} code */
function areaLook(code) {
  const area = state.areas.get(code);
  return area ? placeLook(area) : 'no_data';
}

/** @param {Map<string, any>} shapes @param {Chosen} chosen */
function areaFeatures(shapes, chosen) {
  return collection(
    [...shapes].map(([code, geometry]) => ({
      type: 'Feature',
      geometry,
      properties: { area: code, look: areaLook(code), chosen: chosen.area === code },
    })),
  );
}

function seatFeatures() {
  return collection(
    placedAreas(state.site).map((area) => ({
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [area.lon, area.lat] },
      properties: {
        area: area.code,
        name: pick(area.name),
        look: areaLook(area.code),
        level: state.areas.get(area.code)?.level ?? 0,
      },
    })),
  );
}

/** @param {Chosen} chosen */
function stationFeatures(chosen) {
  return collection(
    [...state.stations.values()].map((station) => ({
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [station.lon, station.lat] },
      properties: {
        station: station.id,
        name: pick(station.name),
        look: placeLook(station),
        level: station.level,
        stale: station.readings.some((reading) => reading.stale),
        chosen: chosen.station === station.id,
      },
    })),
  );
}
