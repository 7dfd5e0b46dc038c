// The bar on top and the bars below it: where, drill or not, when, how many, who, connected or not.
import { Badge } from './badge.mjs';
import { askName, duty, isWaiting } from './duty.mjs';
import { clock, lang, longDay, pick, t } from './i18n/index.mjs';
import { LEVELS } from './levels.mjs';
import { html } from './lib.mjs';
import { go } from './route.mjs';
import { isMuted, mute, sound, toggle } from './sound.mjs';
import { dataNow, isSilent, silentSeconds, state } from './store.mjs';

/** @param {{help: () => void}} props */
export function Header({ help }) {
  const now = dataNow();
  const { site } = state;
  return html`<header class="top">
    <img class="mark" src="./icon.svg" alt="" width="30" height="30" />
    <h1>${site ? pick(site.name) : ''}<small>${t('app.title')}</small></h1>
    ${site?.drill && html`<strong class="drill-mark">${t('drill.mark')}</strong>`}
    ${site?.speed && site.speed !== 1 && html`<span class="speed">${t('app.speed', { n: site.speed })}</span>`}
    <${Counts} />
    <div class="when"><time class="clock">${clock(now, { seconds: true })}</time><span>${longDay(now)}</span></div>
    <${Link} />
    <button class="tool duty" onClick=${() => askName()}>${duty.name ? html`<bdi>${duty.name}</bdi>` : t('duty.nobody')}</button>
    <${SoundButton} />
    <button class="tool lang" lang=${lang() === 'zh' ? 'en' : 'zh-CN'} onClick=${() => go({ lang: lang() === 'zh' ? 'en' : undefined })}>
      ${lang() === 'zh' ? 'English' : '中文'}</button>
    <button class="tool help" aria-label=${t('help.title')} title=${t('help.title')} onClick=${help}>?</button>
  </header>`;
}

/** How many alarms are in force, per level; and how many wait. */
function Counts() {
  const inForce = [...state.alarms.values()].filter((alarm) => !alarm.cleared_at);
  const waiting = [...state.alarms.values()].filter(isWaiting).length;
  return html`<ul class="counts" aria-label=${t('counts.label')}>
    ${[4, 3, 2, 1].map((level) => {
      const n = inForce.filter((alarm) => alarm.outcome === 'level' && alarm.level === level).length;
      return html`<li key=${level} class=${n ? '' : 'none'}><${Badge} of=${LEVELS[level]} size="22" /><b>${n}</b></li>`;
    })}
    <li class=${`waiting ${waiting ? 'some' : 'none'}`}><b>${waiting}</b> ${t('counts.waiting')}</li>
  </ul>`;
}

/** Whether the server is heard. */
function Link() {
  const kind = !state.site ? 'opening' : isSilent() ? 'lost' : 'live';
  return html`<span class=${`link is-${kind}`}><i aria-hidden="true"></i>${t(`link.${kind}`)}</span>`;
}

function SoundButton() {
  const kind = !sound.on ? 'off' : isMuted() ? 'muted' : 'on';
  return html`<button class=${`tool sound is-${kind}`} aria-pressed=${sound.on} onClick=${kind === 'muted' ? mute : toggle}>
    <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
      <path class="solid" d="M3 9v6h4l5 4.5v-15L7 9z" />
      ${
        kind === 'on'
          ? html`<path class="line" d="M15.5 8.5a5 5 0 0 1 0 7M18 5.5a9 9 0 0 1 0 13" />`
          : html`<path class="line" d="M16 9.5l5 5m0-5l-5 5" />`
      }
    </svg>${t(`sound.${kind}`)}</button>`;
}

/** What must not be overlooked, over the full width. */
export function Bars() {
  const silent = isSilent();
  return html`<div class="bars">
    ${
      silent &&
      html`<p class="bar is-lost" role="alert">
      <b>${t('bar.lost')}</b> ${t('bar.since', { n: silentSeconds(), time: clock(dataNow(), { seconds: true }) })}</p>`
    }
    ${
      !sound.on &&
      html`<p class="bar is-quiet">${t('bar.noSound')}
      <button onClick=${toggle}>${t('bar.soundOn')}</button></p>`
    }
    ${
      sound.on &&
      isMuted() &&
      html`<p class="bar is-quiet">${t('bar.muted')}
      <button onClick=${mute}>${t('bar.unmute')}</button></p>`
    }
  </div>`;
}
