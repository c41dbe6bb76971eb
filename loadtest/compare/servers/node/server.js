// The Node.js yardstick: one WebSocketServer of the ws library, each update
// encoded once and sent to every follower of its token. It speaks the same
// commands on stdin as the Go servers: "start N", "stop",
// "count", "gc".
'use strict';
const { WebSocketServer } = require('ws');
const readline = require('readline');

const tokens = Number(process.argv[2] || 100);
const followers = Array.from({ length: tokens }, () => new Set());
let rate = 0;
let seq = 0;
let token = 0;
let due = 0;
let last = process.hrtime.bigint();

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });
server.on('connection', (ws, req) => {
  const list = new URL(req.url, 'http://x').searchParams.get('tokens') || '';
  const mine = list.split(',').map(Number).filter((t) => t >= 0 && t < tokens);
  for (const t of mine) followers[t].add(ws);
  ws.on('error', () => {});
  ws.on('close', () => { for (const t of mine) followers[t].delete(ws); });
});
server.on('listening', () => console.log(`listening 127.0.0.1:${server.address().port}`));

// Nanoseconds since 1970: Date gives milliseconds, the steady clock the rest.
const epoch = BigInt(Date.now()) * 1000000n - process.hrtime.bigint();
const now = () => epoch + process.hrtime.bigint();

function publish() {
  seq++;
  const ns = now();
  const mint = 'swapcastCompareToken1111111111111111111111' + String(token).padStart(2, '1');
  const msg = `{"type":"price","assetId":"${mint}","price":147.231,"priceSol":1,"confidence":0.97,` +
    `"liquidityUsd":81234567.1,"source":"raydium-clmm","pool":"","slot":371234567,"commitment":"processed",` +
    `"signature":"","blockTime":${ns},"seq":${seq},"ts":${ns / 1000000n}}`;
  const data = Buffer.from(msg);
  for (const ws of followers[token]) ws.send(data, { binary: false });
  token = (token + 1) % tokens;
}

function tick() {
  const t = process.hrtime.bigint();
  due = Math.min(due + Number(t - last) / 1e9 * rate, 50 + rate / 1000);
  last = t;
  for (; due >= 1; due--) publish();
  setTimeout(tick, 1);
}
tick();

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const [command, n] = line.split(' ');
  if (command === 'start') rate = Number(n);
  else if (command === 'stop') rate = 0;
  else if (command === 'count') { console.log(`ok ${seq}`); return; }
  else if (command === 'gc') global.gc && global.gc();
  console.log('ok');
});
lines.on('close', () => process.exit(0));
