import assert from 'node:assert/strict';
import test from 'node:test';

import { age } from '../static/format.js';
import { confidence, curve, feed, gap as missing } from '../static/words.js';

test('a curve is never rounded up to the end', () => {
  const read = (stage, progress) => Object.values(curve({ stage, progress }));
  assert.deepEqual(read('trading', 0), [0, '0.0%', '0.0% of the way to migration']);
  assert.deepEqual(read('trading', 0.9999), [0.9999, '99.9%', '99.9% of the way to migration']);
  assert.deepEqual(read('trading', null), [null, 'on curve', 'on its curve, progress not shown by its transactions']);
  assert.deepEqual(read('trading', 7), [1, '100.0%', '100.0% of the way to migration']);
  assert.deepEqual(read('complete', 1), [1, 'complete', 'complete, about to migrate']);
  assert.deepEqual(read('migrated', 1), [1, 'migrated', 'migrated to an AMM pool']);
  for (const none of [null, undefined, {}, { stage: 'a stage of later' }]) assert.equal(curve(none).text, '–');
});

test('confidence in words', () => {
  assert.equal(confidence(null), 'No price yet.');
  assert.equal(confidence(0.964, []), '96% sure: deep pools agree and trade.');
  assert.equal(confidence(0.2, ['thin', 'of_later']), '20% sure: less than $10,000 of depth agrees on the price; of later.');
});

test('ages', () => {
  assert.deepEqual([-5, 0, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000, NaN].map(age), ['0 s', '0 s', '59 s', '1 min', '59 min', '1 h', '1 d', '–']);
});

test('the feed in one line', () => {
  assert.equal(feed({ feed: 'healthy', lagMs: 84, slot: 371234567, degraded: false, message: '' }), 'Feed healthy · heard 84 ms ago · slot 371,234,567');
  assert.equal(feed({ feed: 'healthy', lagMs: null, slot: 0, degraded: true, message: 'one source is late' }), 'Feed healthy, degraded · one source is late');
  assert.equal(feed({ feed: 'stale', lagMs: 9000, slot: 7, degraded: true, message: '' }), 'Feed stale · heard 9.0 s ago · slot 7');
});

test('what is missing among trades', () => {
  for (const [gap, text] of [
    [{ reason: 'upstream', fromSeq: 0, toSeq: 0, fromSlot: 7, toSlot: 9 }, 'The server has not seen all of slots 7 to 9'],
    [{ reason: 'upstream', fromSeq: 0, toSeq: 0, fromSlot: 7, toSlot: 7 }, 'The server has not seen all of slot 7'],
    [{ reason: 'new_epoch', fromSeq: 5, toSeq: 0 }, 'The server was restarted: trades may be missing'],
    [{ reason: 'no_history', fromSeq: 0, toSeq: 3 }, 'Trades may be missing'],
    [{ reason: 'no_history', fromSeq: 5, toSeq: 5 }, '1 trade or correction is missing'],
    [{ reason: 'no_history', fromSeq: 1, toSeq: 1200 }, '1,200 trades or corrections are missing'],
  ]) assert.equal(missing(gap), text);
});
