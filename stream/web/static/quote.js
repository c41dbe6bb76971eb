// What a swap would bring: the answer, and what every source said. Nothing is asked
// before somebody asks, and no wallet is involved.

import { make, write } from './dom.js';
import * as format from './format.js';

/** Always offered, with their decimals. */
export const SOL = 'So11111111111111111111111111111111111111112';
export const USDC = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';
const KNOWN = new Map([[SOL, { symbol: 'SOL', decimals: 9 }], [USDC, { symbol: 'USDC', decimals: 6 }]]);
const MOST_RAW = 2n ** 64n - 1n;

/** What a quote was judged by that is not the chain now. */
const FEEDS = { simulated: 'simulated', replay: 'replay', unknown: 'chain not known yet' };

/** What became of a source, for a person. */
const OUTCOMES = {
  ok: 'answered', no_route: 'no route', timeout: 'too late', error: 'failed', rejected: 'not believed',
  rate_limited: 'over its rate', breaker_open: 'left alone', skipped: 'not asked', off: 'off',
};

/**
 * Raw units of an amount in whole tokens.
 *
 * @param {string} text as typed: digits with at most one point
 * @param {number} decimals
 * @returns {string} '' where it is no amount above 0 that fits
 */
export function rawAmount(text, decimals) {
  const parts = /^(\d*)(?:\.(\d*))?$/.exec(text);
  if (!parts || !(parts[1] || parts[2])) return '';
  const fraction = (parts[2] ?? '').replace(/0+$/, '');
  if (fraction.length > decimals) return '';
  const raw = BigInt(parts[1] + fraction.padEnd(decimals, '0') || '0');
  return raw > 0n && raw <= MOST_RAW ? String(raw) : '';
}

/**
 * Whole tokens of raw units, every digit.
 *
 * @param {string} raw
 * @param {number|null} decimals null: unknown
 */
export function wholeAmount(raw, decimals) {
  if (decimals === null || !/^\d+$/.test(raw)) return `${raw} raw units`;
  const digits = raw.padStart(decimals + 1, '0');
  const fraction = decimals ? digits.slice(-decimals).replace(/0+$/, '') : '';
  const whole = BigInt(digits.slice(0, digits.length - decimals)).toLocaleString('en-US');
  return fraction ? `${whole}.${fraction}` : whole;
}

export class Quote {
  #parts;
  #tokens;
  #ask;
  #facts;
  /** Counts questions: the answer to an older one is not shown. */
  #asked = 0;
  #expiry = 0;

  /**
   * @param {object} parts
   * @param {HTMLDetailsElement} parts.box
   * @param {HTMLFormElement} parts.form
   * @param {HTMLSelectElement} parts.from
   * @param {HTMLSelectElement} parts.to
   * @param {HTMLInputElement} parts.amount
   * @param {HTMLInputElement} parts.slippage percent
   * @param {HTMLButtonElement} parts.flip
   * @param {HTMLElement} parts.note what is wrong, or waited for
   * @param {HTMLElement} parts.answer
   * @param {HTMLTableSectionElement} parts.body
   * @param {() => {mint: string, symbol: string}[]} parts.tokens to choose from, the chosen one first
   * @param {(query: URLSearchParams) => Promise<object>} parts.ask the answer or the problem, as JSON
   * @param {(mint: string) => Promise<{decimals: number|null}>} parts.facts of a token
   */
  constructor({ tokens, ask, facts, ...parts }) {
    this.#parts = parts;
    this.#tokens = tokens;
    this.#ask = ask;
    this.#facts = facts;
    parts.box.addEventListener('toggle', () => parts.box.open && this.#offer(tokens()[0]?.mint));
    for (const select of [parts.from, parts.to]) select.addEventListener('focus', () => this.#offer());
    parts.flip.addEventListener('click', () => {
      [parts.from.value, parts.to.value] = [parts.to.value, parts.from.value];
      this.#clear();
    });
    parts.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.ask();
    });
  }

  /** Asks for what the form says, and shows the answer. */
  async ask() {
    const { from, to, amount, slippage } = this.#parts;
    const number = ++this.#asked;
    this.#clear();
    this.#say('Asking…');
    try {
      const [given, wanted] = [await this.#decimals(from.value), await this.#decimals(to.value)];
      if (given === null) throw new Error('The decimals of what is given are not known yet');
      const raw = rawAmount(amount.value.trim(), given);
      amount.setAttribute('aria-invalid', String(!raw));
      if (!raw) throw new Error(`Write an amount above 0 with at most ${given} decimals`);
      const bps = rawAmount(slippage.value.trim(), 2) || '0';
      const query = new URLSearchParams({ inputMint: from.value, outputMint: to.value, amount: raw, slippageBps: bps });
      const answer = await this.#ask(query);
      if (number !== this.#asked) return;
      this.#sources(answer, wanted);
      if (!answer.source) throw new Error(answer.detail || answer.title || 'There is no quote');
      this.#show(answer, given, wanted);
    } catch (error) {
      if (number === this.#asked) this.#say(`${error.message}.`);
    }
  }

  async #decimals(mint) {
    return KNOWN.get(mint)?.decimals ?? (await this.#facts(mint)).decimals ?? null;
  }

  #name(mint) {
    return KNOWN.get(mint)?.symbol ?? (this.#tokens().find((t) => t.mint === mint)?.symbol || format.short(mint));
  }

  /** Fills both lists anew and keeps what is chosen, but for a token to begin with. */
  #offer(first) {
    const offered = new Map([...KNOWN].map(([mint, { symbol }]) => [mint, symbol]));
    for (const { mint, symbol } of this.#tokens()) if (!offered.has(mint)) offered.set(mint, symbol || format.short(mint));
    const { from, to } = this.#parts;
    const chosen = [from.value || (first && first !== USDC ? first : SOL), to.value || USDC];
    [from, to].forEach((select, i) => {
      select.replaceChildren(...[...offered].map(([mint, symbol]) => new Option(symbol, mint)));
      select.value = offered.has(chosen[i]) ? chosen[i] : [SOL, USDC][i];
    });
  }

  #show(a, given, wanted) {
    const out = this.#name(a.outputMint);
    this.#say('');
    const facts = [`at least ${wholeAmount(a.otherAmountThreshold, wanted)}`];
    if (a.priceImpactPct !== null) facts.push(`price impact ${(Number(a.priceImpactPct) * 100).toFixed(2)}%`);
    facts.push(`${a.hops} hop${a.hops === 1 ? '' : 's'}`, `${a.elapsedMs} ms`);
    const kind = [];
    if (a.feed) kind.push(make('span', 'tag', FEEDS[a.feed] ?? a.feed));
    if (!a.executable) kind.push(make('span', 'tag', 'indication only'));
    this.#parts.answer.append(
      make('strong', '', `${wholeAmount(a.inAmount, given)} ${this.#name(a.inputMint)} brings ${wholeAmount(a.outAmount, wanted)} ${out}`), ' ', ...kind,
      make('span', 'muted', `From ${a.source}: ${facts.join(', ')}.`),
      ...a.warnings.map((w) => make('span', 'warning', `${w.code.replaceAll('_', ' ')}: ${w.message}`)),
    );
    this.#parts.answer.hidden = false;
    clearTimeout(this.#expiry);
    const number = this.#asked;
    this.#expiry = setTimeout(() => {
      if (number === this.#asked) this.#say('This quote has expired: ask again.');
    }, Math.max(0, a.expiresAt - Date.now()));
  }

  #sources(a, wanted) {
    this.#parts.body.replaceChildren(...(a.sources ?? []).map((s) => {
      const tr = make('tr', s.source === a.source ? 'won' : '');
      const why = s.outcome === 'ok' ? (s.warnings ?? []).map((w) => w.code.replaceAll('_', ' ')).join(', ')
        : [OUTCOMES[s.outcome] ?? s.outcome, s.reason?.replaceAll('_', ' ')].filter(Boolean).join(': ');
      const score = make('td', 'num', s.score ? String(s.score.total) : '');
      if (s.score) {
        score.title = `confidence ${s.score.confidence} + amount ${s.score.amount} + reliability ${s.score.reliability} − 50 × ${s.score.warnings} warnings`;
      }
      tr.append(
        make('td', 'who', s.source), make('td', 'num', s.outAmount ? wholeAmount(s.outAmount, wanted) : ''), score,
        make('td', 'why', why), make('td', 'num', s.elapsedMs === undefined ? '' : `${s.elapsedMs} ms`),
      );
      tr.cells[3].title = s.detail ?? '';
      return tr;
    }));
    this.#parts.body.parentElement.hidden = !a.sources;
  }

  #clear() {
    clearTimeout(this.#expiry);
    this.#parts.answer.replaceChildren();
    this.#parts.answer.hidden = true;
    this.#parts.body.replaceChildren();
    this.#parts.body.parentElement.hidden = true;
    this.#say('');
  }

  #say(text) {
    write(this.#parts.note, text);
    this.#parts.note.hidden = !text;
  }
}
