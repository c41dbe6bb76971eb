// Package wallet keeps what watched wallets hold, as the stream showed it.
//
// A Book has one commitment. Under processed it takes changes as they come and
// gives them back where the chain drops them (Retract); a book of confirmed
// changes is fed with confirmed slots alone and never has to. What a wallet holds
// of a mint is what its newest change left, by slot and place in the block, so a
// change that comes late never hides a newer one.
//
// # What it cannot know
//
// A book begins empty: a holding is known from its first change on, and until
// then it is not in the list. A change tells of the token accounts that its
// transaction named: where an owner has several accounts of one mint, the ones
// that the transaction did not touch are not in the sum.
//
// # Bounds
//
// Options.MaxWallets wallets and MaxHoldings mints of each; beyond it a wallet is
// refused and a mint is left out, both counted. A change that is settled
// (Settle) keeps its amount only.
//
// # Concurrency
//
// One goroutine calls Apply, Retract, Settle and Restart. Every method may be called by
// any number of goroutines meanwhile: one lock guards all of it, and is held for
// as long as a look into a map takes.
package wallet
