// What is painted on the chart's canvas beside the line: thresholds below it, marks of doubt above it.
import { missing } from './columns.mjs';
import { pick, t } from './i18n/index.mjs';
import { colour, LEVELS, reached } from './levels.mjs';

/** @typedef {import('./columns.mjs').Columns} Columns */

const AIR = 0.08;
const RIBBON = 7;
const NAME_PX = 16;
const COLUMN_PX = 210;

/**
 * The range of the scale: all values, every threshold that was reached, and the next one that was not.
 * @param {Columns} data @param {import('./types.mjs').Threshold[]} thresholds @returns {[number, number]}
 */
export function scaleRange(data, thresholds) {
  const values = [...data.low, ...data.high].filter((v) => v !== null);
  const seen = values.length ? [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))] : [];
  const hit = Math.max(0, ...seen.map((v) => reached(v, thresholds)));
  const next =
    thresholds
      .map((x) => x.level)
      .filter((level) => level > hit)
      .sort((a, b) => a - b)[0] ?? hit;
  const near = thresholds.filter((x) => x.level <= next).map((x) => x.value);
  const all = [...seen, ...near];
  if (all.length === 0) return [0, 1];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const air = (high - low || Math.abs(high) || 1) * AIR;
  return [low >= 0 && low - air < 0 ? 0 : low - air, high + air];
}

/** @param {any} u a uPlot @param {import('./types.mjs').Reading} reading */
export function drawThresholds(u, reading) {
  const { ctx: pen, bbox } = u;
  const ratio = devicePixelRatio;
  pen.save();
  pen.font = `600 ${11.5 * ratio}px sans-serif`;
  const named = /** @type {number[]} */ ([]);
  for (const threshold of reading.thresholds) {
    const y = Math.round(u.valToPos(threshold.value, 'y', true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    const key = LEVELS[threshold.level];
    const danger = threshold.op.startsWith('<') ? bbox.top + bbox.height - y : bbox.top - y;
    pen.globalAlpha = 0.07;
    pen.fillStyle = colour(key);
    pen.fillRect(bbox.left, y, bbox.width, danger);
    pen.globalAlpha = 1;
    pen.strokeStyle = colour(key);
    pen.lineWidth = 2 * Math.max(1, Math.round(ratio * 0.75)); // an even width on whole pixels is drawn sharp
    pen.setLineDash([7 * ratio, 4 * ratio]);
    pen.beginPath();
    pen.moveTo(bbox.left, y);
    pen.lineTo(bbox.left + bbox.width, y);
    pen.stroke();
    writeName(u, threshold, y, named);
  }
  pen.restore();
}

/** The name of a threshold at its line; beside those already written there, or not at all: the list below has it.
 * @param {any} u a uPlot
 * @param {import('./types.mjs').Threshold} threshold
 * @param {number} y of the line
 * @param {number[]} named middles of the names already written; this one is added */
function writeName({ ctx: pen, bbox }, threshold, y, named) {
  const ratio = devicePixelRatio;
  const key = LEVELS[threshold.level];
  const below = y - bbox.top < NAME_PX * ratio;
  const middle = y + (below ? NAME_PX : -NAME_PX) * 0.5 * ratio;
  const beside = named.filter((other) => Math.abs(other - middle) < NAME_PX * ratio).length;
  const left = (6 + beside * COLUMN_PX) * ratio;
  if (beside > 0 && left + COLUMN_PX * ratio > bbox.width) return;
  named.push(middle);
  pen.fillStyle = colour(`${key}-text`);
  pen.textAlign = 'left';
  pen.textBaseline = below ? 'top' : 'bottom';
  const words = `${t(`letter.${key}`)} ${pick(threshold.name)} ${threshold.value}`;
  pen.fillText(words, bbox.left + left, y + (below ? 3 : -2) * ratio);
}

/** Triangles on suspect values, crosses on bad ones, and a hatched ribbon below where values are missing.
 * @param {any} u a uPlot @param {Columns} data */
export function drawQuality(u, data) {
  const pen = u.ctx;
  pen.save();
  pen.beginPath();
  pen.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  pen.clip();
  for (const [from, to] of missing(data)) ribbon(u, from, to);
  pen.lineWidth = 1.5 * devicePixelRatio;
  data.quality.forEach((quality, i) => {
    const value = data.value[i];
    if (value === null || (quality !== 'SUSPECT' && quality !== 'BAD')) return;
    point(pen, u.valToPos(data.time[i], 'x', true), u.valToPos(value, 'y', true), quality === 'BAD');
  });
  pen.restore();
}

/** @param {any} u @param {number} from @param {number} to in seconds */
function ribbon(u, from, to) {
  const ratio = devicePixelRatio;
  const [left, right] = [
    u.valToPos(from, 'x', true),
    Math.max(u.valToPos(to, 'x', true), u.valToPos(from, 'x', true) + 2),
  ];
  const { ctx: pen, bbox } = u;
  const height = RIBBON * ratio;
  const top = bbox.top + bbox.height - height;
  pen.save();
  pen.globalAlpha = 0.1;
  pen.fillStyle = colour('no_data');
  pen.fillRect(left, bbox.top, right - left, bbox.height);
  pen.globalAlpha = 1;
  pen.beginPath();
  pen.rect(left, top, right - left, height);
  pen.clip();
  pen.strokeStyle = colour('no_data');
  pen.lineWidth = 1.2 * ratio;
  pen.beginPath();
  for (let x = left - height; x < right; x += 5 * ratio) {
    pen.moveTo(x, top + height);
    pen.lineTo(x + height, top);
  }
  pen.stroke();
  pen.restore();
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {boolean} bad */
function point(pen, x, y, bad) {
  const r = 4.5 * devicePixelRatio;
  pen.strokeStyle = colour('doubt');
  pen.beginPath();
  if (bad) {
    pen.moveTo(x - r, y - r);
    pen.lineTo(x + r, y + r);
    pen.moveTo(x + r, y - r);
    pen.lineTo(x - r, y + r);
  } else {
    pen.moveTo(x, y - r);
    pen.lineTo(x + r, y + r * 0.8);
    pen.lineTo(x - r, y + r * 0.8);
    pen.closePath();
  }
  pen.stroke();
}
