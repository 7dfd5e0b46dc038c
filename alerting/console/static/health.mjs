// The field and the server at a glance: gateways, what they still hold back, devices that fail, parts that are down.
import { health } from './api.mjs';
import { age, knows, number, t } from './i18n/index.mjs';
import { html, useEffect, useState } from './lib.mjs';
import { nameplates } from './nameplates.mjs';
import { dataNow, isSilent, state } from './store.mjs';

const ASK_EVERY_MS = 10_000;

/** @typedef {import('./types.mjs').Gateway} Gateway */

export function HealthStrip() {
  const gateways = [...state.gateways.values()].sort((a, b) => (a.source < b.source ? -1 : 1));
  return html`<footer class=${`health ${isSilent() ? 'is-old' : ''}`} aria-label=${t('health.title')}>
    <h2>${t('health.title')}</h2>
    ${gateways.length === 0 && html`<span class="empty">${t('health.none')}</span>`}
    ${gateways.map((gateway) => html`<${GatewayChip} key=${gateway.source} gateway=${gateway} />`)}
    <${Parts} />
  </footer>`;
}

/** @param {{gateway: Gateway}} props */
function GatewayChip({ gateway }) {
  const devices = Object.entries(gateway.devices);
  const failing = devices.filter(([, reason]) => reason !== 'ok');
  const online = gateway.presence === 'online';
  const seen = gateway.last_seen ? age((dataNow() - Date.parse(gateway.last_seen)) / 1000) : age(NaN);
  return html`<span class=${`chip ${online ? 'is-well' : 'is-ill'}`}>
    <i aria-hidden="true">${online ? '●' : '✕'}</i>
    <b>${gateway.source.split('/').pop()}</b>
    <span>${online ? t('health.online') : t(gateway.presence === 'offline' ? 'health.offline' : 'health.unheard', { seen })}</span>
    <span>${t('health.backlog', { n: gateway.spool_rows })}</span>
    ${gateway.hours_until_full !== null && html`<span>${t('health.hours', { n: number(gateway.hours_until_full, 'mm') })}</span>`}
    <span class=${failing.length ? 'fails' : ''} translate=${false} title=${[...failing.map(([name, reason]) => `${name}: ${reason}`), ...nameplates(gateway.attributes)].join('\n')}>
      ${t('health.devices', { ok: devices.length - failing.length, all: devices.length })}
      ${
        failing.length > 0 &&
        html` · ${failing
          .slice(0, 2)
          .map(([name]) => name)
          .join(', ')}${failing.length > 2 ? '…' : ''}`
      }
    </span>
  </span>`;
}

/** The parts of the server, asked for now and then: a dead part may be the one that would have told us. */
function Parts() {
  const [answer, setAnswer] = useState(/** @type {import('./types.mjs').Health|null} */ (null));
  useEffect(() => {
    const ask = () => health().then(setAnswer, () => setAnswer(null));
    ask();
    const timer = setInterval(ask, ASK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  if (!answer?.parts)
    return html`<span class="chip is-unknown"><i aria-hidden="true">?</i>${t('health.unknown')}</span>`;
  return html`<span class="parts">${Object.entries(answer.parts).map(([name, part]) => {
    const well = part.status === 'ok';
    return html`<span key=${name} translate=${false} title=${part.detail} class=${`chip ${well ? 'is-well' : 'is-ill'}`}>
      <i aria-hidden="true">${well ? '●' : '✕'}</i>${knows(`part.${name}`) ? t(`part.${name}`) : name}
      ${!well && html` <b>${knows(`status.${part.status}`) ? t(`status.${part.status}`) : part.status}</b>`}</span>`;
  })}
  ${typeof answer.lag_ms === 'number' && html`<span class="lag">${t('health.lag', { n: Math.round(answer.lag_ms) })}</span>`}</span>`;
}
