// Small parts that several panels are made of. Text that comes from a chain is
// only ever set as text.

/** An element with a class and a content: text or other elements. */
export function make(tag, className = '', ...content) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  el.append(...content);
  return el;
}

/** Sets a text where it is another one, so that nothing is drawn for nothing. */
export function write(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** A bar that fills from the left; what it says stands beside it. */
export class Bar {
  el = make('span', 'bar');
  text = make('span', 'bar-text');
  #fill = make('i');

  /** @param {string} role '' where the text beside it says all */
  constructor(role = '') {
    this.el.append(this.#fill);
    if (role) {
      this.el.setAttribute('role', role);
      this.el.setAttribute('aria-valuemin', '0');
      this.el.setAttribute('aria-valuemax', '100');
      this.text.ariaHidden = 'true';
    } else {
      this.el.ariaHidden = 'true';
    }
  }

  /**
   * @param {number|null} part 0 to 1, null unknown
   * @param {string} text
   * @param {string} label what a reader hears
   */
  set(part, text, label = '') {
    const width = part === null ? '0%' : `${(part * 100).toFixed(1)}%`;
    if (this.#fill.style.width !== width) this.#fill.style.width = width;
    this.el.classList.toggle('unknown', part === null);
    write(this.text, text);
    if (!this.el.hasAttribute('role')) return;
    if (part === null) this.el.removeAttribute('aria-valuenow');
    else this.el.setAttribute('aria-valuenow', Math.floor(part * 100));
    this.el.setAttribute('aria-valuetext', label || text);
    this.el.setAttribute('aria-label', 'Progress to migration');
  }
}

/**
 * Puts rows in an order and drops the others. A row that stays where it is among
 * its neighbours is not touched: it keeps the focus and the pointer.
 *
 * @param {HTMLElement} body
 * @param {HTMLElement[]} rows
 */
export function arrange(body, rows) {
  const wanted = new Set(rows);
  for (const old of [...body.children]) {
    if (!wanted.has(old)) old.remove();
  }
  rows.forEach((row, i) => {
    if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
  });
}
