// Requests to our own server. Everything that changes is told by events; this fetches what is asked for.

const DEADLINE_MS = 10_000;

/** An answer that is not a success, with the problem details (RFC 9457) of the server. */
export class Problem extends Error {
  /** @param {number} status @param {{title?: string, detail?: string}} body */
  constructor(status, body) {
    super(body.detail ?? body.title ?? String(status));
    this.status = status;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>} raises Problem, or a DOMException or TypeError when the server can't be reached
 */
async function ask(path, init = {}) {
  const limits = [AbortSignal.timeout(DEADLINE_MS), ...(init.signal ? [init.signal] : [])];
  const response = await fetch(path, { ...init, signal: AbortSignal.any(limits) });
  const body = response.headers.get('content-type')?.includes('json') ? await response.json() : {};
  if (!response.ok) throw new Problem(response.status, body);
  return body;
}

/**
 * Acknowledge the version that was on the screen; Problem 409 when it has changed meanwhile (F23).
 * @param {string} id
 * @param {{version: number, by: string}} seen
 * @returns {Promise<import('./types.mjs').Alarm>}
 */
export function acknowledge(id, seen) {
  return ask(`./api/v1/alarms/${encodeURIComponent(id)}/ack`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(seen),
  });
}

/**
 * @param {string} series
 * @param {{from: string, to: string, every?: number, signal: AbortSignal}} range every: bucket in seconds, none = raw
 * @returns {Promise<{series: string, unit: string, points: import('./types.mjs').Points} & import('./codes.mjs').Codes>}
 */
export function points(series, { from, to, every, signal }) {
  const query = new URLSearchParams({ from, to, ...(every ? { every: String(every) } : {}) });
  return ask(`./api/v1/series/${encodeURIComponent(series)}/points?${query}`, { signal });
}

/** Parts of the server; a 503 is an answer too: it says which part is down. @returns {Promise<import('./types.mjs').Health>} */
export async function health() {
  const response = await fetch('./api/v1/health', { signal: AbortSignal.timeout(DEADLINE_MS) });
  return response.json();
}

/** A GeoJSON layer. @param {string} url */
export function layer(url) {
  return ask(url);
}
