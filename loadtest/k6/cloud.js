// price_streams from Grafana Cloud k6's machines, for a server that the internet reaches:
//
//   k6 cloud login --token TOKEN
//   K6_CLOUD_PROJECT_ID=123 k6 cloud run -e URL=wss://prices.example.org/ws -e K6_CLOUD_PROJECT_ID=123 loadtest/k6/cloud.js
//   (the same with --local-execution loads from here and shows the results there)
//
// CLOUD_ZONES=amazon:us:ashburn=60,amazon:de:frankfurt=40 spreads the load. Clocks of
// other machines are not this server's: P95_MS and P99_MS must leave room for that.
import { number, options as make, ramp, seconds } from './lib.js';
export { handleSummary } from './lib.js';
export { setup, stream } from './price_streams.js';

if (!__ENV.K6_CLOUD_PROJECT_ID) throw new Error('K6_CLOUD_PROJECT_ID is not set: see the head of cloud.js');

export const options = make({ price_streams: ramp(number('VUS', 10000), seconds('RAMP', 300), seconds('HOLD', 600), seconds('DOWN', 60), 'stream') });
