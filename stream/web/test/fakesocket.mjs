// A WebSocket in memory whose server the test plays by hand.

export class FakeSocket {
  /** @type {FakeSocket[]} every socket made, in order */
  static all = [];

  static get last() {
    return FakeSocket.all.at(-1);
  }

  readyState = 0;
  sent = [];
  closedWith = undefined;

  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }

  // The client's side.

  send(text) {
    if (this.readyState !== 1) throw new Error(`sent ${text} in state ${this.readyState}`);
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code ?? 1005;
  }

  // The server's side.

  accept() {
    this.readyState = 1;
    this.onopen({});
    return this;
  }

  say(...messages) {
    for (const m of messages) this.onmessage({ data: typeof m === 'string' ? m : JSON.stringify(m) });
    return this;
  }

  /** The close has begun, and its event is yet to come. */
  closing() {
    this.readyState = 2;
  }

  hangUp(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose({ code, reason });
  }

  /** Takes the oldest command that was sent and not yet taken. */
  take() {
    return this.sent.shift();
  }

  /** Acknowledges the oldest command, a subscription. */
  grant(epoch = 'run1', errors = []) {
    const { action, id, channel, assets = [] } = this.take();
    if (action !== 'subscribe') throw new Error(`expected a subscription, got ${action}`);
    const refused = errors.map((e) => e.assetId);
    return this.say({
      type: 'subscribed', id, channel, epoch, recovered: false, errors,
      assets: assets.filter((a) => !refused.includes(a)),
    });
  }
}
