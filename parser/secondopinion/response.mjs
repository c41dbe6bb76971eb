// Turns what the RPC answers into what users of solana-dex-parser hand to it: the
// shapes that Connection.getTransaction and getParsedTransaction of
// @solana/web3.js return.
import web3 from "@solana/web3.js";
import bs58 from "bs58";

const { Message, MessageV0, PublicKey, VersionedTransaction } = web3;

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
export function response({ transaction, meta, slot, blockTime, version }) {
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
