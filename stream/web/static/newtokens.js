// Tokens that launched on a bonding curve, the newest on top, with how far each
// has come on its way to the migration.

import { Bar, arrange, make, write } from './dom.js';
import * as format from './format.js';
import * as words from './words.js';

export class NewTokens {
  #body;
  #empty;
  #count;
  #onSelect;
  #selected = '';
  /** @type {Map<string, object>} rows by mint, in their order */
  #rows = new Map();

  /**
   * @param {object} parts
   * @param {HTMLTableSectionElement} parts.body
   * @param {HTMLElement} parts.empty
   * @param {HTMLElement} parts.count
   * @param {(mint: string) => void} parts.onSelect
   */
  constructor({ body, empty, count, onSelect }) {
    this.#body = body;
    this.#empty = empty;
    this.#count = count;
    this.#onSelect = onSelect;
    body.addEventListener('click', (event) => {
      const mint = event.target.closest('tr')?.dataset.mint;
      if (mint) this.#onSelect(mint);
    });
    body.addEventListener('keydown', (event) => this.#keyed(event));
  }

  /**
   * Shows what /v1/tokens?sort=new says.
   *
   * @param {object[]} tokens
   * @param {number} now milliseconds since 1970
   */
  show(tokens, now) {
    const rows = new Map(tokens.map((t) => [t.assetId, this.#rows.get(t.assetId) ?? makeRow(t)]));
    this.#rows = rows;
    arrange(this.#body, [...rows.values()].map((row) => row.tr));
    for (const t of tokens) draw(rows.get(t.assetId), t, now);
    write(this.#count, tokens.length ? `${tokens.length} launched` : '');
    this.#empty.hidden = tokens.length > 0;
    write(this.#empty, 'No launch has been seen yet.');
    this.select(this.#selected);
  }

  /** Says in place of the list why there is none. */
  fail(why) {
    if (this.#rows.size) return;
    this.#empty.hidden = false;
    write(this.#empty, why);
  }

  select(mint) {
    this.#selected = mint;
    for (const [each, row] of this.#rows) {
      row.tr.classList.toggle('selected', each === mint);
      row.select.setAttribute('aria-current', String(each === mint));
    }
    const stop = this.#focused() ?? this.#rows.get(mint) ?? this.#rows.values().next().value;
    for (const row of this.#rows.values()) row.select.tabIndex = row === stop ? 0 : -1;
  }

  #focused() {
    return [...this.#rows.values()].find((row) => row.select === document.activeElement);
  }

  /** One stop of the Tab key; the arrows move within. */
  #keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...this.#rows.values()];
    const at = rows.indexOf(this.#focused());
    const target = { ArrowDown: rows[at + 1], ArrowUp: rows[at - 1], Home: rows[0], End: rows.at(-1) }[event.key];
    if (at < 0 || !['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!target) return;
    rows[at].select.tabIndex = -1;
    target.select.tabIndex = 0;
    target.select.focus();
  }
}

function makeRow(t) {
  const row = {
    tr: make('tr'),
    select: make('button', 'row-select'),
    symbol: make('b'),
    about: make('span'),
    progress: new Bar('progressbar'),
    price: make('span'),
    change: make('small', 'change'),
    volume: make('span'),
    trades: make('small'),
  };
  row.tr.dataset.mint = t.assetId;
  row.select.type = 'button';
  row.select.tabIndex = -1;
  row.select.append(row.symbol, row.about);
  row.tr.append(
    make('td', '', row.select),
    make('td', 'progress', row.progress.el, row.progress.text),
    make('td', 'num', row.price, row.change),
    make('td', 'num', row.volume, row.trades),
  );
  return row;
}

function draw(row, t, now) {
  const symbol = t.symbol || format.short(t.assetId);
  write(row.symbol, symbol);
  write(row.about, `${t.source} · ${format.age(now - t.firstSeen)}`);
  row.select.title = `${t.name || symbol}\n${t.assetId}\nfirst seen ${new Date(t.firstSeen).toLocaleString()}`;
  const { part, text, label } = words.curve(t.curve);
  row.progress.set(part, text, label);
  row.tr.dataset.stage = t.curve.stage;
  write(row.price, format.price(t.price));
  row.price.title = format.fullPrice(t.price);
  const { text: change, direction } = t.change24hPct === null ? { text: '', direction: 0 } : format.change(100, 100 + t.change24hPct);
  write(row.change, change);
  row.change.dataset.direction = direction;
  write(row.volume, t.volume24hUsd > 0 ? `$${format.compact(Math.round(t.volume24hUsd))}` : '–');
  write(row.trades, `${format.compact(t.trades)} tr.`);
  row.trades.title = `${t.trades} trades seen`;
}
