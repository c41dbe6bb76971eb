// Prices over k6/websockets: each VU holds SOCKETS connections, subscribes to
// all ASSETS with an id, and holds every message to the contract: the snapshot
// first, then prices whose seq grows by one, an acknowledgement with the id,
// nothing else. Latency is the server's `ts` to now, so clocks must agree.
import { WebSocket } from 'k6/websockets';
import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';

const URL = __ENV.URL || 'ws://127.0.0.1:8080/ws';
const ASSETS = (__ENV.ASSETS || 'So11111111111111111111111111111111111111112').split(',');
const TEST_ID = __ENV.TEST_ID || 'prices';
const SOCKETS = Number(__ENV.SOCKETS || 1);
const SESSION_MS = Number(__ENV.SESSION_MS || 5000);
const QUERY = __ENV.QUERY || ''; // such as window_ms=100
const API_KEY = __ENV.API_KEY || '';
const latency = new Trend('price_latency', true);
const prices = new Counter('price_messages');

export const options = {
  vus: Number(__ENV.VUS || 10),
  duration: __ENV.DURATION || '10s',
  summaryTrendStats: ['avg', 'med', 'p(95)', 'p(99)', 'max'],
  thresholds: {
    checks: ['rate==1.00'],
    price_messages: ['count>0'],
    price_latency: [`p(99)<${__ENV.P99_MS || 1000}`],
  },
};

export default function () {
  for (let i = 0; i < SOCKETS; i++) session(i);
}

function session(i) {
  const query = `test_id=${TEST_ID}&vu_id=${exec.vu.idInTest}.${i}&scenario=prices${QUERY ? '&' + QUERY : ''}`;
  const params = API_KEY ? { headers: { Authorization: `Bearer ${API_KEY}` } } : {};
  const ws = new WebSocket(`${URL}?${query}`, null, params);
  const seqs = {}; // last seq of each asset
  let acknowledged = false;
  let failed = '';
  let timer;

  ws.onopen = () => {
    ws.send(JSON.stringify({ action: 'subscribe', assets: ASSETS, id: '1' }));
    timer = setTimeout(() => ws.close(), SESSION_MS);
  };
  ws.onmessage = (event) => {
    const parsed = JSON.parse(event.data);
    for (const m of Array.isArray(parsed) ? parsed : [parsed]) {
      if (m.type === 'subscribed') {
        acknowledged = true;
        check(m, {
          'acknowledged by id': (a) => a.id === '1' && a.channel === 'prices',
          'no asset refused': (a) => !a.errors || a.errors.length === 0,
        });
        continue;
      }
      price(m, seqs);
    }
  };
  ws.onerror = (e) => {
    failed = e.error || 'error';
  };
  ws.onclose = () => {
    clearTimeout(timer);
    check(null, {
      'no socket error': () => failed === '',
      'subscription acknowledged': () => acknowledged,
      'every asset heard of': () => ASSETS.every((a) => a in seqs),
    });
  };
}

function price(m, seqs) {
  prices.add(1);
  const last = seqs[m.assetId];
  check(m, {
    'is a price of an asked asset': (p) => p.type === 'price' && ASSETS.includes(p.assetId),
    'price is a number above 0 or null': (p) => p.price === null || (typeof p.price === 'number' && p.price > 0),
    'snapshot comes first': (p) => (last === undefined) === (p.snapshot === true),
    'seq has no gap': (p) => last === undefined || (QUERY.includes('window_ms') ? p.seq > last : p.seq === last + 1),
  });
  seqs[m.assetId] = m.seq === undefined ? 0 : m.seq;
  if (!m.snapshot && m.ts) latency.add(Date.now() - m.ts);
}
