// The columns of a chart: what was stored, what events add, and where there is nothing.

/** Columns: seconds since the epoch; values of the line; lowest and highest of each bucket; quality.
 * @typedef {{time: number[], value: (number|null)[], low: (number|null)[], high: (number|null)[], quality: string[]}} Columns */

/** A step this many times the usual one is a gap. */
const GAP_FACTOR = 3.5;

/** Where rows are missing altogether (nothing was stored), put an empty one, so that no line is drawn across.
 * @param {Columns} raw @returns {Columns} */
export function withGaps(raw) {
  const steps = raw.time
    .slice(1)
    .map((time, i) => time - raw.time[i])
    .sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? Infinity;
  /** @type {Columns} */
  const out = { time: [], value: [], low: [], high: [], quality: [] };
  raw.time.forEach((time, i) => {
    const before = raw.time[i - 1];
    if (i > 0 && time - before > GAP_FACTOR * usual) push(out, before + usual, null, null, null, 'MISSING');
    push(out, time, raw.value[i], raw.low[i], raw.high[i], raw.quality[i]);
  });
  return out;
}

/** @param {Columns} to @param {number} time @param {number|null} value @param {number|null} low @param {number|null} high @param {string} quality */
function push(to, time, value, low, high, quality) {
  to.time.push(time);
  to.value.push(value);
  to.low.push(low);
  to.high.push(high);
  to.quality.push(quality);
}

/** Add the newest reading that an event brought, and drop what left the range.
 * @param {Columns} data @param {import('./types.mjs').Reading} reading @param {number} oldest in seconds */
export function append(data, reading, oldest) {
  const time = Date.parse(reading.time ?? '') / 1000;
  const last = data.time.at(-1) ?? -Infinity;
  if (time > last) push(data, time, reading.value, reading.value, reading.value, reading.quality);
  const drop = data.time.findIndex((at) => at >= oldest);
  if (drop > 0) for (const column of Object.values(data)) column.splice(0, drop);
}

/** The stretches without a value, each from the last value before to the first after. @param {Columns} data */
export function missing(data) {
  /** @type {[number, number][]} */
  const found = [];
  data.value.forEach((value, i) => {
    if (value !== null) return;
    const from = data.time[Math.max(0, i - 1)];
    const to = data.time[Math.min(data.time.length - 1, i + 1)];
    const open = found.at(-1);
    if (open && from <= open[1]) open[1] = to;
    else found.push([from, to]);
  });
  return found;
}
