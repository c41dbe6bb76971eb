/**
 * swapcast.js: the JavaScript SDK of the swapcast WebSocket.
 *
 * One ES module without dependencies, for browsers and for Node (22 and later
 * have a WebSocket of their own; pass the `ws` package's class to older ones).
 *
 *     import { Swapcast } from '/swapcast.js';
 *
 *     const feed = new Swapcast('ws://127.0.0.1:8080/ws');
 *     feed.on('price', (p) => console.log(p.assetId, p.price));
 *     feed.on('gap', (g) => console.warn('missing', g));
 *     feed.open();
 *     const { assets, errors } = await feed.subscribe('prices', [mint]);
 *
 * It stays connected (full jitter, the server's reconnect hint obeyed), renews
 * its subscriptions, and resumes them: of trades, and of the retracts that are
 * counted among them, each comes once, however often the connection breaks, or a
 * `gap` event in its place says that it does not.
 *
 *     feed.on('trade', (t) => book(t.slot, t.signature, t.index, t));
 *     feed.on('retract', (r) => r.signatures.forEach((s) => takeBack(r.assetId, r.slot, s)));
 *     feed.on('gap', (g) => g.channel === 'trades' && repair(g));
 *     await feed.subscribe('trades', mint); // or with { commitment: 'confirmed' }: later, never retracted
 *
 * After a restart of the server a gap of each asset says so (`new_epoch`, of
 * unknown length); the trades of the new run then come from its first. Of prices
 * and balances the newest state comes with each connection; a price or a balance
 * with `corrects` takes the place of one that a fork took back, and so does a
 * final candle that comes again. Handlers run one after the other, in the order in which
 * the server sent; one that throws is reported to `console.error` and holds up
 * nobody. Nothing is queued: what is read is handed on at once. It stays one
 * file, so that one copy of it is the whole SDK.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * @module swapcast
 */

/**
 * @typedef {object} Price
 * @property {'price'} type
 * @property {string} assetId mint address
 * @property {number|null} price US dollars per whole token; null where none can be told
 * @property {number|null} priceSol whole SOL per whole token; null where none can be told
 * @property {number} confidence 0 to 1
 * @property {number} liquidityUsd of the followed pools, both sides, US dollars
 * @property {string} source DEX of the swap that caused the update
 * @property {string} pool
 * @property {number} slot
 * @property {string} commitment
 * @property {string} signature
 * @property {number} blockTime Unix seconds, 0 unknown
 * @property {number} seq grows by one with every update of this asset
 * @property {number} ts Unix milliseconds when the server published
 * @property {'simulated'|'replay'} [feed] absent for a live chain
 * @property {true} [snapshot] the last known price, not a new one
 * @property {number} [corrects] dead slot whose price this one replaces
 */

/**
 * @typedef {object} Trade
 * @property {'trade'} type
 * @property {string} assetId
 * @property {'buy'|'sell'} side the trader's
 * @property {number|null} price US dollars per whole token in this trade
 * @property {string} amount raw units of the asset; exact, so not a number
 * @property {number} [decimals] of the asset
 * @property {number|null} amountUsd
 * @property {string} trader
 * @property {string} source
 * @property {string} pool
 * @property {number} slot
 * @property {string} signature
 * @property {number} index of the swap in its transaction
 * @property {number} blockTime
 * @property {number} seq
 * @property {number} ts
 * @property {'simulated'|'replay'} [feed]
 * @property {'processed'|'confirmed'} commitment processed: a `retract` may take it back
 */

/**
 * Trades that never happened, because their slot died or the confirmed chain has
 * left it aside: all of the asset in these transactions of this slot. A transaction
 * may come again in another slot, as a trade like any other.
 *
 * @typedef {object} Retract
 * @property {'retract'} type
 * @property {'trades'} channel
 * @property {string} assetId
 * @property {number} slot
 * @property {string[]} signatures
 * @property {'processed'|'confirmed'} commitment of the trades
 * @property {number} seq counts among the asset's trades
 * @property {number} ts
 */

/**
 * What a wallet holds of a token after a transaction.
 *
 * @typedef {object} Balance
 * @property {'balance'} type
 * @property {string} wallet
 * @property {string} assetId mint address
 * @property {string} amount raw units, exact; over all of the wallet's accounts of the mint
 * @property {number} decimals
 * @property {true} [native] the wallet's own lamports; assetId is then wrapped SOL's, a holding of its own without this
 * @property {number} slot
 * @property {string} signature
 * @property {'processed'|'confirmed'} commitment
 * @property {number} seq of the wallet, whatever the mint
 * @property {number} ts
 * @property {true} [snapshot] held when the subscription began, or began again: not a change
 * @property {number} [corrects] dead slot that had part in the balance before
 */

/**
 * The health of the server's feed: at once, when it changes, and every few seconds.
 *
 * @typedef {object} Status
 * @property {'status'} type
 * @property {'healthy'|'stale'|'disconnected'} feed
 * @property {number} slot newest heard of
 * @property {number|null} lagMs since a source said anything
 * @property {boolean} degraded something is amiss, though prices may still come
 * @property {string} message one sentence for a person, '' where there is nothing to say
 * @property {number} ts
 */

/**
 * The present state of a candle: the newest replaces the one before. An interval
 * without a trade has none. Intermediate states may be skipped, a final one is
 * not, unless a gap says so; after a reconnect GET /v1/candles/{mint} has what
 * was missed. A processed candle that is final may come again, final again, when the
 * chain has taken a trade back.
 *
 * @typedef {object} Candle
 * @property {'candle'} type
 * @property {string} assetId
 * @property {string} interval
 * @property {number} t Unix seconds when the interval begins
 * @property {number} o US dollars per whole token, as are the next three
 * @property {number} h
 * @property {number} l
 * @property {number} c
 * @property {number} volumeUsd
 * @property {number} trades
 * @property {boolean} final the interval is over
 * @property {number} seq
 * @property {number} ts
 * @property {'simulated'|'replay'} [feed]
 * @property {true} [snapshot] the newest one when the subscription began
 */

/**
 * @typedef {object} Gap
 * @property {'gap'} type
 * @property {string} channel
 * @property {string} [interval] of candles
 * @property {'processed'|'confirmed'} commitment
 * @property {string} [assetId]
 * @property {string} [wallet] of balances, in place of assetId
 * @property {number} fromSeq first missing number; 0 where none is concerned or it is not known
 * @property {number} toSeq last missing number; 0 where the end is not known
 * @property {string} reason the client's own: `seq_jump` (within one connection), `outage`
 *   (while not connected); the server's: `new_epoch` (it is another run: the numbering began
 *   anew), `no_history` (missed while not connected, and not kept), `upstream` (the server
 *   itself never learned of some slots), `overload`, `slow_consumer`
 * @property {number} [fromSlot] with `upstream`
 * @property {number} [toSlot] with `upstream`
 * @property {string} [detail] stable code of why
 */

/**
 * @typedef {object} Ack
 * @property {string[]} assets what is subscribed now
 * @property {string[]} [wallets] the same, of balances
 * @property {{assetId?: string, wallet?: string, code: string}[]} errors what was refused, and why
 * @property {string} epoch of the server's run; `seq` counts within it
 * @property {boolean} recovered a renewal has resumed, and nothing is missing
 * @property {Record<string, number>} [seqs] the last number before what follows
 * @property {boolean} renewal the client has subscribed again by itself
 */

/**
 * @typedef {object} Options
 * @property {string} [apiKey] sent as `api_key` in the query, since browsers cannot set headers
 * @property {number} [windowMs] at most one price per asset per so many milliseconds; 0 to 5000, default 0
 * @property {boolean} [batch] several updates may share a frame; default true
 * @property {boolean} [beta] prices of canary adapters too
 * @property {string} [testId] tag for the server's logs
 * @property {string} [vuId] tag for the server's logs
 * @property {string} [scenario] tag for the server's logs
 * @property {number} [silentAfter] milliseconds without a sign of life after which a
 *   connection is given up (it is asked for one at half of it); default 30000, 0 never
 * @property {number} [ackTimeout] milliseconds; default 10000
 * @property {number} [minBackoff] milliseconds; default 250
 * @property {number} [maxBackoff] milliseconds; default 30000
 * @property {typeof globalThis.WebSocket} [WebSocket] class to use; default the global one
 * @property {() => number} [random] jitter, uniform in [0, 1); default Math.random
 */

/** WebSocket.OPEN, which every implementation numbers alike. */
const OPEN = 1;
/** Close codes after which the same requests would be refused again; 4408 (too slow) is none. */
const REFUSED = new Set([1008, 1009, 4400, 4401]);
/** A connection must have lasted so long for the backoff to start over. */
const LASTING_MS = 10_000;
/** A message that the server left unread is sent again after this time, */
const RESEND_AFTER_MS = 1000;
/** and others without an answer at this pace. */
const RESEND_EVERY_MS = 50;
/** A hint to stay away for longer than this is not believed. */
const LONGEST_HINT_MS = 120_000;
/** Assets in one renewal: a message of about 12 KB, with what was seen of each. */
const RENEWAL_CHUNK = 100;

/** The server's refusal of a request, or the end of a client. */
export class SwapcastError extends Error {
  /**
   * @param {string} code stable name, such as `rate_limited` or `closed`
   * @param {string} [message]
   */
  constructor(code, message) {
    super(message ? `${code}: ${message}` : code);
    this.name = 'SwapcastError';
    this.code = code;
  }
}

/** One subscriber's side of the stream, over as many connections as it takes. */
export class Swapcast {
  #url;
  #options;
  #WebSocket;
  /** @type {Map<string, Set<Function>>} */
  #handlers = new Map();
  /** @type {Map<string, Set<string>>} what the server has granted, by channel */
  #wanted = new Map();
  /** @type {Map<string, object>} requests without an answer, by id */
  #pending = new Map();
  #nextId = 0;
  #seqs;
  #socket = null;
  #state = 'idle';
  #attempt = 0;
  #openedAt = null;
  #heardAt = 0;
  #askedAt = -1;
  #retryTimer = null;
  #watchTimer = null;
  #unread = false; // the server has left a message unread
  #resending = null; // the socket on which unanswered requests are being sent again
  #stats = { connects: 0, failures: 0, messages: 0, malformed: 0, duplicates: 0, gaps: 0, lastSlot: 0 };

  /**
   * @param {string|URL} url `ws:`, `wss:`, `http:` or `https:`; `/ws` where it has no path
   * @param {Options} [options]
   */
  constructor(url, options = {}) {
    this.#options = {
      windowMs: 0,
      batch: true,
      silentAfter: 30_000,
      ackTimeout: 10_000,
      minBackoff: 250,
      maxBackoff: 30_000,
      random: Math.random,
      ...options,
    };
    const { windowMs } = this.#options;
    if (!Number.isInteger(windowMs) || windowMs < 0 || windowMs > 5000) {
      throw new RangeError(`windowMs ${windowMs} is not a whole number from 0 to 5000`);
    }
    this.#WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
    if (!this.#WebSocket) {
      throw new TypeError('no WebSocket here: pass the class of the "ws" package as options.WebSocket');
    }
    this.#url = dialURL(url, this.#options);
    this.#seqs = new Sequences(windowMs > 0);
  }

  /** `idle`, `connecting`, `open`, `waiting` (to reconnect) or `closed`. */
  get state() {
    return this.#state;
  }

  /** Counts since the client was made. */
  get stats() {
    return { ...this.#stats };
  }

  /**
   * Calls the handler for each event of a type: `price`, `trade`, `balance`,
   * `candle`, `retract`, `gap`, `status`, `error` (one that answers no request),
   * `subscribed`, `open`, `close` (`{code, reason, retryInMs}`, negative where
   * there will be no retry), `state`, or `message` (every message, first).
   *
   * @param {string} type
   * @param {(event: any) => void} handler
   * @returns {() => void} removes the handler
   */
  on(type, handler) {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  /**
   * Connects, and stays connected until close() or until the server refuses
   * for good.
   *
   * @returns {this}
   */
  open() {
    if (this.#state === 'idle') this.#connect();
    return this;
  }

  /** Ends the client. Requests without an answer fail with code `closed`. */
  close() {
    if (this.#state === 'closed') return;
    const socket = this.#socket;
    this.#end();
    socket?.close(1000);
  }

  /** Ends the wait for the next connection, for example when the network is back. */
  reconnectNow() {
    if (this.#state === 'waiting') this.#connect();
  }

  /**
   * Subscribes and waits for the acknowledgement, over reconnects if need be.
   * The subscription is renewed on every later connection.
   *
   * @param {string} channel `prices`, `trades`, `candles`, `balances` (of wallets), `status` (no assets)
   * @param {string|string[]} [assets]
   * @param {{interval?: string, commitment?: 'processed'|'confirmed'}} [options] interval of
   *   candles: `1s`, `5s`, `15s`, `1m` (default), `5m`, `15m`, `1h`, `4h` or `1d`; commitment:
   *   `processed` (default), at once, or `confirmed`, later and never taken back; each is a
   *   subscription of its own
   * @returns {Promise<Ack>} with the assets that were refused, if any, in `errors`
   * @throws {SwapcastError} where the request was refused as a whole
   */
  subscribe(channel, assets = [], options = {}) {
    return this.#request('subscribe', channelKey(channel, options), [assets].flat());
  }

  /**
   * Unsubscribes and waits for the acknowledgement.
   *
   * @param {string} channel
   * @param {string|string[]} [assets]
   * @param {{interval?: string, commitment?: 'processed'|'confirmed'}} [options] as of subscribe()
   * @returns {Promise<void>}
   */
  async unsubscribe(channel, assets = [], options = {}) {
    const list = [assets].flat();
    const key = channelKey(channel, options);
    const wanted = this.#wanted.get(key);
    for (const asset of list.length ? list : ['']) wanted?.delete(asset);
    if (this.#state === 'open') await this.#request('unsubscribe', key, list);
    else this.#forget(key, list);
  }

  /**
   * @returns {Promise<number>} milliseconds of one round trip through the server
   */
  async ping() {
    const start = Date.now();
    await this.#request('ping');
    return Date.now() - start;
  }

  /**
   * @param {string} channel
   * @param {{interval?: string, commitment?: 'processed'|'confirmed'}} [options] as of subscribe()
   * @returns {string[]} the assets that the server has granted
   */
  subscriptions(channel, options = {}) {
    return [...(this.#wanted.get(channelKey(channel, options)) ?? [])].filter(Boolean);
  }

  // Requests.

  #request(action, channel, assets = [], renewal = false) {
    if (this.#state === 'closed') return Promise.reject(new SwapcastError('closed'));
    if (this.#state !== 'open' && action !== 'subscribe') return Promise.reject(new SwapcastError('disconnected'));
    const id = String(++this.#nextId);
    const command = { action, ...channelFields(channel), id, ...named(channel, assets) };
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { id, action, channel, assets, renewal, command, refusals: [], resolve, reject });
      if (this.#state === 'open') this.#send(this.#resuming(this.#pending.get(id)));
    });
  }

  /** What to send of a request: a subscription names what has been seen so far. */
  #resuming({ action, channel, assets, command }) {
    const since = action === 'subscribe' ? this.#seqs.since(channel, assets) : undefined;
    return since ? { ...command, since } : command;
  }

  /** Forgets how far subscriptions were that are no more. */
  #forget(channel, assets) {
    for (const asset of assets) {
      if (!this.#wanted.get(channel)?.has(asset)) this.#seqs.forget(channel, asset);
    }
  }

  #send(command) {
    if (this.#socket.readyState !== OPEN) return; // closing: the close event settles what is pending
    this.#socket.send(JSON.stringify(command));
  }

  /** Answers the request of that id; undefined where there is none. */
  #answer(id, error, ack) {
    const request = this.#pending.get(id);
    if (!request) return undefined;
    this.#pending.delete(id);
    if (error) {
      request.reject(error);
    } else {
      if (request.action === 'subscribe') this.#granted(request, ack);
      if (request.action === 'unsubscribe') this.#forget(request.channel, request.assets);
      request.resolve(ack);
    }
    return request;
  }

  #granted({ channel, assets, renewal }, ack) {
    const refused = new Set(ack.errors.map((e) => e.assetId ?? e.wallet));
    const wanted = this.#wanted.get(channel) ?? new Set();
    this.#wanted.set(channel, wanted);
    for (const asset of assets.length ? assets : ['']) {
      if (refused.has(asset)) wanted.delete(asset);
      else if (!renewal) wanted.add(asset); // a renewal must not bring back what was unsubscribed
    }
  }

  // Connections.

  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#emit('state', state);
  }

  #connect() {
    clearTimeout(this.#retryTimer);
    this.#attempt++;
    const socket = new this.#WebSocket(this.#url);
    this.#socket = socket;
    this.#openedAt = null;
    const mine = (handle) => (event) => {
      if (this.#socket === socket) handle(event);
    };
    socket.onopen = mine(() => this.#opened());
    socket.onmessage = mine((event) => this.#frame(event.data));
    socket.onerror = () => {}; // a close follows, and says more
    socket.onclose = mine((event) => this.#closed(event.code, event.reason));
    this.#watch();
    this.#setState('connecting');
  }

  #opened() {
    this.#openedAt = this.#heardAt = Date.now();
    this.#stats.connects++;
    this.#seqs.connected();
    const waiting = [...this.#pending.values()];
    const renewals = this.#renewals();
    this.#watch();
    this.#setState('open');
    this.#emit('open', { attempt: this.#attempt });
    for (const request of waiting) this.#send(this.#resuming(request));
    this.#renew(this.#socket, renewals);
  }

  #closed(code, reason) {
    const lasted = this.#openedAt !== null && Date.now() - this.#openedAt >= LASTING_MS;
    this.#stats.failures++;
    clearTimeout(this.#watchTimer);
    this.#socket = null;
    for (const request of [...this.#pending.values()]) {
      if (request.action === 'subscribe' && !request.renewal) continue; // stays for the next connection
      this.#pending.delete(request.id);
      if (request.action === 'unsubscribe') {
        this.#forget(request.channel, request.assets);
        request.resolve();
      } else request.reject(new SwapcastError('disconnected'));
    }
    if (REFUSED.has(code)) {
      this.#end(new SwapcastError('refused', `close code ${code}${reason ? ` ${reason}` : ''}`));
      this.#emit('close', { code, reason, retryInMs: -1 });
      return;
    }
    if (lasted) this.#attempt = 1;
    const { minBackoff, maxBackoff, random } = this.#options;
    const hint = code === 1001 ? reconnectHint(reason) : undefined;
    const bound = Math.min(maxBackoff, minBackoff * 2 ** Math.min(this.#attempt - 1, 30));
    const retryInMs = hint ?? random() * bound;
    this.#retryTimer = setTimeout(() => this.#connect(), retryInMs);
    this.#setState('waiting');
    this.#emit('close', { code, reason, retryInMs });
  }

  #end(error = new SwapcastError('closed')) {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#watchTimer);
    this.#socket = null;
    for (const request of this.#pending.values()) request.reject(error);
    this.#pending.clear();
    this.#setState('closed');
  }

  /** Gives a connection up as if it had closed: a dead one may never say so. */
  #abandon(reason) {
    const socket = this.#socket;
    this.#closed(1006, reason);
    socket.close();
  }

  /** Asks for a sign of life at half of the allowed silence, gives up at all of it. */
  #watch() {
    const { silentAfter, ackTimeout } = this.#options;
    clearTimeout(this.#watchTimer);
    if (this.#openedAt === null) {
      this.#watchTimer = setTimeout(() => this.#abandon('handshake timed out'), ackTimeout);
      return;
    }
    if (!silentAfter) return;
    const idle = Date.now() - this.#heardAt;
    if (idle >= silentAfter) {
      this.#abandon('silent');
      return;
    }
    let wait = silentAfter / 2 - idle;
    if (wait <= 0) {
      wait = silentAfter - idle;
      if (this.#askedAt !== this.#heardAt) {
        this.#askedAt = this.#heardAt;
        this.#send({ action: 'ping', id: 'alive' });
      }
    }
    this.#watchTimer = setTimeout(() => this.#watch(), wait);
  }

  #renewals() {
    const renewals = [];
    for (const [channel, wanted] of this.#wanted) {
      const assets = [...wanted].filter(Boolean);
      if (wanted.has('')) renewals.push([channel, []]);
      for (let i = 0; i < assets.length; i += RENEWAL_CHUNK) {
        renewals.push([channel, assets.slice(i, i + RENEWAL_CHUNK)]);
      }
    }
    return renewals;
  }

  /** Subscribes again, one request after the other, as fast as the server answers. */
  async #renew(socket, renewals) {
    for (const [channel, assets] of renewals) {
      for (let again = true; again;) {
        again = false;
        if (this.#socket !== socket) return; // the next connection renews all
        const timer = setTimeout(() => {
          if (this.#socket === socket) this.#abandon('no answer to a renewal');
        }, this.#options.ackTimeout);
        try {
          await this.#request('subscribe', channel, assets, true);
          const wanted = this.#wanted.get(channel);
          const stale = assets.filter((asset) => !wanted?.has(asset)); // unsubscribed meanwhile
          if (stale.length && this.#socket === socket) {
            this.#send({ action: 'unsubscribe', ...channelFields(channel), ...named(channel, stale) });
          }
        } catch (error) {
          if (this.#socket !== socket || this.#state !== 'open') return;
          if (error.code === 'rate_limited') {
            clearTimeout(timer);
            await sleep(RESEND_AFTER_MS);
            if (this.#socket !== socket) return;
            again = true;
          } else {
            this.#emit('error', { type: 'error', code: error.code, message: error.message });
          }
        } finally {
          clearTimeout(timer);
        }
      }
    }
  }

  /**
   * A server that is asked too fast leaves messages unread and says so, but not
   * which. What has no answer is sent again: after a while, and slowly.
   */
  async #resend() {
    const socket = this.#socket;
    this.#unread = true;
    if (this.#resending === socket) return; // the loop below will see it
    this.#resending = socket;
    while (this.#unread) {
      this.#unread = false;
      await sleep(RESEND_AFTER_MS);
      for (const [id, request] of [...this.#pending]) {
        if (this.#socket !== socket) return;
        if (!this.#pending.has(id)) continue;
        this.#send(this.#resuming(request));
        await sleep(RESEND_EVERY_MS);
      }
      if (this.#socket !== socket) return;
    }
    this.#resending = null;
  }

  // Messages.

  #frame(data) {
    this.#heardAt = Date.now();
    let parsed;
    try {
      parsed = JSON.parse(data);
    } catch {
      this.#stats.malformed++;
      return;
    }
    for (const message of Array.isArray(parsed) ? parsed : [parsed]) {
      if (this.#state !== 'open') return; // a handler has closed us
      if (typeof message?.type === 'string') this.#message(message);
      else this.#stats.malformed++;
    }
  }

  #message(m) {
    this.#stats.messages++;
    if (m.slot > this.#stats.lastSlot) this.#stats.lastSlot = m.slot;
    this.#emit('message', m);
    switch (m.type) {
      case 'price':
      case 'trade':
      case 'retract':
      case 'candle':
      case 'balance': {
        m.commitment ??= 'processed';
        const { gap, again } = this.#seqs.see(CHANNELS[m.type], m);
        if (again) {
          this.#stats.duplicates++;
          return;
        }
        if (gap) this.#gaps([gap]);
        break;
      }
      case 'gap':
        m.commitment ??= 'processed';
        if (!this.#seqs.announced(m)) return;
        this.#stats.gaps++;
        break;
      case 'subscribed':
        m.assets ??= [];
        m.errors ??= [];
        m.commitment ??= 'processed';
        m.renewal = this.#pending.get(m.id)?.renewal ?? false;
        this.#answer(m.id, null, m);
        this.#emit('subscribed', m);
        this.#gaps(this.#seqs.acknowledged(m.epoch));
        this.#positioned(m);
        return;
      case 'unsubscribed':
      case 'pong':
        this.#answer(m.id, null, undefined);
        return;
      case 'error':
        if (this.#refused(m)) return;
        break;
      default:
    }
    this.#emit(m.type, m);
  }

  /** Notes from where to count what is subscribed now. */
  #positioned({ channel, interval, commitment, seqs = {} }) {
    const key = channelKey(channel, { interval, commitment });
    for (const [asset, seq] of Object.entries(seqs)) {
      if (this.#wanted.get(key)?.has(asset)) this.#seqs.positioned(key, asset, seq);
    }
  }

  /** Takes an error; true where it answers a request. */
  #refused(m) {
    const request = this.#pending.get(m.id);
    if (!request) {
      if (m.code === 'rate_limited') this.#resend();
      return false;
    }
    if (m.assetId === undefined && m.wallet === undefined) {
      this.#answer(m.id, new SwapcastError(m.code, m.message));
      return true;
    }
    // One asset of several: the acknowledgement follows, unless none was good.
    request.refusals.push(m.wallet === undefined ? { assetId: m.assetId, code: m.code } : { wallet: m.wallet, code: m.code });
    if (request.refusals.length >= request.assets.length) {
      this.#answer(m.id, null, { assets: [], errors: request.refusals, epoch: '', recovered: false });
    }
    return true;
  }

  #gaps(gaps) {
    for (const gap of gaps) {
      this.#stats.gaps++;
      this.#emit('gap', { type: 'gap', ...gap });
    }
  }

  #emit(type, event) {
    for (const handler of this.#handlers.get(type) ?? []) {
      try {
        handler(event);
      } catch (error) {
        console.error(`swapcast: handler of ${type}:`, error);
      }
    }
  }
}

/** The channels of what is numbered. */
const CHANNELS = { price: 'prices', trade: 'trades', retract: 'trades', candle: 'candles', balance: 'balances' };
/** Gaps of the server's own that are remembered of each sequence; it keeps as many. */
const MOST_SLOT_RANGES = 64;

/**
 * Knows how far each numbered sequence is, one for each asset of each subscription:
 * finds the jumps, drops what came before, and tells from where to resume.
 */
class Sequences {
  #skipPrices;
  #epoch = '';
  #known = false; // the present connection has told its epoch
  #session = 0;
  /**
   * By channel key and asset. `session` saw it last, the acknowledgement of
   * `resumed` has named it, `slots` are the server's own gaps that were told.
   * @type {Map<string, {key: string, asset: string, seq: number, session: number, resumed: number, slots: string[]}>}
   */
  #last = new Map();
  #outages = []; // jumps over a reconnect, undecided until the epoch is told
  #restarted = new Set(); // of which the present connection has said that they began anew

  constructor(skipPrices) {
    this.#skipPrices = skipPrices;
  }

  connected() {
    this.#session++;
    this.#known = false;
    this.#outages = [];
    this.#restarted.clear();
  }

  /** From where a subscription to assets goes on; undefined where all of it begins. */
  since(key, assets) {
    if (this.#epoch === '' || !/^(trades|candles|balances)/.test(key)) return undefined; // of others the newest is enough
    const seqs = {};
    for (const asset of assets) {
      const p = this.#last.get(`${key} ${asset}`);
      if (p && p.session !== this.#session && p.resumed !== this.#session) seqs[asset] = p.seq;
    }
    return Object.keys(seqs).length ? { epoch: this.#epoch, seqs } : undefined;
  }

  /** Takes what an acknowledgement says of a sequence: the number before what follows. */
  positioned(key, asset, seq) {
    const id = `${key} ${asset}`;
    const p = this.#last.get(id);
    if (!p) {
      this.#last.set(id, { key, asset, seq, session: this.#session, resumed: this.#session, slots: [] });
      return;
    }
    // A server that counts lower has forgotten what it said, and tells a gap. Where
    // it is ahead it tells one too; if not, the next number shows it.
    if (p.session !== this.#session && p.resumed !== this.#session && seq < p.seq) p.seq = seq;
    p.resumed = this.#session;
  }

  /**
   * Takes the number of an update.
   *
   * @returns {{gap?: object, again?: boolean}} the gap before it, and whether it has come before
   */
  see(channel, m) {
    const { seq, snapshot } = m;
    if (!seq || (this.#skipPrices && channel === 'prices')) return {};
    const key = channelKey(channel, m);
    const asset = m.wallet ?? m.assetId;
    const p = this.#last.get(`${key} ${asset}`);
    if (!p) {
      this.#last.set(`${key} ${asset}`, { key, asset, seq, session: this.#session, resumed: 0, slots: [] });
      return {}; // the first number is as good as any
    }
    const before = p.seq;
    const resumed = p.session !== this.#session;
    // Of candles, states in between may be skipped; a balance that a subscription
    // begins with covers those before it.
    const jumps = channel !== 'candles' && !(channel === 'balances' && snapshot);
    p.session = this.#session;
    if (resumed && !this.#known) {
      p.seq = seq; // may be lower, if the server has restarted
      if (jumps) this.#outages.push({ key, asset, from: before + 1, to: seq - 1 });
      return {};
    }
    p.seq = Math.max(before, seq);
    if (seq <= before) return { again: channel === 'trades' || (channel === 'balances' && !snapshot) };
    if (seq === before + 1 || !jumps) return {};
    return { gap: gapOf(key, asset, before + 1, seq - 1, resumed ? 'outage' : 'seq_jump') };
  }

  /** Takes the epoch of an acknowledgement; returns the gaps that it proves. */
  acknowledged(epoch) {
    if (!epoch || this.#known) return [];
    const first = this.#epoch === '';
    const same = this.#epoch === epoch;
    const outages = this.#outages;
    this.#known = true;
    this.#epoch = epoch;
    this.#outages = [];
    if (first) return [];
    if (same) return outages.filter(({ from, to }) => to >= from).map((o) => gapOf(o.key, o.asset, o.from, o.to, 'outage'));
    const gaps = outages.map((o) => this.#restart(o.key, o.asset, o.from));
    for (const [id, p] of this.#last) {
      p.slots = [];
      if (p.session === this.#session) continue;
      const { channel } = channelFields(p.key);
      if (channel !== 'balances') gaps.push(this.#restart(p.key, p.asset, p.seq + 1)); // what a wallet holds is told anew
      if (channel === 'trades') Object.assign(p, { seq: 0, session: 0, resumed: 0 }); // all of the new run that is kept can be had
      else this.#last.delete(id);
    }
    return gaps;
  }

  #restart(key, asset, from) {
    this.#restarted.add(`${key} ${asset}`);
    return gapOf(key, asset, from, 0, 'new_epoch');
  }

  /** Takes a gap that the server told of; false where it was told already. */
  announced(gap) {
    const id = `${channelKey(gap.channel, gap)} ${gap.wallet ?? gap.assetId}`;
    const p = this.#last.get(id);
    const account = () => {
      if (p && gap.toSeq > p.seq) Object.assign(p, { seq: gap.toSeq, session: this.#session });
    };
    if (gap.reason === 'new_epoch') {
      const news = !this.#restarted.has(id);
      this.#restarted.add(id);
      account();
      return news;
    }
    if (!p) return true;
    if (!gap.toSeq && gap.toSlot) { // slots that the server never learned of: told again to who resumes
      const range = `${gap.fromSlot}-${gap.toSlot}`;
      if (p.slots.includes(range)) return false;
      p.slots.push(range);
      if (p.slots.length > MOST_SLOT_RANGES) p.slots.shift();
      return true;
    }
    if (gap.channel === 'trades' && gap.fromSeq) { // these come in the order of their numbers
      if (gap.toSeq <= p.seq) return false;
      gap.fromSeq = Math.max(gap.fromSeq, p.seq + 1);
    }
    account();
    return true;
  }

  forget(key, asset) {
    this.#last.delete(`${key} ${asset}`);
  }
}

function gapOf(key, asset, fromSeq, toSeq, reason) {
  const fields = channelFields(key);
  return {
    ...fields, commitment: fields.commitment ?? 'processed',
    [fields.channel === 'balances' ? 'wallet' : 'assetId']: asset, fromSeq, toSeq, reason,
  };
}

/** A channel as subscriptions are kept by it: candles by their interval, each by its commitment. */
function channelKey(channel, { interval = '1m', commitment = 'processed' }) {
  const name = channel === 'candles' ? `candles:${interval}` : channel;
  return commitment === 'processed' || channel === 'status' ? name : `${name}@${commitment}`;
}

/** What a request says of a channel that channelKey named. */
function channelFields(key = '') {
  const [name, commitment] = key.split('@');
  const [channel, interval] = name.split(':');
  return { ...(channel && { channel }), ...(interval && { interval }), ...(commitment && { commitment }) };
}

/** What a request says of the assets, or wallets, of a channel. */
function named(channel = '', assets = []) {
  if (!assets.length) return {};
  return { [channel.startsWith('balances') ? 'wallets' : 'assets']: assets };
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The address that is dialled: scheme, default path, options of the query. */
function dialURL(url, { apiKey, windowMs, batch, beta, testId, vuId, scenario }) {
  const dial = new URL(url);
  const schemes = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' };
  if (!schemes[dial.protocol]) throw new TypeError(`${url} is no WebSocket address`);
  dial.protocol = schemes[dial.protocol];
  if (dial.pathname === '/' || dial.pathname === '') dial.pathname = '/ws';
  dial.hash = '';
  const query = {
    api_key: apiKey,
    window_ms: windowMs || undefined,
    batch: batch ? 1 : undefined,
    beta: beta ? 1 : undefined,
    test_id: testId,
    vu_id: vuId,
    scenario,
  };
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) dial.searchParams.set(name, String(value));
  }
  return dial.href;
}

/** Milliseconds from the reason of a close with 1001, `{"reconnectMs":n}`. */
function reconnectHint(reason) {
  try {
    const { reconnectMs } = JSON.parse(reason);
    return reconnectMs >= 0 ? Math.min(reconnectMs, LONGEST_HINT_MS) : undefined;
  } catch {
    return undefined;
  }
}
