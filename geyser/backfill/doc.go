// Package backfill fetches over RPC what no stream brought: slots that are
// missing, and transactions of which streams tell different things.
//
// A Filler takes wishes (Missing, Disputed) from the data path without ever
// making it wait, and answers with events in the form in which a Subscriber sends
// them, from Endpoint "rpc" and Stream 0.
//
// # What is answered
//
// Every missing slot is answered once it is known what became of it:
//
//   - its transactions (KindTx) in the order of the block, its meta (KindBlock),
//     then KindFilled: what the Filter asks for of that slot is complete;
//   - KindSkipped: the chain has no block there;
//   - KindLost with a reason: it cannot be had.
//
// A disputed transaction is answered by KindTx, as its block has it, or by
// KindAbsent; where the block cannot be had there is no answer, only a count.
//
// Slots are answered in rising order as far as their answers come in time, and
// the events of one slot are not mixed with those of another.
//
// # Skipped or missing
//
// A node that lacks a block says that its slot was skipped, whether the chain
// skipped it or the node was not there. So no single answer is believed: a slot
// is skipped where the confirmed chain passes over it, which the next block's
// parent shows. getBlocks tells which slots have a block, and which is the next
// one. A slot above all of them is not there yet, and is asked for again; one for
// which the nodes say "skipped" while getBlocks lists it, or while no parent
// passes over it, is asked for again until GiveUpAfter, then lost ("unproven").
//
// # Reasons of KindLost
//
// overflow (more was missing than Queue), cleaned_up (no node keeps the block),
// unsupported_version (the block has a transaction of a version that we cannot
// ask for), undecodable (a transaction that the filter selects could not be read:
// the others have been delivered), too_long, not_yet, unproven, and rpc_ with the
// outcome of the last attempt (rpc_timeout) where nodes failed until GiveUpAfter.
//
// # Watched wallets alone
//
// Where the filter has wallets and no programs, whole blocks are a waste:
// getTransactionsForAddress is asked for ranges of slots where an endpoint offers
// it, and blocks where none does, or where a range has too much.
//
// # Bounds, concurrency
//
// Queue bounds the slots that are known to be missing, Parallel the requests at
// once; at most twice as many blocks stand in memory. Rates, retries at other
// endpoints and breakers are rpcpool's. A full Out holds the Filler back, and
// nothing else. Missing, Disputed, SetFilter and Status may be called by any
// goroutine; Run is one goroutine that starts Parallel others and waits for them.
package backfill
