// What is chosen: why it has its level, its readings with their ages, and the chart of one of them.
import { Badge } from './badge.mjs';
import { Chart } from './chart.mjs';
import { age, knows, number, pick, t, unitName } from './i18n/index.mjs';
import { LEVELS, placeLook, reached } from './levels.mjs';
import { html } from './lib.mjs';
import { text } from './list.mjs';
import { go, show } from './route.mjs';
import { dataNow, isSilent, state } from './store.mjs';

/** @typedef {import('./types.mjs').Station} Station */
/** @typedef {import('./types.mjs').Reading} Reading */
/** @typedef {import('./types.mjs').Alarm} Alarm */

/** @param {{view: import('./route.mjs').Route, chosen: {station?: string, area?: string}}} props */
export function Detail({ view, chosen }) {
  const alarm = state.alarms.get(view.alarm ?? '');
  const station = stationOf(chosen, alarm);
  const reading = station && readingOf(station, view.series, alarm);
  return html`<section class="detail" aria-label=${t('detail.title')}>
    <header>
      ${station && html`<${Badge} of=${placeLook(station)} size="26" />`}
      <${Chooser} station=${station} />
      ${station && html`<span class="place">${knows(`kind.${station.kind}`) ? t(`kind.${station.kind}`) : station.kind} · ${townName(station.town)}</span>`}
      <${Hours} hours=${view.hours} />
    </header>
    ${alarm && html`<${Why} alarm=${alarm} />`}
    ${chosen.area && html`<${AreaLine} code=${chosen.area} />`}
    ${
      station && reading
        ? html`<div class="body"><${Readings} station=${station} chosen=${reading.series} />
          <${Chart} reading=${reading} hours=${Number(view.hours ?? 24)} /></div>`
        : html`<p class="empty">${t(state.site ? 'detail.none' : 'list.loading')}</p>`
    }
  </section>`;
}

/** The station to show: the chosen one, else one of the chosen area that the alarm's rule or a level points to.
 * @param {{station?: string, area?: string}} chosen @param {Alarm} [alarm] @returns {Station|undefined} */
function stationOf(chosen, alarm) {
  if (chosen.station) return state.stations.get(chosen.station);
  const evidence = stationWith(alarm?.series ?? []);
  if (evidence) return evidence;
  const all = [...state.stations.values()].filter((s) => !chosen.area || s.town === chosen.area);
  const ruled = all.find((s) =>
    s.readings.some((r) => r.thresholds.some((threshold) => threshold.rule === alarm?.rule)),
  );
  return ruled ?? all.sort((a, b) => b.level - a.level || (a.id < b.id ? -1 : 1))[0];
}

/** Quantities that say how the device is, or what the wanted one was computed from. */
const SECONDARY = new Set(['empty_distance', 'signal_quality', 'supply_voltage', 'device_state', 'completeness']);

/** @param {Reading} r */
const levelOf = (r) => reached(r.quality === 'BAD' ? null : r.value, r.thresholds);

/** Those with thresholds first, those about the device last, else as the station has them.
 * @param {Reading[]} readings */
function byInterest(readings) {
  const rank = (/** @type {Reading} */ r) => (r.thresholds.length ? 0 : SECONDARY.has(r.quantity) ? 2 : 1);
  return [...readings].sort((a, b) => rank(a) - rank(b));
}

/** The station that has one of these series. @param {string[]} series */
const stationWith = (series) =>
  [...state.stations.values()].find((s) => s.readings.some((r) => series.includes(r.series)));

/** @param {Station} station @param {string} [series] @param {Alarm} [alarm] @returns {Reading|undefined} */
function readingOf(station, series, alarm) {
  const { readings } = station;
  return (
    readings.find((r) => r.series === series) ??
    readings.find((r) => alarm?.series.includes(r.series)) ??
    readings.find((r) => r.thresholds.some((threshold) => threshold.rule === alarm?.rule)) ??
    byInterest(readings).sort((a, b) => levelOf(b) - levelOf(a))[0]
  );
}

/** @param {string} code */
function townName(code) {
  return pick(state.site?.areas.find((area) => area.code === code)?.name) || code;
}

/** Every station within reach of the keyboard, since the map is not. @param {{station?: Station}} props */
function Chooser({ station }) {
  const stations = [...state.stations.values()].sort((a, b) => b.level - a.level || (a.id < b.id ? -1 : 1));
  const choose = (/** @type {any} */ event) => show({ station: event.target.value });
  return html`<select aria-label=${t('detail.choose')} value=${station?.id ?? ''} onChange=${choose}>
    ${stations.map((s) => html`<option key=${s.id} value=${s.id}>${pick(s.name)}${s.level ? ` · ${t(`level.${LEVELS[s.level]}`)}` : ''}</option>`)}
  </select>`;
}

/** @param {{hours?: string}} props */
function Hours({ hours = '24' }) {
  return html`<div class="hours" role="group" aria-label=${t('chart.range')}>
    ${['6', '24', '72'].map((n) => html`<button key=${n} aria-pressed=${hours === n} onClick=${() => go({ hours: n })}>${t('chart.hours', { n })}</button>`)}
  </div>`;
}

/** The rule behind an alarm. @param {{alarm: Alarm}} props */
function Why({ alarm }) {
  return html`<p class="why"><b>${text(alarm)}</b>
    <small>${t('detail.rule', { rule: alarm.rule, edition: alarm.edition })} <cite>${alarm.source}</cite> · ${t(`quality.${alarm.quality}`)}</small></p>`;
}

/** @param {{code: string}} props */
function AreaLine({ code }) {
  const area = state.areas.get(code);
  const place = state.site?.areas.find((a) => a.code === code);
  if (!area || !place) return null;
  return html`<p class="why"><${Badge} of=${placeLook(area)} size="22" word=${true} />${' '}
    <b>${pick(area.name)}</b> ${pick(area.explanation)}
    <small>${place.managed_by && `${t('detail.managed', { by: pick(place.managed_by) })} · `}${area.confidence !== null && t('detail.confidence', { n: Math.floor(area.confidence * 100) })}</small></p>`;
}

/** @param {{station: Station, chosen: string}} props */
function Readings({ station, chosen }) {
  const count = (/** @type {string} */ quantity) => station.readings.filter((r) => r.quantity === quantity).length;
  return html`<table class="readings"><caption class="unseen">${t('detail.readings')}</caption><tbody>
    ${byInterest(station.readings).map((r) => {
      const level = levelOf(r);
      const old = r.stale || isSilent();
      return html`<tr key=${r.series} class=${`quality-${r.quality} ${old ? 'is-old' : ''}`} aria-current=${r.series === chosen ? 'true' : undefined}>
        <th scope="row"><button class="pick" onClick=${() => go({ series: r.series })}>${pick(r.name)}${count(r.quantity) > 1 && html` <small>${r.point}</small>`}</button></th>
        <td class="value">${level > 0 && html`<${Badge} of=${LEVELS[level]} size="17" />`} ${number(r.value, r.unit)} ${r.meaning ? html`<small class="word">${pick(r.meaning)}</small>` : html`<small>${unitName(r.unit)}</small>`}</td>
        <td class="age">${mark(r)} ${age((dataNow() - Date.parse(r.time ?? '')) / 1000)}</td>
      </tr>`;
    })}
  </tbody></table>`;
}

/** In words what is wrong with a reading. @param {Reading} reading */
function mark(reading) {
  const causes = reading.cause.map((cause) => (knows(`cause.${cause}`) ? t(`cause.${cause}`) : cause)).join(' ');
  if (reading.quality === 'GOOD') return reading.stale ? html`<b class="mark">${t('quality.stale')}</b>` : '';
  return html`<b class="mark" title=${causes}>${t(`quality.${reading.quality}`)}</b>`;
}
