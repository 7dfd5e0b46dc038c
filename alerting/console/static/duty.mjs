// Who is on duty, and the acknowledgements that are under way. The name stays in this browser until it is changed.
import { acknowledge, Problem } from './api.mjs';
import { t } from './i18n/index.mjs';
import { html, useLayoutEffect, useRef } from './lib.mjs';
import { put, tell } from './store.mjs';

/** @typedef {import('./types.mjs').Alarm} Alarm */

const KEY = 'petrel.duty';

export const duty = {
  name: localStorage.getItem(KEY) ?? '',
  asking: false,
  /** acknowledged as soon as the name is known @type {Alarm|null} */ after: null,
  /** ids on their way to the server @type {Set<string>} */ sending: new Set(),
  /** what went wrong, per alarm @type {Map<string, string>} */ notes: new Map(),
};

/** Still waits for a person. @param {Alarm} alarm */
export const isWaiting = (alarm) => alarm.state === 'unacknowledged' || alarm.state === 'cleared_unacknowledged';

/** Ask for the name; then go on with an alarm, if one is given. @param {Alarm|null} [after] */
export function askName(after = null) {
  Object.assign(duty, { asking: true, after });
  tell();
}

/** Acknowledge the alarm as it was seen, with its version. @param {Alarm} seen */
export async function confirm(seen) {
  if (!isWaiting(seen) || duty.sending.has(seen.id)) return;
  if (!duty.name) return askName(seen);
  duty.sending.add(seen.id);
  duty.notes.delete(seen.id);
  tell();
  try {
    put(await acknowledge(seen.id, { version: seen.version, by: duty.name }));
  } catch (error) {
    duty.notes.set(seen.id, reason(error, seen));
  }
  duty.sending.delete(seen.id);
  tell();
}

/** @param {unknown} error @param {Alarm} seen */
function reason(error, seen) {
  if (error instanceof Problem && error.status === 409) {
    return t('ack.stale', { seen: seen.version });
  }
  if (error instanceof Problem) return t('ack.refused', { status: error.status });
  if (error instanceof TypeError || error instanceof DOMException) return t('ack.unreachable');
  throw error;
}

/** @param {string} name */
function setName(name) {
  const { after } = duty;
  Object.assign(duty, { name, asking: false, after: null });
  localStorage.setItem(KEY, name);
  tell();
  if (after) confirm(after);
}

/** The dialog that asks for the name, opened only by the officer's own act, and before the next key is pressed. */
export function NameDialog() {
  const dialog = useRef(/** @type {HTMLDialogElement|null} */ (null));
  const field = useRef(/** @type {HTMLInputElement|null} */ (null));
  useLayoutEffect(() => {
    if (!duty.asking) return dialog.current?.close();
    // Set once: a value that is drawn with each change of the page would wipe out what is being typed.
    if (field.current) field.current.value = duty.name;
    dialog.current?.showModal();
  }, [duty.asking]);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const name = field.current?.value.trim();
    if (name) setName(name);
  };
  const close = () => {
    if (duty.asking) Object.assign(duty, { asking: false, after: null });
  };
  return html`<dialog ref=${dialog} class="dialog" onClose=${close} aria-labelledby="duty-title">
    <form onSubmit=${submit}>
      <h2 id="duty-title">${t('duty.title')}</h2>
      <p>${t('duty.why')}</p>
      <input ref=${field} maxlength="40" required autocomplete="name" aria-label=${t('duty.name')}
        placeholder=${t('duty.placeholder')} />
      <div class="dialog-foot">
        <button type="button" class="quiet" onClick=${() => dialog.current?.close()}>${t('dialog.cancel')}</button>
        <button class="primary">${duty.after ? t('duty.saveAndAck') : t('duty.save')}</button>
      </div>
    </form>
  </dialog>`;
}
