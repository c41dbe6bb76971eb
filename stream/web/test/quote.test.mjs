import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rawAmount, wholeAmount } from '../static/quote.js';

test('raw units of whole tokens', () => {
  for (const [text, decimals, want] of [
    ['1', 9, '1000000000'], ['0.1', 9, '100000000'], ['.5', 6, '500000'], ['3.', 0, '3'], ['1.100', 1, '11'],
    ['0.000000001', 9, '1'], ['18446744073.709551615', 9, '18446744073709551615'],
    ['18446744073.709551616', 9, ''], ['0.0000000001', 9, ''], ['0', 9, ''], ['', 9, ''], ['.', 9, ''], ['-1', 9, ''], ['1e9', 9, ''], ['1,5', 9, ''],
  ]) assert.equal(rawAmount(text, decimals), want, text);
});

test('whole tokens of raw units', () => {
  for (const [raw, decimals, want] of [
    ['100000000', 9, '0.1'], ['1234567890000', 6, '1,234,567.89'], ['5', 0, '5'], ['0', 6, '0'], ['1', 9, '0.000000001'],
    ['18446744073709551615', 9, '18,446,744,073.709551615'], ['7', null, '7 raw units'],
  ]) assert.equal(wholeAmount(raw, decimals), want, raw);
});
