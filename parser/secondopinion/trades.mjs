// Prints what solana-dex-parser finds in transactions, one JSON object for each
// transaction, in the order of the files:
//
//   node trades.mjs FILE_OR_FOLDER...
//
// A file holds the result of getTransaction (any encoding) or of getBlock; of a
// folder every *.json is read. Amounts are the library's amountRaw. Transactions are handed over as the library's
// users hand them over: in the shapes that Connection.getTransaction and
// getParsedTransaction of @solana/web3.js return.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import web3 from "@solana/web3.js";
import bs58 from "bs58";
import { DexParser } from "solana-dex-parser";

const { Message, MessageV0, PublicKey, VersionedTransaction } = web3;
const parser = new DexParser();

// message turns a message of the json encoding into web3.js's.
function message(m) {
  const key = (k) => new PublicKey(k);
  if (!m.addressTableLookups) {
    return new Message({ ...m, accountKeys: m.accountKeys.map(key) });
  }
  return new MessageV0({
    header: m.header,
    staticAccountKeys: m.accountKeys.map(key),
    recentBlockhash: m.recentBlockhash,
    compiledInstructions: m.instructions.map((ix) => ({
      programIdIndex: ix.programIdIndex,
      accountKeyIndexes: ix.accounts,
      data: bs58.decode(ix.data),
    })),
    addressTableLookups: m.addressTableLookups.map((l) => ({ ...l, accountKey: key(l.accountKey) })),
  });
}

// response turns the JSON of the RPC into what web3.js makes of it.
function response({ transaction, meta, slot, blockTime, version }) {
  const loaded = meta.loadedAddresses;
  if (loaded) {
    const keys = (list) => list.map((k) => new PublicKey(k));
    meta.loadedAddresses = { writable: keys(loaded.writable), readonly: keys(loaded.readonly) };
  }
  if (Array.isArray(transaction)) {
    const [text, encoding] = transaction;
    const tx = VersionedTransaction.deserialize(encoding === "base58" ? bs58.decode(text) : Buffer.from(text, "base64"));
    transaction = { message: tx.message, signatures: tx.signatures.map((s) => bs58.encode(s)) };
  } else if (typeof transaction.message.accountKeys[0] === "string") {
    transaction = { message: message(transaction.message), signatures: transaction.signatures };
  } else {
    // getParsedTransaction: keys are PublicKeys, whatever else stays.
    const key = (ix) => ({
      ...ix,
      programId: new PublicKey(ix.programId),
      ...(ix.accounts && { accounts: ix.accounts.map((a) => new PublicKey(a)) }),
    });
    const m = transaction.message;
    transaction = {
      signatures: transaction.signatures,
      message: {
        ...m,
        accountKeys: m.accountKeys.map((k) => ({ ...k, pubkey: new PublicKey(k.pubkey) })),
        instructions: m.instructions.map(key),
      },
    };
    meta.innerInstructions = meta.innerInstructions?.map((i) => ({ ...i, instructions: i.instructions.map(key) }));
  }
  version ??= transaction.message.version ?? (transaction.message.addressTableLookups ? 0 : "legacy");
  return { slot, blockTime, version, meta, transaction };
}

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
