// The header's figures: connection, lag, slot, rate, and the banners that say
// what kind of market this is and whether its feed is well.

import * as format from './format.js';
import * as words from './words.js';

/** What the pill says, and in which tone, while there is no connection. */
const STATES = {
  idle: ['Connecting', 'warn'],
  connecting: ['Connecting', 'warn'],
  waiting: ['Reconnecting', 'warn'],
  closed: ['Refused', 'bad'],
};

/** The same for a connection whose feed is well: only a chain's is live. */
const KINDS = {
  live: ['Live', 'good'],
  simulated: ['Simulated', 'neutral'],
  replay: ['Replay', 'neutral'],
};

/** The same for a connection whose feed is not well. */
const ILLS = {
  stale: ['Stale', 'warn'],
  disconnected: ['No source', 'warn'],
};

const FEEDS = {
  simulated: ['Simulated market', 'Made up by the built-in market generator. No price or trade here happened on any chain.'],
  replay: ['Replay', 'Recorded transactions are being played again. These are not the prices of now.'],
};

/**
 * What the connection pill says. It promises nothing that is not known: a
 * connection to a server whose feed has not been named yet is a connection.
 *
 * @param {string} state of the page's own connection
 * @param {string} feed '' unknown, else 'live', 'simulated' or 'replay'
 * @param {string} source state of the server's source: '' unknown, else 'healthy', 'stale' or 'disconnected'
 * @returns {[text: string, tone: 'good'|'neutral'|'warn'|'bad']}
 */
export function pill(state, feed, source) {
  if (state !== 'open') return STATES[state] ?? STATES.idle;
  if (source && source !== 'healthy') return ILLS[source] ?? ILLS.stale;
  return KINDS[feed] ?? ['Connected', 'neutral'];
}

export class Vitals {
  #el = (id) => document.getElementById(id);
  #lags = [];
  #messages = 0;
  #slot = 0;
  #skew = 0; // milliseconds that the server's clock is ahead of ours
  #waitingUntil = 0;
  #state = 'idle';
  #source = ''; // state of the server's source, as /v1/status last said
  #told = false; // the status channel of this connection has said how the feed is
  #closed = ''; // why there is no connection and will be none

  /** '' while no message has said; else 'live', 'simulated' or 'replay'. */
  feed = '';

  constructor() {
    setInterval(() => this.#second(), 1000);
  }

  /** Takes any message from the stream. */
  message(m) {
    this.#messages++;
    if (m.slot > this.#slot) this.#slot = m.slot;
    if ((m.type === 'price' && !m.snapshot) || m.type === 'trade') {
      this.#lags.push(Date.now() + this.#skew - m.ts);
      this.kind(m.feed ?? 'live');
    }
  }

  /** Shows a connection state. */
  state(state, { retryInMs = 0, code = 0, reason = '' } = {}) {
    this.#state = state;
    this.#waitingUntil = Date.now() + retryInMs;
    this.#el('connection').title = '';
    this.#pill();
    if (state === 'closed') this.#refused(code, reason);
    if (state === 'open') return;
    this.#el('lag').textContent = '–';
    this.#el('feed-line').textContent = '';
    this.#told = false;
  }

  #pill() {
    const [text, tone] = pill(this.#state, this.feed, this.#source);
    const el = this.#el('connection');
    el.dataset.state = this.#state;
    el.dataset.tone = tone;
    const label = this.#el('connection-text');
    if (label.textContent !== text) label.textContent = text; // a reader hears what is written, even if it is the same
  }

  /** Says why there will be no connection, and what helps. */
  #refused(code, reason) {
    this.#closed = code === 4401
      ? 'This server asks for an API key: write #key=YOUR_KEY at the end of this page’s address.'
      : `The server refuses this page’s connection (close code ${code}${reason && `: ${reason}`}).`;
    this.health('');
  }

  /** Takes what /v1/status says, and how long the question took. */
  status(status, sentAt, receivedAt) {
    this.#skew = status.ts - (sentAt + receivedAt) / 2;
    if (status.slot > this.#slot) this.#slot = status.slot;
    this.kind(status.feed);
    if (this.#told) return; // the channel is newer
    this.#source = status.state ?? '';
    this.#pill();
    const ill = status.state !== undefined && status.state !== 'healthy';
    this.health(ill ? status.message || `The server's source is ${status.state}.` : '');
  }

  /** Takes a message of the status channel. */
  told(status) {
    this.#told = true;
    this.#source = status.feed;
    this.#pill();
    this.#el('feed-line').textContent = words.feed(status);
    const ill = status.degraded || status.feed !== 'healthy';
    this.health(ill ? status.message || `The server's source is ${status.feed}.` : '');
  }

  /** Shows loudly where prices are not those of a live chain. */
  kind(feed) {
    if (!feed || feed === this.feed) return;
    this.feed = feed;
    const [name, note] = FEEDS[feed] ?? ['', ''];
    this.#el('feed-name').textContent = name;
    this.#el('feed-note').textContent = note;
    this.#el('feed-banner').hidden = !name;
    this.#pill();
  }

  /** Shows what is wrong with the feed; nothing where the note is empty. */
  health(feedNote) {
    const note = this.#closed || feedNote; // what ended the page's connection matters more
    const banner = this.#el('health-banner');
    if (this.#el('health-note').textContent !== note) this.#el('health-note').textContent = note;
    banner.hidden = !note;
  }

  #second() {
    this.#el('rate').textContent = this.#messages.toLocaleString('en-US');
    this.#messages = 0;
    if (this.#slot) this.#el('slot').textContent = this.#slot.toLocaleString('en-US');
    if (this.#state === 'open' && this.#lags.length) {
      this.#lags.sort((a, b) => a - b);
      this.#el('lag').textContent = format.duration(Math.max(0, this.#lags[this.#lags.length >> 1]));
    }
    this.#lags = [];
    const left = Math.ceil((this.#waitingUntil - Date.now()) / 1000);
    // The title, not the live text: a reader should not hear a countdown.
    if (this.#state === 'waiting' && left > 0) this.#el('connection').title = `Trying again in ${left} s`;
  }
}
