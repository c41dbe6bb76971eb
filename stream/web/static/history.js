// What the page remembers of one token: its prices as one-second candles, from
// which every longer interval, the sparkline and the session's change follow.

/** Seconds that are kept. */
const KEEP = 3 * 60 * 60;
/** A gap longer than this many candles is left open: nothing was watched. */
const LONGEST_FILL = 600;

/** @typedef {{t: number, o: number, h: number, l: number, c: number}} Candle t in Unix seconds */

export class History {
  /** @type {Candle[]} ascending in t */
  #seconds = [];
  /** First price seen, by which the session's change is measured. */
  first = null;
  /** Grows when a candle changes that is not the newest. */
  revisions = 0;

  /** Whether there is anything to draw. */
  get empty() {
    return this.#seconds.length === 0;
  }

  /** Adds a price at a time, which may be late by some seconds. */
  add(ms, price) {
    if (!(price > 0) || !Number.isFinite(price)) return;
    const t = Math.floor(ms / 1000);
    const seconds = this.#seconds;
    let i = seconds.length;
    while (i > 0 && seconds[i - 1].t > t) i--;
    const at = seconds[i - 1];
    if (at?.t === t) {
      at.h = Math.max(at.h, price);
      at.l = Math.min(at.l, price);
      at.c = price;
    } else {
      seconds.splice(i, 0, { t, o: at?.c ?? price, h: Math.max(price, at?.c ?? price), l: Math.min(price, at?.c ?? price), c: price });
      if (seconds.length > KEEP) seconds.shift();
    }
    this.first ??= price;
    if (seconds.at(-1).t !== t) this.revisions++;
  }

  /**
   * Puts older prices before those already here.
   *
   * @param {{ms: number, price: number}[]} points in rising order of time
   */
  seed(points) {
    const until = this.#seconds[0]?.t ?? Infinity;
    const older = new History();
    for (const { ms, price } of points) {
      if (Math.floor(ms / 1000) < until) older.add(ms, price);
    }
    this.#seconds = [...older.#seconds, ...this.#seconds].slice(-KEEP);
    this.revisions++;
  }

  /**
   * Candles of an interval. Where a token did not move for a while its price is
   * carried on as a flat candle, so that equal widths mean equal times.
   *
   * @param {number} interval seconds
   * @param {number} now Unix seconds up to which the last price is carried
   * @param {number} [most] the newest so many
   * @returns {Candle[]}
   */
  candles(interval, now, most = 1500) {
    const from = now - (now % interval) - (most - 1) * interval;
    const out = [];
    let i = this.#seconds.length;
    while (i > 0 && this.#seconds[i - 1].t >= from) i--;
    for (; i < this.#seconds.length; i++) {
      const s = this.#seconds[i];
      const t = s.t - (s.t % interval);
      const last = out.at(-1);
      if (last?.t === t) {
        last.h = Math.max(last.h, s.h);
        last.l = Math.min(last.l, s.l);
        last.c = s.c;
        continue;
      }
      if (last) carry(out, t, interval);
      out.push({ t, o: s.o, h: s.h, l: s.l, c: s.c });
    }
    if (out.length) carry(out, now - (now % interval) + interval, interval);
    return out;
  }

  /**
   * Closing prices of the last stretch of time, for a sparkline. A shorter past
   * is stretched, down to a fifth of it.
   *
   * @param {number} longest seconds
   * @param {number} count of points
   * @param {number} now Unix seconds
   * @returns {(number|null)[]} null before the first price
   */
  closes(longest, count, now) {
    const age = now - (this.#seconds[0]?.t ?? now);
    const seconds = Math.max(longest / 5, Math.min(longest, age));
    const from = now - seconds;
    const step = seconds / count;
    const points = [];
    let i = this.#seconds.length;
    while (i > 0 && this.#seconds[i - 1].t > from) i--;
    let close = this.#seconds[i - 1]?.c ?? null;
    for (let n = 1; n <= count; n++) {
      const t = from + n * step + 1e-9;
      while (i < this.#seconds.length && this.#seconds[i].t <= t) close = this.#seconds[i++].c;
      points.push(close);
    }
    return points;
  }
}

/**
 * A past as steady as the prices that go on from it: of each second the median
 * of its trades, each of them the median of itself and its neighbours. A single
 * trade may stand far from the market (a thin pool, a fee, an arbitrage); what
 * the trades around it agree on does not.
 *
 * @param {{ms: number, price: number}[]} trades in rising order of time
 * @param {number} [width] trades that are compared, odd
 * @returns {{ms: number, price: number}[]} one for each second that had a trade
 */
export function settled(trades, width = 7) {
  const half = width >> 1;
  const seconds = new Map();
  trades.forEach(({ ms }, i) => {
    const near = trades.slice(Math.max(0, i - half), i + half + 1).map((t) => t.price);
    const second = Math.floor(ms / 1000);
    if (!seconds.has(second)) seconds.set(second, []);
    seconds.get(second).push(median(near));
  });
  return [...seconds].map(([second, prices]) => ({ ms: second * 1000, price: median(prices) }));
}

function median(numbers) {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1];
}

/** Fills up to (not including) t with flat candles. */
function carry(out, t, interval) {
  const last = out.at(-1);
  if ((t - last.t) / interval > LONGEST_FILL) return;
  for (let at = last.t + interval; at < t; at += interval) {
    out.push({ t: at, o: last.c, h: last.c, l: last.c, c: last.c });
  }
}
