// A spike: BASE VUS are there all the time, and PEAK more come within SURGE, stay for a
// moment and go. The latency of those who were there all along is judged by itself.
import { between, constant, findAssets, number, options as make, ramp, seconds, session } from './lib.js';
export { handleSummary } from './lib.js';

const BASE = number('BASE_VUS', 500);
const PEAK = number('PEAK_VUS', 5000);
const SURGE = seconds('SURGE', 10);
const STAY = seconds('STAY', 60);
const BEFORE = seconds('BEFORE', 30);
const length = BEFORE + 2 * SURGE + STAY + BEFORE;

export const options = make(
  {
    settled: constant(BASE, length, 'settled'),
    surge: { ...ramp(PEAK, SURGE, STAY, SURGE, 'surge'), startTime: `${BEFORE}s` },
  },
  { 'update_latency{scenario:settled}': [`p(99)<${number('P99_MS', 1000)}`], 'update_latency{scenario:surge}': ['p(99)<60000'] },
);

export function setup() {
  return { assets: findAssets() };
}

function stream(assets, seconds_) {
  session({ keys: [assets[Math.floor(Math.random() * assets.length)]], length: seconds_ });
}

export function settled({ assets }) {
  stream(assets, between(length / 3, length / 2));
}

export function surge({ assets }) {
  stream(assets, between(STAY / 2, STAY));
}
