// The trade tape of the selected token: newest on top, held still while the
// pointer or the keyboard rests on it.

import * as format from './format.js';

const ROWS = 80;
/** A busy tape is drawn this often: faster, nobody could read it. */
const EVERY_MS = 200;
/** More new rows at once than this are not highlighted: all of them would be. */
const FEW = 6;
/** Transactions taken back that are remembered. */
const MOST_DEAD = 1000;

export class Tape {
  #panel;
  #body;
  #empty;
  #state;
  /** Newest first. */
  #trades = [];
  /** @type {Map<string, HTMLTableRowElement|null>} rows of the trades above, null while not drawn */
  #rows = new Map();
  /** Transactions taken back, by slot and signature: they may be fetched once more. */
  #dead = new Set();
  #gaps = 0;
  #fresh = 0;
  #timer = 0;
  #held = false;
  #linked = () => false;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.panel
   * @param {HTMLTableSectionElement} parts.body
   * @param {HTMLElement} parts.empty
   * @param {HTMLElement} parts.state
   * @param {() => boolean} parts.linked whether trades exist on a chain that an explorer shows
   */
  constructor({ panel, body, empty, state, linked }) {
    this.#panel = panel;
    this.#body = body;
    this.#empty = empty;
    this.#state = state;
    this.#linked = linked;
    const hold = (held) => () => {
      this.#held = held;
      this.#draw();
    };
    if (matchMedia('(hover: hover)').matches) {
      panel.addEventListener('pointerenter', hold(true));
      panel.addEventListener('pointerleave', hold(false));
    }
    panel.addEventListener('focus', () => panel.matches(':focus-visible') && hold(true)());
    panel.addEventListener('blur', hold(false));
  }

  /** Empties the tape for another token. */
  clear() {
    this.#trades = [];
    this.#rows.clear();
    this.#dead.clear();
    this.#fresh = 0;
    this.#body.replaceChildren();
    this.#panel.scrollTop = 0;
    this.#draw();
  }

  /** Adds trades of the past, newest first, behind those already here. */
  seed(trades) {
    for (const trade of trades) {
      if (this.#trades.length >= ROWS) break;
      if (this.#remember(trade)) this.#trades.push(trade);
    }
    this.#draw();
  }

  /** Adds a trade; it is drawn soon. */
  add(trade) {
    if (!this.#remember(trade)) return;
    this.#trades.unshift(trade);
    this.#fresh++;
    if (this.#trades.length > ROWS) this.#rows.delete(key(this.#trades.pop()));
    this.#soon();
  }

  /** Says, in its place, that something is missing. */
  gap(text) {
    this.add({ gap: text, signature: `gap ${++this.#gaps}`, index: 0 });
  }

  /** Strikes out the trades of transactions that never happened in a slot. */
  retract({ slot, signatures }) {
    for (const signature of signatures) this.#dead.add(`${slot} ${signature}`);
    while (this.#dead.size > MOST_DEAD) this.#dead.delete(this.#dead.values().next().value);
    for (const trade of this.#trades) {
      const tr = this.#rows.get(key(trade));
      if (tr && this.#isDead(trade)) strike(tr);
    }
  }

  #isDead({ slot, signature }) {
    return this.#dead.has(`${slot} ${signature}`);
  }

  #soon() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#draw();
    }, EVERY_MS);
  }

  #row(trade) {
    const tr = trade.gap ? gapRow(trade.gap) : makeRow(trade, this.#linked());
    this.#rows.set(key(trade), tr);
    if (this.#isDead(trade)) strike(tr);
    return tr;
  }

  /** A trade that comes both as history and live is one trade. */
  #remember(trade) {
    const id = key(trade);
    if (this.#rows.has(id)) return false;
    this.#rows.set(id, null);
    return true;
  }

  #draw() {
    this.#empty.hidden = this.#trades.length > 0;
    if (this.#held) {
      this.#state.textContent = this.#fresh ? `held, ${this.#fresh} more` : 'held';
      return;
    }
    this.#state.textContent = '';
    const rows = this.#body.rows;
    const fresh = Math.min(this.#fresh, this.#trades.length);
    this.#fresh = 0;
    if (rows.length + fresh < this.#trades.length) { // a seed
      this.#body.replaceChildren(...this.#trades.map((t) => this.#row(t)));
      return;
    }
    const added = this.#trades.slice(0, fresh).map((t) => {
      const tr = this.#row(t);
      if (fresh <= FEW) tr.classList.add('new');
      return tr;
    });
    this.#body.prepend(...added);
    while (rows.length > ROWS) this.#body.lastElementChild.remove();
  }
}

/** The same transaction may come again in another slot. */
function key({ slot, signature, index }) {
  return `${slot} ${signature} ${index}`;
}

/** Marks a row as one of a trade that never happened, for the eye and for a reader. */
function strike(tr) {
  if (tr.classList.contains('retracted')) return;
  tr.classList.add('retracted');
  const note = document.createElement('span');
  note.className = 'visually-hidden';
  note.textContent = 'Taken back: ';
  tr.cells[0].prepend(note);
  tr.title = 'Taken back: the block of this trade did not become part of the chain';
}

function gapRow(text) {
  const tr = document.createElement('tr');
  tr.className = 'gap';
  const td = cell('');
  td.colSpan = 4;
  td.textContent = text;
  tr.append(td);
  return tr;
}

function makeRow(trade, linked) {
  const tr = document.createElement('tr');
  const up = trade.side === 'buy';
  const side = up ? 'Buy' : 'Sell';
  const [time, price, value, who] = [cell('time'), cell('num'), cell('num'), cell('who')];

  time.textContent = format.clock(trade.ts);

  const arrow = document.createElement('i');
  arrow.className = `side ${up ? 'up' : 'down'}`;
  arrow.textContent = up ? '▲' : '▼';
  arrow.role = 'img';
  arrow.ariaLabel = side;
  const figure = document.createElement('span');
  figure.className = up ? 'up' : 'down';
  figure.textContent = format.price(trade.price);
  price.title = `${side} at ${format.fullPrice(trade.price)}`;
  price.append(arrow, figure);

  value.append(format.usd(trade.amountUsd), small(format.amount(trade.amount, trade.decimals)));
  value.title = `${trade.amount} raw units`;

  who.append(trade.source, small(linked && trade.signature ? explorer(trade) : format.short(trade.trader)));
  who.title = `Trader ${trade.trader || 'unknown'}\nTransaction ${trade.signature}\nPool ${trade.pool}`;
  tr.append(time, price, value, who);
  return tr;
}

function cell(className) {
  const td = document.createElement('td');
  td.className = className;
  return td;
}

function small(content) {
  const el = document.createElement('small');
  el.append(content);
  return el;
}

/** The transaction on Solana's own explorer. */
function explorer(trade) {
  const a = document.createElement('a');
  a.href = `https://explorer.solana.com/tx/${encodeURIComponent(trade.signature)}`;
  a.target = '_blank';
  a.rel = 'noopener noreferrer';
  a.textContent = format.short(trade.trader);
  return a;
}
