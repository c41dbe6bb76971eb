package market

import (
	"time"

	"github.com/swapcast/swapcast"
)

// DefaultJournalSwaps is a bound of the journal that suits a whole chain: more
// than a minute of all swaps, where slots are confirmed within seconds.
const DefaultJournalSwaps = 65_536

// Options are the market's limits and its clock. The zero value works; New
// copies it.
type Options struct {
	// MaxMints bounds the mints that are followed; default 50,000. The least
	// recently traded is forgotten, with its pools and trades. The ten mints that quote
	// others are never forgotten, be it that the bound is less.
	MaxMints int
	// MaxPools bounds the pools that are followed; default 100,000.
	MaxPools int
	// MaxPoolsPerMint bounds the pools that make one mint's price; default 64.
	// The lightest is forgotten first, be it the newcomer.
	MaxPoolsPerMint int
	// TradesPerMint is how many last trades are kept of one mint; default 200.
	TradesPerMint int
	// MaxTrades bounds the trades kept in all; default 400,000 (about 110 MB).
	MaxTrades int
	// CandlesPerInterval is how many candles are kept of one mint and interval,
	// those without a trade not counted; default 1,000, at least 100 (a day of
	// the quarter hours that Day reads).
	CandlesPerInterval int
	// MaxCandles bounds the candles kept in all; default 1,500,000 (about 100
	// MB). The mint that has not traded for longest loses its own first.
	MaxCandles int
	// IdleSlots is after how many slots without a trade a mint is forgotten;
	// default 700,000, about two days at 250 ms.
	IdleSlots uint64
	// HalfLifeSlots is by how many slots a pool has to lag behind the mint's
	// freshest pool to lose half its weight; default 1,500, about six minutes.
	HalfLifeSlots uint64
	// Commitment is what prices, trades and candles are told with; default
	// Processed. Whoever feeds a market with confirmed slots only says so here.
	Commitment swapcast.Commitment
	// NoRestarts says that old swaps, however many, begin no new timeline: where
	// the chain begins anew the caller says so (Restart). It is for whoever has
	// gaps filled, minutes later, beside a stream that goes on.
	NoRestarts bool
	// JournalSwaps bounds the swaps that Retract can take back; 0 keeps no
	// journal. It costs about 2 kB a swap that is not yet settled. Beyond it
	// the oldest are forgotten and counted.
	JournalSwaps int
	// BlockTimeWithin is for how long after the first swap's receipt a block time is
	// waited for before times of receipt make candles; default 0, not at all. A
	// source that tells block times tells the first with its first whole block.
	BlockTimeWithin time.Duration
	// StaleAfter is how long after the last receipt readers call a price stale;
	// default one minute.
	StaleAfter time.Duration
	// Now is the clock; default time.Now. Apply asks it only for swaps that
	// carry no receipt time, and twice a swap where Metrics.StagePrice is set.
	Now func() time.Time
	// Metrics may be nil.
	Metrics *Metrics
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxMints, 50_000)
	def(&o.MaxPools, 100_000)
	def(&o.MaxPoolsPerMint, 64)
	def(&o.TradesPerMint, 200)
	def(&o.MaxTrades, 400_000)
	def(&o.CandlesPerInterval, 1_000)
	def(&o.MaxCandles, 1_500_000)
	o.CandlesPerInterval = max(o.CandlesPerInterval, minCandles)
	// The mints that quote others are never forgotten; a swap needs room for two
	// more while it is applied.
	o.MaxMints = max(o.MaxMints, 8)
	if o.IdleSlots == 0 {
		o.IdleSlots = 700_000
	}
	if o.HalfLifeSlots == 0 {
		o.HalfLifeSlots = 1_500
	}
	if o.StaleAfter <= 0 {
		o.StaleAfter = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
