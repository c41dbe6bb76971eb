import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';

import { Swapcast } from '../swapcast.js';
import { FakeSocket } from './fakesocket.mjs';

const SOL = 'So11111111111111111111111111111111111111112';
const WALLET = 'DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263';

const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

const trade = (seq, extra = {}) => ({ type: 'trade', assetId: SOL, amount: '7', seq, ...extra });
const retract = (seq) => ({ type: 'retract', channel: 'trades', assetId: SOL, slot: 7, signatures: ['s'], seq });
const gap = (fromSeq, toSeq, reason, extra = {}) => ({ type: 'gap', channel: 'trades', assetId: SOL, fromSeq, toSeq, reason, ...extra });

beforeEach(() => {
  FakeSocket.all = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
});

/** Acknowledges the oldest command with the server's words on positions; returns it. */
function ack(socket, epoch, seqs, recovered = false) {
  const { id, channel, interval, commitment, assets = [], wallets, since } = socket.take();
  socket.say({ type: 'subscribed', id, channel, interval, commitment, assets, wallets, epoch, recovered, seqs, errors: [] });
  return { channel, commitment, since };
}

/** A client that is subscribed to one asset of a channel, and the log of its events. */
async function following(channel, asset, seq, options) {
  const feed = new Swapcast('ws://h', { WebSocket: FakeSocket, random: () => 0.5 });
  const log = [];
  for (const type of ['trade', 'retract', 'balance', 'candle']) feed.on(type, (e) => log.push(`${type} ${e.seq}${e.commitment === 'confirmed' ? ' confirmed' : ''}`));
  feed.on('gap', (g) => log.push(`gap ${g.fromSeq}-${g.toSeq} ${g.reason}${g.toSlot ? ` slots ${g.fromSlot}-${g.toSlot}` : ''}`));
  feed.on('subscribed', (a) => a.renewal && log.push(`renewed recovered=${a.recovered}`));
  feed.open();
  const socket = FakeSocket.last.accept();
  const granted = feed.subscribe(channel, asset, options);
  assert.equal(ack(socket, 'run1', { [asset]: seq }).since, undefined);
  await granted;
  return { feed, log, socket };
}

async function reconnect(socket) {
  socket.hangUp();
  mock.timers.tick(30_000);
  const next = FakeSocket.last.accept();
  await settle();
  return next;
}

describe('resume', () => {
  test('trades and retracts come once', async () => {
    const { feed, log, socket } = await following('trades', SOL, 4);
    socket.say(trade(5), retract(6));
    const next = await reconnect(socket);
    assert.deepEqual(ack(next, 'run1', { [SOL]: 6 }, true).since, { epoch: 'run1', seqs: { [SOL]: 6 } });
    next.say(trade(5), retract(6), trade(7), trade(7), retract(8));
    assert.deepEqual(log, ['trade 5', 'retract 6', 'renewed recovered=true', 'trade 7', 'retract 8']);
    assert.equal(feed.stats.duplicates, 3);
    assert.equal(feed.stats.gaps, 0);
  });

  test('before the first trade', async () => {
    const { log, socket } = await following('trades', SOL, 0);
    const next = await reconnect(socket);
    assert.deepEqual(ack(next, 'run1', { [SOL]: 0 }, true).since, { epoch: 'run1', seqs: { [SOL]: 0 } });
    next.say(trade(2));
    assert.deepEqual(log.slice(1), ['gap 1-1 outage', 'trade 2']);
  });

  test('what is forgotten is told once, and cut to what is news', async () => {
    const { log, socket } = await following('trades', SOL, 4);
    const next = await reconnect(socket);
    ack(next, 'run1', { [SOL]: 9 });
    next.say(gap(5, 9, 'no_history'), gap(5, 9, 'no_history'), trade(10), trade(13), gap(11, 15, 'no_history'), trade(16));
    assert.deepEqual(log, ['renewed recovered=false', 'gap 5-9 no_history', 'trade 10', 'gap 11-12 seq_jump', 'trade 13', 'gap 14-15 no_history', 'trade 16']);
  });

  test('a server that counts lower is followed', async () => {
    const { log, socket } = await following('trades', SOL, 900);
    const next = await reconnect(socket);
    ack(next, 'run1', { [SOL]: 3 });
    next.say(gap(0, 3, 'no_history'), trade(4));
    assert.deepEqual(log.slice(1), ['gap 0-3 no_history', 'trade 4']);
  });

  test('slots that the server lost are told once', async () => {
    const { log, socket } = await following('trades', SOL, 4);
    const lost = (fromSlot, toSlot) => gap(0, 0, 'upstream', { fromSlot, toSlot });
    socket.say(lost(7, 9));
    const next = await reconnect(socket);
    ack(next, 'run1', { [SOL]: 4 });
    next.say(lost(7, 9), lost(20, 21), trade(5));
    assert.deepEqual(log, ['gap 0-0 upstream slots 7-9', 'renewed recovered=false', 'gap 0-0 upstream slots 20-21', 'trade 5']);
  });

  test('a new run is told once, and its trades are asked for from the first', async () => {
    const { feed, log, socket } = await following('trades', SOL, 4, { commitment: 'confirmed' });
    let next = await reconnect(socket);
    const { commitment } = ack(next, 'run2', { [SOL]: 2 });
    assert.equal(commitment, 'confirmed');
    next.say(gap(1, 2, 'new_epoch', { commitment: 'confirmed' }));
    next = await reconnect(next);
    assert.deepEqual(ack(next, 'run3', { [SOL]: 0 }).since, { epoch: 'run2', seqs: { [SOL]: 2 } });
    next = await reconnect(next);
    assert.deepEqual(ack(next, 'run3', { [SOL]: 0 }, true).since, { epoch: 'run3', seqs: { [SOL]: 0 } });
    next.say(trade(1, { commitment: 'confirmed' }));
    assert.deepEqual(log.filter((l) => !l.startsWith('renewed')), ['gap 5-0 new_epoch', 'gap 3-0 new_epoch', 'trade 1 confirmed']);
    assert.equal(feed.stats.gaps, 2);
  });

  test('commitments are counted apart', async () => {
    const { feed, log, socket } = await following('trades', SOL, 4);
    const confirmed = feed.subscribe('trades', SOL, { commitment: 'confirmed' });
    ack(socket, 'run1', { [SOL]: 1 });
    await confirmed;
    socket.say(trade(5), trade(2, { commitment: 'confirmed' }), trade(6), trade(3, { commitment: 'confirmed' }));
    assert.deepEqual(log, ['trade 5', 'trade 2 confirmed', 'trade 6', 'trade 3 confirmed']);
    assert.deepEqual(feed.subscriptions('trades', { commitment: 'confirmed' }), [SOL]);
    const gone = feed.unsubscribe('trades', SOL);
    const { id, ...command } = socket.take();
    assert.deepEqual(command, { action: 'unsubscribe', channel: 'trades', assets: [SOL] });
    socket.say({ type: 'unsubscribed', id });
    await gone;
    const next = await reconnect(socket);
    assert.deepEqual(next.sent.map((c) => [c.commitment, c.since.seqs[SOL]]), [['confirmed', 3]]);
  });

  test('balances begin anew with what the wallet holds', async () => {
    const { log, socket } = await following('balances', WALLET, 3);
    const balance = (seq, extra = {}) => ({ type: 'balance', wallet: WALLET, assetId: SOL, amount: '1', decimals: 6, seq, ...extra });
    socket.say(balance(3, { snapshot: true }), balance(4), balance(6));
    const next = await reconnect(socket);
    assert.deepEqual(ack(next, 'run1', { [WALLET]: 20 }, true).since, { epoch: 'run1', seqs: { [WALLET]: 6 } });
    next.say(balance(20, { snapshot: true }), balance(21));
    const other = await reconnect(next);
    ack(other, 'run2', { [WALLET]: 1 });
    other.say(balance(1, { snapshot: true }));
    assert.deepEqual(log.filter((l) => !l.startsWith('renewed')), [
      'balance 3', 'balance 4', 'gap 5-5 seq_jump', 'balance 6', 'balance 20', 'balance 21', 'balance 1',
    ]);
  });

  test('a refused wallet is named', async () => {
    const { feed, socket } = await following('balances', WALLET, 0);
    const refused = feed.subscribe('balances', 'x');
    socket.say({ type: 'error', id: socket.take().id, code: 'invalid_wallet', message: 'no', wallet: 'x' });
    assert.deepEqual((await refused).errors, [{ wallet: 'x', code: 'invalid_wallet' }]);
    assert.deepEqual(feed.subscriptions('balances'), [WALLET]);
  });

  test('a final candle may come again', async () => {
    const { log, socket } = await following('candles', SOL, 3, { interval: '1s' });
    const candle = (seq) => ({ type: 'candle', assetId: SOL, interval: '1s', t: 60, final: true, seq });
    socket.say(candle(4), candle(9));
    const next = await reconnect(socket);
    assert.deepEqual(ack(next, 'run1', { [SOL]: 14 }).since, { epoch: 'run1', seqs: { [SOL]: 9 } });
    next.say(gap(10, 14, 'no_history', { channel: 'candles', interval: '1s' }), candle(14));
    assert.deepEqual(log, ['candle 4', 'candle 9', 'renewed recovered=false', 'gap 10-14 no_history', 'candle 14']);
  });

  test('what is unsubscribed while away begins anew', async () => {
    const { feed, log, socket } = await following('trades', SOL, 4);
    socket.hangUp();
    await feed.unsubscribe('trades', SOL);
    const granted = feed.subscribe('trades', SOL);
    mock.timers.tick(30_000);
    const next = FakeSocket.last.accept();
    assert.equal(ack(next, 'run1', { [SOL]: 50 }).since, undefined);
    await granted;
    next.say(trade(51));
    assert.deepEqual(log, ['trade 51']);
  });

  test('whatever breaks, every trade comes once or is told to be missing', async () => {
    let state = 7;
    const random = (n) => { // a small generator, so that a failure comes again
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * n);
    };
    for (let round = 0; round < 40; round++) {
      FakeSocket.all = [];
      const feed = new Swapcast('ws://h', { WebSocket: FakeSocket, random: () => 0 });
      let reached = 0; // of what came, gaps included
      let missing = 0;
      const next = (from, to) => {
        assert.equal(from, reached + 1, `round ${round}`);
        reached = to;
      };
      feed.on('trade', (t) => next(t.seq, t.seq));
      feed.on('retract', (r) => next(r.seq, r.seq));
      feed.on('gap', (g) => {
        next(g.fromSeq, g.toSeq);
        missing += g.toSeq - g.fromSeq + 1;
      });
      feed.open();
      feed.subscribe('trades', SOL);
      const kept = 1 + random(12);
      let published = 0;
      let lost = 0;
      for (let connection = 0; connection < 12; connection++) {
        const socket = FakeSocket.last.accept();
        await settle();
        const { id, since } = socket.take();
        let at = since?.seqs[SOL] ?? published;
        const oldest = Math.max(1, published - kept + 1);
        const forgotten = at < oldest - 1;
        socket.say({ type: 'subscribed', id, channel: 'trades', assets: [SOL], epoch: 'e', recovered: !forgotten, seqs: { [SOL]: at } });
        if (forgotten) {
          lost += oldest - 1 - at;
          socket.say(gap(at + 1, oldest - 1, 'no_history'));
          at = oldest - 1;
        }
        published += random(10);
        for (let left = random(20); at < published && left > 0; left--) {
          at++;
          socket.say(at % 5 ? trade(at) : retract(at));
          if (random(6) === 0) socket.say(at % 5 ? trade(at) : retract(at)); // twice
        }
        published += random(10);
        await settle();
        assert.equal(reached, at);
        socket.hangUp();
        mock.timers.tick(1);
      }
      assert.equal(missing, lost);
      feed.close();
    }
  });
});
