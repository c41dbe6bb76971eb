// Package sim is the built-in market: a small simulated Solana with real DEX
// programs' transactions on it, for running without a chain.
//
// A Market yields the updates that a Yellowstone server would send: slots,
// transactions and block metas. What it promises:
//
//   - Ordered as a real server's stream: slot statuses, transactions by index,
//     the block's meta after its last transaction, time never going back.
//   - Deterministic: the same Options give the same bytes, on one platform.
//     (Floating point differs between processor architectures.)
//   - Byte-faithful: instruction data, account lists, inner instructions, events
//     and logs have the layouts of the real programs, as real transactions show
//     them; each pool file states the layout and where it was read. Mints,
//     programs, configs and authorities are real addresses. Pools, vaults,
//     wallets, lookup tables, signatures and blockhashes are made up.
//     Tests compare every form and the role of every account with a corpus of
//     real transactions, and every swap with what our parser reads.
//   - Consistent to the unit: lamports and tokens are conserved in every
//     transaction, balances carry over from one transaction to the next, vaults
//     hold what the pool's own state says.
//   - Ground truth: every swap, every balance change and the true mid prices are
//     readable (Options.Truth, OnSwap, OnBalance).
//
// What moves the prices: true mids follow a seeded geometric random walk;
// arbitrageurs who know them trade pools back to the edge of their fee, others
// close gaps between pools. The public buys as often as it sells, whatever it
// holds, and rather where a pool is cheap or dear: see lean. Tokens launch on Pump.fun, and some of them
// migrate to PumpSwap. Nothing in it is a forecast or a real price.
//
// Limits: no Address Lookup Table accounts, no stake, no forks; liquidity of
// concentrated pools is one wide position; DLMM charges its base fee only. The
// mids are reflected at a third and three times their first value.
//
// A Market belongs to one goroutine. The updates that it returns belong to the
// caller, but the account keys inside are shared between them: read only.
//
// The package is larger than others (eight programs' writers and one builder
// that all of them need); it is one package because a pool's writer and the
// builder's state are one thing, and because nothing outside needs the parts.
package sim
