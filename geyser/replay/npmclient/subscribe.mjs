// Subscribes to a Yellowstone server with the client that Triton One publishes
// and prints what it gets, one JSON object a line, until it is ended:
//
//   node subscribe.mjs http://127.0.0.1:10000 [x-token]
//
// The client is asked to reconnect by itself. The first line answers the unary
// methods; a stream that ends for good is the last line.
import Client, { CommitmentLevel } from "@triton-one/yellowstone-grpc";

const [endpoint, token] = process.argv.slice(2);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const client = new Client(endpoint, token || undefined, undefined, {
  backoff: { initialIntervalMs: 100, multiplier: 1.5, maxRetries: 20 },
  slotRetention: 250,
});
await client.connect();

const { version } = await client.getVersion();
let blockhash;
while (!blockhash) {
  try {
    ({ blockhash } = await client.getLatestBlockhash(CommitmentLevel.PROCESSED));
  } catch (err) {
    // A server that has just started has no block yet.
    if (!String(err.cause).includes("not available yet")) throw err;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const { slot } = await client.getSlot(CommitmentLevel.PROCESSED);
const { count } = await client.ping(7);
const { firstAvailable } = await client.subscribeReplayInfo();
say({ kind: "unary", version: JSON.parse(version), slot, blockhash, count, firstAvailable });

const stream = await client.subscribe({
  accounts: {},
  slots: { s: { filterByCommitment: true } },
  transactions: { t: { vote: false, failed: false, accountInclude: [], accountExclude: [], accountRequired: [] } },
  transactionsStatus: {},
  blocks: {},
  blocksMeta: { m: {} },
  entry: {},
  accountsDataSlice: [],
  commitment: CommitmentLevel.PROCESSED,
});
stream.on("data", (update) => {
  const { filters } = update;
  if (update.transaction) {
    const { slot, transaction } = update.transaction;
    say({ kind: "transaction", slot, filters, index: transaction.index, signature: Buffer.from(transaction.signature).toString("base64") });
  } else if (update.slot) {
    say({ kind: "slot", slot: update.slot.slot, filters, status: update.slot.status });
  } else if (update.blockMeta) {
    say({ kind: "block_meta", slot: update.blockMeta.slot, filters, count: update.blockMeta.executedTransactionCount });
  } else if (update.ping) {
    say({ kind: "ping" });
  }
});
stream.on("error", (err) => {
  say({ kind: "error", message: String(err) });
  process.exitCode = 1;
});
stream.on("end", () => say({ kind: "end" }));
