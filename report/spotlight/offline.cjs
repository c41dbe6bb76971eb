// Loaded before Spotlight (node --require): it keeps the sidecar, which has a
// telemetry address of its own, from talking to anybody but this machine.
'use strict';

const net = require('node:net');

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  const host = typeof first === 'object' && first !== null ? first.host : args[1];
  if (typeof host === 'string' && !/^(localhost|127\.|::1$)/.test(host)) {
    process.nextTick(() => this.destroy(new Error(`offline: ${host} is not this machine`)));
    return this;
  }
  return connect.apply(this, args);
};
