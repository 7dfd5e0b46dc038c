// Run by test_console_modules.py: drives the page's pure modules in node and prints what they answer as JSON.
const folder = process.argv[2];
const load = (/** @type {string} */ name) => import(`file://${folder}/${name}`);

const { cut } = await load('sse.mjs');
const { append, missing, withGaps } = await load('columns.mjs');
const { saying } = await load('codes.mjs');
const { nameplates } = await load('nameplates.mjs');
const { alarmLook, look, placeLook, reached } = await load('levels.mjs');
const { areaShapes } = await load('areas.mjs');
const store = await load('store.mjs');

/** A server that plays a script: one list of chunks per connection, and keeps the headers it was asked with. */
const asked = [];
const alarm = (id, version, more = {}) => ({ id, version, level: 2, state: 'unacknowledged', ...more });
const event = (id, name, data) => `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const whole = { site: { id: 'x', now: '2023-07-28T04:00:00+08:00', speed: 60 }, stations: [], areas: [], gateways: [] };
const script = [
  [event('b-1', 'snapshot', { ...whole, alarms: [alarm('a', 3), alarm('b', 1)] }), event('b-2', 'delta', { alarms: [alarm('a', 2)] })],
  ['HTTP 503'],
  [event('b-3', 'delta', { alarms: [alarm('c', 1)] }).slice(0, 30), event('b-3', 'delta', { alarms: [alarm('c', 1)] }).slice(30)],
  [event('c-1', 'snapshot', { ...whole, alarms: [alarm('c', 2, { state: 'acknowledged' })] })],
];
const utf8 = new TextEncoder();
globalThis.fetch = async (_, { headers }) => {
  asked.push(headers['last-event-id'] ?? null);
  const chunks = script.shift();
  if (!chunks) return new Promise(() => undefined);
  if (chunks[0] === 'HTTP 503') return new Response('', { status: 503 });
  return new Response(new ReadableStream({
    async start(control) {
      for (const chunk of chunks) control.enqueue(utf8.encode(chunk));
      setTimeout(() => control.close(), 5);
    },
  }));
};
const pictures = [];
store.watch(() => pictures.push([...store.state.alarms.values()].map(({ id, version }) => `${id}${version}`).join(' ')));
store.start();
while (asked.length < 5) await new Promise((resolve) => setTimeout(resolve, 10));
const fresh = store.takeFresh().map(({ id }) => id);

const row = (at, value, quality = 'GOOD') => ({ time: new Date(at * 1000).toISOString(), value, quality });
const columns = withGaps({ time: [0, 60, 120, 600, 660], value: [1, 2, null, 4, 5], low: [1, 2, null, 4, 5], high: [1, 2, null, 4, 5], quality: ['GOOD', 'GOOD', 'MISSING', 'GOOD', 'GOOD'] });
const gaps = missing(columns);
const added = structuredClone(columns);
append(added, row(660, 9), 100);
append(added, row(720, 6), 100);

const square = { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 0]]] };
const shapes = areaShapes(
  { areas: [{ code: '1', lon: 119, lat: 25 }, { code: '2', lon: 119, lat: 25 }, { code: '3', lon: null, lat: null }] },
  [{ layer: {}, data: { features: [{ properties: { code: '1' }, geometry: square }, { properties: { code: '9' }, geometry: square }] } }],
);
const codes = { states: { 3: { zh: '故障', en: 'faulty' } }, bits: {} };
const bits = { states: {}, bits: { 0: { zh: '甲', en: 'A' }, 33: { zh: '乙', en: 'B' } } };
const rising = [{ level: 1, value: 3, op: '>=' }, { level: 3, value: 5, op: '>=' }];
const falling = [{ level: 2, value: 600, op: '<=' }, { level: 4, value: 450, op: '<=' }];

console.log(JSON.stringify({
  crlf: cut('id: 1\r\nevent: delta\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: comment\r\n\r\nid: 2\r\nda'),
  asked, pictures, fresh, snapshots: store.state.snapshots,
  gaps, times: columns.time, added: added.time, values: added.value,
  places: [
    { outcome: 'unconfigured', level: 0, hazards: { gale: { outcome: 'normal' }, flood: { outcome: 'unconfigured' } } },
    { outcome: 'no_data', level: 0, hazards: { gale: { outcome: 'normal' }, flood: { outcome: 'no_data' } } },
    { outcome: 'no_data', level: 0, hazards: { gale: { outcome: 'unconfigured' }, flood: { outcome: 'no_data' } } },
    { outcome: 'level', level: 3, hazards: { gale: { outcome: 'level' }, flood: { outcome: 'no_data' } } },
    { outcome: 'normal', level: 0, hazards: { gale: { outcome: 'normal' } } },
    { outcome: 'unconfigured', level: 0, hazards: {} },
  ].map(placeLook),
  looks: [look('level', 4), look('normal', 0), look('no_data', 0), look('never heard of', 0), look('level', 7)],
  alarms: [alarmLook({ level: 0, peak_level: 3, cleared_at: 'x', outcome: 'cleared' }), alarmLook({ level: 0, peak_level: 0, cleared_at: null, outcome: 'no_data' }), alarmLook({ level: 0, peak_level: 0, cleared_at: 'x', outcome: 'cleared' })],
  codes: [saying(3, 3, codes), saying(4, 4, codes), saying(1, 3, codes), saying(null, null, codes), saying(3, 3, { states: {}, bits: {} })],
  bits: [0, 1, 2 ** 33 + 1, 3, 1.5, -1, 2 ** 60].map((value) => saying(value, value, bits)),
  plates: nameplates({ radar: { firmware: '1.0', serial: 'A1' }, gauge: { model: 'M' } }),
  reached: [reached(2.9, rising), reached(3, rising), reached(9, rising), reached(null, rising), reached(600, falling), reached(449, falling), reached(700, falling)],
  shapes: Object.fromEntries([...shapes].map(([code, shape]) => [code, shape.coordinates[0].length])),
}));
process.exit(0);
