// The chart of one series: its values, its named thresholds, doubt marked, gaps left as gaps.
import { points } from './api.mjs';
import { drawThresholds, drawQuality, scaleRange } from './chartdraw.mjs';
import { saying } from './codes.mjs';
import { append, withGaps } from './columns.mjs';
import { clock, day, lang, number, pick, siteDate, t, unitName } from './i18n/index.mjs';
import { colour, LEVELS } from './levels.mjs';
import { html, uPlot, useEffect, useRef, useState } from './lib.mjs';
import { Badge } from './badge.mjs';
import { dataNow, state } from './store.mjs';

/** @typedef {import('./types.mjs').Reading} Reading */
/** @typedef {import('./columns.mjs').Columns} Columns */
/** @typedef {import('./codes.mjs').Codes} Codes */

/** Buckets that keep a chart below some thousand points; the shortest range is drawn from raw rows. */
const EVERY_S = /** @type {Record<number, number|undefined>} */ ({ 24: 60, 72: 300 });
const NO_CODES = { states: {}, bits: {} };
const HOUR_S = 3_600;
const HOUR_MS = 3_600_000;
/** Events bring the newest sample only; what a gateway sends late is asked for now and then. */
const AGAIN_MS = 30_000;

/** @param {{reading: Reading, hours: number}} props */
export function Chart({ reading, hours }) {
  const box = useRef(/** @type {HTMLDivElement|null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const [columns, setColumns] = useState(/** @type {{of: string, data: Columns, codes: Codes}|null} */ (null));
  const [failed, setFailed] = useState('');
  const [cursor, setCursor] = useState(/** @type {number|null} */ (null));
  const key = `${reading.series}/${hours}`;

  useEffect(() => {
    const control = new AbortController();
    const fetchAll = () =>
      load(reading.series, hours, control.signal).then(
        (found) => {
          setFailed('');
          setColumns({ of: key, ...found });
        },
        (/** @type {Error} */ error) => control.signal.aborted || setFailed(error.message),
      );
    fetchAll();
    const timer = setInterval(fetchAll, AGAIN_MS);
    return () => {
      clearInterval(timer);
      control.abort();
    };
  }, [key, state.snapshots]);

  const current = columns?.of === key ? columns.data : null;
  if (current) append(current, reading, dataNow() / 1000 - hours * HOUR_S);
  const rows = current?.time.length ?? 0;
  useEffect(() => {
    if (!box.current || !current) return undefined;
    const made = new uPlot(
      options(box.current, reading, () => plot.current?.rows ?? current, setCursor),
      uplotData(current),
      box.current,
    );
    plot.current = { made, rows: current };
    const watcher = new ResizeObserver(() => box.current && made.setSize(size(box.current)));
    watcher.observe(box.current);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [current === null, key, lang(), JSON.stringify(reading.thresholds)]);
  useEffect(() => {
    if (!plot.current || !current) return;
    plot.current.rows = current;
    plot.current.made.setData(uplotData(current));
  }, [rows, columns]);

  return html`<figure class="chart">
    <figcaption><b>${pick(reading.name)}</b> <span>${unitName(reading.unit)}</span>
      <output>${current && readout(current, cursor, reading, columns?.codes ?? NO_CODES)}</output></figcaption>
    <div ref=${box} class="plot" role="img" aria-label=${t('chart.label', { what: pick(reading.name) })}></div>
    ${failed && html`<p class="empty">${t('chart.failed')}</p>`}
    ${!current && !failed && html`<p class="empty">${t('list.loading')}</p>`}
    ${current && rows === 0 && html`<p class="empty">${t('chart.empty')}</p>`}
    <${Thresholds} reading=${reading} />
  </figure>`;
}

/** The thresholds by name: those out of the chart's reach too. @param {{reading: Reading}} props */
function Thresholds({ reading }) {
  if (reading.thresholds.length === 0) return html`<p class="thresholds none">${t('chart.noThresholds')}</p>`;
  return html`<ul class="thresholds">${reading.thresholds.map(
    (threshold) => html`<li key=${threshold.rule}>
    <${Badge} of=${LEVELS[threshold.level]} size="16" /> ${pick(threshold.name)} <b>${threshold.op.startsWith('<') ? '≤' : '≥'} ${number(threshold.value, reading.unit)}</b></li>`,
  )}</ul>`;
}

/** @param {string} series @param {number} hours @param {AbortSignal} signal @returns {Promise<{data: Columns, codes: Codes}>} */
async function load(series, hours, signal) {
  const now = dataNow();
  const every = EVERY_S[hours];
  const from = new Date(now - hours * HOUR_MS).toISOString();
  const answer = await points(series, { from, to: new Date(now + HOUR_MS / 60).toISOString(), every, signal });
  const { points: p } = answer;
  const value = p.value ?? p.mean ?? [];
  const time = p.time.map((ms) => ms / 1000);
  const data = withGaps({ time, value, low: p.min ?? value, high: p.max ?? value, quality: [...p.quality] });
  return { data, codes: { states: answer.states, bits: answer.bits } };
}

/** @param {Columns} data @returns {any} */
const uplotData = (data) => [data.time, data.high, data.low, data.value];

/** @param {HTMLElement} box */
const size = (box) => ({ width: box.clientWidth, height: Math.max(box.clientHeight, 90) });

/** @param {Columns} data @param {number|null} at @param {Reading} reading @param {Codes} codes */
function readout(data, at, reading, codes) {
  const i = at ?? data.time.length - 1;
  if (i < 0 || i >= data.time.length) return '';
  const ms = data.time[i] * 1000;
  const well = data.quality[i] === 'GOOD' || (data.quality[i] === 'MISSING' && data.value[i] !== null); // a bucket with some polls missed
  const doubt = well ? '' : ` · ${t(`quality.${data.quality[i]}`)}`;
  const shown = saying(data.low[i], data.high[i], codes) ?? `${number(data.value[i], reading.unit)} ${unitName(reading.unit)}`;
  return `${day(ms)} ${clock(ms)}  ${shown}${doubt}`;
}

/**
 * @param {HTMLElement} box @param {Reading} reading
 * @param {() => Columns} rows @param {(index: number|null) => void} setCursor
 */
function options(box, reading, rows, setCursor) {
  const axis = {
    stroke: colour('dim'),
    grid: { stroke: colour('grid'), width: 1 },
    ticks: { show: false },
    font: '12px sans-serif',
  };
  const line = colour('series');
  const hidden = { stroke: 'transparent', points: { show: false } };
  return {
    ...size(box),
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7, fill: line } },
    tzDate: (/** @type {number} */ seconds) => wall(seconds),
    scales: { x: { time: true }, y: { range: () => scaleRange(rows(), reading.thresholds) } },
    axes: [
      { ...axis, values: axisTimes, space: 70 },
      {
        ...axis,
        size: 52,
        values: (/** @type {any} */ _, /** @type {number[]} */ v) => v.map((n) => String(Number(n.toFixed(3)))),
      },
    ],
    series: [{}, hidden, hidden, { stroke: line, width: 1.8, points: { show: false }, spanGaps: false }],
    bands: [{ series: [1, 2], fill: colour('band') }],
    hooks: {
      drawClear: [(/** @type {any} */ u) => drawThresholds(u, reading)],
      draw: [(/** @type {any} */ u) => drawQuality(u, rows())],
      setCursor: [(/** @type {any} */ u) => setCursor(u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null)],
    },
  };
}

/** A date whose *local* fields are the time of the site: what uPlot reads to place its ticks. @param {number} seconds */
function wall(seconds) {
  const d = siteDate(seconds * 1000);
  return new Date(
    d.getUTCFullYear(),
    d.getUTCMonth(),
    d.getUTCDate(),
    d.getUTCHours(),
    d.getUTCMinutes(),
    d.getUTCSeconds(),
  );
}

/** @param {any} _ @param {number[]} splits in seconds */
function axisTimes(_, splits) {
  return splits.map((s, i) => {
    const ms = s * 1000;
    const first = i === 0 || day(ms) !== day(splits[i - 1] * 1000);
    return first ? `${clock(ms)}\n${day(ms)}` : clock(ms);
  });
}
