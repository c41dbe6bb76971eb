// Package rpctest is a Solana JSON-RPC server for tests, drills and demos: a
// working implementation of the methods that we use, over a small Store, with a
// script of faults. It is a fake in that no validator stands behind it, not in
// how it answers: codes and texts of errors are Agave's.
//
// # What it answers
//
// getHealth, getVersion, getGenesisHash, getSlot, getFirstAvailableBlock,
// getBlocks, getBlocksWithLimit, getBlock (encodings base64 and json,
// transactionDetails full, signatures and none), getTransaction,
// getSignaturesForAddress, getTransactionsForAddress (an extension of some
// providers: off unless switched on), getAccountInfo, getMultipleAccounts,
// getTokenAccountsByOwner and getBalance, alone or in batches. Everything else
// is "method not found". Where no commitment is asked for it is finalized.
//
// maxSupportedTransactionVersion is honoured as Agave honours it: without it
// only legacy transactions are given, and one transaction of a higher version
// fails its whole block with -32015.
//
// # Recorder
//
// A Recorder is a Store that learns from Geyser updates: from what a source
// yields (Tap) or from what it is given (Add). It keeps the last blocks, bounded
// by number and memory, the balances that transactions leave behind, and the
// mints that they create; mints and their metadata can be put in as well (PutMint).
// Blocks are there to be asked for once their slot is confirmed, as a node has
// them, in the version (bank) that was; of a slot that never is, it says that it
// was skipped. Balances and mints are as the confirmed chain left them, at any
// commitment.
//
// It records what it is given: of a filtered stream, blocks lack what the
// filter left out.
//
// Everything here may be used by any number of goroutines.
package rpctest
