// Five in a hundred read one message a second; do they delay the others? Run it once with
// SLOW_PERCENT=0 and once without, and compare update_latency{scenario:readers}.
//
// A slow reader uses k6/ws, whose handlers block the socket: with k6/websockets messages
// would pile up in k6 and the server would notice nothing.
import ws from 'k6/ws';
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { address, between, findAssets, fit, number, options as make, ramp, seconds, session, zipf } from './lib.js';
export { handleSummary } from './lib.js';

const VUS = number('VUS', 1000);
const SLOW = Math.round((VUS * number('SLOW_PERCENT', 5)) / 100);
const EACH = number('TOKENS_EACH', 10);
const RAMP = seconds('RAMP', 30);
const HOLD = seconds('HOLD', 120);
const DOWN = seconds('DOWN', 10);
const slowMessages = new Counter('slow_messages');

const scenarios = { readers: ramp(VUS - SLOW, RAMP, HOLD, DOWN, 'read') };
if (SLOW > 0) scenarios.slow = ramp(SLOW, RAMP, HOLD, DOWN, 'slow');

export const options = make(scenarios, {
  'update_latency{scenario:readers}': [`p(99)<${number('P99_MS', 1000)}`],
  ...(SLOW > 0 ? { slow_messages: ['count>0'] } : {}),
});

export function setup() {
  return { assets: findAssets() };
}

let draw;

function pick(assets) {
  draw = draw || zipf(assets.length, 1.1);
  const keys = new Set();
  while (keys.size < Math.min(EACH, assets.length)) keys.add(assets[draw()]);
  return [...keys];
}

export function read({ assets }) {
  session({ keys: pick(assets), length: between(HOLD / 3, HOLD / 2) });
}

export function slow({ assets }) {
  const ends = Date.now() + fit(between(HOLD / 3, HOLD / 2)) * 1000;
  const answer = ws.connect(address(), {}, (socket) => {
    socket.on('open', () => socket.send(JSON.stringify({ action: 'subscribe', assets: pick(assets) })));
    socket.on('message', () => {
      slowMessages.add(1);
      if (Date.now() >= ends) socket.close();
      else sleep(1);
    });
    socket.setTimeout(() => socket.close(), Math.max(100, ends - Date.now()));
  });
  check(answer, { 'slow reader was let in': (r) => r && r.status === 101 });
}
