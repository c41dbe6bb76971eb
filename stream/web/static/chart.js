// The candle chart of the selected token: the server's candles, and until they
// are there those that follow from the prices that the page has received.

import { CandlestickSeries, HistogramSeries, TickMarkType, createChart } from './vendor/lightweight-charts.mjs';

import * as format from './format.js';

/** Candles that are handed to the chart. */
const MOST = 1500;
/** Trades that are remembered so as not to be counted twice. */
const COUNTED = 10_000;

export class Chart {
  #container;
  #ohlc;
  #empty;
  #chart;
  #candles;
  #volume;
  #interval = 1;
  #token = null;
  /** @type {import('./candles.js').Candles | null} the server's, of the token and interval shown */
  #source = null;
  #hovered = null;
  /** Traded US dollars by second, of the selected token's trades that we saw. */
  #dollars = new Map();
  #counted = new Set();
  #frame = 0;
  #colours = { up: '', down: '' };
  #drawn = { first: 0, count: 0, interval: 0, revisions: 0, source: null, last: null };

  /**
   * @param {HTMLElement} container
   * @param {HTMLElement} ohlc shows the candle under the pointer, else the newest
   * @param {HTMLElement} empty shown of a token that has no past
   */
  constructor(container, ohlc, empty) {
    this.#container = container;
    this.#ohlc = ohlc;
    this.#empty = empty;
    this.#chart = createChart(container, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 11 }, // the page itself names and links TradingView
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.24 } },
      timeScale: { borderVisible: false, timeVisible: true, secondsVisible: true, rightOffset: 4, barSpacing: 8, minBarSpacing: 1 },
      crosshair: { mode: 0 },
      localization: { timeFormatter: (t) => format.candleTime(t, this.#interval), priceFormatter: format.price },
      handleScroll: { vertTouchDrag: false },
    });
    this.#chart.timeScale().applyOptions({ tickMarkFormatter: (t, kind) => tickMark(t, kind, this.#interval) });
    this.#candles = this.#chart.addSeries(CandlestickSeries, {
      priceFormat: { type: 'custom', formatter: format.price, minMove: 1e-12 },
      borderVisible: false,
    });
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'custom', formatter: format.usd, minMove: 0.01 },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.#chart.subscribeCrosshairMove((move) => {
      this.#hovered = move.seriesData.get(this.#candles) ?? null;
      this.#legend();
    });
    this.recolour();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.recolour());
    setInterval(() => this.update(), 1000); // carries a quiet price on
  }

  /** Shows another token. */
  show(token) {
    this.#token = token;
    this.#source = null;
    this.#dollars.clear();
    this.#counted.clear();
    this.#hovered = null;
    this.#container.ariaLabel = `Candle chart of ${token.symbol || token.mint}`;
    this.#chart.priceScale('right').applyOptions({ autoScale: true }); // where it was dragged to suits no other token
    this.#draw();
    this.#fit();
  }

  /** @param {number} seconds */
  setInterval(seconds) {
    this.#interval = seconds;
    this.#source = null;
    this.#chart.timeScale().applyOptions({ secondsVisible: seconds < 60, timeVisible: seconds < format.DAY });
    this.#draw();
    this.#fit();
  }

  /**
   * Takes where the candles of the token and interval come from.
   *
   * @param {import('./candles.js').Candles} source
   */
  from(source) {
    this.#source = source;
    this.#draw();
  }

  /** Shows the newest candles, at a width at which few of them fill the chart. */
  #fit() {
    const scale = this.#chart.timeScale();
    const spacing = scale.width() / (this.#drawn.count + 6);
    scale.applyOptions({ barSpacing: Math.min(14, Math.max(7, spacing)) });
    scale.scrollToPosition(4, false);
  }

  /** Counts a trade of the token that is shown; one that was counted is not counted again. */
  trade(trade) {
    const key = `${trade.signature} ${trade.index}`;
    if (!(trade.amountUsd > 0) || this.#counted.has(key)) return;
    this.#counted.add(key);
    if (this.#counted.size > COUNTED) this.#counted.delete(this.#counted.values().next().value);
    const t = Math.floor(trade.ts / 1000);
    this.#dollars.set(t, (this.#dollars.get(t) ?? 0) + trade.amountUsd);
  }

  /** Shows a past that has just been learned. */
  learned() {
    this.#draw();
    this.#fit();
  }

  /** Draws with the next frame what has changed. */
  update() {
    if (!this.#token || document.hidden) return;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** Takes the colours of the page's theme. */
  recolour() {
    const colour = (name) => {
      const probe = document.createElement('i');
      probe.style.color = `var(${name})`;
      document.body.append(probe);
      const value = getComputedStyle(probe).color;
      probe.remove();
      return value;
    };
    const [up, down, line] = [colour('--up'), colour('--down'), colour('--line')];
    this.#chart.applyOptions({
      layout: { background: { color: colour('--panel') }, textColor: colour('--muted'), fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      crosshair: { vertLine: { color: colour('--muted'), labelBackgroundColor: colour('--accent') }, horzLine: { color: colour('--muted'), labelBackgroundColor: colour('--accent') } },
    });
    this.#candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.#colours = { up: colour('--up-bar'), down: colour('--down-bar') };
    if (this.#token) this.#draw();
  }

  #draw() {
    if (!this.#token) return;
    const seconds = Math.floor(Date.now() / 1000);
    const source = this.#source?.known ? this.#source : this.#token.history;
    const candles = source === this.#source ? source.bars(seconds, MOST) : source.candles(this.#interval, seconds, MOST);
    const bars = candles.map(({ t, o, h, l, c }) => ({ time: t, open: o, high: h, low: l, close: c }));
    const volumes = source === this.#source ? this.#bars(candles.map((c) => [c.t, c.volumeUsd]), bars) : this.#volumes(bars);
    const before = this.#drawn;
    const now = {
      first: bars[0]?.time ?? 0,
      count: bars.length,
      interval: this.#interval,
      revisions: source.revisions,
      source,
      last: bars.at(-1) ?? null,
    };
    const grows = ['first', 'interval', 'revisions', 'source'].every((k) => before[k] === now[k]) && now.count >= before.count;
    if (grows && before.count > 0) {
      for (let i = before.count - 1; i < bars.length; i++) {
        this.#candles.update(bars[i]);
        this.#volume.update(volumes[i]);
      }
    } else {
      this.#candles.setData(bars);
      this.#volume.setData(volumes);
    }
    this.#drawn = now;
    this.#blank(bars.length === 0);
    this.#legend();
  }

  /** Without candles the library would go on with the axes of those before. */
  #blank(blank) {
    this.#empty.hidden = !(blank && this.#token.seeded); // until then there may be a past
    if (this.#chart.timeScale().options().visible !== blank) return;
    this.#chart.applyOptions({ rightPriceScale: { visible: !blank }, timeScale: { visible: !blank } });
  }

  #volumes(bars) {
    const sums = new Map();
    for (const [t, dollars] of this.#dollars) {
      const at = t - (t % this.#interval);
      sums.set(at, (sums.get(at) ?? 0) + dollars);
    }
    return this.#bars(sums, bars);
  }

  /** Volume bars of the candles, by time. */
  #bars(sums, bars) {
    const byTime = new Map(sums);
    return bars.map(({ time, open, close }) => ({
      time,
      value: byTime.get(time) ?? 0,
      color: close >= open ? this.#colours.up : this.#colours.down,
    }));
  }

  #legend() {
    const bar = this.#hovered ?? this.#drawn.last;
    if (!bar) {
      this.#ohlc.replaceChildren();
      return;
    }
    this.#ohlc.replaceChildren(...[['O', bar.open], ['H', bar.high], ['L', bar.low], ['C', bar.close]].map(([name, value]) => {
      const span = document.createElement('span');
      const figure = document.createElement('b');
      figure.textContent = format.price(value);
      span.append(`${name} `, figure);
      return span;
    }));
  }
}

/** Local times on the axis: the chart itself knows UTC only. */
function tickMark(time, kind, interval) {
  if (kind < TickMarkType.Time) return format.day(time, interval);
  const text = format.clock(time * 1000);
  return kind === TickMarkType.TimeWithSeconds ? text : text.slice(0, 5);
}
