import assert from 'node:assert/strict';
import { test } from 'node:test';

import { slices } from '../static/portfolio.js';

const asset = (assetId, share, symbol = assetId) => ({ assetId, symbol, share });

test('native and wrapped SOL are one slice', () => {
  assert.deepEqual(slices([asset('SOL', 0.5), asset('USDC', 0.3), asset('SOL', 0.2)]), [{ name: 'SOL', share: 0.7 }, { name: 'USDC', share: 0.3 }]);
});

test('what has no price, or is worth nothing, is no slice', () => {
  assert.deepEqual(slices([asset('A', null), asset('B', 0), asset('C', 1)]), [{ name: 'C', share: 1 }]);
  assert.deepEqual(slices([]), []);
});

test('beyond six the rest is one', () => {
  const parts = slices(Array.from({ length: 10 }, (_, i) => asset(`T${i}`, 0.1)));
  assert.equal(parts.length, 7);
  assert.equal(parts[6].name, '4 others');
  assert.ok(Math.abs(parts.reduce((sum, p) => sum + p.share, 0) - 1) < 1e-9);
});

test('a token without a symbol goes by its address', () => {
  assert.equal(slices([asset('EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v', 1, '')])[0].name, 'EPjF…Dt1v');
});
