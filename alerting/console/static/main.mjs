// Puts the page together and draws it anew when something changed, and every second for the clock and the ages.
import { Detail } from './detail.mjs';
import { NameDialog } from './duty.mjs';
import { Bars, Header } from './header.mjs';
import { HealthStrip } from './health.mjs';
import { Help } from './help.mjs';
import { lang, pick, setLang, setZone, t } from './i18n/index.mjs';
import { listenToKeys } from './keys.mjs';
import { html, render, useEffect, useState } from './lib.mjs';
import { List } from './list.mjs';
import { Log } from './log.mjs';
import { MapView } from './map.mjs';
import { onRoute, route } from './route.mjs';
import { ring } from './sound.mjs';
import { start as listen, state, watch } from './store.mjs';

const SECOND_MS = 1_000;

function App() {
  const [, draw] = useState(0);
  const [helping, setHelping] = useState(false);
  useEffect(() => {
    const again = () => draw((n) => n + 1);
    const timer = setInterval(() => {
      ring();
      again();
    }, SECOND_MS);
    const stops = [
      watch(() => {
        ring();
        again();
      }),
      onRoute(again),
      listenToKeys({ help: () => setHelping(true) }),
      () => clearInterval(timer),
    ];
    return () => stops.forEach((stop) => stop());
  }, []);
  const view = route();
  setLang(view.lang);
  setZone(state.site?.now);
  document.title = title();
  const subject = chosen(view);
  return html`<div class=${`page ${state.site?.drill ? 'is-drill' : ''}`} data-lang=${lang()}>
    <${Header} help=${() => setHelping(true)} />
    <${Bars} />
    <main>
      <${List} selected=${view.alarm} />
      <${MapView} chosen=${subject} />
      <${Detail} view=${view} chosen=${subject} />
    </main>
    <${HealthStrip} />
    <${Log} />
    <${NameDialog} />
    <${Help} open=${helping} close=${() => setHelping(false)} />
  </div>`;
}

/** The number that waits stands in the title of the tab. */
function title() {
  const waiting = [...state.alarms.values()].filter((alarm) => alarm.state === 'unacknowledged').length;
  const name = `${state.site ? pick(state.site.name) : ''} ${t('app.title')}`.trim();
  return `${waiting ? `(${waiting}) ` : ''}${state.site?.drill ? t('drill.mark') : ''}${name}`;
}

/** The one selection that list, map and chart share: what the address names, or the subject of the alarm it names.
 * @param {import('./route.mjs').Route} view @returns {{station?: string, area?: string}} */
function chosen(view) {
  const alarm = state.alarms.get(view.alarm ?? '');
  if (!alarm) return { station: view.station, area: view.area };
  if (alarm.subject_kind === 'station') return { station: alarm.subject };
  if (alarm.subject_kind === 'area') return { area: alarm.subject };
  return { area: alarm.town || undefined };
}

/** Begin. @param {HTMLElement} root */
export function start(root) {
  root.replaceChildren();
  setLang(route().lang);
  render(html`<${App} />`, root);
  listen();
}
