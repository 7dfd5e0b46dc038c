// What the page knows, and how it learns it: one snapshot, then deltas.
import { listen } from './sse.mjs';

export const SILENT_AFTER_MS = 5_000;

/**
 * @template T
 * @typedef {Map<string, T>} Items
 */

/**
 * @typedef {import('./types.mjs').Site} Site
 * @typedef {import('./types.mjs').Delta} Delta
 */

/** The one state of the page; changed only here. */
export const state = {
  /** @type {Site|null} */ site: null,
  /** @type {Items<import('./types.mjs').Station>} */ stations: new Map(),
  /** @type {Items<import('./types.mjs').Area>} */ areas: new Map(),
  /** @type {Items<import('./types.mjs').Alarm>} */ alarms: new Map(),
  /** @type {Items<import('./types.mjs').Gateway>} */ gateways: new Map(),
  /** performance.now() when the server was last heard, 0 = never */
  heardAt: 0,
  /** grows with each change */
  revision: 0,
  /** grows with each snapshot: what was drawn from requests must be asked for again */
  snapshots: 0,
  /** alarms that were raised, or rose, since the last look of the sound and the log
   * @type {import('./types.mjs').Alarm[]} */ fresh: [],
};

/** Data time at a moment of the monotonic clock, and how fast it runs. */
let anchor = { dataMs: NaN, at: 0, speed: 1 };

/** @type {Set<() => void>} */
const watchers = new Set();
let told = true;

/** Call after each change (at most once per task); returns the way to stop. @param {() => void} changed */
export function watch(changed) {
  watchers.add(changed);
  return () => void watchers.delete(changed);
}

export function tell() {
  state.revision += 1;
  if (!told) return;
  told = false;
  queueMicrotask(() => {
    told = true;
    watchers.forEach((changed) => changed());
  });
}

/** @returns {boolean} whether the picture may be old */
export function isSilent() {
  return performance.now() - state.heardAt > SILENT_AFTER_MS;
}

/** Seconds since the server was heard. */
export function silentSeconds() {
  return Math.floor((performance.now() - state.heardAt) / 1000);
}

/** Data time now, in ms since the epoch; it stands still while the server is silent. */
export function dataNow() {
  const until = Math.min(performance.now(), state.heardAt + SILENT_AFTER_MS);
  return anchor.dataMs + Math.max(0, until - anchor.at) * anchor.speed;
}

/** @param {{now?: string, speed?: number|null}} stated */
function setClock({ now, speed }) {
  if (!now) return;
  anchor = { dataMs: Date.parse(now), at: performance.now(), speed: speed ?? anchor.speed };
}

/** Forget everything and take the whole picture. @param {Delta} whole */
function replace(whole) {
  for (const items of [state.stations, state.areas, state.gateways]) items.clear();
  const before = new Map(state.alarms);
  state.alarms.clear();
  state.snapshots += 1;
  anchor.speed = whole.site?.speed ?? 1;
  merge(whole, before);
}

/**
 * Take changed items over the known ones.
 * @param {Delta} delta
 * @param {Items<import('./types.mjs').Alarm>} before what the officer had seen of the alarms
 */
function merge(delta, before = state.alarms) {
  if (delta.site) {
    state.site = { ...state.site, ...delta.site };
    setClock(delta.site);
  }
  for (const alarm of delta.alarms ?? []) {
    if (isFresh(alarm, before.get(alarm.id))) state.fresh.push(alarm);
    state.alarms.set(alarm.id, newer(alarm, state.alarms.get(alarm.id)));
  }
  for (const item of delta.stations ?? []) state.stations.set(item.id, item);
  for (const item of delta.areas ?? []) state.areas.set(item.code, item);
  for (const item of delta.gateways ?? []) state.gateways.set(item.source, item);
}

/** @param {import('./types.mjs').Alarm} alarm @param {import('./types.mjs').Alarm} [known] */
function isFresh(alarm, known) {
  return alarm.state === 'unacknowledged' && (!known || known.state !== 'unacknowledged' || known.level < alarm.level);
}

/** The answer to an acknowledgement and its event may overtake each other. @template {{version: number}} T
 * @param {T} item @param {T} [known] @returns {T} */
function newer(item, known) {
  return known && known.version > item.version ? known : item;
}

/** Put one alarm that a request returned. @param {import('./types.mjs').Alarm} alarm */
export function put(alarm) {
  merge({ alarms: [alarm] });
  tell();
}

/** The alarms that nobody has announced yet; each is returned once. */
export function takeFresh() {
  return state.fresh.splice(0);
}

/** @param {import('./sse.mjs').Message} message */
function take({ event, data }) {
  if (event === 'snapshot') replace(JSON.parse(data));
  else if (event === 'delta') merge(JSON.parse(data));
  else if (event === 'heartbeat') setClock(JSON.parse(data));
  tell();
}

/** Begin to listen, for as long as the page is open. */
export function start() {
  state.heardAt = performance.now();
  const heard = () => {
    state.heardAt = performance.now();
  };
  return listen('./api/v1/events', { heard, take, lost: tell });
}
