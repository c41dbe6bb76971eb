// What all scenarios share: parameters from the environment, a session on the WebSocket
// that holds every message to the contract, metrics, thresholds and the summary.
//
// A message costs k6 some 40 to 110 µs, most of it JSON. So seq is followed in every
// message by looking for it in the text, and one message in SAMPLE is parsed, checked
// field by field and timed.
import { WebSocket } from 'k6/websockets';
import http from 'k6/http';
import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';

/** A number from the environment. */
export function number(name, otherwise) {
  const text = __ENV[name];
  if (text === undefined || text === '') return otherwise;
  const n = Number(text);
  if (!Number.isFinite(n) || n < 0) throw new Error(`${name}=${text}: a number of 0 or more is expected`);
  return n;
}

/** Seconds from the environment, as 90, 90s, 5m or 1h. */
export function seconds(name, otherwise) {
  const text = __ENV[name];
  if (text === undefined || text === '') return otherwise;
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!m) throw new Error(`${name}=${text}: a time such as 90s, 5m or 1h is expected`);
  return Number(m[1]) * { ms: 0.001, s: 1, m: 60, h: 3600 }[m[2] || 's'];
}

export const URL = __ENV.URL || 'ws://127.0.0.1:8080/ws';
export const HTTP = (__ENV.HTTP_URL || URL.replace(/^ws/, 'http').replace(/\/ws(\?.*)?$/, '')).replace(/\/$/, '');
export const TEST_ID = __ENV.TEST_ID || 'k6';
const API_KEY = __ENV.API_KEY || '';
const QUERY = __ENV.QUERY || ''; // such as window_ms=100&batch=1
const SAMPLE = Math.max(1, number('SAMPLE', 1));
const WINDOWED = /(^|&)window_ms=[1-9]/.test(QUERY);
const headers = API_KEY ? { Authorization: `Bearer ${API_KEY}` } : {};

// Times are in milliseconds. Latency is this machine's clock less the message's ts: the
// clocks must agree, and ts is in whole milliseconds.
export const latency = new Trend('update_latency', true);
export const connectTime = new Trend('connect_time', true); // WebSocket() to open
export const firstTime = new Trend('first_message_time', true); // subscribe to the first message
export const updates = new Counter('updates');
export const missing = new Counter('updates_missing'); // jumps of seq without a window
export const skipped = new Counter('updates_skipped'); // jumps of seq with window_ms
export const disorder = new Counter('updates_disorder'); // seq that did not grow
export const sessions = new Rate('sessions_ok'); // opened, answered, and ended by us

// When the sessions of each scenario end, in seconds since its start: at random between
// the two, so that k6 has none to cut off.
const ends = {};

/** Options of a run: scenarios, and thresholds that fail it. */
export function options(scenarios, more = {}) {
  for (const [name, s] of Object.entries(scenarios)) {
    if (s.stages) ends[name] = { from: parseFloat(s.stages[0].duration) + parseFloat(s.stages[1].duration), to: s.stages.reduce((sum, stage) => sum + parseFloat(stage.duration), 0) };
    else ends[name] = { from: parseFloat(s.duration) - 1, to: parseFloat(s.duration) + 2 };
  }
  return {
    scenarios,
    thresholds: {
      checks: ['rate==1'],
      updates: ['count>0'],
      updates_missing: [`count<=${number('MAX_MISSING', 0)}`],
      updates_disorder: ['count==0'],
      sessions_ok: [`rate>=${number('MIN_SESSIONS_OK', 1)}`],
      update_latency: [`p(95)<${number('P95_MS', 500)}`, `p(99)<${number('P99_MS', 1000)}`],
      ...more,
    },
    summaryTrendStats: ['avg', 'med', 'p(95)', 'p(99)', 'p(99.9)', 'max', 'count'],
    setupTimeout: '90s',
    ...cloud(),
  };
}

/** Options of Grafana Cloud k6, where K6_CLOUD_PROJECT_ID is set: see cloud.js. */
export function cloud() {
  if (!__ENV.K6_CLOUD_PROJECT_ID) return {};
  const distribution = {};
  // CLOUD_ZONES=amazon:us:ashburn=60,amazon:de:frankfurt=40
  (__ENV.CLOUD_ZONES || 'amazon:us:ashburn=100').split(',').forEach((part, i) => {
    const [loadZone, percent] = part.split('=');
    distribution[`zone${i + 1}`] = { loadZone, percent: Number(percent || 100) };
  });
  return { cloud: { projectID: Number(__ENV.K6_CLOUD_PROJECT_ID), name: __ENV.CLOUD_NAME || `swapcast ${TEST_ID}`, distribution } };
}

/** Grow, hold, shrink: the stages of most scenarios. */
export function ramp(vus, up, hold, down, how) {
  return {
    executor: 'ramping-vus',
    startVUs: 0,
    stages: [
      { duration: `${up}s`, target: vus },
      { duration: `${hold}s`, target: vus },
      { duration: `${down}s`, target: 0 },
    ],
    gracefulRampDown: `${down + 5}s`, // sessions end by themselves, see ends
    gracefulStop: '10s',
    exec: how,
  };
}

/** GET of the server's API; the tag keeps thousands of paths one metric. */
export function get(path, name) {
  return http.get(`${HTTP}${path}`, { headers, tags: { name } });
}

/** Tokens to use: ASSETS, or up to TOKENS (100): the most liquid and traded, then the newest. */
export function findAssets() {
  if (__ENV.ASSETS) return __ENV.ASSETS.split(',');
  const priced = (query) => {
    const answer = get(`/v1/prices${query}`, '/v1/prices');
    if (answer.status !== 200) exec.test.abort(`GET /v1/prices: status ${answer.status} ${answer.error}; is the server at ${HTTP}?`);
    return answer.json('prices').filter((p) => p.price !== null).map((p) => p.assetId);
  };
  const found = priced('');
  const fresh = get('/v1/tokens?limit=200', '/v1/tokens');
  const names = fresh.status === 200 ? fresh.json('tokens').map((t) => t.assetId).filter((mint) => !found.includes(mint)) : [];
  for (let i = 0; i < names.length; i += 100) found.push(...priced(`?assets=${names.slice(i, i + 100).join(',')}`));
  if (found.length === 0) exec.test.abort('the server has no price of anything yet: wait for /readyz, or give ASSETS');
  return found.slice(0, number('TOKENS', 100));
}

/** Wallets to use: WALLETS, or up to 1,000 that traded lately. */
export function findWallets(assets) {
  if (__ENV.WALLETS) return __ENV.WALLETS.split(',');
  const found = new Set();
  for (const a of assets) {
    const answer = get(`/v1/trades/${a}?limit=200`, '/v1/trades');
    if (answer.status === 200) for (const t of answer.json('trades')) if (t.trader) found.add(t.trader);
    if (found.size >= 1000) break;
  }
  if (found.size === 0) exec.test.abort('the server knows of no trade yet: give WALLETS');
  return [...found].slice(0, 1000);
}

/** A token of the list, the first ones more often: Zipf's law with exponent s. */
export function zipf(n, s) {
  let total = 0;
  const weights = [];
  for (let i = 1; i <= n; i++) weights.push((total += 1 / i ** s));
  return () => {
    const at = Math.random() * total;
    let low = 0;
    let high = n - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (weights[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

export function between(low, high) {
  return low + Math.random() * (high - low);
}

/** Everybody all the time. */
export function constant(vus, duration, how) {
  return { executor: 'constant-vus', vus, duration: `${duration}s`, gracefulStop: '10s', exec: how };
}

/** A session's length in seconds, cut to end with the scenario. */
export function fit(length) {
  const end = ends[exec.scenario.name];
  const now = (Date.now() - exec.scenario.startTime) / 1000;
  if (!end || now + length < end.from) return length;
  return between(Math.max(now, end.from), end.to) - now;
}

/** The address of a connection, with the tags that Sentry and the logs show. */
export function address(more = '') {
  return `${URL}?test_id=${TEST_ID}&vu_id=${exec.vu.idInTest}&scenario=${exec.scenario.name}${QUERY ? '&' + QUERY : ''}${more}`;
}

/** The text of a field that holds no escapes, '' where there is none. */
function textOf(data, name) {
  const i = data.indexOf(name);
  if (i < 0) return '';
  const from = i + name.length;
  return data.substring(from, data.indexOf('"', from));
}

/**
 * One session: connect, subscribe, hold what comes to the contract, leave after `length`
 * seconds. The iteration ends with it.
 *
 * o.channel is prices (default), trades or balances, o.keys are mints or wallets.
 * o.onFirst is called with the first message's time.
 */
export function session(o) {
  const length = fit(o.length);
  if (length < Math.min(o.length, 2)) { // the run is over, but for too short a time to be answered on a busy machine
    sleep(0.5);
    return;
  }
  const channel = o.channel || 'prices';
  const wallets = channel === 'balances';
  const began = Date.now();
  const last = new Map(); // key: seq
  const ws = new WebSocket(address(), null, { headers });
  const s = { ws, o, last, wallets, windowed: WINDOWED && channel === 'prices', strict: channel === 'prices', count: 0, heard: 0, opened: 0, acknowledged: false, failed: '' };
  let timer;
  let leaving = false;
  const leave = () => {
    leaving = true;
    ws.close();
  };

  ws.onopen = () => {
    s.opened = Date.now();
    connectTime.add(s.opened - began);
    const request = { action: 'subscribe', channel, id: '1' };
    request[wallets ? 'wallets' : 'assets'] = o.keys;
    ws.send(JSON.stringify(request));
    timer = setTimeout(leave, length * 1000);
  };
  ws.onmessage = (event) => {
    if (leaving) return;
    const data = event.data;
    if (data.charCodeAt(0) !== 91) one(s, data);
    else for (const m of JSON.parse(data)) one(s, JSON.stringify(m)); // batch=1
  };
  ws.onerror = (e) => {
    // k6 cannot answer a ping that comes after our own close frame, and need not.
    if (leaving && `${e.error}`.includes('close sent')) return;
    s.failed = e.error || 'error';
  };
  ws.onclose = () => {
    clearTimeout(timer);
    const ok = leaving && s.failed === '' && s.acknowledged;
    sessions.add(ok);
    check(s, {
      'connected': () => s.opened > 0,
      'no socket error': () => s.failed === '',
      'subscription acknowledged': () => s.acknowledged || !s.opened,
      'ended by us': () => leaving || !s.opened,
    });
    if (ok) return;
    console.warn(`VU ${exec.vu.idInTest}: ${s.failed || (leaving ? 'not acknowledged' : 'closed by the server')}`);
    // Who fails does not come back at once: that would be an attack.
    setTimeout(() => {}, between(500, 1500));
  };
}

/** One message. */
function one(s, data) {
  if (s.heard === 0) {
    s.heard = Date.now();
    firstTime.add(s.heard - s.opened);
    if (s.o.onFirst) s.o.onFirst(s.heard);
  }
  const type = textOf(data, '{"type":"');
  if (type === 'subscribed') {
    s.acknowledged = true;
    const a = JSON.parse(data);
    check(a, { 'acknowledged by id': () => a.id === '1', 'nothing refused': () => !a.errors || a.errors.length === 0 });
    return;
  }
  if (type === 'gap' || type === 'status') return;
  const at = data.lastIndexOf(',"seq":');
  const key = textOf(data, s.wallets ? '"wallet":"' : '"assetId":"');
  const snapshot = data.indexOf(',"snapshot":true', at) > 0;
  const seq = at < 0 ? NaN : parseInt(data.substring(at + 7, at + 24), 10);
  follow(s, key, seq, snapshot);
  if (!snapshot) updates.add(1);
  if (s.count++ % SAMPLE !== 0) return;
  const now = Date.now();
  const m = parse(data);
  check(m, {
    'is what was asked for': () => s.o.keys.includes(key) && type === { prices: 'price', trades: m.type === 'retract' ? 'retract' : 'trade', balances: 'balance' }[s.o.channel || 'prices'],
    'has its fields': () => hasFields(m),
  });
  if (!snapshot && m.ts) latency.add(Math.max(0, now - m.ts));
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return {}; // which fails the checks
  }
}

function hasFields(m) {
  if (typeof m.seq !== 'number' || typeof m.ts !== 'number' || typeof m.assetId !== 'string') return false;
  switch (m.type) {
    case 'price':
      return m.price === null || (typeof m.price === 'number' && m.price > 0);
    case 'trade':
      return (m.side === 'buy' || m.side === 'sell') && /^\d+$/.test(m.amount);
    case 'balance':
      return typeof m.wallet === 'string' && /^\d+$/.test(m.amount);
    default:
      return true;
  }
}

/** Holds seq to what came before it. */
function follow(s, key, seq, snapshot) {
  const before = s.last.get(key);
  if (before !== undefined && !snapshot) {
    if (!(seq > before)) disorder.add(1);
    else if (seq > before + 1) (s.windowed ? skipped : missing).add(seq - before - 1);
  } else if (before === undefined && !snapshot && s.strict) {
    check(null, { 'snapshot comes first': () => false });
  }
  s.last.set(key, seq);
}

/** Writes the summary: text on standard output, JSON into SUMMARY where that is set. */
export function handleSummary(data) {
  const out = { stdout: text(data) };
  if (__ENV.SUMMARY) out[__ENV.SUMMARY] = JSON.stringify(data, null, 1);
  return out;
}

function text(data) {
  const ms = (v) => (v === undefined || v === null ? '-' : v < 10 ? `${v.toFixed(1)} ms` : `${Math.round(v)} ms`);
  const rows = [];
  for (const name of Object.keys(data.metrics).sort()) {
    const { type, contains, values, thresholds } = data.metrics[name];
    let value;
    if (type === 'trend' && contains === 'time') value = `n ${values.count}, med ${ms(values.med)}, p95 ${ms(values['p(95)'])}, p99 ${ms(values['p(99)'])}, p99.9 ${ms(values['p(99.9)'])}, max ${ms(values.max)}`;
    else if (type === 'rate') value = `${(values.rate * 100).toFixed(2)}% (${values.passes} yes, ${values.fails} no)`;
    else if (type === 'counter') value = `${values.count} (${values.rate.toFixed(1)}/s)`;
    else if (type === 'gauge') value = `${values.value} (most ${values.max})`;
    if (value === undefined || /^(data_|iteration|http_req_(blocked|connecting|tls|sending|waiting|receiving))/.test(name)) continue;
    rows.push(`  ${name.padEnd(34)} ${value}`);
    for (const [rule, result] of Object.entries(thresholds || {})) rows.push(`    ${result.ok ? 'ok ' : 'BAD'} ${rule}`);
  }
  for (const c of data.root_group.checks) if (c.fails > 0) rows.push(`  check failed ${c.fails} times of ${c.passes + c.fails}: ${c.name}`);
  const failed = Object.values(data.metrics).some((m) => Object.values(m.thresholds || {}).some((t) => !t.ok));
  return `${rows.join('\n')}\n${failed ? 'FAILED: a threshold was crossed' : 'passed'}\n`;
}
