// The language of the page: two complete catalogues, one in use.
import en from './en.mjs';
import zh from './zh.mjs';

const CATALOGUES = { zh, en };
const DAY_MS = 86_400_000;
const FALLBACK_OFFSET_MS = 8 * 3_600_000;

/** @type {'zh'|'en'} */
let language = 'zh';
let offsetMs = FALLBACK_OFFSET_MS;

export const lang = () => language;

/** @param {string|undefined} wanted anything but `en` is Chinese */
export function setLang(wanted) {
  language = wanted === 'en' ? 'en' : 'zh';
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
}

/**
 * A sentence of the catalogue, `{name}` replaced. A key that is missing shows itself: it is a bug that a test finds.
 * @param {string} key
 * @param {Record<string, string|number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const sentence = /** @type {Record<string, string>} */ (CATALOGUES[language])[key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/** Whether the catalogue has this key: for words that come from the server. @param {string} key */
export const knows = (key) => key in CATALOGUES[language];

/** The side of a text that the server sent in both languages. @param {import('../types.mjs').Text|null|undefined} text */
export const pick = (text) => text?.[language] ?? '';

/** Show times in the zone of the site: take the offset that its own times carry. @param {string} [iso] */
export function setZone(iso) {
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(iso ?? '') ?? [];
  if (sign) offsetMs = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** A date whose UTC fields are the local time of the site. @param {number} ms */
export const siteDate = (ms) => new Date(ms + offsetMs);

/** @param {number} n */
const two = (n) => String(n).padStart(2, '0');

/** 04:12, with seconds 04:12:30. @param {number} ms @param {{seconds?: boolean}} [how] */
export function clock(ms, { seconds = false } = {}) {
  if (!Number.isFinite(ms)) return '--:--';
  const d = siteDate(ms);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}${seconds ? `:${two(d.getUTCSeconds())}` : ''}`;
}

/** 07-28. @param {number} ms */
export function day(ms) {
  if (!Number.isFinite(ms)) return '--';
  const d = siteDate(ms);
  return `${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
}

/** 2023-07-28 and the day of the week. @param {number} ms */
export function longDay(ms) {
  if (!Number.isFinite(ms)) return '';
  const d = siteDate(ms);
  return `${d.getUTCFullYear()}-${day(ms)} ${t(`weekday.${d.getUTCDay()}`)}`;
}

/** The time of day, with the day when it is not today's. @param {number} ms @param {number} nowMs */
export function moment(ms, nowMs) {
  const far = Math.floor((ms + offsetMs) / DAY_MS) !== Math.floor((nowMs + offsetMs) / DAY_MS);
  return far ? `${day(ms)} ${clock(ms)}` : clock(ms);
}

/** How long ago, in the largest unit that says enough. @param {number} seconds */
export function age(seconds) {
  if (!Number.isFinite(seconds)) return t('age.never');
  if (seconds < 1) return t('age.now');
  if (seconds < 90) return t('age.seconds', { n: Math.round(seconds) });
  if (seconds < 90 * 60) return t('age.minutes', { n: Math.round(seconds / 60) });
  if (seconds < 36 * 3600) return t('age.hours', { n: Math.round(seconds / 3600) });
  return t('age.days', { n: Math.round(seconds / 86_400) });
}

const DECIMALS = {
  m: 2,
  'm/s': 1,
  mm: 1,
  'mm/h': 1,
  hPa: 1,
  degC: 1,
  kPa: 1,
  'm3/h': 1,
  'ug/m3': 0,
  deg: 0,
  '%LEL': 1,
  code: 0,
};
const UNITS = { degC: '°C', deg: '°', 'ug/m3': 'µg/m³', 'm3/h': 'm³/h', m3: 'm³', 'W/m2': 'W/m²', code: '' };

/** A value without its unit; an absent one is a dash. @param {number|null} value @param {string} unit */
export function number(value, unit) {
  if (value === null || !Number.isFinite(value)) return '—';
  const decimals = /** @type {Record<string, number>} */ (DECIMALS)[unit] ?? 2;
  return value.toFixed(decimals);
}

/** A unit as people write it. @param {string} unit */
export const unitName = (unit) => /** @type {Record<string, string>} */ (UNITS)[unit] ?? unit;

/** @param {number|null} value @param {string} unit */
export const quantity = (value, unit) => `${number(value, unit)} ${unitName(unit)}`.trim();
