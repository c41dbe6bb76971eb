// What a followed wallet is worth, what it gained, and a picture of what that is
// made of. The server works it out; this asks again when the wallet moves.

import { make, write } from './dom.js';
import * as format from './format.js';

/** How long changes are gathered before the server is asked, and how soon again without any. */
const GATHER_MS = 250;
const AGAIN_MS = 5000;

/** Slices that have a name; the rest is one. */
const SLICES = 6;

/** Around the ring, in the units of its circles: their circumference is 100. */
const RADIUS = 100 / (2 * Math.PI);

const WHY = {
  no_rpc: 'Only what the stream has shown since the wallet is followed: this server has no node to ask.',
  snapshot: 'What it held before is still being asked for.',
  history: 'What it did before is still being read.',
  cost: 'Of some of it nobody knows what it cost: gains leave that out.',
};

export class Portfolio {
  #parts;
  #get;
  #owner = '';
  #method = 'fifo';
  #pnl = null;
  #timer = 0;
  #asking = false;
  #again = false;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.box hidden while there is nothing to show
   * @param {SVGElement} parts.ring
   * @param {HTMLUListElement} parts.legend
   * @param {Record<string, HTMLElement>} parts.facts value, sol, realized, unrealized, fees
   * @param {HTMLElement} parts.tag says that it is simulated
   * @param {HTMLElement} parts.note says what is missing
   * @param {HTMLElement} parts.methods radio buttons: fifo, average
   * @param {(path: string) => Promise<object>} parts.get reads JSON of the HTTP API
   */
  constructor({ get, ...parts }) {
    this.#parts = parts;
    this.#get = get;
    parts.methods.addEventListener('change', (event) => {
      this.#method = event.target.value;
      this.#gains();
    });
    document.addEventListener('visibilitychange', () => this.#soon(0));
  }

  /** Follows a wallet; none where it is ''. */
  show(owner) {
    this.#owner = owner;
    this.#pnl = null;
    this.#parts.box.hidden = true;
    this.#soon(0);
  }

  /** Says that something of the wallet has changed. */
  moved() {
    if (this.#asking) this.#again = true;
    else this.#soon(GATHER_MS);
  }

  #soon(ms) {
    clearTimeout(this.#timer);
    if (this.#owner && !document.hidden) this.#timer = setTimeout(() => this.#ask(), ms);
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    this.#again = false;
    const owner = this.#owner;
    try {
      const [portfolio, pnl] = await Promise.all(['portfolio', 'pnl'].map((what) => this.#get(`v1/wallets/${owner}/${what}`)));
      if (owner === this.#owner) this.#draw(portfolio, pnl);
    } catch (error) {
      if (owner === this.#owner) this.#say(`Its value cannot be had: ${error.message}.`);
    } finally {
      this.#asking = false;
      this.#soon(this.#again || owner !== this.#owner ? GATHER_MS : AGAIN_MS);
    }
  }

  #draw(portfolio, pnl) {
    const { box, facts, tag } = this.#parts;
    box.hidden = false;
    this.#pnl = pnl;
    write(facts.value, portfolio.valueUsd === null ? '–' : format.usd(portfolio.valueUsd));
    write(facts.sol, portfolio.valueSol === null ? '–' : format.compact(portfolio.valueSol));
    tag.hidden = !portfolio.feed;
    write(tag, portfolio.feed ?? '');
    this.#gains();
    this.#ring(slices(portfolio.assets));
    const missing = [];
    if (portfolio.unpriced) missing.push(`${portfolio.unpriced} of its holdings ${portfolio.unpriced === 1 ? 'has' : 'have'} no price.`);
    const why = portfolio.reason ?? pnl.reason;
    if (why === 'history' && pnl.history.state === 'truncated') missing.push('It did more before than is read of one wallet.');
    else if (why) missing.push(WHY[why] ?? 'Something is missing.');
    if (pnl.history.state === 'reading') missing.push(`${pnl.history.transactions} transactions so far.`);
    this.#say(missing.join(' '));
  }

  #gains() {
    if (!this.#pnl) return;
    const { facts } = this.#parts;
    const { realized, unrealized } = this.#pnl[this.#method].usd;
    gain(facts.realized, realized);
    gain(facts.unrealized, unrealized);
    write(facts.fees, format.usd(Number(this.#pnl.fees.usd)));
    facts.fees.title = `${this.#pnl.fees.sol} SOL in ${this.#pnl.transactions} transactions`;
  }

  /** Draws a ring of slices, one circle for each: a dash of its length, turned to where it begins. */
  #ring(parts) {
    const { ring, legend } = this.#parts;
    let from = 0;
    const arcs = parts.map(({ share }, i) => {
      const circle = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
      const gap = parts.length > 1 ? Math.min(0.8, share * 50) : 0; // so that neighbours differ without colours too
      const attributes = {
        class: `slice s${i}`, cx: 21, cy: 21, r: RADIUS, 'stroke-dasharray': `${Math.max(0, share * 100 - gap)} ${100 - Math.max(0, share * 100 - gap)}`,
        'stroke-dashoffset': 25 - from, // the first begins at the top
      };
      for (const [name, value] of Object.entries(attributes)) circle.setAttribute(name, String(value));
      from += share * 100;
      return circle;
    });
    ring.replaceChildren(...arcs);
    ring.setAttribute('aria-label', parts.length ? `Allocation: ${parts.map((p) => `${p.name} ${percent(p.share)}`).join(', ')}` : 'Allocation: nothing that has a price');
    legend.replaceChildren(...parts.map((p, i) => make('li', '', make('i', `swatch s${i}`), make('span', 'who', p.name), make('span', 'num', percent(p.share)))));
  }

  #say(text) {
    write(this.#parts.note, text);
    this.#parts.note.hidden = !text;
  }
}

/** The largest holdings, what is native and wrapped of one mint together, and the rest as one. */
export function slices(assets) {
  const shares = new Map();
  for (const a of assets) {
    if (!(a.share > 0)) continue;
    const known = shares.get(a.assetId);
    shares.set(a.assetId, { name: a.symbol || format.short(a.assetId), share: a.share + (known?.share ?? 0) });
  }
  const all = [...shares.values()].sort((a, b) => b.share - a.share);
  const rest = all.slice(SLICES).reduce((sum, p) => sum + p.share, 0);
  const named = all.slice(0, SLICES);
  return rest > 0 ? [...named, { name: `${all.length - SLICES} others`, share: rest }] : named;
}

function percent(share) {
  return share < 0.001 ? '<0.1%' : `${(share * 100).toFixed(1)}%`;
}

/** Writes a gain, a decimal string of dollars or null, with its sign. */
function gain(el, text) {
  const value = text === null ? NaN : Number(text);
  const sign = value > 0 ? '+' : value < 0 ? '−' : '';
  write(el, text === null ? '–' : sign + format.usd(Math.abs(value)));
  el.dataset.direction = String(Math.sign(value) || 0);
  el.title = text === null ? 'not known: something that it holds has no price' : `${text} US dollars`;
}
