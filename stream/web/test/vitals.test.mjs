import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pill } from '../static/vitals.js';

test('only a healthy connection to a live chain is called live, and green', () => {
  const states = ['idle', 'connecting', 'open', 'waiting', 'closed'];
  for (const state of states) {
    for (const feed of ['', 'live', 'simulated', 'replay', 'something new']) {
      for (const source of ['', 'healthy', 'stale', 'disconnected', 'something new']) {
        const [text, tone] = pill(state, feed, source);
        const live = state === 'open' && feed === 'live' && (source === '' || source === 'healthy');
        assert.equal(text === 'Live', live, `${state} ${feed} ${source}: ${text}`);
        assert.equal(tone === 'good', live, `${state} ${feed} ${source}: ${tone}`);
      }
    }
  }
});

test('the pill says what the connection is', () => {
  for (const [state, feed, source, text, tone] of [
    ['idle', '', '', 'Connecting', 'warn'],
    ['connecting', 'live', 'healthy', 'Connecting', 'warn'],
    ['waiting', 'live', 'healthy', 'Reconnecting', 'warn'],
    ['waiting', 'replay', 'stale', 'Reconnecting', 'warn'],
    ['closed', 'live', 'healthy', 'Refused', 'bad'],
    ['open', '', '', 'Connected', 'neutral'],
    ['open', 'simulated', 'healthy', 'Simulated', 'neutral'],
    ['open', 'replay', 'healthy', 'Replay', 'neutral'],
    ['open', 'replay', 'stale', 'Stale', 'warn'],
    ['open', 'live', 'stale', 'Stale', 'warn'],
    ['open', 'live', 'disconnected', 'No source', 'warn'],
  ]) {
    assert.deepEqual(pill(state, feed, source), [text, tone], `${state} ${feed} ${source}`);
  }
});
