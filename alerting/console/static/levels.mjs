// What a level or an outcome looks like: colour (a CSS variable), shape and letter, never the colour alone.

/** @typedef {'red'|'orange'|'yellow'|'blue'|'normal'|'suspect'|'partial'|'no_data'|'unconfigured'|'cleared'} Look */

/** Looks of levels 0 to 4. @type {Look[]} */
export const LEVELS = ['normal', 'blue', 'yellow', 'orange', 'red'];

/** Most severe first, as they stand in legends. @type {Look[]} */
export const LOOKS = ['red', 'orange', 'yellow', 'blue', 'normal', 'suspect', 'partial', 'no_data', 'unconfigured', 'cleared'];

/** Outlines in a box of 24 by 24. @type {Record<Look, string>} */
export const SHAPES = {
  red: 'M8 1.5h8l6.5 6.5v8l-6.5 6.5h-8l-6.5-6.5v-8z',
  orange: 'M12 .8l11.2 11.2-11.2 11.2L.8 12z',
  yellow: 'M12 1.2l11.4 20.6H.6z',
  blue: 'M5 2.5h14a2.5 2.5 0 0 1 2.5 2.5v14a2.5 2.5 0 0 1-2.5 2.5H5A2.5 2.5 0 0 1 2.5 19V5A2.5 2.5 0 0 1 5 2.5z',
  normal: 'M12 5a7 7 0 1 0 .01 0z',
  suspect: 'M12 2.5a9.5 9.5 0 1 0 .01 0z',
  partial: 'M12 2.5a9.5 9.5 0 1 0 .01 0z',
  no_data: 'M12 2.5a9.5 9.5 0 1 0 .01 0z',
  unconfigured: 'M4 4h16v16H4z',
  cleared: 'M12 2.5a9.5 9.5 0 1 0 .01 0z',
};

/** Those that are drawn as a dashed outline: nothing is known, or not all. @type {Set<Look>} */
export const DASHED = new Set(/** @type {Look[]} */ (['partial', 'no_data', 'unconfigured']));

/** Those whose letter is empty because the shape alone says it. @type {Record<Look, number>} */
export const LETTER_Y = {
  red: 12.4,
  orange: 12.4,
  yellow: 15.2,
  blue: 12.4,
  normal: 12,
  suspect: 12.4,
  partial: 12.4,
  no_data: 12.4,
  unconfigured: 12,
  cleared: 12,
};

/**
 * The look of a subject. Unknown stays unknown: only a stated `normal` is normal.
 * @param {string} outcome
 * @param {number} level 0 to 4
 * @returns {Look}
 */
export function look(outcome, level) {
  if (outcome === 'level') return LEVELS[level] ?? 'no_data';
  return LOOKS.includes(/** @type {Look} */ (outcome)) ? /** @type {Look} */ (outcome) : 'no_data';
}

/**
 * The look of an area or a station: what has no level, and of which some is known to be normal and some is not known, is
 * neither (ADR 0010).
 * @param {{outcome: string, level: number, hazards?: Record<string, {outcome: string}>}} place
 * @returns {Look}
 */
export function placeLook({ outcome, level, hazards = {} }) {
  const found = look(outcome, level);
  const unknown = found === 'no_data' || found === 'unconfigured';
  return unknown && Object.values(hazards).some((one) => one.outcome === 'normal') ? 'partial' : found;
}

/** The level that an alarm stands for: what it is, or what it was at its worst once it is over.
 * @param {import('./types.mjs').Alarm} alarm */
export const alarmLevel = (alarm) => (alarm.cleared_at ? alarm.peak_level : alarm.level);

/** The look of an alarm. One without a level is about missing or doubtful data, and stays so when it is over.
 * @param {import('./types.mjs').Alarm} alarm */
export function alarmLook(alarm) {
  const level = alarmLevel(alarm);
  return level > 0 ? look('level', level) : look(alarm.cleared_at ? 'no_data' : alarm.outcome, 0);
}

/** How far a value is beyond thresholds that ascend towards danger: the highest level reached, 0 for none.
 * @param {number|null} value
 * @param {import('./types.mjs').Threshold[]} thresholds
 */
export function reached(value, thresholds) {
  if (value === null) return 0;
  const hit = thresholds.filter((t) => (t.op.startsWith('<') ? value <= t.value : value >= t.value));
  return Math.max(0, ...hit.map((t) => t.level));
}

/** The value of a CSS colour variable, for what is drawn on a canvas. @param {string} name */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
