// The k6 script of the old days, as its authors wrote it: k6/ws, the tags in
// the query, one subscribe with a string in `assets`, no id, and every message
// held to have `price` and `assetId`. It must run unchanged against swapcast
// with all checks green.
import ws from 'k6/ws';
import { check } from 'k6';
import exec from 'k6/execution';

const URL = __ENV.URL || 'ws://127.0.0.1:8080/ws';
const ASSETS = (__ENV.ASSETS || 'So11111111111111111111111111111111111111112').split(',');
const TEST_ID = __ENV.TEST_ID || 'old-style';
const SESSION_MS = Number(__ENV.SESSION_MS || 5000);

export const options = {
  vus: Number(__ENV.VUS || 10),
  duration: __ENV.DURATION || '10s',
  thresholds: {
    checks: ['rate==1.00'],
    ws_msgs_received: ['count>0'],
  },
};

export default function () {
  const asset = ASSETS[exec.vu.idInTest % ASSETS.length];
  let received = 0;
  const res = ws.connect(`${URL}?test_id=${TEST_ID}&vu_id=${exec.vu.idInTest}`, {}, (socket) => {
    socket.on('open', () => {
      socket.send(JSON.stringify({ action: 'subscribe', assets: asset }));
    });
    socket.on('message', (data) => {
      received++;
      const msg = JSON.parse(data);
      check(msg, {
        'message has price': (m) => m.price !== undefined,
        'message has assetId': (m) => m.assetId === asset,
      });
    });
    socket.on('error', (e) => {
      check(e, { 'no socket error': () => false });
    });
    socket.setTimeout(() => socket.close(), SESSION_MS);
  });
  check(res, { 'status is 101': (r) => r && r.status === 101 });
  check(received, { 'session received messages': (n) => n > 0 });
}
