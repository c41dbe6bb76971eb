// Prints what solana-dex-parser finds in transactions, one JSON object for each
// transaction, in the order of the files:
//
//   node trades.mjs FILE_OR_FOLDER...
//
// A file holds the result of getTransaction (any encoding) or of getBlock; of a
// folder every *.json is read. Amounts are the library's amountRaw.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { DexParser } from "solana-dex-parser";
import { response } from "./response.mjs";

const parser = new DexParser();

function say(source, raw, block) {
  const line = { source, failed: raw.meta.err != null };
  try {
    const tx = response({ slot: block?.slot, blockTime: block?.blockTime, ...raw });
    line.signature = tx.transaction.signatures[0];
    const trades = parser.parseTrades(tx, { tryUnknowDEX: true, aggregateTrades: true, throwError: true });
    line.trades = trades.map((t) => ({
      program: t.programId,
      amm: t.amm,
      idx: t.idx,
      inMint: t.inputToken.mint,
      in: String(t.inputToken.amountRaw),
      outMint: t.outputToken.mint,
      out: String(t.outputToken.amountRaw),
    }));
  } catch (err) {
    line.error = String(err?.message ?? err);
  }
  process.stdout.write(JSON.stringify(line) + "\n");
}

for (const arg of process.argv.slice(2)) {
  const files = statSync(arg).isDirectory()
    ? readdirSync(arg).filter((f) => f.endsWith(".json")).sort().map((f) => join(arg, f))
    : [arg];
  for (const file of files) {
    let json = JSON.parse(readFileSync(file, "utf8"));
    json = json.result ?? json;
    if (json.transactions) {
      for (const tx of json.transactions) say(basename(file), tx, json);
    } else {
      say("tx", json);
    }
  }
}
