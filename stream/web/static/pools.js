// The pools behind the selected token's price, and how sure that price is.

import { Bar, arrange, make, write } from './dom.js';
import * as format from './format.js';
import * as words from './words.js';

const COPIED_MS = 1500;

export class Pools {
  #body;
  #empty;
  #count;
  #reasons;
  /** @type {Map<string, object>} rows by pool address */
  #rows = new Map();

  /**
   * @param {object} parts
   * @param {HTMLTableSectionElement} parts.body
   * @param {HTMLElement} parts.empty
   * @param {HTMLElement} parts.count
   * @param {HTMLElement} parts.reasons
   */
  constructor({ body, empty, count, reasons }) {
    this.#body = body;
    this.#empty = empty;
    this.#count = count;
    this.#reasons = reasons;
    body.addEventListener('click', (event) => this.#clicked(event));
  }

  /**
   * Shows what /v1/tokens/{mint} says; null empties the panel.
   *
   * @param {object|null} token
   */
  show(token) {
    const pools = token?.pools ?? [];
    const rows = new Map(pools.map((p) => [p.pool, this.#rows.get(p.pool) ?? makeRow(p)]));
    this.#rows = rows;
    arrange(this.#body, pools.map((p) => rows.get(p.pool).tr));
    for (const p of pools) draw(rows.get(p.pool), p, token.price);
    write(this.#count, pools.length ? `${pools.length}` : '');
    this.#empty.hidden = pools.length > 0;
    write(this.#empty, !token ? '' : token.reasons?.includes('reference') ? 'It quotes the others: a dollar by definition.' : 'No pool has traded yet.');
    write(this.#reasons, token ? words.confidence(token.confidence, token.reasons) : '');
  }

  async #clicked(event) {
    const button = event.target.closest('.copy');
    if (!button) return;
    const { pool } = button.closest('tr').dataset;
    try {
      await navigator.clipboard.writeText(pool);
      button.textContent = 'copied';
    } catch {
      button.textContent = pool; // to be copied by hand
    }
    setTimeout(() => { button.textContent = format.short(pool); }, COPIED_MS);
  }
}

function makeRow(p) {
  const row = {
    tr: make('tr'),
    name: make('span', 'pool-name'),
    other: make('span', 'other'),
    copy: make('button', 'copy', format.short(p.pool)),
    depth: make('span'),
    holds: make('small'),
    share: new Bar(),
    price: make('span'),
    off: make('small'),
  };
  row.tr.dataset.pool = p.pool;
  row.copy.type = 'button';
  row.copy.title = `Copy the pool's address\n${p.pool}`;
  row.copy.setAttribute('aria-label', `${p.source}, pool ${format.short(p.pool)}: copy its whole address`);
  row.tr.append(
    make('td', '', row.name, make('small', '', row.other, ' ', row.copy)),
    make('td', 'num', row.depth, row.holds),
    make('td', 'share', row.share.el, row.share.text),
    make('td', 'num', row.price, row.off),
  );
  return row;
}

/** Draws a pool; price is the token's, which it is held against. */
function draw(row, p, price) {
  const { part, text } = words.curve(p.curve);
  const stage = p.curve ? ` · ${part === null ? text : `curve ${text}`}` : '';
  write(row.name, p.source + stage);
  write(row.other, p.otherSymbol);
  row.name.title = `${row.name.textContent}, against ${p.otherSymbol || p.otherAssetId}`;
  write(row.depth, p.depthUsd > 0 ? format.usd(p.depthUsd) : '–');
  write(row.holds, p.liquidityUsd > 0 ? format.usd(p.liquidityUsd) : '');
  row.holds.title = 'What the pool holds';
  row.share.set(p.share, `${(p.share * 100).toFixed(p.share < 0.1 ? 1 : 0)}%`);
  write(row.price, format.price(p.price));
  row.price.title = format.fullPrice(p.price);
  const { text: off, direction } = format.change(price, p.price);
  write(row.off, !off ? '' : p.agrees ? off : `${off} out`);
  row.off.className = p.agrees ? '' : 'outside';
  row.off.title = `${direction === 0 ? 'At the price of the token' : 'Against the price of the token'}${p.agrees ? '' : '; left out of it'}`;
  row.tr.classList.toggle('outside', !p.agrees);
}
