// Measures solana-dex-parser over some transactions of one block:
//
//   node speed.mjs BLOCK.json ROUNDS SECONDS < LIST
//
// LIST is JSON, names of sets and their signatures: {"name": ["...", ...]}. For
// each set and way it prints one JSON line with the transactions a second of
// processor time (user and system, the collector's threads included) in each
// round, and how many trades one pass found.
import { readFileSync } from "node:fs";
import web3 from "@solana/web3.js";
import { DexParser } from "solana-dex-parser";
import { response } from "./response.mjs";

const [file, rounds, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const sets = JSON.parse(readFileSync(0, "utf8"));
const parser = new DexParser();
let block = JSON.parse(readFileSync(file, "utf8"));
block = block.result ?? block;

const known = new Map();
for (const raw of block.transactions) {
  const bytes = Buffer.from(raw.transaction[0], "base64");
  const tx = response({ slot: block.slot, blockTime: block.blockTime, ...raw });
  known.set(tx.transaction.signatures[0], { tx, bytes });
}

const { VersionedTransaction } = web3;
const ways = {
  parse: ({ tx }) => parser.parseTrades(tx).length,
  // The meta is decoded already: only the transaction is read from its bytes.
  bytes: ({ tx, bytes }) => {
    const t = VersionedTransaction.deserialize(bytes);
    const transaction = { message: t.message, signatures: tx.transaction.signatures };
    return parser.parseTrades({ ...tx, transaction }).length;
  },
  decode: ({ bytes }) => (VersionedTransaction.deserialize(bytes), 0),
};

for (const [set, signatures] of Object.entries(sets)) {
  const list = signatures.map((s) => known.get(s));
  for (const [way, once] of Object.entries(ways)) {
    const pass = () => list.reduce((n, item) => n + once(item), 0);
    const trades = pass();
    const perSecond = [];
    // The first two rounds are for the compiler.
    for (let i = -2; i < rounds; i++) {
      const began = process.cpuUsage();
      let passes = 0;
      let used;
      do {
        pass();
        passes++;
        used = process.cpuUsage(began);
      } while (used.user + used.system < seconds * 1e6);
      if (i >= 0) perSecond.push((passes * list.length * 1e6) / (used.user + used.system));
    }
    process.stdout.write(JSON.stringify({ set, way, trades, perSecond }) + "\n");
  }
}
