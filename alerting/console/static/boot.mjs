// Loads the page, and says so in words when it can't: a blank screen in a storm is the worst answer.
import('./main.mjs').then(
  ({ start }) => start(/** @type {HTMLElement} */ (document.getElementById('app'))),
  (/** @type {Error} */ error) => {
    const note = document.getElementById('boot');
    if (note) note.textContent = `值班台打不开，请刷新或致电运维。 The console did not open: ${error.message}`;
    throw error;
  },
);
