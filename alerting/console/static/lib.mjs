// The one place that names the files of vendor/.
export { html, render, useEffect, useLayoutEffect, useRef, useState } from './vendor/standalone.module.js';
export { default as uPlot } from './vendor/uPlot.esm.js';

/** MapLibre is large: it is fetched when the list already stands. */
export const loadMapLibre = () => import('./vendor/maplibre-gl.mjs');
