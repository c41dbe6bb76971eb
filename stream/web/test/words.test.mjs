import assert from 'node:assert/strict';
import test from 'node:test';

import { age } from '../static/format.js';
import { confidence, curve } from '../static/words.js';

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
