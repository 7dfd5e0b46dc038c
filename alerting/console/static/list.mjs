// The list of alarms: what waits for a person first, then what is in force, then what is over.
import { Badge } from './badge.mjs';
import { confirm, duty, isWaiting } from './duty.mjs';
import { age, moment, number, pick, quantity, t, unitName } from './i18n/index.mjs';
import { alarmLevel, alarmLook } from './levels.mjs';
import { html, useEffect, useRef, useState } from './lib.mjs';
import { show } from './route.mjs';
import { dataNow, state } from './store.mjs';

/** @typedef {import('./types.mjs').Alarm} Alarm */
/** @typedef {{key: 'waiting'|'active'|'over', ids: string[]}} Group */

/** What is no longer in force stays in the list for a day. */
const OVER_SHOWN_MS = 24 * 3_600_000;

/** @param {Alarm} alarm @returns {Group['key']} */
const groupOf = (alarm) => (isWaiting(alarm) ? 'waiting' : alarm.cleared_at ? 'over' : 'active');

/** Red first, in force before cleared, newest first. @param {Alarm} a @param {Alarm} b */
function byUrgency(a, b) {
  const cleared = Number(Boolean(a.cleared_at)) - Number(Boolean(b.cleared_at));
  return (
    cleared ||
    alarmLevel(b) - alarmLevel(a) ||
    Date.parse(b.raised_at) - Date.parse(a.raised_at) ||
    (a.id < b.id ? -1 : 1)
  );
}

/** @returns {Group[]} the order as it should be now */
function ordered() {
  /** @type {Group[]} */
  const groups = [
    { key: 'waiting', ids: [] },
    { key: 'active', ids: [] },
    { key: 'over', ids: [] },
  ];
  const shownSince = dataNow() - OVER_SHOWN_MS;
  for (const alarm of [...state.alarms.values()].sort(byUrgency)) {
    if (groupOf(alarm) === 'over' && Date.parse(alarm.cleared_at ?? '') < shownSince) continue;
    groups.find((group) => group.key === groupOf(alarm))?.ids.push(alarm.id);
  }
  return groups;
}

/** The order last shown, for the keys J and K. @type {string[]} */
let shown = [];

/** Select the next (+1) or previous (-1) alarm in the order on the screen. @param {1|-1} step @param {string} [from] */
export function move(step, from) {
  const at = from ? shown.indexOf(from) : -1;
  const next = at < 0 ? (step > 0 ? 0 : shown.length - 1) : Math.min(Math.max(at + step, 0), shown.length - 1);
  if (shown[next]) show({ alarm: shown[next] }, { replace: true });
}

/** @param {{selected?: string}} props */
export function List({ selected }) {
  const [held, setHeld] = useState(/** @type {Group[]|null} */ (null));
  const groups = held ?? ordered();
  shown = groups.flatMap((group) => group.ids).filter((id) => state.alarms.has(id));
  const unseen = held ? [...state.alarms.keys()].filter((id) => !shown.includes(id)).length : 0;
  return html`<section class="list" aria-label=${t('list.title')} onPointerEnter=${() => setHeld(ordered())}
    onPointerLeave=${() => setHeld(null)}>
    <h2>${t('list.title')}<span class=${`held ${unseen ? 'some' : ''}`}>
      ${unseen ? t('list.unseen', { n: unseen }) : held ? t('list.held') : ''}</span></h2>
    <div class="rows">
      ${shown.length === 0 && html`<p class="empty">${state.site ? t('list.empty') : t('list.loading')}</p>`}
      ${groups.map((group) => html`<${Rows} key=${group.key} group=${group} selected=${selected} />`)}
    </div>
  </section>`;
}

/** @param {{group: Group, selected?: string}} props */
function Rows({ group, selected }) {
  const alarms = group.ids.flatMap((id) => state.alarms.get(id) ?? []);
  if (alarms.length === 0) return null;
  return html`<h3 class=${`group is-${group.key}`}>${t(`group.${group.key}`)} <b>${alarms.length}</b></h3>
    <ul>${alarms.map((alarm) => html`<${Row} key=${alarm.id} alarm=${alarm} selected=${alarm.id === selected} />`)}</ul>`;
}

/** @param {{alarm: Alarm, selected: boolean}} props */
function Row({ alarm, selected }) {
  const item = useRef(/** @type {HTMLLIElement|null} */ (null));
  useEffect(() => {
    if (selected) item.current?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  const level = alarmLook(alarm);
  const note = isWaiting(alarm) && duty.notes.get(alarm.id);
  return html`<li ref=${item} class=${`row is-${level} state-${alarm.state}`} aria-current=${selected ? 'true' : undefined}
    data-alarm=${alarm.id} data-version=${alarm.version}>
    <${Badge} of=${level} size="38" />
    <div class="what">
      <button class="pick" onClick=${() => show({ alarm: alarm.id })}>
        <b class="level">${t(`level.${level}`)}</b> <b>${pick(alarm.hazard_name)}</b> <span>${pick(alarm.subject_name)}</span>
      </button>
      <p class="text">${text(alarm)}</p>
      <p class="facts"><${Measured} alarm=${alarm} /><${Since} alarm=${alarm} /></p>
      ${note && html`<p class="note" role="alert">${note}</p>`}
    </div>
    <${Action} alarm=${alarm} />
  </li>`;
}

const MARKED = /^[【[]?(演练|DRILL)/i;

/** The sentence of the server; a drill says so in every text (F16). @param {Alarm} alarm */
export function text(alarm) {
  const said = pick(alarm.text);
  return alarm.drill && !MARKED.test(said) ? `${t('drill.mark')}${said}` : said;
}

/** @param {{alarm: Alarm}} props */
function Measured({ alarm }) {
  if (alarm.value === null) return null;
  const limit = alarm.threshold === null ? '' : ` / ${number(alarm.threshold, alarm.unit)}`;
  return html`<span class="measured" title=${t('list.measured')}>${number(alarm.value, alarm.unit)}${limit} ${unitName(alarm.unit)}</span>`;
}

/** @param {{alarm: Alarm}} props */
function Since({ alarm }) {
  const now = dataNow();
  const raised = Date.parse(alarm.raised_at);
  return html`<span title=${t('list.raised')}>${moment(raised, now)} · ${age((now - raised) / 1000)}</span>
    ${alarm.cleared_at && html`<span class="over">${t('list.clearedAt', { time: moment(Date.parse(alarm.cleared_at), now) })}</span>`}
    ${alarm.acknowledged_by && html`<span><bdi>${alarm.acknowledged_by}</bdi> ${t('list.acked', { time: moment(Date.parse(alarm.acknowledged_at ?? ''), now) })}</span>`}`;
}

/** @param {{alarm: Alarm}} props */
function Action({ alarm }) {
  if (!isWaiting(alarm)) {
    return html`<span class="done">${t(`state.${alarm.state}`)}</span>`;
  }
  const sending = duty.sending.has(alarm.id);
  return html`<button class="ack" disabled=${sending} onClick=${() => confirm(alarm)}
    aria-label=${t('ack.label', { what: `${pick(alarm.hazard_name)} ${pick(alarm.subject_name)}` })}>
    ${sending ? t('ack.sending') : t('ack.button')}</button>`;
}

/** One line for those who listen. @param {Alarm} alarm */
export function spoken(alarm) {
  return `${t(`level.${alarmLook(alarm)}`)} ${text(alarm)} ${quantity(alarm.value, alarm.unit)}`;
}
