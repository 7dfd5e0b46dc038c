// A pattern of tones per severity, repeated until everything is acknowledged. Browsers allow sound only after a click,
// so the shift begins with a button, and a banner stays while sound is off.
import { state, tell } from './store.mjs';

const MUTE_MS = 120_000;
const RAMP_S = 0.01;

/** Beeps, their pitch and the pause before the pattern is repeated, per level 1 to 4. */
const PATTERNS = [
  null,
  { beeps: 1, hz: 440, lengthS: 0.18, everyMs: 60_000 },
  { beeps: 1, hz: 587, lengthS: 0.3, everyMs: 30_000 },
  { beeps: 2, hz: 740, lengthS: 0.22, everyMs: 15_000 },
  { beeps: 4, hz: 988, lengthS: 0.16, everyMs: 6_000 },
];

export const sound = {
  on: false,
  /** performance.now() until which it is quiet */ mutedUntil: 0,
};

/** @type {AudioContext|null} */
let context = null;
let playedAt = -Infinity;
let playedLevel = 0;

/** Switch sound on (must be called from a click or key) or off. */
export async function toggle() {
  sound.on = !sound.on;
  sound.mutedUntil = 0;
  playedAt = -Infinity;
  if (sound.on) {
    context ??= new AudioContext();
    await context.resume();
    beep(context, 660, context.currentTime, 0.08);
  }
  tell();
}

/** Be quiet for two minutes, or no longer. */
export function mute() {
  sound.mutedUntil = isMuted() ? 0 : performance.now() + MUTE_MS;
  tell();
}

export const isMuted = () => performance.now() < sound.mutedUntil;

/** Play what is due; called every second and after every change. */
export function ring() {
  const waiting = [...state.alarms.values()].filter((alarm) => alarm.state === 'unacknowledged');
  const level = Math.max(0, ...waiting.map((alarm) => alarm.level));
  const pattern = waiting.length ? PATTERNS[Math.max(level, 1)] : null;
  if (!sound.on || !context || !pattern || isMuted()) {
    playedLevel = 0;
    return;
  }
  const due = level > playedLevel || performance.now() - playedAt >= pattern.everyMs;
  if (!due) return;
  playedAt = performance.now();
  playedLevel = level;
  for (let i = 0; i < pattern.beeps; i += 1) {
    beep(context, pattern.hz, context.currentTime + i * pattern.lengthS * 1.6, pattern.lengthS);
  }
}

/** @param {AudioContext} audio @param {number} hz @param {number} start @param {number} length in seconds */
function beep(audio, hz, start, length) {
  const tone = audio.createOscillator();
  const gain = audio.createGain();
  tone.frequency.value = hz;
  tone.type = 'triangle';
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(0.35, start + RAMP_S);
  gain.gain.setValueAtTime(0.35, start + length - RAMP_S);
  gain.gain.linearRampToValueAtTime(0, start + length);
  tone.connect(gain).connect(audio.destination);
  tone.start(start);
  tone.stop(start + length);
}
