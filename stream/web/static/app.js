// The page: what is followed, where its data comes from, and which part shows it.

import { Swapcast } from '../swapcast.js';

import { Candles } from './candles.js';
import { Chart } from './chart.js';
import { Bar } from './dom.js';
import * as format from './format.js';
import { History, settled } from './history.js';
import { NewTokens } from './newtokens.js';
import { Pools } from './pools.js';
import { Quote } from './quote.js';
import { Tape } from './tape.js';
import { Vitals } from './vitals.js';
import { Portfolio } from './portfolio.js';
import { Wallet } from './wallet.js';
import { Watchlist, flash, matches } from './watchlist.js';
import * as words from './words.js';

/** One price per token and window is all that an eye can follow. */
const WINDOW_MS = 200;
const STATUS_EVERY_MS = 10_000;
const SEED_TRADES = 500;
const SEED_CANDLES = 1000;
/** What the server knows of the selected token, and the new tokens. */
const DETAILS_EVERY_MS = 3000;
const NEW_EVERY_MS = 2000;
const NEW_TOKENS = 40;
/** Lengths of a candle, by seconds. */
const INTERVALS = new Map([[1, '1s'], [5, '5s'], [15, '15s'], [60, '1m'], [300, '5m'], [900, '15m'], [3600, '1h'], [14_400, '4h'], [86_400, '1d']]);
const MOST_TOKENS = 200;
/** Mints of one question for names: the API takes as many. */
const MOST_ASKED = 100;

const $ = (id) => document.getElementById(id);

/** Small things that outlive the page, where the browser allows it. */
const store = {
  get(name, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`swapcast.${name}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`swapcast.${name}`, JSON.stringify(value));
    } catch {
      // Private windows: nothing is remembered.
    }
  },
};

/** @type {Map<string, import('./watchlist.js').Token>} every token heard of */
const tokens = new Map();
/** @type {string[]} the watchlist, in order */
let list = [];
let selected = '';
let shownPrice = null;
/** Seconds of the candles on the chart. */
let seconds = 0;
/** @type {{mint: string, interval: string, candles: Candles} | null} the candles that the server is asked for */
let charted = null;
/** Of the prices, trades, candles and balances that are shown. */
let commitment = 'processed';

const vitals = new Vitals();
const chart = new Chart($('chart'), $('ohlc'), $('chart-empty'));
const tape = new Tape({
  panel: $('tape'), body: $('trades'), empty: $('tape-empty'), state: $('tape-state'),
  linked: () => vitals.feed === 'live',
});
const watchlist = new Watchlist({
  body: $('rows'), empty: $('watch-empty'), count: $('watch-count'),
  onSelect: (mint, open) => {
    select(mint);
    if (open) panel('chart');
  },
  onRemove: remove,
});

const pools = new Pools({
  body: $('pool-rows'), empty: $('pools-empty'), count: $('pools-count'), reasons: $('reasons'),
});
const newTokens = new NewTokens({
  body: $('fresh-rows'), empty: $('fresh-empty'), count: $('fresh-count'),
  onSelect: (mint) => {
    token(mint).launched = true;
    select(mint);
    panel('chart');
  },
});
const curveBar = new Bar('progressbar');
$('fact-curve').append(curveBar.el, curveBar.text);

// A key stands behind the #, which browsers send to nobody.
const apiKey = new URLSearchParams(location.hash.slice(1)).get('key') ?? undefined;
const feed = new Swapcast(new URL('ws', document.baseURI), { windowMs: WINDOW_MS, apiKey });
feed.on('message', (m) => vitals.message(m));
const portfolio = new Portfolio({
  box: $('portfolio'), ring: $('allocation'), legend: $('allocation-list'), tag: $('portfolio-tag'), note: $('portfolio-note'),
  methods: $('portfolio-methods'), get,
  facts: Object.fromEntries(['value', 'sol', 'realized', 'unrealized', 'fees'].map((name) => [name, $(`portfolio-${name}`)])),
});
const wallet = new Wallet({
  onShow: (owner) => portfolio.show(owner), onMove: () => portfolio.moved(),
  form: $('wallet-form'), input: $('wallet-input'), note: $('wallet-note'), body: $('wallet-rows'),
  follow: (owner) => feed.subscribe('balances', owner, { commitment }),
  leave: (owner) => feed.unsubscribe('balances', owner, { commitment }).catch(() => {}),
  name: (mint) => tokens.get(mint)?.symbol || format.short(mint),
});
new Quote({
  box: $('quote'), form: $('quote-form'), from: $('quote-from'), to: $('quote-to'), amount: $('quote-amount'), flip: $('quote-flip'),
  slippage: $('quote-slippage'), note: $('quote-note'), answer: $('quote-answer'), body: $('quote-rows'),
  tokens: () => [selected, ...list].filter(Boolean).map((mint) => ({ mint, symbol: tokens.get(mint)?.symbol ?? '' })),
  facts: (mint) => get(`v1/tokens/${mint}`),
  // A problem is an answer too: it says what became of each source.
  ask: async (query) => (await fetch(new URL(`v1/quote?${query}`, document.baseURI))).json(),
});
/** Handles what is of the commitment that is shown: of the other one, some may be on its way. */
const shown = (handle) => (event) => event.commitment === commitment && handle(event);
feed.on('price', shown(priced));
feed.on('trade', shown(traded));
feed.on('retract', shown((r) => r.assetId === selected && tape.retract(r)));
feed.on('balance', shown((b) => wallet.update(b)));
feed.on('status', (status) => vitals.told(status));
feed.on('candle', shown((c) => {
  if (c.assetId !== charted?.mint || c.interval !== charted.interval) return;
  charted.candles.update(c);
  chart.update();
}));
let opened = false;
feed.on('state', (state) => {
  vitals.state(state);
  if (state !== 'open') return;
  if (opened) {
    refreshStatus(); // it may be another server, with another feed
    loadCandles(charted);
  }
  opened = true;
});
feed.on('close', ({ code, reason, retryInMs }) => {
  vitals.state(feed.state, { retryInMs, code, reason });
});
feed.on('gap', shown((gap) => {
  const { channel, assetId } = gap;
  if (channel === 'candles' && assetId === charted?.mint) loadCandles(charted);
  if (channel === 'balances') wallet.gap(gap.wallet, 'Changes may be missing: follow the wallet again.');
  if (channel !== 'trades' || assetId !== selected) return;
  tape.gap(words.gap(gap));
  seed(selected); // fetch what the tape has missed
}));
addEventListener('online', () => feed.reconnectNow());
addEventListener('hashchange', () => location.reload());
document.addEventListener('visibilitychange', () => document.hidden || feed.reconnectNow());

// Data.

/** Reads JSON of the HTTP API; a problem's own words become the error. */
async function get(path) {
  const response = await fetch(new URL(path, document.baseURI), { headers: { Accept: 'application/json' } });
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Error(body?.detail || body?.title || `HTTP ${response.status}`);
  return body;
}

function token(mint) {
  let t = tokens.get(mint);
  if (!t) {
    t = { mint, symbol: '', name: '', price: null, history: new History(), seeded: false, named: false };
    tokens.set(mint, t);
  }
  return t;
}

function priced(message) {
  const t = token(message.assetId);
  if (message.snapshot && t.price && !(message.ts >= t.price.ts && message.price !== null)) return; // nothing newer
  const first = t.price?.price === null && message.price !== null; // now it has traded, and may have a name
  t.price = message;
  if (message.price !== null) t.history.add(message.ts || Date.now(), message.price);
  watchlist.update(t);
  if (t.mint === selected) {
    chart.update();
    facts(t);
  }
  if (first) learn([t.mint]);
  if (t.mint === selected && !t.details && message.price !== null) refreshDetails();
}

function traded(trade) {
  if (trade.assetId !== selected) return;
  tape.add(trade);
  chart.trade(trade);
}

/**
 * Learns the names of tokens, all in one question. One that never traded is no
 * error of /v1/prices; it is asked for again when it is next shown.
 */
async function learn(mints) {
  const unnamed = mints.map(token).filter((t) => !t.named);
  for (const t of unnamed) t.named = true; // asked for
  for (let i = 0; i < unnamed.length; i += MOST_ASKED) {
    const asked = unnamed.slice(i, i + MOST_ASKED);
    try {
      const answer = await get(`v1/prices?assets=${asked.map((t) => t.mint).join()}`);
      for (const t of asked) named(t, answer.tokens[t.mint]);
    } catch {
      for (const t of asked) t.named = t.symbol !== '';
    }
  }
}

/** Gives a token its names, where the server knows them. */
function named(t, facts) {
  t.named = Boolean(facts?.symbol) || t.symbol !== '';
  if (!facts?.symbol || (facts.symbol === t.symbol && facts.name === t.name)) return;
  t.symbol = facts.symbol;
  t.name = facts.name;
  renamed(t);
}

/** Fetches a token's newest trades: they are its past on chart and tape. */
async function seed(mint) {
  const t = token(mint);
  let trades;
  try {
    ({ trades } = await get(`v1/trades/${mint}?limit=${SEED_TRADES}`));
  } catch {
    return; // without a past the page just starts with the present
  }
  if (!t.seeded) {
    t.seeded = true;
    const past = trades.filter((x) => x.price > 0).map((x) => ({ ms: x.ts, price: x.price })).reverse();
    t.history.seed(settled(past));
    watchlist.redraw(t);
  }
  if (mint !== selected) return;
  if (commitment === 'processed') tape.seed(trades); // the others among them are not known
  for (const trade of trades) chart.trade(trade);
  chart.learned();
}

/** Has the chart show the server's candles of the selected token and interval. */
function watchCandles() {
  const before = charted;
  const interval = INTERVALS.get(seconds);
  if (!selected || !interval) return;
  if (before?.mint === selected && before.interval === interval) {
    chart.from(before.candles);
    return;
  }
  const mint = selected;
  charted = { mint, interval, candles: new Candles(seconds) };
  chart.from(charted.candles);
  if (before) feed.unsubscribe('candles', before.mint, { interval: before.interval, commitment }).catch(() => {});
  feed.subscribe('candles', mint, { interval, commitment }).catch(() => {}); // the trades of the same mint say what is wrong
  loadCandles(charted);
}

/** Fetches the candles so far. */
async function loadCandles(of) {
  if (!of) return;
  let past;
  try {
    past = (await get(`v1/candles/${of.mint}?interval=${of.interval}&limit=${SEED_CANDLES}`)).candles;
  } catch {
    return; // the chart goes on with the prices received here
  }
  if (of !== charted) return;
  const first = !of.candles.known;
  of.candles.load(past);
  if (first) chart.learned();
  else chart.update();
}

/** What the server knows of the selected token beside its price. */
async function refreshDetails() {
  const t = tokens.get(selected);
  if (!t || t.asking || document.hidden || (t.price?.price == null && !t.launched)) return; // a mint that never traded is unknown there
  t.asking = true;
  try {
    t.details = await get(`v1/tokens/${t.mint}`);
    named(t, t.details);
    if (commitment === 'processed' && t.price?.price == null && t.details.price !== null) { // the socket's own comes with the next trade
      t.price = { ...t.details, ts: 0 };
      if (t.mint === selected) facts(t);
    }
  } catch {
    t.details ??= {}; // asked again in a while
  } finally {
    t.asking = false;
  }
  if (t.mint === selected) showDetails(t.details);
}

function showDetails(d) {
  const pct = d?.change24hPct;
  const { text, direction } = pct == null ? { text: '–', direction: 0 } : format.change(100, 100 + pct);
  $('fact-day').textContent = text || '–';
  $('fact-day').dataset.direction = direction;
  $('fact-volume').textContent = d?.volume24hUsd > 0 ? format.usd(d.volume24hUsd) : '–';
  const since = d?.since24h ? `since ${new Date(d.since24h * 1000).toLocaleString()}` : 'as far as the server knows';
  for (const id of ['fact-day', 'fact-volume']) $(id).parentElement.title = `Within 24 hours, ${since}`;
  $('fact-cap-box').hidden = !(d?.marketCapUsd > 0);
  $('fact-cap').textContent = format.usd(d?.marketCapUsd);
  $('fact-curve-box').hidden = !d?.curve;
  const { part, text: stage, label } = words.curve(d?.curve);
  curveBar.set(part, stage, label);
  pools.show(d?.pools ? d : null);
}

/** The tokens that were launched last. */
async function refreshNew() {
  if (document.hidden) return;
  try {
    const { tokens: fresh } = await get(`v1/tokens?sort=new&limit=${NEW_TOKENS}`);
    for (const t of fresh) tokens.has(t.assetId) && named(tokens.get(t.assetId), t);
    newTokens.show(fresh, Date.now());
  } catch (error) {
    newTokens.fail(`The list of new tokens cannot be read: ${error.message}.`);
  }
}

/** Does something again and again, never twice at once. */
async function every(ms, work) {
  for (;;) {
    await work();
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

async function refreshStatus() {
  const sentAt = Date.now();
  try {
    vitals.status(await get('v1/status'), sentAt, Date.now());
  } catch (error) {
    if (feed.state === 'open') vitals.health(`The server's status cannot be read: ${error.message}.`);
  }
}

/** The most liquid tokens, which are the list of whoever has none yet. */
async function loadTop() {
  for (;;) {
    try {
      const { prices, tokens } = await get('v1/prices');
      for (const p of prices) {
        const t = token(p.assetId);
        named(t, tokens[p.assetId]);
        t.price ??= p;
        t.history.first ??= p.price;
      }
      if (prices.length) return prices.map((p) => p.assetId);
      $('watch-empty').textContent = 'Waiting for the first trades…';
    } catch (error) {
      $('watch-empty').textContent = `The list of tokens cannot be read: ${error.message}`;
    }
    $('watch-empty').hidden = false;
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
}

// The list.

/** Follows tokens and puts them at the end of the list. */
async function follow(mints) {
  const fresh = mints.filter((mint) => !list.includes(mint));
  list.push(...fresh);
  for (const mint of fresh) watchlist.add(token(mint));
  const ack = await feed.subscribe('prices', fresh, { commitment });
  for (const { assetId, code } of ack.errors) {
    drop(assetId);
    complain(`The server refuses ${format.short(assetId)}: ${code.replaceAll('_', ' ')}.`);
  }
  const granted = fresh.filter((m) => list.includes(m));
  learn(granted);
  for (const mint of granted) {
    if (mint !== selected) await seed(mint); // one after the other: there is no hurry
  }
}

async function add(mint) {
  if (list.includes(mint)) {
    complain('');
    select(mint);
    return;
  }
  if (list.length >= MOST_TOKENS) {
    complain(`The list holds ${MOST_TOKENS} tokens at most.`);
    return;
  }
  complain('');
  const following = follow([mint]);
  select(mint);
  watchlist.select(mint); // where it was looked at before
  renamed(token(mint)); // its button takes it off the list now
  try {
    await following;
  } catch (error) {
    drop(mint);
    complain(`${format.short(mint)} cannot be followed: ${error.message}.`);
    return;
  }
  save();
}

function remove(mint) {
  drop(mint);
  save();
}

function drop(mint) {
  const at = list.indexOf(mint);
  if (at < 0) return;
  list.splice(at, 1);
  watchlist.remove(mint);
  feed.unsubscribe('prices', mint, { commitment }).catch(() => {});
  if (mint === selected && list.length) select(list[Math.min(at, list.length - 1)]);
}

function save() {
  store.set('watchlist', list);
}

// The selected token.

function select(mint) {
  if (mint === selected) return;
  const before = selected;
  selected = mint;
  const t = token(mint);
  shownPrice = null;
  watchlist.select(mint);
  tape.clear();
  chart.show(t);
  watchCandles();
  newTokens.select(mint);
  showDetails(t.details);
  refreshDetails();
  renamed(t);
  facts(t);
  learn([mint]);
  store.set('selected', mint);
  if (before) feed.unsubscribe('trades', before, { commitment }).catch(() => {});
  if (before && !list.includes(before)) feed.unsubscribe('prices', before, { commitment }).catch(() => {});
  if (!list.includes(mint)) feed.subscribe('prices', mint, { commitment }).catch(() => {}); // a look at a token that is not followed
  watchTrades(mint);
  seed(mint);
}

function watchTrades(mint) {
  feed.subscribe('trades', mint, { commitment }).catch((error) => {
    if (feed.state !== 'closed') complain(`Trades of ${format.short(mint)}: ${error.message}.`);
  });
}

/** Shows what is of another commitment. */
function commit(next) {
  if (next === commitment) return;
  const mints = list.includes(selected) || !selected ? list : [...list, selected];
  const before = { commitment };
  if (mints.length) feed.unsubscribe('prices', mints, before).catch(() => {});
  if (selected) feed.unsubscribe('trades', selected, before).catch(() => {});
  if (charted) feed.unsubscribe('candles', charted.mint, { interval: charted.interval, ...before }).catch(() => {});
  wallet.end();
  charted = null;
  commitment = next;
  for (const mint of mints) {
    token(mint).price = null; // its last one of this commitment comes with the subscription
    watchlist.update(token(mint));
  }
  if (mints.length) feed.subscribe('prices', [...mints], { commitment }).catch(() => {});
  tape.clear();
  if (selected) {
    facts(token(selected));
    watchTrades(selected);
    watchCandles();
    seed(selected);
  }
  wallet.again();
}

function renamed(t) {
  watchlist.rename(t);
  if (t.mint !== selected) return;
  $('token-symbol').textContent = t.symbol || format.short(t.mint);
  $('token-title').textContent = t.name;
  $('token-mint').hidden = false;
  $('token-mint').textContent = format.short(t.mint);
  $('token-remove').setAttribute('aria-label', `Remove ${t.symbol || format.short(t.mint)} from the list`);
  $('token-remove').hidden = !list.includes(t.mint);
  $('token-add').hidden = list.includes(t.mint);
  $('token-add').setAttribute('aria-label', `Add ${t.symbol || format.short(t.mint)} to the list`);
  $('token-mint').setAttribute('aria-label', `${format.short(t.mint)}, copy the whole mint address`);
}

function facts(t) {
  const p = t.price;
  const value = p?.price ?? null;
  const { text, direction } = format.change(t.history.first, value);
  $('token-price').textContent = value === null ? '–' : `$${format.price(value)}`;
  $('token-price').title = format.fullPrice(value);
  $('token-change').textContent = direction ? `${direction > 0 ? '▲' : '▼'} ${text}` : text;
  $('token-change').dataset.direction = direction;
  flash($('token-price'), null, shownPrice, value);
  shownPrice = value;
  $('fact-sol').textContent = p?.priceSol == null ? '–' : format.price(p.priceSol);
  $('fact-liquidity').textContent = p?.liquidityUsd > 0 ? format.usd(p.liquidityUsd) : '–';
  $('fact-confidence').textContent = value === null ? '–' : `${Math.round(p.confidence * 100)}%`;
  $('fact-meter').value = value === null ? 0 : p.confidence;
  $('fact-source').textContent = p?.source || '–';
  document.title = value === null ? 'swapcast' : `${t.symbol || format.short(t.mint)} ${format.price(value)} · swapcast`;
}

// Search.

function complain(text) {
  $('search-error').textContent = text;
  $('search-error').hidden = !text;
  $('search-input').setAttribute('aria-invalid', String(text !== ''));
}

function searched() {
  const text = $('search-input').value.trim();
  complain('');
  watchlist.filter(format.looksLikeMint(text) && !list.some((m) => m.startsWith(text)) ? '' : text);
  suggest(text);
}

/** Offers known tokens that are not on the list. */
function suggest(text) {
  const found = text ? [...tokens.values()].filter((t) => !list.includes(t.mint) && matches(t, text.toLowerCase())).slice(0, 8) : [];
  $('suggestions').hidden = found.length === 0;
  $('suggestion-list').replaceChildren(...found.map((t) => {
    const button = document.createElement('button');
    button.type = 'button';
    const verb = document.createElement('em');
    verb.textContent = '+ Add';
    button.append(`${t.symbol || format.short(t.mint)}${t.name ? ` · ${t.name}` : ''}`, verb);
    button.addEventListener('click', () => submitted(t.mint));
    const item = document.createElement('li');
    item.append(button);
    return item;
  }));
}

function submitted(text) {
  if (!text) return;
  const [first] = watchlist.shown;
  if (!format.looksLikeMint(text) && first) {
    clearSearch();
    select(first);
    watchlist.focus();
    return;
  }
  const problem = format.mintProblem(text);
  if (problem) {
    complain(`${problem}.`);
    return;
  }
  clearSearch();
  add(text);
}

function clearSearch() {
  $('search-input').value = '';
  searched();
}

$('search-input').addEventListener('input', searched);
$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  submitted($('search-input').value.trim());
});
$('search-input').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    clearSearch();
    event.target.blur();
  } else if (event.key === 'ArrowDown') {
    event.preventDefault();
    watchlist.focus();
  }
});

// Controls.

function panel(name) {
  document.querySelector('.panels').dataset.panel = name;
  for (const button of document.querySelectorAll('.tabs button')) {
    button.setAttribute('aria-pressed', String(button.dataset.panel === name));
  }
}

function theme(next) {
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  try {
    if (next) localStorage.setItem('swapcast.theme', next);
    else localStorage.removeItem('swapcast.theme');
  } catch {
    // Not remembered.
  }
  $('theme').setAttribute('aria-label', `Colour theme: ${next || 'automatic'}`);
  chart.recolour();
}

function nextTheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const order = dark ? ['', 'light', 'dark'] : ['', 'dark', 'light'];
  theme(order[(order.indexOf(document.documentElement.dataset.theme ?? '') + 1) % order.length]);
}

function interval(length) {
  const input = document.querySelector(`#intervals input[value="${length}"]`) ?? document.querySelector('#intervals input');
  input.checked = true;
  seconds = Number(input.value);
  chart.setInterval(seconds);
  watchCandles();
  store.set('interval', seconds);
}

$('theme').addEventListener('click', nextTheme);
$('commitment').addEventListener('change', (event) => commit(event.target.value));
$('intervals').addEventListener('change', (event) => interval(Number(event.target.value)));
document.querySelector('.tabs').addEventListener('click', (event) => {
  const name = event.target.closest('button')?.dataset.panel;
  if (name) panel(name);
});
$('token-mint').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(selected);
    $('token-mint').textContent = 'copied';
  } catch {
    $('token-mint').textContent = selected; // to be copied by hand
  }
  setTimeout(() => renamed(token(selected)), 1500);
});
$('token-remove').addEventListener('click', () => {
  panel('watch');
  remove(selected);
});
$('token-add').addEventListener('click', () => add(selected));
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input[type="text"]')) return;
  const key = event.key;
  if (key === '/') $('search-input').focus();
  else if (key === 't') nextTheme();
  else if ('123456789'.includes(key) && key.length === 1) interval([...INTERVALS.keys()][key - 1]);
  else if (key.startsWith('Arrow') && event.target === document.body) watchlist.focus();
  else return;
  event.preventDefault();
});

// Start.

async function start() {
  theme(document.documentElement.dataset.theme ?? '');
  interval(store.get('interval', 5));
  refreshStatus();
  setInterval(refreshStatus, STATUS_EVERY_MS);
  every(DETAILS_EVERY_MS, refreshDetails);
  every(NEW_EVERY_MS, refreshNew);
  feed.open();
  feed.subscribe('status').catch(() => {}); // a server that has none says it at v1/status
  const saved = store.get('watchlist', null);
  const mints = Array.isArray(saved) && saved.every((m) => typeof m === 'string' && !format.mintProblem(m)) ? saved : null;
  const top = loadTop();
  const first = (mints ?? await top).slice(0, MOST_TOKENS);
  follow(first).catch((error) => error.code === 'refused' || complain(`The list cannot be followed: ${error.message}.`));
  const last = store.get('selected', '');
  if (first.length) select(first.includes(last) ? last : first[0]);
  else searched();
}

start();
