// Follows trades with the JavaScript SDK and writes what an application is told,
// one JSON line each, until its standard input ends.
//
//     node follow.mjs URL MINT...

import { Swapcast } from '../../../stream/web/swapcast.js';

const [url, ...mints] = process.argv.slice(2);
const feed = new Swapcast(url, { minBackoff: 20, maxBackoff: 200 });
const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

feed.on('trade', write);
feed.on('retract', write);
feed.on('gap', write);
feed.on('error', write);
feed.open();
for (const commitment of ['processed', 'confirmed']) {
  const { assets, errors } = await feed.subscribe('trades', mints, { commitment });
  if (assets.length !== mints.length) throw new Error(JSON.stringify(errors));
}
write({ type: 'ready' });
process.stdin.resume();
process.stdin.on('end', () => {
  feed.close();
  write({ type: 'stats', ...feed.stats });
});
