// New alarms for those who listen: spoken politely, never by moving the focus.
import { lang, t } from './i18n/index.mjs';
import { html, useEffect, useState } from './lib.mjs';
import { spoken } from './list.mjs';
import { state, takeFresh } from './store.mjs';

const KEEP = 20;
const ONE_BY_ONE = 3;

export function Log() {
  const [lines, setLines] = useState(/** @type {{id: string, text: string}[]} */ ([]));
  useEffect(() => setLines([]), [lang()]); // a sentence stays in the language it was said in, so it does not stay
  useEffect(() => {
    const fresh = takeFresh();
    if (fresh.length === 0) return;
    const said =
      fresh.length > ONE_BY_ONE
        ? [{ id: `many-${state.revision}`, text: t('log.many', { n: fresh.length }) }]
        : fresh.map((alarm) => ({ id: `${alarm.id}-${alarm.version}`, text: spoken(alarm) }));
    setLines((before) => [...before, ...said].slice(-KEEP));
  }, [state.revision]);
  return html`<ol class="unseen" role="log" aria-live="polite" aria-label=${t('log.label')}>
    ${lines.map((line) => html`<li key=${line.id}>${line.text}</li>`)}</ol>`;
}
