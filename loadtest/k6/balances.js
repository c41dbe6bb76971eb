// Balances of a few wallets a VU. Wallets that traded lately are used, so that something
// happens to them; one that nobody pays is silent, which is fine.
import { between, findAssets, findWallets, number, options as make, ramp, seconds, session } from './lib.js';
export { handleSummary } from './lib.js';

const VUS = number('VUS', 1000);
const EACH = number('WALLETS_EACH', 3);

export const options = make({ balances: ramp(VUS, seconds('RAMP', 60), seconds('HOLD', 300), seconds('DOWN', 15), 'watch') });

export function setup() {
  return { wallets: findWallets(findAssets()) };
}

export function watch({ wallets }) {
  const keys = new Set();
  while (keys.size < Math.min(EACH, wallets.length)) keys.add(wallets[Math.floor(Math.random() * wallets.length)]);
  session({ channel: 'balances', keys: [...keys], length: between(seconds('SESSION_MIN', 60), seconds('SESSION_MAX', 120)) });
}
