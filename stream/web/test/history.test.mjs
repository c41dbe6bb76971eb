import assert from 'node:assert/strict';
import { test } from 'node:test';

import { History, settled } from '../static/history.js';
import { matches, sparkline } from '../static/watchlist.js';

const T = 1_764_000_000; // divisible by 60

/** Candles as short strings: seconds after T, then open, high, low, close. */
const text = (candles) => candles.map(({ t, o, h, l, c }) => `${t - T}:${o},${h},${l},${c}`);

function filled(...points) {
  const h = new History();
  for (const [second, price] of points) h.add((T + second) * 1000, price);
  return h;
}

test('seconds become candles that begin where the last one ended', () => {
  const h = filled([0, 10], [0.4, 12], [0.9, 11], [1, 9]);
  assert.deepEqual(text(h.candles(1, T + 1)), ['0:10,12,10,11', '1:11,11,9,9']);
  assert.deepEqual(text(h.candles(5, T + 1)), ['0:10,12,9,9']);
});

test('a quiet price is carried on', () => {
  const h = filled([0, 10], [3, 11]);
  assert.deepEqual(text(h.candles(1, T + 5)), ['0:10,10,10,10', '1:10,10,10,10', '2:10,10,10,10', '3:10,11,10,11', '4:11,11,11,11', '5:11,11,11,11']);
});

test('but not over a long time in which nothing was watched', () => {
  const h = filled([0, 10], [3600, 11]);
  assert.equal(h.candles(1, T + 3600).length, 1); // the newest 1500 seconds
  assert.deepEqual(text(h.candles(1, T + 3600, 4000)), ['0:10,10,10,10', '3600:10,11,10,11']);
});

test('only the newest candles are made', () => {
  const h = filled(...Array.from({ length: 100 }, (_, i) => [i, i + 1]));
  assert.deepEqual(h.candles(1, T + 99, 3).map((c) => c.t - T), [97, 98, 99]);
});

test('late prices find their second and are noticed', () => {
  const h = filled([0, 10], [2, 12]);
  const before = h.revisions;
  h.add((T + 2) * 1000, 13);
  assert.equal(h.revisions, before, 'the newest candle may change');
  h.add(T * 1000, 7);
  h.add((T + 1) * 1000, 8);
  assert.equal(h.revisions, before + 2);
  assert.deepEqual(text(h.candles(1, T + 2)), ['0:10,10,7,7', '1:7,8,7,8', '2:10,13,10,13']);
});

test('what is no price is left out', () => {
  const h = filled([0, 0], [0, -1], [0, Number.NaN], [0, Infinity]);
  assert.equal(h.empty, true);
  assert.deepEqual(h.candles(1, T), []);
});

test('a past can be put before the present, without changing where the session began', () => {
  const h = filled([10, 20]);
  h.seed([{ ms: T * 1000, price: 5 }, { ms: (T + 1) * 1000, price: 6 }, { ms: (T + 10) * 1000, price: 99 }]);
  assert.equal(h.first, 20);
  assert.deepEqual(text(h.candles(10, T + 10)), ['0:5,6,5,6', '10:20,20,20,20']);
});

test('closes for a sparkline stretch a short past', () => {
  const h = filled([0, 1], [50, 2], [100, 3]);
  assert.deepEqual(h.closes(500, 4, T + 100), [1, 2, 2, 3]);
  assert.deepEqual(new History().closes(500, 2, T), [null, null]);
  assert.deepEqual(filled([0, 4]).closes(300, 3, T), [null, null, 4]);
});

test('a trade far from the others does not become a price', () => {
  const trades = (...list) => list.map(([ms, price]) => ({ ms, price }));
  assert.deepEqual(settled(trades([0, 10], [1000, 11], [2000, 99], [3000, 12], [4000, 1], [5000, 13]), 3).map((p) => p.price), [11, 11, 12, 12, 12, 13]);
  assert.deepEqual(settled(trades([1200, 10], [1300, 12], [1900, 10], [2100, 11], [2200, 11]), 1), trades([1000, 10], [2000, 11]));
  assert.deepEqual(settled([]), []);
});

test('sparklines', () => {
  assert.deepEqual(sparkline([null, 1, 2]), { path: 'M50.0 24.0L100.0 2.0', direction: 1 });
  assert.deepEqual(sparkline([2, 2]), { path: 'M0.0 13.0L100.0 13.0', direction: 0 });
  assert.deepEqual(sparkline([null, 1]), { path: '', direction: 0 });
});

test('a search means symbols, names, and beginnings of addresses', () => {
  const bonk = { symbol: 'BONK', name: 'Bonk', mint: 'DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263' };
  for (const text of ['', 'bo', 'onk', 'dezx']) assert.equal(matches(bonk, text), true, text);
  for (const text of ['z', 'de', 'b263', 'sol']) assert.equal(matches(bonk, text), false, text);
});
