// An hour at a steady load: what grows now (server memory, goroutines, files, latency)
// would fall over later. Watch the server's /metrics beside it.
import { between, constant, findAssets, number, options as make, seconds, session } from './lib.js';
export { handleSummary } from './lib.js';

const VUS = number('VUS', 1000);

export const options = make({ soak: constant(VUS, seconds('DURATION', 3600), 'stream') });

export function setup() {
  return { assets: findAssets() };
}

export function stream({ assets }) {
  session({ keys: [assets[Math.floor(Math.random() * assets.length)]], length: between(seconds('SESSION_MIN', 120), seconds('SESSION_MAX', 600)) });
}
