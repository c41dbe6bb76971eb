// Package onchain reads over JSON-RPC what no stream shows of a wallet: what it
// held when it began to be watched, and what it did before.
//
// A Reader asks one question each. A Keeper has a list of wallets and asks until
// nothing is missing of any of them: snapshots first, then the history, newest
// transactions first, a page at a time.
//
// # What is promised
//
// A snapshot has the slot that the node named. One from before the slot that is
// needed is not taken: it is asked for again (outcome lagging), as one that fails
// is, with a pause that grows up to Options.BackoffMax. minContextSlot is not sent:
// a node that lags is no broken one, and others share its endpoint.
//
// History is read with getSignaturesForAddress and getTransaction at confirmed, and
// goes through the parser that reads the stream. A page that was read is taken whole
// before the next is asked for, so that a run which ends goes on where it was. A
// list that must reach a slot is taken from a node that has confirmed it, asked for
// just before: behind one address several nodes may answer, and then it is only likely.
// A transaction that a node lists and does not give is counted as missing, and so is
// one that cannot be read: the history says so.
//
// # Limits
//
// A node tells of a wallet's own address; what others send to a token account of it
// names the account alone, so the accounts that hold something are searched too, at
// most Options.Accounts of them. It ends silently where the node's memory does.
// History has no prices but those of Options.Price.
//
// # Concurrency
//
// Want and Forget may be called by any goroutine. Run is one goroutine, which
// starts up to Options.Parallel others and waits for them.
package onchain
