// Server-sent events over fetch. The browser's EventSource gives up for ever on one bad answer and can't be told the
// last id by hand; a console must come back by itself and lose nothing.

const SILENCE_MS = 6_000;
const RETRY_MS = [500, 1_000, 2_000, 3_000];

/** @typedef {{id: string, event: string, data: string}} Message */

/**
 * Cut complete messages off a text. @param {string} text
 * @returns {{messages: Message[], rest: string}}
 */
export function cut(text) {
  const blocks = text.replaceAll('\r\n', '\n').split('\n\n');
  const rest = blocks.pop() ?? '';
  return { messages: blocks.map(message).filter((m) => m.data !== ''), rest };
}

/** @param {string} block @returns {Message} */
function message(block) {
  const found = { id: '', event: 'message', data: /** @type {string[]} */ ([]) };
  for (const line of block.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'data') found.data.push(value);
    else if (field === 'id' || field === 'event') found[field] = value;
  }
  return { ...found, data: found.data.join('\n') };
}

/**
 * Read for ever: on silence, an error or an end it comes back with the id of the last message it took.
 * @param {string} url
 * @param {{heard: () => void, take: (m: Message) => void, lost: (why: string) => void}} ears
 */
export async function listen(url, ears) {
  let last = '';
  for (let failures = 0; ;) {
    try {
      await read(url, last, {
        ...ears,
        take: (m) => {
          ears.take(m);
          failures = 0;
          if (m.id) last = m.id;
        },
      });
      ears.lost('end');
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      ears.lost(error.message);
    }
    const pause = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)];
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
  }
}

/** The link broke; any other error is ours. */
class StreamError extends Error {}

/** @param {Error} error @returns {never} */
function broken(error) {
  throw new StreamError(error.message);
}

/** @param {string} url @param {string} last @param {{heard: () => void, take: (m: Message) => void}} ears */
async function read(url, last, { heard, take }) {
  const control = new AbortController();
  let watchdog = setTimeout(() => control.abort(), SILENCE_MS);
  try {
    const headers = { accept: 'text/event-stream', ...(last ? { 'last-event-id': last } : {}) };
    const response = await fetch(url, { headers, cache: 'no-store', signal: control.signal }).catch(broken);
    if (!response.ok || !response.body) throw new StreamError(`HTTP ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ''; ;) {
      const { done, value } = await reader.read().catch(broken);
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => control.abort(), SILENCE_MS);
      heard();
      const { messages, rest } = cut(text + value);
      text = rest;
      messages.forEach(take);
    }
  } finally {
    clearTimeout(watchdog);
    control.abort();
  }
}
