// Prices of ten of a hundred tokens a VU, popular ones more often (Zipf), in one
// subscription.
import { between, findAssets, number, options as make, ramp, seconds, session, zipf } from './lib.js';
export { handleSummary } from './lib.js';

const VUS = number('VUS', 1000);
const EACH = number('TOKENS_EACH', 10);
const ZIPF = number('ZIPF', 1.1);

export const options = make({ multi_token: ramp(VUS, seconds('RAMP', 60), seconds('HOLD', 300), seconds('DOWN', 15), 'stream') });

export function setup() {
  return { assets: findAssets() };
}

let draw;

export function stream({ assets }) {
  draw = draw || zipf(assets.length, ZIPF);
  const keys = new Set();
  while (keys.size < Math.min(EACH, assets.length)) keys.add(assets[draw()]);
  session({ keys: [...keys], length: between(seconds('SESSION_MIN', 60), seconds('SESSION_MAX', 120)) });
}
