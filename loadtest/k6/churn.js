// The reconnect storm: once in EVERY everybody leaves at the same moment and returns at
// random within WITHIN. `storm_back` is the time from the moment of leaving to the first
// message after the return, its largest value how long until all were back.
import { Trend } from 'k6/metrics';
import { sleep } from 'k6';
import { constant, findAssets, number, options as make, seconds, session } from './lib.js';
export { handleSummary } from './lib.js';

const VUS = number('VUS', 10000);
const EVERY = seconds('EVERY', 60);
const WITHIN = seconds('WITHIN', 10);
const STORMS = number('STORMS', 5);
const back = new Trend('storm_back', true);

export const options = make(
  {
    churn: constant(VUS, EVERY * (STORMS + 1), 'storm'),
  },
  // Everybody is back by then: the slowest, not the 99th of a hundred.
  { storm_back: [`max<${(WITHIN + seconds('BACK_AFTER', 5)) * 1000}`] },
);

export function setup() {
  return { assets: findAssets(), began: Date.now() };
}

let last = -1;

export function storm({ assets, began }) {
  const round = Math.floor((Date.now() - began) / (EVERY * 1000));
  if (round === last) { // a session that ended early, such as the run's last
    sleep(0.3);
    return;
  }
  last = round;
  const left = began + round * EVERY * 1000; // when everybody left, or when the run began
  sleep(Math.random() * WITHIN);
  const ends = left + EVERY * 1000;
  const length = (ends - Date.now()) / 1000;
  if (length <= 0.2) return; // a machine so slow that the next storm is here
  session({
    keys: [assets[Math.floor(Math.random() * assets.length)]],
    length,
    onFirst: (now) => round > 0 && back.add(now - left),
  });
}
