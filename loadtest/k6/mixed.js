// What users do together: prices and trades over the WebSocket, and over HTTP prices,
// quotes and portfolios at a rate of their own, whatever the answers take.
import { Rate, Trend } from 'k6/metrics';
import { between, findAssets, findWallets, get, number, options as make, ramp, seconds, session } from './lib.js';
export { handleSummary } from './lib.js';

const RAMP = seconds('RAMP', 60);
const HOLD = seconds('HOLD', 300);
const DOWN = seconds('DOWN', 15);
const quoteTime = new Trend('quote_time', true);
const portfolioTime = new Trend('portfolio_time', true);
const httpOK = new Rate('http_ok');

function rate(name, perSecond, how) {
  if (perSecond === 0) return {};
  return {
    [name]: {
      executor: 'constant-arrival-rate', rate: perSecond, timeUnit: '1s', duration: `${RAMP + HOLD}s`,
      preAllocatedVUs: Math.ceil(perSecond * 2), maxVUs: Math.ceil(perSecond * 20), exec: how, gracefulStop: '5s',
    },
  };
}

export const options = make(
  {
    prices: ramp(number('VUS', 800), RAMP, HOLD, DOWN, 'prices'),
    trades: ramp(number('TRADE_VUS', 200), RAMP, HOLD, DOWN, 'trades'),
    ...rate('quotes', number('QUOTES', 20), 'quote'),
    ...rate('portfolios', number('PORTFOLIOS', 20), 'portfolio'),
    ...rate('lookups', number('LOOKUPS', 50), 'lookup'),
  },
  {
    http_ok: [`rate>=${number('MIN_HTTP_OK', 0.99)}`],
    quote_time: [`p(99)<${number('QUOTE_P99_MS', 2500)}`],
    portfolio_time: [`p(99)<${number('PORTFOLIO_P99_MS', 500)}`],
    dropped_iterations: [`count<=${number('MAX_DROPPED', 0)}`], // requests that no VU was free for
  },
);

export function setup() {
  const assets = findAssets();
  const wallets = findWallets(assets);
  const answer = get(`/v1/wallets/${wallets[0]}/portfolio`, '/v1/wallets/portfolio');
  const portfolios = answer.status !== 501 && answer.status !== 404;
  if (!portfolios) console.warn(`this server has no /v1/wallets/{owner}/portfolio (status ${answer.status}): portfolios are left out`);
  return { assets, wallets, portfolios };
}

const any = (list) => list[Math.floor(Math.random() * list.length)];
const length = () => between(seconds('SESSION_MIN', 60), seconds('SESSION_MAX', 120));

export function prices({ assets }) {
  session({ keys: [any(assets)], length: length() });
}

export function trades({ assets }) {
  session({ channel: 'trades', keys: [any(assets)], length: length() });
}

function judge(answer, what, trend) {
  const ok = answer.status === 200;
  httpOK.add(ok);
  if (!ok) console.warn(`${what}: status ${answer.status} ${answer.error}`);
  if (trend) trend.add(answer.timings.duration);
}

export function quote() {
  const sol = 'So11111111111111111111111111111111111111112';
  const usdc = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';
  // Amounts differ, so that no cache answers for all of them.
  judge(get(`/v1/quote?inputMint=${sol}&outputMint=${usdc}&amount=${Math.floor(between(1e7, 1e10))}&slippageBps=50`, '/v1/quote'), 'quote', quoteTime);
}

export function portfolio({ wallets, portfolios }) {
  if (portfolios) judge(get(`/v1/wallets/${any(wallets)}/portfolio`, '/v1/wallets/portfolio'), 'portfolio', portfolioTime);
}

export function lookup({ assets }) {
  judge(get(`/v1/prices?assets=${any(assets)},${any(assets)}`, '/v1/prices'), 'prices', null);
}
