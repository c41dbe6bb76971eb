// How numbers, addresses and times are written. Nothing here touches the page.

const SUBSCRIPTS = '₀₁₂₃₄₅₆₇₈₉';

/** Digits after the point that show five significant ones. */
function decimalsFor(value) {
  const magnitude = Math.floor(Math.log10(value));
  if (magnitude >= 3) return 2;
  if (magnitude >= 1) return 3;
  return Math.min(20, 4 - magnitude);
}

/**
 * A price in US dollars: five significant digits, at least two decimals, and
 * the zeros after the point counted in a subscript where there are four or
 * more (0.0₅12340 is 0.0000012340).
 *
 * @param {number|null|undefined} value
 * @returns {string} an en dash where there is none
 */
export function price(value) {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0.00';
  const sign = value < 0 ? '-' : '';
  const abs = Math.abs(value);
  const decimals = decimalsFor(abs);
  if (abs < 1e-4) {
    const digits = abs.toExponential(4); // d.dddde-n
    const zeros = -Number(digits.slice(digits.indexOf('e') + 1)) - 1;
    return `${sign}0.0${subscript(zeros)}${digits[0]}${digits.slice(2, 6)}`;
  }
  return sign + abs.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function subscript(n) {
  return [...String(n)].map((d) => SUBSCRIPTS[d]).join('');
}

/** The same price with every digit written out, for titles and readers. */
export function fullPrice(value) {
  if (!Number.isFinite(value)) return 'no price';
  const decimals = value === 0 ? 2 : Math.max(2, Math.min(20, 5 - Math.floor(Math.log10(Math.abs(value)))));
  return `${value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: decimals })} US dollars`;
}

const UNITS = [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'K']];

/** A quantity in three or four digits and a unit: 1.234M. */
export function compact(value) {
  if (!Number.isFinite(value)) return '–';
  const abs = Math.abs(value);
  const [unit, name] = UNITS.find(([u]) => abs >= u * 0.99995) ?? [1, ''];
  const scaled = value / unit;
  const size = Math.abs(scaled);
  if (size > 0 && size < 0.0001) return '<0.0001';
  const decimals = size >= 100 ? 1 : size >= 1 ? 2 : 4;
  return scaled.toLocaleString('en-US', { minimumFractionDigits: 0, maximumFractionDigits: decimals }) + name;
}

/** US dollars: cents below a thousand, a unit above a hundred thousand. */
export function usd(value) {
  if (!Number.isFinite(value)) return '–';
  if (value > 0 && value < 0.01) return '<$0.01';
  if (value >= 99_999.5) return `$${compact(value)}`;
  const decimals = value >= 999.995 ? 0 : 2;
  return `$${value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })}`;
}

/** A change between two prices, in percent with its sign. */
export function change(from, to) {
  if (!(from > 0) || !Number.isFinite(to)) return { text: '', direction: 0 };
  const percent = (to / from - 1) * 100;
  const shown = Math.abs(percent) >= 1000 ? compact(Math.abs(percent)) : Math.abs(percent).toFixed(2);
  const direction = Number(shown) === 0 ? 0 : Math.sign(percent);
  return { text: `${direction > 0 ? '+' : direction < 0 ? '−' : ''}${shown}%`, direction };
}

/**
 * A raw token amount in whole tokens.
 *
 * @param {string} raw decimal digits, too many for a number
 * @param {number|undefined} decimals of the token
 */
export function amount(raw, decimals) {
  if (decimals === undefined || decimals === null || !/^\d+$/.test(raw ?? '')) return '–';
  return compact(Number(raw) / 10 ** decimals);
}

/** The two ends of an address. */
export function short(address) {
  if (!address) return '–';
  return address.length <= 10 ? address : `${address.slice(0, 4)}…${address.slice(-4)}`;
}

/** Local time of day. */
export function clock(ms) {
  const d = new Date(ms);
  return [d.getHours(), d.getMinutes(), d.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}

/** Seconds of a day. */
export const DAY = 86_400;

/** The day of a time in Unix seconds: the local one, or for candles of whole days theirs, which begin at midnight UTC. */
export function day(t, interval) {
  return new Date(t * 1000).toLocaleDateString([], { day: 'numeric', month: 'short', timeZone: interval >= DAY ? 'UTC' : undefined });
}

/** When a candle begins, in Unix seconds: with the day where the time of day alone says little. */
export function candleTime(t, interval) {
  if (interval >= DAY) return day(t, interval);
  const time = clock(t * 1000);
  return interval < 3600 ? time : `${day(t, interval)} ${time.slice(0, 5)}`;
}

/** A duration in milliseconds, in words short enough for the header. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return '–';
  if (ms < 1) return '<1 ms';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** How long ago something was, in one unit. */
export function age(ms) {
  if (!Number.isFinite(ms)) return '–';
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/**
 * Says what is wrong with a text as a mint address.
 *
 * @param {string} text
 * @returns {string} empty where it is one: base58 of 32 bytes
 */
export function mintProblem(text) {
  for (const c of text) {
    if (!ALPHABET.includes(c)) return `“${c}” does not occur in a Solana address`;
  }
  if (text.length < 32) return `An address has 32 to 44 characters, this has ${text.length}`;
  if (text.length > 44) return `An address has at most 44 characters, this has ${text.length}`;
  let value = 0n;
  for (const c of text) value = value * 58n + BigInt(ALPHABET.indexOf(c));
  const zeros = text.length - text.replace(/^1+/, '').length;
  const bytes = zeros + (value === 0n ? 0 : Math.ceil(value.toString(16).length / 2));
  return bytes === 32 ? '' : `This decodes to ${bytes} bytes, an address has 32: is it cut off?`;
}

/** Whether a text can only have been meant as an address. */
export function looksLikeMint(text) {
  return text.length >= 26 && !/\s/.test(text);
}
