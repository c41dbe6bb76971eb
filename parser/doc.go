// Package parser finds the swaps and the balance changes in a transaction. It
// is pure: no I/O, no clock, no state from one transaction to the next.
//
// # What counts
//
// Only instructions of the DEX programs of dexes.go count, outer or inner at
// any depth. Routers (Jupiter, OKX and so on) are no DEXes: a routed trade is
// the swaps of the pools that it went through, each counted once. An
// instruction is found by its program's id and then by its discriminator;
// nothing is tried in turn and nothing is guessed. Liquidity, orders, oracle
// updates and pool creation are no swaps. A failed transaction and a vote hold
// none.
//
// An instruction may hold several swaps (Whirlpool's two hops, Raydium CLMM's
// router): they share its Path and are told apart by Index, which numbers all
// swaps of the transaction in order.
//
// An instruction that should be a swap and cannot be read as one is Unparsed
// with a stable reason, never silence and never a price. So is an instruction
// of a known DEX that this package does not know and that moved two accounts
// of one owner against each other, or tokens against lamports of an account
// that no signer owns.
//
// # Amounts
//
// What moved is the truth: amounts come from the token transfers that the DEX's
// instruction made itself, or had a vault program make (nested.go), to and from
// the pool's vaults. SOL of bonding curves moves as lamports (native.go). AmountIn is what the
// vault gained, after a Token-2022 transfer fee; AmountOut is what it paid out,
// to the trader and to anybody else (protocol, creator, referrer) and before a
// transfer fee. UserAmountIn is all that left the trader's account by this
// instruction, fees to others included, and UserAmountOut what reached the
// trader's account. A transfer fee that no instruction states is what the
// account's balance lacks.
//
// Events hold the transfers to account where a program sends them to itself:
// one that differs makes the instruction Unparsed (event_mismatch), because then
// one of the two is misread. Events that are only logged give extras (spot
// price, fee), never amounts, since logs may be cut off; one that differs from
// what moved is ignored. Each dex_*.go says which of them its program has.
//
// FeeBps is the whole fee that the pool's program charged for the trade,
// whoever gets it (liquidity providers, protocol, creator), of the side that it
// was charged on; transfer fees are not in it. Spot is set where the event or
// the curve states it. Reserves are the vaults' balances after the whole
// transaction, so of several swaps of one pool only the last is followed by
// them directly. Where pools share their vaults, or a curve's event states its
// reserves, the DEX's own file says what stands there.
//
// # Who traded
//
// See trader: the owner of the account that paid, if it signed; else up the
// transfers that fed that account within the same outer instruction; else the
// owner of an account that kept a change; else the fee payer.
//
// # Stack heights
//
// Sources of before Solana 1.14 record none. The instructions of such a flat
// list are given to a DEX's instruction up to the next program that DEXes do not
// call. An order book that settles in between can then hide a swap, which is
// reported as Unparsed.
//
// # Bounds
//
// One Parser serves one goroutine and reuses its memory; a Result grows to the
// largest transaction it has held. Parse does not panic on any content, keeps
// no reference to the transaction and needs no allocation once warm.
//
// # Where the time goes
//
// A transaction with swaps takes 6 us from the stream's bytes to the view (see
// package geyser) and 1.2 us from there to its swaps, without an allocation. Of
// the latter, over those of the corpus block of slot 361774429:
//
//	56%  log lines, for the events that are stated nowhere else
//	     of it 47% which lines belong to which invocation, 9% base64
//	16%  transfers into swaps: vaults, mints, the trader's side
//	11%  which of the keys are programs to look at
//	 5%  collecting what each call caused
//	12%  the rest: telling instructions apart, balance rows, who traded
//
// Exchanges that emit their events to themselves, or none, never look at the
// logs; Raydium's and Whirlpool are most of those that must. The figures come out
// of
//
//	go test ./parser -run xxx -bench ParseSwaps -benchtime 6000000x -cpuprofile cpu.out
//	go tool pprof -top -cum parser.test cpu.out
//
// and, beside other parsers, of make bench-parser.
//
// The package is larger than the house wants packages to be, because an exchange
// is a file here and there are many. They share only the frame (parser.go,
// call.go, exchange.go, transfer.go); to read about one is to read its file.
package parser
