// What the server's codes mean, in words. Nothing here touches the page.

import * as format from './format.js';

/** What lowers the confidence in a price, or explains it. */
const REASONS = {
  thin: 'less than $10,000 of depth agrees on the price',
  single_pool: 'one pool alone makes the price',
  stale: 'no pool that agrees has traded for a while',
  disagreement: 'a tenth of the depth or more stands off the price',
  new: 'the token was first seen a short while ago',
  pulled: 'nine tenths of the liquidity or more has gone',
  depth_unknown: 'most of the weight is of pools that do not show what they hold',
  execution: 'most of the weight is of trades rather than of what pools hold',
  curve: 'a bonding curve makes the price',
  reference: 'one dollar by definition',
  assumed: 'taken to be one dollar until its pools say otherwise',
  no_dollar: 'known in SOL only so far',
};

/**
 * A sentence on a price's confidence.
 *
 * @param {number|null|undefined} confidence 0 to 1
 * @param {string[]} reasons codes
 */
export function confidence(confidence, reasons = []) {
  if (!Number.isFinite(confidence)) return 'No price yet.';
  const why = reasons.map((code) => REASONS[code] ?? code.replaceAll('_', ' '));
  const percent = `${Math.round(confidence * 100)}% sure`;
  return why.length ? `${percent}: ${why.join('; ')}.` : `${percent}: deep pools agree and trade.`;
}

/**
 * How far a bonding curve has come.
 *
 * @param {{stage: string, progress: number|null}|null|undefined} curve
 * @returns {{part: number|null, text: string, label: string}}
 */
export function curve(curve) {
  const part = Number.isFinite(curve?.progress) ? Math.min(Math.max(curve.progress, 0), 1) : null;
  switch (curve?.stage) {
    case 'migrated':
      return { part: 1, text: 'migrated', label: 'migrated to an AMM pool' };
    case 'complete':
      return { part: 1, text: 'complete', label: 'complete, about to migrate' };
    case 'trading': {
      if (part === null) return { part, text: 'on curve', label: 'on its curve, progress not shown by its transactions' };
      const percent = `${(Math.floor(part * 1000) / 10).toFixed(1)}%`; // 99.9% is not 100%
      return { part, text: percent, label: `${percent} of the way to migration` };
    }
    default:
      return { part: null, text: '–', label: 'no bonding curve' };
  }
}

/**
 * The state of the server's feed in one line.
 *
 * @param {import('../swapcast.js').Status} status
 */
export function feed({ feed, lagMs, slot, degraded, message }) {
  const parts = [`Feed ${feed}${degraded && feed === 'healthy' ? ', degraded' : ''}`];
  if (Number.isFinite(lagMs)) parts.push(`heard ${format.duration(lagMs)} ago`);
  if (slot) parts.push(`slot ${slot.toLocaleString('en-US')}`);
  if (message) parts.push(message);
  return parts.join(' · ');
}

/**
 * What is missing among trades.
 *
 * @param {import('../swapcast.js').Gap} gap
 */
export function gap({ reason, fromSeq, toSeq, fromSlot, toSlot }) {
  if (toSlot) {
    const slots = fromSlot === toSlot ? `slot ${fromSlot}` : `slots ${fromSlot} to ${toSlot}`;
    return `The server has not seen all of ${slots}`;
  }
  if (reason === 'new_epoch') return 'The server was restarted: trades may be missing';
  const n = fromSeq && toSeq >= fromSeq ? toSeq - fromSeq + 1 : 0;
  if (!n) return 'Trades may be missing';
  return n === 1 ? '1 trade or correction is missing' : `${n.toLocaleString('en-US')} trades or corrections are missing`;
}
