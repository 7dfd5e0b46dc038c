// The one place that names a file of vendor/ (MapLibre apart: map.mjs loads it when the rest already stands).
export { html, render, useEffect, useLayoutEffect, useMemo, useRef, useState } from './vendor/standalone.module.js';
export { default as uPlot } from './vendor/uPlot.esm.js';
