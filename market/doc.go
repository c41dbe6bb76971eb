// Package market turns swaps into pool states, prices and trades. It does no
// I/O and starts no goroutine.
//
// # Quotes
//
// Prices are made from trades against the roots (SOL, USDC, USDT) and the second
// quotes (USD1, PYUSD and staked SOL, see quote.go), two hops to a root at most:
// token -> root, or token -> second quote -> root. Each path is one voice in the
// centre (below), as deep as the shallower of its two hops, so the deepest has
// the most to say. SOL's own price in dollars is no hop but the market's rate. USDC is one US dollar by
// definition here, and a pool quoted in USDT is read as if USDT were one dollar
// too. Caveat: when one of them leaves its peg every price in that stable is
// off by as much; a USDC depeg shows as everything else moving. The published
// price of USDT itself comes from its USDC pools, and is 1.0 (reason "assumed")
// while fewer than 10,000 dollars in them agree. SOL in dollars is the centre (below) of the SOL/USDC and
// SOL/USDT pools. Until the first of those has traded, a token that trades
// against SOL has a price in SOL and none in dollars.
//
// A second quote is worth what its pools against the roots say, never one dollar
// nor its stake pool's rate: a token against USD1 keeps its dollar price when USD1
// leaves its peg, once USD1's own pools have moved, and is off by the depeg until
// then. Without a swap of its own it has no price, and what it quotes has none.
// Between its swaps it moves with SOL by the share that SOL quotes.
//
// # A pool's price
//
// In order of trust:
//
//  1. virtual reserves (bonding curves);
//  2. the spot that the pool's own event or log states: what the program
//     computed with, fees left out;
//  3. the vaults' ratio, for constant-product pools, and for pools that may be
//     constant products where the trade was made at that rate. Vaults also hold
//     fees and profit that are the pool's no more, so the ratio may be off: by
//     1.6% in a mainnet CPMM pool of 158 SOL, by 103% in a Raydium v4 pool of a
//     few cents;
//  4. the execution price of the trade with the known fee taken out. A trade too
//     small to state a price within a hundredth of a percent (fewer than 10,000
//     raw units on a side) is no execution price.
//
// curve.go has the table of which DEX's vaults say what. Where a
// constant-product pool's spot and vault ratio are more than four times apart
// (three times as much in untaken fees as in reserves: somebody misreads the
// pool), the one nearer to what the trade paid is believed; the price stands as
// it was where the trade is too small to tell or lies a hundred times from
// either. Another pool's spot must lie within a hundred times of the trade, else
// the price stands. Each such swap is counted (spot_mismatch).
//
// A swap after which the same transaction goes through the same pool again
// (Swap.Interim) makes trades and no price: nobody else could trade at the state
// that it left, and a flash loan makes it whatever it likes.
//
// # A mint's price
//
// The centre: the depth-weighted median over the mint's pools, then the
// depth-weighted mean of the pools that stand within 2% of that median. A
// pool's depth is twice what its quote vault holds in dollars, so a token
// cannot lend itself depth; a pool whose vaults are not known counts as its
// mean trade, at most 10,000 dollars, and all such pools of a mint together as a
// quarter of the others (or 10,000 dollars). Weight halves for every HalfLifeSlots by
// which a pool is older than the mint's freshest one, and halves once where the
// price is an execution price. A pool of share w can therefore move a price by
// no more than 2% of w, unless it holds half of all depth.
//
// # What is trusted
//
// Depth is what it costs to be believed, so the rules against made-up prices are
// rules about depth (trust.go has each with its reason). A quote side counts no
// more than ten times what the base side is worth. A new pool of a mint that
// other pools price counts for nothing, an old one for what it held; half of
// what has come is trusted after 150 slots in which the pool traded and at most
// half with one swap; none while the pool stands more than 2% off the price,
// until it has stood there for 1,500 slots. What was paid for each percent that
// a pool moved shows how deep it is there: four times that is trusted at most.
// What has gone counts no more, at once. Nothing of this holds back a move: a
// pool whose depth is trusted moves the price with its next swap.
//
// In the market's first 150 slots every pool is taken for an old one. Two pools
// of a new token may both be false, and a pool that is truly as deep as all
// others together, and stays off the price for minutes, is believed in the end.
// A sandwich in the pool that leads is told step by step: everybody could have
// traded at each. A launch curve that has sold its last token counts no more; a
// pool of its AMM that opens before that is a pool like any other. Whether depth
// lies near the price is only seen when somebody trades there. Liquidity that is
// pulled is seen with the pool's next swap. Prices are for 10^decimals raw units
// as the vaults count them: a multiplier that wallets show on top is not in
// them.
//
// A trader who turns around in a pool within 32 slots adds nothing to what pools
// of unknown depth and the list of top mints are ranked by. Two wallets get
// around that, and pay the fees for a place in a list.
//
// # Liquidity
//
// LiquidityUSD is what the mint's pools hold that can be priced in dollars: the
// quote's side, and the base's at no more than that, for what nobody has paid for
// is no liquidity. A reference mint has the pools that it quotes beside its own:
// those at each pool's own price, and up to date with each pool's last swap.
//
// # Confidence
//
//	confidence = depth/(depth+10,000) * (1 - 0.2/n) * agree * 2^(-age/(4*HalfLifeSlots)) * new * quotes
//
// depth is the trusted dollars of the agreeing pools, n their effective number
// (squared sum of weights over sum of squares), agree their share of all
// weight, age the slots since the freshest of them, new 0.9 for a mint first
// seen within the last HalfLifeSlots (0 where the market itself just began),
// quotes the mean confidence of the quotes' own prices (1 for USDC and USDT).
// Readers halve it again where nothing was received for StaleAfter. Reasons
// holds the codes. A price that is not known has confidence 0.
//
// # Updates
//
// Apply gives, for one swap: a price for the base mint always, even where the
// figure did not move (old clients count updates as trades); for the other mint
// too where that is no reference mint; and for the reference mint at most once
// a slot, so that its subscribers hear of it without a message a trade. SOL
// against a stable is the base, so each such swap updates SOL. A move of SOL
// alone publishes no other token: their next trade does, and readers of Price
// get the recomputed figure at once.
//
// A launch curve is shown as migrated when the mint trades elsewhere after the
// swap that completed it. Where that one was missed it takes progress of 0.9 at
// least, or unknown progress, and a pool of the kind that such curves migrate to
// that opened later and trades 150 slots after the curve's last swap; a curve that
// was seen at less, and then missed to its end, stays as it was seen.
//
// A swap gives two trades, one for each mint, both of the same dollar value:
// that of the reference side where there is one (stable before SOL), else of
// the side whose price is trusted more. A trade of fewer than 100 raw units of
// either mint has no price and no value (Known false): rounding alone may have
// made 1% of it.
//
// # Candles
//
// A candle's open, high, low and close are the mint's price as it was published
// with each of the interval's trades, not the trades' own prices: what moves no
// price (a trade far off in a thin pool, a flash loan) paints no wick, and a
// chart of candles is a chart of prices. Every trade with a known value counts
// for volume and number, but dust of less than a cent; a trade counts for both
// its mints, so that SOL's volume is what was traded against it too, and one of a
// trader who turns around counts as well: what was traded is told, not what it is
// worth for a place in a list.
//
// Time is the swap's block time. A source that has none is told from one whose
// first block is not over yet by waiting: until Options.BlockTimeWithin has passed
// between receipts and no block time was seen, a swap without one makes no candle;
// then its time of receipt stands in for it, until the first block time: that sets
// the clock anew, forgets the candles that times of receipt had made, and from
// then on a swap without one makes no candle again. The chain may run minutes
// behind the time of receipt, and a candle is either's. What is left out is
// counted (candle_untimed), what is forgotten too.
//
// Intervals begin at whole multiples of their length since 1970. An interval is
// over once the newest block time seen anywhere (or told by Tick) reaches its
// end. What comes later is left out of it and counted (candle_late): a final
// candle changes no more. Longer intervals that are still open take it. A clock
// that is set back (a new timeline, or 32 trades in a row from more than two
// minutes ago, not of slots as old where Options.NoRestarts is set) begins anew: a mint's candles are forgotten with its first trade
// that lies before them.
//
// An interval without a trade is not kept. Candles fills it: flat at the last
// close, no volume, no trades. Day adds up the last 24 hours from the quarter
// hours, the present one included.
//
// # What is refused
//
// Zero amounts, a pool that swaps a mint for itself, unset mints: no price, no
// trade, counted. A swap older than its pool's state makes trades and leaves
// the state, however old it is. Slots that lie more than 512 behind begin a new
// timeline (a replay that begins again) once 32 transactions in a row came from
// there and none from the present: a straggler changes no newer state. With
// Options.NoRestarts only Restart does that. A pool
// address seen under another DEX's name keeps its first owner, and a swap
// without a pool moves no price. Decimals of 0 are read as unknown unless the
// token list says 0: no price beats one that is off by a million. Prices
// outside 1e-18 to 1e12 are unknown.
//
// # Size
//
// The package is over the house's 2,000 lines: what a pool's word is worth, the
// centre, its confidence and its bounds read one another's state at every swap,
// and a seam between them would be wider than what it parts.
//
// # Retractions
//
// With Options.JournalSwaps the market keeps a journal: each swap, tick and token
// list since the last Settle, itself and what it changed, as that was before.
// Retract goes back to the first dead swap, entry by entry, and applies the living
// ones again, each with its own time of receipt. The state afterwards is, to the
// last bit and the last place in every list, that of a market that never saw the
// dead: prices, depth, volumes, candles, trades, decimals that only they
// showed, clocks and timelines that they set, what was forgotten because of them.
// Metrics count what came and what was taken back; what is applied again counts
// as that and as nothing else.
//
// Retraction tells what became another one: each price of a mint whose figure,
// liquidity or cause differs from what Apply published last, each trade, each
// candle. A mint that none of the undone swaps traded is not told, though readers
// may see it move with SOL, as after any swap. A candle whose trades stand is not
// told for being over again, or no longer, nor are flat candles, which clients
// make themselves of the close before them. What was forgotten for a bound and
// comes back, or the other way round, is told as it is now.
//
// Limits: JournalSwaps swaps, beyond which the oldest are final and counted; what
// reaches beyond that, or beyond Settle, is in Retraction.Unknown. A transaction
// of which only the first swaps are out of reach loses the others and is in
// Unknown too. A transaction that was applied twice in the same slot is taken
// back twice. A slot that comes late is not sorted in: it counts as now, and stays
// there when others are taken back.
//
// # Concurrency and bounds
//
// One goroutine calls Apply, Retract and Settle; any number may call the rest. One RWMutex guards all state; Apply holds it for about a microsecond,
// readers for as little, Retract for a few microseconds a swap that it undoes and
// applies again: readers then wait some milliseconds for a slot, see the state
// before or after it and nothing between. Pools, mints, pools a mint, trades and
// candles are bounded by Options; the least recently used goes first and is
// counted with its reason. Ages are counted in slots, so that a replay gives the
// same prices at any speed.
//
// The journal takes 2.1 kB a swap that is not settled, 0.5 kB less where the
// mints' trade histories are not full and 0.9 kB more where the trade begins new
// candles for both: about 140 MB for DefaultJournalSwaps. Writing that much is
// what it costs Apply: 200 nanoseconds with few pools, and more where the cache
// that it takes was needed (BenchmarkApply, BenchmarkApplyJournal). It holds plain
// values and grows by doubling up to what was needed once; the steady state
// allocates nothing for it.
//
// The package is larger than the house's budget because candles share the lock,
// the bounds, the time and the journal of the rest.
package market
