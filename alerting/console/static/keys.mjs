// The keyboard: J and K move through the alarms, A acknowledges the chosen one, M is quiet for two minutes, ? helps.
import { confirm } from './duty.mjs';
import { move } from './list.mjs';
import { route } from './route.mjs';
import { mute } from './sound.mjs';
import { state } from './store.mjs';

/** Keys mean nothing while somebody types or a dialog is open. @param {KeyboardEvent} event */
function isTyping(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  return target.closest('input, textarea, select, dialog') !== null || document.querySelector('dialog[open]') !== null;
}

/** @param {{help: () => void}} actions @returns {() => void} stop */
export function listenToKeys({ help }) {
  /** @type {Record<string, () => void>} */
  const keys = {
    j: () => move(1, route().alarm),
    k: () => move(-1, route().alarm),
    a: () => {
      const alarm = state.alarms.get(route().alarm ?? '');
      if (alarm) confirm(alarm);
    },
    m: mute,
    '?': help,
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const act = keys[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.altKey || event.metaKey || event.repeat || isTyping(event)) return;
    event.preventDefault();
    act();
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}
