import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';

import { Swapcast, SwapcastError } from '../swapcast.js';
import { FakeSocket } from './fakesocket.mjs';

const SOL = 'So11111111111111111111111111111111111111112';
const BONK = 'DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263';

/** Lets promise callbacks run. */
const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

/** Makes a client and records its events as short strings. */
function start(options = {}) {
  const feed = new Swapcast('ws://h', { WebSocket: FakeSocket, random: () => 0.5, ...options });
  const log = [];
  for (const type of ['price', 'trade', 'status', 'error']) feed.on(type, (e) => log.push(`${type} ${e.seq ?? e.code ?? e.slot}`));
  feed.on('gap', (g) => log.push(`gap ${g.channel} ${g.fromSeq}-${g.toSeq} ${g.reason}`));
  feed.on('close', (e) => log.push(`close ${e.code} ${e.retryInMs}`));
  feed.open();
  return { feed, log };
}

const price = (seq, extra = {}) => ({ type: 'price', assetId: SOL, price: 1.5, seq, ...extra });
const trade = (seq) => ({ type: 'trade', assetId: SOL, side: 'buy', amount: '7', seq });

beforeEach(() => {
  FakeSocket.all = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
});

describe('address', () => {
  test('takes scheme, path and options', () => {
    start({ apiKey: 'a b', windowMs: 250, testId: 't' });
    assert.equal(FakeSocket.last.url, 'ws://h/ws?api_key=a+b&window_ms=250&batch=1&test_id=t');
    new Swapcast('https://h/x/ws#y', { WebSocket: FakeSocket, batch: false }).open();
    assert.equal(FakeSocket.last.url, 'wss://h/x/ws');
  });

  test('refuses what cannot work', () => {
    assert.throws(() => new Swapcast('ftp://h', { WebSocket: FakeSocket }), TypeError);
    assert.throws(() => new Swapcast('ws://h', { WebSocket: FakeSocket, windowMs: 5001 }), RangeError);
    if (!globalThis.WebSocket) assert.throws(() => new Swapcast('ws://h'), /ws/);
  });
});

describe('subscribe', () => {
  test('waits for the connection and the acknowledgement', async () => {
    const { feed, log } = start();
    const ack = feed.subscribe('prices', [SOL, BONK]);
    const socket = FakeSocket.last.accept();
    assert.deepEqual(socket.sent, [{ action: 'subscribe', channel: 'prices', id: '1', assets: [SOL, BONK] }]);
    socket.grant();
    assert.deepEqual((await ack).assets, [SOL, BONK]);
    socket.say([price(3, { snapshot: true, slot: 9 }), { type: 'price', assetId: BONK, price: null, seq: 0, snapshot: true }]);
    assert.deepEqual(log, ['price 3', 'price 0']);
    assert.equal(feed.stats.lastSlot, 9);
  });

  test('names the assets that were refused and keeps the others', async () => {
    const { feed } = start();
    const socket = FakeSocket.last.accept();
    const ack = feed.subscribe('prices', [SOL, 'x']);
    socket.grant('e', [{ assetId: 'x', code: 'invalid_asset' }]);
    assert.deepEqual((await ack).errors, [{ assetId: 'x', code: 'invalid_asset' }]);
    assert.deepEqual(feed.subscriptions('prices'), [SOL]);

    const single = feed.subscribe('prices', 'y');
    socket.say({ type: 'error', id: socket.take().id, code: 'invalid_asset', message: 'no', assetId: 'y' });
    assert.deepEqual((await single).errors, [{ assetId: 'y', code: 'invalid_asset' }]);
  });

  test('rejects where the whole request is refused', async () => {
    const { feed, log } = start();
    const socket = FakeSocket.last.accept();
    const ack = feed.subscribe('trades', SOL);
    socket.say({ type: 'error', id: socket.take().id, code: 'rate_limited', message: 'slower' });
    await assert.rejects(ack, (e) => e instanceof SwapcastError && e.code === 'rate_limited');
    assert.deepEqual(feed.subscriptions('trades'), []);
    socket.say({ type: 'error', code: 'bad_json', message: '?' });
    assert.deepEqual(log, ['error bad_json']);
  });

  test('what the server has left unread is sent again', async () => {
    const { feed, log } = start();
    const socket = FakeSocket.last.accept();
    const first = feed.subscribe('prices', SOL);
    const second = feed.subscribe('trades', SOL);
    const unread = socket.take();
    socket.grant();
    await second;
    socket.say({ type: 'error', code: 'rate_limited', message: 'this one was not read' });
    mock.timers.tick(999);
    await settle();
    assert.deepEqual(socket.sent, []);
    mock.timers.tick(1);
    await settle();
    assert.deepEqual(socket.sent, [unread]);
    socket.grant();
    await first;
    assert.deepEqual(log, ['error rate_limited']);
  });

  test('unsubscribe and ping', async () => {
    const { feed, log } = start();
    const socket = FakeSocket.last.accept();
    const ack = feed.subscribe('trades', SOL);
    socket.grant();
    await ack;
    socket.say(trade(3));
    const gone = feed.unsubscribe('trades', SOL);
    socket.say({ type: 'unsubscribed', id: socket.take().id });
    await gone;
    assert.deepEqual(feed.subscriptions('trades'), []);
    socket.say(trade(50)); // what went by meanwhile is not missing
    assert.deepEqual(log, ['trade 3', 'trade 50']);

    const rtt = feed.ping();
    mock.timers.tick(40);
    socket.say({ type: 'pong', id: socket.take().id });
    assert.equal(await rtt, 40);
  });
});

/** A client that is subscribed to prices and trades of SOL. */
async function subscribed(options) {
  const { feed, log } = start(options);
  const socket = FakeSocket.last.accept();
  for (const channel of ['prices', 'trades']) {
    const ack = feed.subscribe(channel, SOL);
    socket.grant();
    await ack;
  }
  return { feed, log, socket };
}

/** Drops the connection, waits out the backoff, and accepts the next one. */
function reconnect(socket) {
  socket.hangUp();
  mock.timers.tick(30_000);
  return FakeSocket.last.accept();
}

async function renewed(socket, epoch) {
  await settle();
  socket.grant(epoch);
  await settle();
  socket.grant(epoch);
  await settle();
}

describe('gaps', () => {
  test('a jump is a gap, and only in its own sequence', async () => {
    const { log, socket, feed } = await subscribed();
    socket.say(trade(10), trade(11), price(500), trade(15), { ...trade(3), assetId: BONK }, trade(16));
    assert.deepEqual(log, ['trade 10', 'trade 11', 'price 500', 'gap trades 12-14 seq_jump', 'trade 15', 'trade 3', 'trade 16']);
    assert.equal(feed.stats.gaps, 1);
  });

  test("the server's own gap is not told twice", async () => {
    const { log, socket } = await subscribed();
    socket.say(trade(1), { type: 'gap', channel: 'trades', assetId: SOL, fromSeq: 2, toSeq: 9, reason: 'slow_consumer' }, trade(10));
    assert.deepEqual(log, ['trade 1', 'gap trades 2-9 slow_consumer', 'trade 10']);
  });

  test('with a window, prices may jump and trades may not', async () => {
    const { log, socket } = await subscribed({ windowMs: 1000 });
    socket.say(price(1), price(90), trade(1), trade(3));
    assert.deepEqual(log, ['price 1', 'price 90', 'trade 1', 'gap trades 2-2 seq_jump', 'trade 3']);
  });

  for (const early of [true, false]) {
    test(`an outage on the same run, snapshot ${early ? 'before' : 'after'} the acknowledgement`, async () => {
      const { log, socket } = await subscribed();
      socket.say(price(7), trade(3));
      const next = reconnect(socket);
      log.length = 0;
      if (early) next.say(price(12));
      await renewed(next, 'run1');
      if (!early) next.say(price(12));
      next.say(trade(4));
      const gap = 'gap prices 8-11 outage';
      assert.deepEqual(log, early ? ['price 12', gap, 'trade 4'] : [gap, 'price 12', 'trade 4']);
    });
  }

  test('a restarted server', async () => {
    const { log, socket } = await subscribed();
    socket.say(price(7), trade(3));
    const next = reconnect(socket);
    log.length = 0;
    next.say(price(900)); // of another run: higher by chance
    await renewed(next, 'run2');
    next.say(trade(1), price(901));
    assert.deepEqual(log, ['price 900', 'gap prices 8-0 new_epoch', 'gap trades 4-0 new_epoch', 'trade 1', 'price 901']);
  });
});

describe('connections', () => {
  test('backoff doubles with full jitter and starts over after one that lasted', () => {
    const { log } = start({ minBackoff: 1000, maxBackoff: 5000 });
    for (const lasting of [0, 0, 0, 0, 0, 10_000, 0]) {
      const socket = FakeSocket.last.accept();
      mock.timers.tick(lasting);
      socket.hangUp();
      mock.timers.tick(Number(log.at(-1).split(' ')[2]));
    }
    assert.deepEqual(log.map((l) => Number(l.split(' ')[2])), [500, 1000, 2000, 2500, 2500, 500, 1000]);
  });

  test('obeys the hint of 1001', () => {
    const { log } = start();
    FakeSocket.last.accept().hangUp(1001, '{"reconnectMs":3250}');
    assert.deepEqual(log, ['close 1001 3250']);
    mock.timers.tick(3249);
    assert.equal(FakeSocket.all.length, 1);
    mock.timers.tick(1);
    assert.equal(FakeSocket.all.length, 2);
  });

  for (const code of [1008, 1009, 4400, 4401]) {
    test(`${code} ends the client`, async () => {
      const { feed, log } = start();
      const ack = feed.subscribe('prices', SOL);
      FakeSocket.last.accept().hangUp(code, 'bad key');
      await assert.rejects(ack, { code: 'refused' });
      await assert.rejects(feed.subscribe('prices', SOL), { code: 'closed' });
      assert.equal(feed.state, 'closed');
      assert.deepEqual(log, [`close ${code} -1`]);
      mock.timers.tick(600_000);
      assert.equal(FakeSocket.all.length, 1);
    });
  }

  for (const code of [1001, 1006, 1011, 1013, 4408]) {
    test(`after ${code} it comes back`, async () => {
      const { feed } = start();
      const ack = feed.subscribe('prices', SOL);
      FakeSocket.last.accept().hangUp(code, 'a message took too long to arrive');
      mock.timers.tick(600_000);
      FakeSocket.last.accept().grant();
      await ack;
      assert.equal(feed.state, 'open');
    });
  }

  test('renews what was granted, and sends again what was not answered', async () => {
    const { feed, socket } = await subscribed();
    const status = feed.subscribe('status');
    const ping = feed.ping();
    const next = reconnect(socket);
    await assert.rejects(ping, { code: 'disconnected' });
    assert.deepEqual(next.sent.map((c) => c.channel), ['status', 'prices']);
    next.grant();
    await status;
    const { id } = next.take();
    next.say({ type: 'error', id, code: 'rate_limited', message: 'slower' });
    await settle();
    mock.timers.tick(1000);
    await settle();
    next.grant(); // prices, once more
    await settle();
    assert.deepEqual(next.sent.map((c) => [c.channel, c.assets]), [['trades', [SOL]]]);
    next.grant();
    assert.deepEqual(feed.subscriptions('prices'), [SOL]);
  });

  test('what is asked while the connection is closing waits for the next one', async () => {
    const { feed } = start();
    const socket = FakeSocket.last.accept();
    socket.closing();
    const ack = feed.subscribe('prices', SOL);
    const next = reconnect(socket);
    next.grant();
    assert.deepEqual((await ack).assets, [SOL]);
  });

  test('what is unsubscribed during its renewal does not come back', async () => {
    const { feed, socket } = await subscribed();
    const next = reconnect(socket);
    const gone = feed.unsubscribe('prices', SOL);
    next.grant();
    next.say({ type: 'unsubscribed', id: next.take().id });
    await gone;
    await settle();
    assert.deepEqual(next.take(), { action: 'unsubscribe', channel: 'prices', assets: [SOL] });
    assert.deepEqual(feed.subscriptions('prices'), []);
  });

  test('a silent connection is asked, then given up', () => {
    const { log } = start({ silentAfter: 20_000 });
    const socket = FakeSocket.last.accept();
    mock.timers.tick(10_000);
    assert.deepEqual(socket.sent, [{ action: 'ping', id: 'alive' }]);
    socket.say({ type: 'pong', id: 'alive' });
    mock.timers.tick(19_999);
    assert.equal(socket.sent.length, 2);
    assert.deepEqual(log, []);
    mock.timers.tick(1);
    assert.equal(socket.closedWith, 1005);
    assert.match(log[0], /^close 1006/);
    socket.hangUp(); // a late close of a socket given up changes nothing
    assert.equal(log.length, 1);
  });

  test('a handshake that never ends is given up', () => {
    const { log } = start({ ackTimeout: 5000 });
    mock.timers.tick(5000);
    assert.match(log[0], /^close 1006/);
    mock.timers.tick(30_000);
    assert.equal(FakeSocket.all.length >= 2, true);
  });

  test('close ends it, reconnectNow hurries it', async () => {
    const { feed } = start();
    FakeSocket.last.accept().hangUp();
    assert.equal(feed.state, 'waiting');
    feed.reconnectNow();
    assert.equal(FakeSocket.all.length, 2);
    const socket = FakeSocket.last.accept();
    const ack = feed.subscribe('prices', SOL);
    feed.close();
    await assert.rejects(ack, { code: 'closed' });
    assert.equal(socket.closedWith, 1000);
    socket.hangUp(1000);
    mock.timers.tick(600_000);
    assert.equal(FakeSocket.all.length, 2);
  });
});

describe('junk and mistakes', () => {
  test('what cannot be read is counted', () => {
    const { feed, log } = start();
    FakeSocket.last.accept().say('{', '[1]', 'null', '{"type":"from_the_future"}', price(1));
    assert.equal(feed.stats.malformed, 3);
    assert.deepEqual(log, ['price 1']);
  });

  test('a handler that throws holds up nobody', (t) => {
    const errors = t.mock.method(console, 'error', () => {});
    const { feed, log } = start();
    const off = feed.on('price', () => {
      throw new Error('mine');
    });
    const socket = FakeSocket.last.accept().say(price(1));
    off();
    socket.say(price(2));
    assert.equal(errors.mock.callCount(), 1);
    assert.deepEqual(log, ['price 1', 'price 2']);
  });
});

describe('candles', () => {
  const candle = (interval, seq, extra = {}) => ({ type: 'candle', assetId: SOL, interval, t: 60, o: 1, h: 2, l: 1, c: 2, volumeUsd: 5, trades: 1, final: false, seq, ...extra });

  test('are subscriptions by interval, renewed and ended one by one', async () => {
    const { feed, log } = start();
    const got = [];
    feed.on('candle', (c) => got.push(`${c.interval} ${c.seq}${c.final ? ' final' : ''}`));
    const socket = FakeSocket.last.accept();
    feed.subscribe('candles', SOL);
    feed.subscribe('candles', SOL, { interval: '1s' });
    assert.deepEqual(socket.sent, [
      { action: 'subscribe', channel: 'candles', interval: '1m', id: '1', assets: [SOL] },
      { action: 'subscribe', channel: 'candles', interval: '1s', id: '2', assets: [SOL] },
    ]);
    socket.grant().grant();
    await settle();
    assert.deepEqual(feed.subscriptions('candles', { interval: '1s' }), [SOL]);
    assert.deepEqual(feed.subscriptions('candles'), [SOL]);
    socket.say(candle('1m', 1, { snapshot: true }), candle('1s', 4), candle('1s', 9, { final: true })); // states in between are skipped at will
    assert.deepEqual(got, ['1m 1', '1s 4', '1s 9 final']);
    assert.deepEqual(log, []);

    const ended = feed.unsubscribe('candles', SOL, { interval: '1m' });
    const command = socket.take();
    assert.deepEqual(command, { action: 'unsubscribe', channel: 'candles', interval: '1m', id: '3', assets: [SOL] });
    socket.say({ type: 'unsubscribed', id: command.id });
    await ended;
    socket.hangUp();
    mock.timers.tick(1000);
    const next = FakeSocket.last.accept();
    assert.deepEqual(next.sent.map(({ channel, interval, assets }) => ({ channel, interval, assets })), [{ channel: 'candles', interval: '1s', assets: [SOL] }]);
  });

  test('are told to be missing by the server', () => {
    const { log } = start();
    FakeSocket.last.accept().say({ type: 'gap', channel: 'candles', interval: '1s', assetId: SOL, fromSeq: 4, toSeq: 8, reason: 'overload' });
    assert.deepEqual(log, ['gap candles 4-8 overload']);
  });
});
