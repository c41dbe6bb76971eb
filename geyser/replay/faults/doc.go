// Package faults is the script of what goes wrong on purpose: it reads the YAML
// of `swapcast geyser --faults FILE`, bends the chain and one endpoint's feed,
// and tells what is true all the same. geyser/replay does the rest, which
// concerns streams.
//
// # Two sides
//
// Faults of the chain (fork, dead, banks, skip_slots, nonce_twice, v1) happen to
// everybody. Chain applies them to the source, before any server sees it. Each
// depends on the script's seed and on the source's slots and clock alone: the
// same source and script give the same chain, in every process. Faults of an
// endpoint happen between that chain and a client: Feed applies those that one
// server would have in its own feed (lying, reorder, block_meta_early), and
// geyser/replay those of the server and of single streams.
//
// # What the chain promises
//
// No transaction of the source is lost: forks, dead slots and losing banks are
// extra ones, made of copies of transactions that land again in the surviving
// slot and of altered ones, with signatures of their own, that never do. Room
// for them, and skipped slots, is made by moving all later slots on. So the
// ground truth of the source holds for every transaction that lands; its slot,
// and its index where one of nonce_twice came before, are told by the truth.
//
// # Truth
//
// ChainOptions.OnTruth is given a Truth for each transaction that lands, for each
// one that does not, and for each slot's fate, in the order of the chain.
//
// # Concurrency
//
// A Script never changes and may be shared. Chain, Feed and Trigger belong to
// one goroutine each.
package faults
