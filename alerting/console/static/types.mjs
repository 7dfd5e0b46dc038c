/**
 * The JSON of the HTTP interface, as JSDoc types. Times are ISO 8601 with offset, series ids strings.
 *
 * @typedef {{zh: string, en: string}} Text
 * @typedef {'unconfigured'|'no_data'|'suspect'|'normal'|'level'|'cleared'} Outcome
 * @typedef {'UNCHECKED'|'GOOD'|'SUSPECT'|'BAD'|'MISSING'} Quality
 * @typedef {{level: number, value: number, op: string, name: Text, rule: string, edition: string, source: string}} Threshold
 * @typedef {{series: string, point: string, quantity: string, name: Text, unit: string, value: number|null,
 *   quality: Quality, cause: string[], time: string|null, age_s: number|null, stale: boolean, valid: [number|null, number|null],
 *   thresholds: Threshold[], meaning: Text|null}} Reading
 * @typedef {Record<string, Text>} Words by number, or by bit
 * @typedef {{id: string, name: Text, kind: string, lat: number, lon: number, town: string, gateway: string,
 *   outcome: Outcome, level: number, hazards: Record<string, {outcome: Outcome, level: number, alarms: string[]}>,
 *   readings: Reading[]}} Station
 * @typedef {{code: string, name: Text, managed_by: Text|null, lon: number|null, lat: number|null}} SiteArea
 * @typedef {{id: string, url: string, crs: string, attribution: Text, sketch: boolean}} Layer
 * @typedef {{id: string, name: Text, timezone?: string, drill: boolean, speed?: number|null, now: string, areas: SiteArea[], layers: Layer[],
 *   bounds: [number, number, number, number]}} Site
 * @typedef {{code: string, name: Text, level: number, outcome: Outcome,
 *   hazards: Record<string, {outcome: Outcome, level: number, alarms: string[]}>, confidence: number|null,
 *   explanation: Text}} Area
 * @typedef {'unacknowledged'|'acknowledged'|'cleared_unacknowledged'|'cleared'} AlarmState
 * @typedef {{id: string, version: number, hazard: string, hazard_name: Text, level: number, peak_level: number,
 *   outcome: Outcome, series: string[], state: AlarmState, subject_kind: string, subject: string, subject_name: Text, town: string, raised_at: string,
 *   updated_at: string, cleared_at: string|null, acknowledged_by: string|null, acknowledged_at: string|null,
 *   value: number|null, threshold: number|null, unit: string, quality: string, text: Text, rule: string,
 *   edition: string, source: string, note?: string, drill: boolean}} Alarm
 * @typedef {{source: string, presence: string, last_seen: string|null, spool_batches: number, spool_rows: number,
 *   oldest: string|null, hours_until_full: number|null, drain_rows_per_s: number|null,
 *   clock: 'synchronised'|'unsynchronised'|'unset'|null, clock_steps: number, day_bytes: number|null, month_bytes: number|null,
 *   quota_bytes: number|null, notes: string[], devices: Record<string, string>,
 *   attributes: Record<string, Record<string, string>>, drill: boolean}} Gateway
 * @typedef {{site?: Site, stations?: Station[], areas?: Area[], alarms?: Alarm[], gateways?: Gateway[]}} Delta
 * @typedef {{status: string, parts: Record<string, {status: string, detail?: string}>, lag_ms?: number|null}} Health
 * @typedef {{time: number[], value?: (number|null)[], min?: (number|null)[], mean?: (number|null)[],
 *   max?: (number|null)[], count?: number[], quality: Quality[]}} Points
 */
export {};
