// The keys and the signs, on one sheet.
import { Badge } from './badge.mjs';
import { t } from './i18n/index.mjs';
import { LOOKS } from './levels.mjs';
import { html, useLayoutEffect, useRef } from './lib.mjs';

/** @param {{open: boolean, close: () => void}} props */
export function Help({ open, close }) {
  const dialog = useRef(/** @type {HTMLDialogElement|null} */ (null));
  useLayoutEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return html`<dialog ref=${dialog} class="dialog help-sheet" onClose=${close} aria-labelledby="help-title">
    <h2 id="help-title">${t('help.title')}</h2>
    <dl class="keys">
      <dt><kbd>J</kbd> <kbd>K</kbd></dt><dd>${t('help.move')}</dd>
      <dt><kbd>A</kbd></dt><dd>${t('help.ack')}</dd>
      <dt><kbd>M</kbd></dt><dd>${t('help.mute')}</dd>
      <dt><kbd>?</kbd></dt><dd>${t('help.help')}</dd>
    </dl>
    <h3>${t('help.signs')}</h3>
    <ul class="signs">${LOOKS.map((key) => html`<li key=${key}><${Badge} of=${key} size="24" word=${true} /><span>${t(`meaning.${key}`)}</span></li>`)}</ul>
    <div class="dialog-foot"><button class="primary" onClick=${() => dialog.current?.close()}>${t('dialog.close')}</button></div>
  </dialog>`;
}
