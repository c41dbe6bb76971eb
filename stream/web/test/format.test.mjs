import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as format from '../static/format.js';

/** @param {Record<string, unknown>} cases expected text by JSON of the arguments */
function table(f, cases) {
  for (const [args, want] of Object.entries(cases)) {
    assert.equal(f(...JSON.parse(args)), want, `${f.name}(${args.slice(1, -1)})`);
  }
}

test('prices have five significant digits', () => {
  table(format.price, {
    '[null]': '–',
    '[0]': '0.00',
    '[147.231]': '147.231',
    '[1]': '1.0000',
    '[0.9998]': '0.99980',
    '[97123.456]': '97,123.46',
    '[1873]': '1,873.00',
    '[0.0018732]': '0.0018732',
    '[0.00010001]': '0.00010001',
    '[0.00009]': '0.0₄90000',
    '[0.0000012345678]': '0.0₅12346',
    '[4.12e-15]': '0.0₁₄41200',
    '[-0.5]': '-0.50000',
    '[0.99999999]': '1.00000',
  });
  assert.equal(format.price(Number.NaN), '–');
  assert.equal(format.price(undefined), '–');
});

test('a full price has no subscript', () => {
  table(format.fullPrice, {
    '[0.0000012345678]': '0.00000123457 US dollars',
    '[147.231]': '147.231 US dollars',
    '[null]': 'no price',
  });
});

test('quantities', () => {
  table(format.compact, {
    '[1234567]': '1.23M', '[999.96]': '1K', '[12.5]': '12.5', '[0.12345]': '0.1235', '[0.00001]': '<0.0001', '[0]': '0', '[2.5e12]': '2.5T',
  });
  table(format.usd, {
    '[220.8]': '$220.80', '[0.001]': '<$0.01', '[0]': '$0.00', '[999.999]': '$1,000', '[1184.4]': '$1,184', '[81234567.1]': '$81.23M', '[null]': '–',
  });
  table(format.amount, {
    '["1500000000", 9]': '1.5', '["18446744073709551615", 0]': '18,446,744.1T', '["7"]': '–', '["x", 6]': '–', '["0", 6]': '0',
  });
});

test('changes carry their sign', () => {
  assert.deepEqual(format.change(100, 101.234), { text: '+1.23%', direction: 1 });
  assert.deepEqual(format.change(100, 99), { text: '−1.00%', direction: -1 });
  assert.deepEqual(format.change(100, 100.001), { text: '0.00%', direction: 0 });
  assert.deepEqual(format.change(null, 1), { text: '', direction: 0 });
  assert.deepEqual(format.change(1, 31), { text: '+3K%', direction: 1 });
});

test('addresses', () => {
  assert.equal(format.short('So11111111111111111111111111111111111111112'), 'So11…1112');
  assert.equal(format.short(''), '–');
  for (const good of ['So11111111111111111111111111111111111111112', '11111111111111111111111111111111', 'JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN']) {
    assert.equal(format.mintProblem(good), '', good);
  }
  assert.match(format.mintProblem('So1111111111111111111111111111111111111111O'), /“O” does not occur/);
  assert.match(format.mintProblem('So111'), /has 5/);
  assert.match(format.mintProblem('S'.repeat(45)), /at most 44/);
  assert.match(format.mintProblem('DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pP'), /bytes/);
  assert.match(format.mintProblem('1'.repeat(33)), /33 bytes/);
});

test('durations', () => {
  table(format.duration, { '[0.2]': '<1 ms', '[84.4]': '84 ms', '[1500]': '1.5 s', '[120000]': '2 min' });
});

test('the time of a candle says the day where the time of day is not enough, and days are those of UTC', () => {
  const midnight = Date.UTC(2026, 10, 24) / 1000;
  const local = new Date(midnight * 1000);
  const short = (options) => local.toLocaleDateString([], { day: 'numeric', month: 'short', ...options });
  const clock = format.clock(midnight * 1000);
  assert.equal(format.candleTime(midnight, 1), clock);
  assert.equal(format.candleTime(midnight, 900), clock);
  assert.equal(format.candleTime(midnight, 14_400), `${short({})} ${clock.slice(0, 5)}`);
  assert.equal(format.candleTime(midnight, 86_400), short({ timeZone: 'UTC' }));
  assert.match(format.candleTime(midnight, 86_400), /24/);
});
