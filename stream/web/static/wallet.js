// What a wallet holds, as it moves. Nothing is kept beyond the page.

import { make } from './dom.js';
import * as format from './format.js';

/** Holdings that are shown, those that moved last first. */
const MOST = 100;

export class Wallet {
  #parts;
  #follow;
  #leave;
  #name;
  #onShow;
  #onMove;
  #owner = '';
  #left = '';
  /** @type {Map<string, {tr: HTMLElement, amount: HTMLElement, when: HTMLElement}>} by mint, and whether native */
  #rows = new Map();
  #others = 0;

  /**
   * @param {object} parts
   * @param {HTMLFormElement} parts.form
   * @param {HTMLInputElement} parts.input
   * @param {HTMLElement} parts.note what is wrong, or waited for
   * @param {HTMLTableSectionElement} parts.body
   * @param {(owner: string) => Promise<object>} parts.follow subscribes
   * @param {(owner: string) => void} parts.leave unsubscribes
   * @param {(mint: string) => string} parts.name of a token
   * @param {(owner: string) => void} parts.onShow another wallet is followed, or none
   * @param {() => void} parts.onMove one of its balances has changed
   */
  constructor({ follow, leave, name, onShow, onMove, ...parts }) {
    this.#parts = parts;
    this.#follow = follow;
    this.#leave = leave;
    this.#name = name;
    this.#onShow = onShow;
    this.#onMove = onMove;
    parts.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.show(parts.input.value.trim());
    });
  }

  /** Follows a wallet in place of the one before; none where it is ''. */
  async show(owner) {
    if (this.#owner) this.#leave(this.#owner);
    this.#owner = '';
    this.#clear();
    const problem = owner ? format.mintProblem(owner) : '';
    this.#parts.input.setAttribute('aria-invalid', String(problem !== ''));
    this.#say(problem && `${problem}.`);
    this.#onShow(problem ? '' : owner);
    if (!owner || problem) return;
    this.#owner = owner;
    this.#say('Waiting for its balances…');
    try {
      const { errors } = await this.#follow(owner);
      if (errors.length) throw new Error(errors[0].code.replaceAll('_', ' '));
    } catch (error) {
      if (owner === this.#owner) this.#say(`This wallet cannot be followed: ${error.message}.`);
    }
  }

  /** Leaves the wallet until again() follows it anew, as around a change of commitment. */
  end() {
    if (this.#owner) this.#leave(this.#owner);
    this.#left = this.#owner;
    this.#owner = '';
  }

  again() {
    if (this.#left) this.show(this.#left);
    this.#left = '';
  }

  /** Takes a message of the balances channel. */
  update(b) {
    if (b.wallet !== this.#owner) return;
    this.#onMove();
    const id = `${b.assetId} ${b.native ?? false}`;
    let row = this.#rows.get(id);
    if (!row) {
      row = makeRow();
      this.#rows.set(id, row);
    }
    row.token.textContent = b.native ? 'SOL' : this.#name(b.assetId);
    row.token.title = b.native ? 'The wallet’s own lamports' : b.assetId;
    const amount = format.amount(b.amount, b.decimals);
    if (!b.snapshot && row.amount.textContent && row.amount.textContent !== amount) {
      row.tr.classList.remove('new');
      void row.tr.offsetWidth; // begins the animation anew
      row.tr.classList.add('new');
    }
    row.amount.textContent = amount;
    row.amount.title = `${b.amount} raw units`;
    row.when.textContent = b.snapshot ? '' : format.clock(b.ts);
    if (!b.snapshot || !row.tr.isConnected) this.#parts.body.prepend(row.tr);
    this.#rows.delete(id); // and to the end: it moved last
    this.#rows.set(id, row);
    if (this.#rows.size > MOST) {
      const [oldest, { tr }] = this.#rows.entries().next().value;
      tr.remove();
      this.#rows.delete(oldest);
      this.#others++;
    }
    this.#say(this.#others ? `The ${MOST} that moved last.` : '');
  }

  /** Says that something is missing. */
  gap(wallet, text) {
    if (wallet === this.#owner) this.#say(text);
  }

  #clear() {
    this.#rows.clear();
    this.#others = 0;
    this.#parts.body.replaceChildren();
  }

  #say(text) {
    if (this.#parts.note.textContent !== text) this.#parts.note.textContent = text;
    this.#parts.note.hidden = !text;
  }
}

function makeRow() {
  const row = { tr: make('tr'), token: make('td', 'who'), amount: make('td', 'num'), when: make('td', 'time') };
  row.tr.append(row.token, row.amount, row.when);
  return row;
}
