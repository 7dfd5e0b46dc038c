// A level or outcome in shape and letter, with its word for those who listen or hover.
import { t } from './i18n/index.mjs';
import { DASHED, LETTER_Y, SHAPES } from './levels.mjs';
import { html } from './lib.mjs';

/**
 * @param {{of: import('./levels.mjs').Look, size?: number, word?: boolean}} props word: show the word beside it
 */
export function Badge({ of, size = 28, word = false }) {
  const name = t(`level.${of}`);
  return html`<span class="badge is-${of}" title=${name}>
    <svg viewBox="0 0 24 24" width=${size} height=${size} role=${word ? 'presentation' : 'img'}
      aria-label=${word ? undefined : name} aria-hidden=${word ? 'true' : undefined}>
      <path d=${SHAPES[of]} class="shape ${DASHED.has(of) ? 'dashed' : ''}" />
      <text x="12" y=${LETTER_Y[of]} class="letter">${t(`letter.${of}`)}</text>
    </svg>
    ${word && html`<span class="word">${name}</span>`}
  </span>`;
}
