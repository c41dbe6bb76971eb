// Package wallet keeps what watched wallets hold (Book), and what they did and gained
// (Positions).
//
// # Book
//
// A Book has one commitment. Under processed it takes changes as they come and
// gives them back where the chain drops them (Retract); a book of confirmed
// changes is fed with confirmed slots alone and never has to. What a wallet holds is
// kept account by account: of each, its newest change counts, by slot and place in
// the block, so that a change which comes late never hides a newer one. A wallet's
// balance of a mint is the sum of its accounts; wrapped SOL is one, and the wallet's
// own lamports are another.
//
// A book begins empty: an account is known from its first change on. Load brings all
// the others from a snapshot of a confirmed slot. Changes of that slot and before are
// in the snapshot and do not count beside it, whether they came before it or come
// after it; accounts that it does not name hold nothing. Complete tells whether that
// is all: there is a snapshot of each part (SPL Token, Token-2022, lamports) from the
// slot on from which no change is missed (Needs).
//
// # Positions
//
// NewEvent works out what a transaction did to a wallet: what it gave and received in
// swaps, the network's fee, and transfers in and out, each with its worth at that
// moment in US dollars and in SOL. Positions keep the events in the order of the
// chain, whatever order they come in, and work everything out anew when they are
// asked (Report): so a late swap, one that was read from history and one that was
// retracted count exactly as if they had always, or never, been there.
//
// Gains are worked out twice: first in, first out (FIFO), and at the average cost of
// what is held. The rules:
//
//   - Both sides of a swap are worth the same: see NewEvent.
//   - USDC and USDT are a dollar each in dollars, and SOL is itself in SOL: there is
//     no gain in them there. A dollar has a gain in SOL, and SOL one in dollars.
//   - A transfer in counts as acquired at the price of that moment; where there was
//     none, at unknown cost. A transfer out takes the cost of what goes with it and
//     realizes nothing. Rent of accounts and tips to validators are transfers.
//   - A fee is SOL that is given at its price: what it cost is set against that, and
//     the fee itself is counted apart (Report.Fees). Gains do not have it taken off.
//   - What was given without a known cost or without known proceeds has no gain: it
//     is counted in raw units (Gain.Blind) and left out. More given than held has no
//     known cost.
//
// Amounts are raw units and money is whole millionths of a dollar, or lamports. What
// a part of a lot cost is rounded down, and the rest stays with the rest: nothing is
// lost in rounding. Prices are floats until a worth is made of them.
//
// # History and stores
//
// Past says what of a wallet's history is still to be read, as spans between
// transactions (Next, Fill); it goes on where it was after a restart. A new wallet's
// history is listed at once, and again from where that list began once it is certain
// that the stream brings everything (Join): what was on its way to be confirmed then
// is in one or the other, and only then is Past complete. Unsaved, Saved
// and Restore are for a store, which is given settled transactions alone. Package
// onchain reads snapshots and history.
//
// # Bounds
//
// Options.MaxWallets wallets and MaxHoldings accounts of each; beyond it a wallet is
// refused and an account is left out, both counted. A change that is settled
// (Settle) keeps its amount only. PositionOptions.MaxEvents transactions of each
// wallet: beyond it the oldest settled ones are folded into what they left, and one
// that comes from before that counts no more (counted as late). 4,096 lots of each
// asset: beyond it the oldest two become one.
//
// # What it cannot know
//
// A transfer between two wallets of one person is one out and one in. What a program
// holds for a wallet (a stake, a deposit, an open order) has left it. A routed swap
// that the pools do not show as the wallet's own is taken from what its balances
// gained and lost; where SOL alone moved on both sides it is none.
//
// # Concurrency
//
// Of each, one goroutine calls Apply, Retract, Settle, Load and Restart. Every method
// may be called by any number of goroutines meanwhile: one lock guards all of a Book,
// another one all of Positions, and neither is held while gains are worked out. Price
// is called with that of Positions held, and must not call back.
package wallet
