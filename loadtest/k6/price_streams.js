// Prices of one token a VU: each VU stays 1 to 2 minutes with a token, then takes
// another. Grows to 10,000 VUs in 5 minutes, holds them for 10, shrinks within 1.
import { between, findAssets, number, options as make, ramp, seconds, session } from './lib.js';
export { handleSummary } from './lib.js';

const VUS = number('VUS', 10000);
const SESSION_MIN = seconds('SESSION_MIN', 60);
const SESSION_MAX = seconds('SESSION_MAX', 120);

export const options = make({ price_streams: ramp(VUS, seconds('RAMP', 300), seconds('HOLD', 600), seconds('DOWN', 60), 'stream') });

export function setup() {
  return { assets: findAssets() };
}

export function stream({ assets }) {
  session({ keys: [assets[Math.floor(Math.random() * assets.length)]], length: between(SESSION_MIN, SESSION_MAX) });
}
