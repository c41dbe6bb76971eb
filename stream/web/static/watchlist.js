// The watchlist: one table row a token, drawn at most once a frame, and moved
// through by keyboard.

import * as format from './format.js';

const SPARK_SECONDS = 300;
const SPARK_POINTS = 60;
const SPARK_EVERY_MS = 1000;

/**
 * @typedef {object} Token what the page knows of one mint
 * @property {string} mint
 * @property {string} symbol '' unknown
 * @property {string} name '' unknown
 * @property {object|null} price newest price message
 * @property {import('./history.js').History} history
 * @property {boolean} seeded whether its past has been fetched
 */

export class Watchlist {
  #body;
  #empty;
  #count;
  #onSelect;
  #onRemove;
  /** @type {Map<string, object>} rows by mint, in their order */
  #rows = new Map();
  #dirty = new Set();
  #frame = 0;
  #filter = '';
  #selected = '';

  /**
   * @param {object} parts
   * @param {HTMLTableSectionElement} parts.body
   * @param {HTMLElement} parts.empty shown in place of rows
   * @param {HTMLElement} parts.count
   * @param {(mint: string) => void} parts.onSelect
   * @param {(mint: string) => void} parts.onRemove
   */
  constructor({ body, empty, count, onSelect, onRemove }) {
    this.#body = body;
    this.#empty = empty;
    this.#count = count;
    this.#onSelect = onSelect;
    this.#onRemove = onRemove;
    body.addEventListener('click', (event) => this.#clicked(event));
    body.addEventListener('keydown', (event) => this.#keyed(event));
    setInterval(() => this.#sparks(), SPARK_EVERY_MS);
  }

  /** @param {Token} token */
  add(token) {
    if (this.#rows.has(token.mint)) return;
    const row = makeRow(token);
    this.#rows.set(token.mint, row);
    this.#body.append(row.tr);
    this.rename(token);
    this.update(token);
    this.#spark(row);
    this.#filtered();
  }

  remove(mint) {
    const row = this.#rows.get(mint);
    if (!row) return;
    const focused = row.tr.contains(document.activeElement);
    const neighbour = this.#neighbour(mint, 1) ?? this.#neighbour(mint, -1);
    row.tr.remove();
    this.#rows.delete(mint);
    this.#filtered();
    if (focused && neighbour) this.#rows.get(neighbour).select.focus();
  }

  /** Marks a token as changed; it is drawn with the next frame. */
  update(token) {
    const row = this.#rows.get(token.mint);
    if (!row) return;
    this.#dirty.add(row);
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      for (const each of this.#dirty) draw(each);
      this.#dirty.clear();
    });
  }

  /** Shows a token's names anew. */
  rename(token) {
    const row = this.#rows.get(token.mint);
    if (!row) return;
    const symbol = token.symbol || format.short(token.mint);
    row.symbol.textContent = symbol;
    row.name.textContent = token.name || (token.symbol ? format.short(token.mint) : 'unknown token');
    row.select.title = `${token.name || symbol} · ${token.mint}`;
    row.remove.setAttribute('aria-label', `Remove ${symbol} from the list`);
    this.#filtered();
  }

  /** Sparklines of a token whose past has just been learned. */
  redraw(token) {
    const row = this.#rows.get(token.mint);
    if (row) this.#spark(row);
  }

  select(mint) {
    for (const [each, row] of this.#rows) {
      const selected = each === mint;
      row.tr.classList.toggle('selected', selected);
      row.select.setAttribute('aria-current', String(selected));
      row.select.tabIndex = selected ? 0 : -1;
    }
    this.#selected = mint;
    this.#rows.get(mint)?.tr.scrollIntoView({ block: 'nearest' });
  }

  /** Moves the focus to the selected row. */
  focus() {
    (this.#rows.get(this.#selected) ?? this.#rows.values().next().value)?.select.focus();
  }

  /** Shows only tokens that match the text. */
  filter(text) {
    this.#filter = text.toLowerCase();
    this.#filtered();
  }

  /** The mints that are shown, in order. */
  get shown() {
    return [...this.#rows.values()].filter((row) => !row.tr.hidden).map((row) => row.token.mint);
  }

  #filtered() {
    let shown = 0;
    for (const { tr, token } of this.#rows.values()) {
      tr.hidden = !matches(token, this.#filter);
      if (!tr.hidden) shown++;
    }
    this.#count.textContent = this.#filter ? `${shown} of ${this.#rows.size}` : `${shown} token${shown === 1 ? '' : 's'}`;
    this.#empty.hidden = shown > 0;
    if (!shown) this.#empty.textContent = this.#rows.size ? 'Nothing on your list matches.' : 'Your list is empty. Paste a mint address above to follow it.';
    if (shown && !this.#rows.has(this.#selected)) this.#rows.values().next().value.select.tabIndex = 0;
  }

  #clicked(event) {
    const mint = event.target.closest('tr')?.dataset.mint;
    if (!mint) return;
    if (event.target.closest('.remove')) this.#onRemove(mint);
    else this.#onSelect(mint, true);
  }

  #keyed(event) {
    const mint = event.target.closest('tr')?.dataset.mint;
    if (!mint || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = this.shown;
    const target = {
      ArrowDown: this.#neighbour(mint, 1),
      ArrowUp: this.#neighbour(mint, -1),
      Home: shown[0],
      End: shown.at(-1),
    }[event.key];
    if (target) {
      this.#rows.get(target).select.focus();
      this.#onSelect(target, false);
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      this.#onRemove(mint);
    } else if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') {
      return;
    }
    event.preventDefault();
  }

  #neighbour(mint, step) {
    const shown = this.shown;
    const at = shown.indexOf(mint);
    return at < 0 ? undefined : shown[at + step];
  }

  #sparks() {
    if (document.hidden) return;
    for (const row of this.#rows.values()) {
      if (!row.tr.hidden) this.#spark(row);
    }
  }

  #spark(row) {
    const closes = row.token.history.closes(SPARK_SECONDS, SPARK_POINTS, Math.floor(Date.now() / 1000));
    const { path, direction } = sparkline(closes);
    if (row.sparkPath !== path) {
      row.sparkPath = path;
      row.spark.firstChild.setAttribute('d', path);
      row.spark.dataset.direction = direction;
    }
  }
}

/**
 * Whether a token is meant by a text: part of its symbol or name, or the
 * beginning of its mint address.
 *
 * @param {Token} token
 * @param {string} text in lower case
 */
export function matches(token, text) {
  return token.symbol.toLowerCase().includes(text) || token.name.toLowerCase().includes(text) || (text.length > 2 && token.mint.toLowerCase().startsWith(text));
}

/** A path through the closes in a box of 100 by 26; nulls before the first are left out. */
export function sparkline(closes) {
  const known = closes.filter((c) => c !== null);
  if (known.length < 2) return { path: '', direction: 0 };
  const low = Math.min(...known);
  const high = Math.max(...known);
  const span = high - low;
  const points = [];
  closes.forEach((c, i) => {
    if (c === null) return;
    const x = (i / (closes.length - 1)) * 100;
    const y = span > 0 ? 24 - ((c - low) / span) * 22 : 13;
    points.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
  });
  return { path: `M${points.join('L')}`, direction: Math.sign(known.at(-1) - known[0]) };
}

function makeRow(token) {
  const template = `
    <td><button class="row-select" type="button" tabindex="-1"><b></b><span></span></button></td>
    <td><svg class="spark" viewBox="0 0 100 26" preserveAspectRatio="none" aria-hidden="true"><path/></svg></td>
    <td class="num"><span class="price-cell"><i class="tick" aria-hidden="true"></i><span class="value">–</span></span></td>
    <td class="last"><span class="change"></span><button class="remove" type="button" tabindex="-1">×</button></td>`;
  const tr = document.createElement('tr');
  tr.innerHTML = template;
  tr.dataset.mint = token.mint;
  const find = (selector) => tr.querySelector(selector);
  return {
    token,
    tr,
    select: find('.row-select'),
    symbol: find('b'),
    name: find('.row-select span'),
    spark: find('.spark'),
    sparkPath: '',
    cell: find('.price-cell'),
    tick: find('.tick'),
    value: find('.value'),
    change: find('.change'),
    remove: find('.remove'),
    shown: null, // the price that is drawn
  };
}

/** Draws a row's price, and lets it flash when it has moved. */
function draw(row) {
  const value = row.token.price?.price ?? null;
  const { text, direction } = format.change(row.token.history.first, value);
  if (row.change.textContent !== text) {
    row.change.textContent = text;
    row.change.dataset.direction = direction;
  }
  if (value === row.shown) return;
  const before = row.shown;
  row.shown = value;
  row.value.textContent = format.price(value);
  row.cell.title = format.fullPrice(value);
  flash(row.cell, row.tick, before, value);
}

/**
 * Shows by colour and by arrow which way a price went.
 *
 * @param {HTMLElement} cell
 * @param {HTMLElement|null} tick
 */
export function flash(cell, tick, before, value) {
  if (before === null || value === null || before === value) return;
  const up = value > before;
  if (tick) {
    tick.textContent = up ? '▲' : '▼';
    tick.dataset.direction = up ? 1 : -1;
  }
  cell.classList.remove('flash-up', 'flash-down');
  for (const animation of cell.getAnimations()) animation.cancel();
  void cell.offsetWidth; // begins the animation anew
  cell.classList.add(up ? 'flash-up' : 'flash-down');
}
