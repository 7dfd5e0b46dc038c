// Every view is an address: #alarm=…&station=…&area=…&series=…&hours=24&lang=en

/**
 * @typedef {{alarm?: string, station?: string, area?: string, series?: string, hours?: string, lang?: string}} Route
 */

const KEYS = /** @type {const} */ (['alarm', 'station', 'area', 'series', 'hours', 'lang']);

/** @returns {Route} what the address says now */
export function route() {
  const query = new URLSearchParams(location.hash.slice(1));
  /** @type {Route} */
  const found = {};
  for (const key of KEYS) {
    const value = query.get(key);
    if (value) found[key] = value;
  }
  return found;
}

/**
 * Change parts of the address; an undefined part is removed.
 * @param {Route} patch
 * @param {{replace?: boolean}} [how] replace: no entry in the history (moving by keys)
 */
export function go(patch, { replace = false } = {}) {
  const next = { ...route(), ...patch };
  const query = new URLSearchParams();
  for (const key of KEYS) {
    const value = next[key];
    if (value) query.set(key, value);
  }
  const hash = `#${query}`;
  if (hash === location.hash) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', hash);
  dispatchEvent(new Event('route'));
}

/** Show one subject and drop the parts that belonged to another.
 * @param {Route} target
 * @param {{replace?: boolean}} [how] */
export function show(target, how) {
  go({ alarm: undefined, station: undefined, area: undefined, series: undefined, ...target }, how);
}

/** Call when the address changed, by us or by the browser's buttons; returns the way to stop.
 * @param {() => void} changed */
export function onRoute(changed) {
  const names = ['route', 'popstate', 'hashchange'];
  for (const name of names) addEventListener(name, changed);
  return () => names.forEach((name) => removeEventListener(name, changed));
}
