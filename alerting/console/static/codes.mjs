// What the numbers of a code mean: the words come from the device's profile, by way of its gateway.
import { pick, t } from './i18n/index.mjs';

/** @typedef {import('./types.mjs').Words} Words */
/** @typedef {{states: Words, bits: Words}} Codes */

/** @param {Codes} codes */
const worded = ({ states, bits }) => Object.keys(states).length > 0 || Object.keys(bits).length > 0;

/** A number with its word, or a bit field with the words of its bits. @param {number} value @param {Codes} codes */
function meaning(value, { states, bits }) {
  if (!Number.isSafeInteger(value) || value < 0) return t('code.unknown');
  if (Object.keys(states).length > 0) return pick(states[value]) || t('code.unknown');
  const set = [...value.toString(2)].reverse().flatMap((digit, bit) => (digit === '1' ? [bit] : []));
  return set.map((bit) => pick(bits[bit]) || t('code.bit', { n: bit })).join(t('code.and')) || t('code.none');
}

/** What a row or bucket of a series says, or null where its numbers have no words.
 * @param {number|null} low @param {number|null} high @param {Codes} codes */
export function saying(low, high, codes) {
  if (low === null || high === null || !worded(codes)) return null;
  return low === high ? `${low} ${meaning(low, codes)}` : `${low}–${high}`;
}
