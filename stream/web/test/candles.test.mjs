import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Candles } from '../static/candles.js';

const candle = (t, c, extra = {}) => ({ t, o: 1, h: 9, l: 0.5, c, volumeUsd: 7, trades: 1, final: false, ...extra });
const show = (bars) => bars.map((b) => `${b.t}:${b.c}${b.trades ? '' : '-'}`).join(' ');

test('holes are filled flat, up to now', () => {
  const candles = new Candles(5);
  assert.equal(candles.known, false);
  assert.equal(show(candles.bars(1000, 10)), '');
  candles.load([candle(100, 2), candle(115, 3)]);
  assert.equal(candles.known, true);
  assert.equal(show(candles.bars(117, 10)), '100:2 105:2- 110:2- 115:3');
  assert.equal(show(candles.bars(122, 10)), '100:2 105:2- 110:2- 115:3', 'the present one may be on its way');
  assert.equal(show(candles.bars(123, 10)), '100:2 105:2- 110:2- 115:3 120:3-');
  assert.equal(show(candles.bars(123, 2)), '115:3 120:3-');
  const [, flat] = candles.bars(123, 10);
  assert.deepEqual([flat.o, flat.h, flat.l, flat.volumeUsd], [2, 2, 2, 0]);
});

test('a long hole is left open', () => {
  const candles = new Candles(1);
  candles.load([candle(100, 2), candle(100 + 2000, 3)]);
  assert.equal(show(candles.bars(2101, 10)), '100:2 2100:3');
});

test('messages replace, append, and revise', () => {
  const candles = new Candles(1);
  candles.update(candle(100, 2));
  candles.update(candle(100, 3));
  candles.update(candle(101, 4));
  assert.equal(candles.revisions, 0);
  candles.update(candle(100, 5, { final: true }));
  assert.equal(candles.revisions, 1);
  assert.equal(show(candles.bars(101, 10)), '100:5 101:4');
});

test('a past that comes late does not undo what was heard', () => {
  const candles = new Candles(1);
  candles.update(candle(101, 8, { trades: 5 }));
  candles.update(candle(102, 9));
  assert.equal(candles.known, false);
  candles.load([candle(99, 1, { final: true }), candle(100, 2, { final: true }), candle(101, 3, { trades: 2 })]);
  assert.equal(show(candles.bars(102, 10)), '99:1 100:2 101:8 102:9');
  candles.load([candle(101, 7, { trades: 6, final: true })]);
  assert.equal(show(candles.bars(102, 10)), '101:7 102:9'.replace('101', '99:1 100:2 101'));
});
