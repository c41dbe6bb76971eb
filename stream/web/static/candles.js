// The candles of one token and interval as the server makes them: their past
// comes over HTTP, what they become by the channel.

/** Candles that are kept, a little more than are drawn. */
const KEEP = 2000;
/** A hole longer than this many candles is left open. */
const LONGEST_FILL = 1500;
/** Seconds for which the present candle may be on its way before it is drawn flat. */
const PATIENCE = 3;

/** @typedef {{t: number, o: number, h: number, l: number, c: number, volumeUsd: number, trades: number, final: boolean}} Candle */

export class Candles {
  /** Seconds of one candle. */
  interval;
  /** Whether the past is there. */
  known = false;
  /** Grows when a candle changes that is not the newest. */
  revisions = 0;
  /** @type {Candle[]} ascending in t, without holes filled */
  #candles = [];

  /** @param {number} interval seconds */
  constructor(interval) {
    this.interval = interval;
  }

  /**
   * Takes a past. What the channel has told of the same candle meanwhile stands,
   * where that is further on.
   *
   * @param {Candle[]} past ascending in t
   */
  load(past) {
    const byTime = new Map(past.map((c) => [c.t, c]));
    for (const c of this.#candles) {
      const other = byTime.get(c.t);
      if (!other || further(c, other)) byTime.set(c.t, c);
    }
    this.#candles = [...byTime.values()].sort((a, b) => a.t - b.t).slice(-KEEP);
    this.known = true;
    this.revisions++;
  }

  /**
   * Takes a message of the channel.
   *
   * @param {Candle} candle
   */
  update(candle) {
    const candles = this.#candles;
    let i = candles.length;
    while (i > 0 && candles[i - 1].t > candle.t) i--;
    if (i < candles.length) this.revisions++;
    if (candles[i - 1]?.t === candle.t) candles[i - 1] = candle;
    else candles.splice(i, 0, candle);
    if (candles.length > KEEP) candles.shift();
  }

  /**
   * The newest candles, holes filled: flat at the last close.
   *
   * @param {number} now Unix seconds up to which the last price is carried
   * @param {number} most
   * @returns {Candle[]}
   */
  bars(now, most) {
    const out = [];
    for (const candle of this.#candles.slice(-most)) {
      carry(out, candle.t, this.interval);
      out.push(candle);
    }
    const end = now - PATIENCE;
    carry(out, end - (end % this.interval) + this.interval, this.interval);
    return out.slice(-most);
  }
}

/** Whether a says more of the same candle than b. */
function further(a, b) {
  return a.final !== b.final ? a.final : a.trades >= b.trades;
}

/** Fills up to (not including) t with flat candles. */
function carry(out, t, interval) {
  const last = out.at(-1);
  if (!last || (t - last.t) / interval > LONGEST_FILL) return;
  const c = last.c;
  for (let at = last.t + interval; at < t; at += interval) {
    out.push({ t: at, o: c, h: c, l: c, c, volumeUsd: 0, trades: 0, final: true });
  }
}
