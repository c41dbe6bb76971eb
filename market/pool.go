package market

import (
	"math"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Source says what a pool's price was read from.
type Source uint8

// The sources, the most trusted last.
const (
	SourceNone      Source = iota // no price yet
	SourceExecution               // a trade's own price, its known fee taken out
	SourceReserves                // the vaults' ratio of a constant-product pool
	SourceSpot                    // what the pool's event or log states
	SourceVirtual                 // a bonding curve's virtual reserves
)

// String returns the name used on the wire.
func (s Source) String() string {
	switch s {
	case SourceExecution:
		return "execution"
	case SourceSpot:
		return "spot"
	case SourceReserves:
		return "reserves"
	case SourceVirtual:
		return "virtual"
	default:
		return "none"
	}
}

const (
	// minExecution is the least raw amount, on both sides, for a trade's own
	// price to be off by less than 0.01% through rounding.
	minExecution = 10_000
	// minTrade is likewise the least for it to be off by no more than 1%.
	minTrade = 100
	// maxSpotRatio is how far a pool's stated price may lie from the trade that
	// just moved it. A trade that takes 99% of a pool moves the price 10,000
	// times and is itself priced 100 times away; beyond that the event was
	// misread.
	maxSpotRatio = 100
	// maxVaultRatio is how far the price that a constant-product pool states may
	// lie from its vaults' ratio. The vaults also hold fees that nobody took yet;
	// of 317 swaps of a mainnet block's pools, the furthest was 2.03 off, in a
	// pool of a few cents. Four times means three times as much in fees as in
	// reserves: more likely somebody misreads the pool, and the trade decides.
	maxVaultRatio = 4
	// flowShare is the weight of the newest trade in a pool's mean trade.
	flowShare = 0.125
)

// pool is one market between two mints. An address that trades several pairs
// has one pool for each.
type pool struct {
	// Static after creation. base is the mint that the pool prices; quote ranks
	// at least as high.
	address, program solana.PublicKey
	dex              string
	curve            curve
	base, quote      *mintState
	next             *pool // another pair at the same address

	// Owned by the goroutine that applies, written under Market.mu.
	state poolState
	links links[pool]
}

// poolState is all that a swap changes in a pool; a plain value, so that an
// earlier one can be put back.
type poolState struct {
	depthState

	source        Source
	reservesKnown bool
	curve         swapcast.Curve // as the newest swap shows it
	closed        bool           // a curve that has sold its last token
	mid           float64        // raw quote units for one raw base unit, 0 unknown
	flow          float64        // mean trade, raw quote units
	execution     float64        // last trade's price, raw quote for raw base
	reserveBase   uint64
	reserveQuote  uint64
	fee           int32 // basis points of the newest trade that shows it, valid where feeKnown
	feeKnown      bool
	baseWhole     bool // in the newest swap, the trader's amount was the vault's: nothing was
	quoteWhole    bool // ... taken on the way, such as a transfer fee
	sold          bool // the newest swap gave base
	washed        bool // ... and only took back what its trader did before
	trader        solana.PublicKey
	trades        uint64
	firstSlot     uint64
	firstAt       int64  // receipt of the first swap seen, Unix ns
	slot          uint64 // of the newest swap seen
	txIndex       uint64
	timeline      uint32 // the market's when that swap came
	at            int64  // receipt of the newest swap, Unix ns
}

// depthState is how much of a pool's depth is believed, and what the quote mint was
// told of it; trust.go has the rules.
type depthState struct {
	trusted     float64 // of what it holds, raw quote units
	counts      float64 // ... and is there
	gone        float64 // share of trusted that is not
	off         bool    // stands off the mint's price since offSince, asked where it matters
	offSince    uint64
	anchor, net float64 // a price of before, and the quote that came in since, raw
	told        float64 // part of the quote mint's quoting
}

// pricing tells whether the pool can price its base mint: two hops to a root at
// most, so a second quote is priced by roots alone.
func (p *pool) pricing() bool { return pricing(p.base, p.quote) }

func pricing(base, quote *mintState) bool {
	return quote.rank.root() || quote.rank != rankToken && base.rank == rankToken
}

// late tells whether s happened before the state that the pool is in. States of
// an earlier timeline have no order with what comes now.
func (p *pool) late(s *swapcast.Swap, timeline uint32) bool {
	st := &p.state
	if st.trades == 0 || st.timeline != timeline || s.Slot > st.slot {
		return false
	}
	return s.Slot < st.slot || s.TxIndex < st.txIndex
}

// observe takes a swap's outcome into the pool's state. It reports false where
// the stated price cannot belong to the trade and was not used.
func (p *pool) observe(s *swapcast.Swap, timeline uint32, at int64) bool {
	st := &p.state
	o := orient(s, p.base.mint == s.MintIn)
	if st.trades == 0 {
		st.firstSlot, st.firstAt, st.flow = s.Slot, at, o.quote
	}
	if st.washed = p.wash(s, o.baseIn); !st.washed {
		st.flow += (o.quote - st.flow) * flowShare
	}
	st.trader, st.sold = s.Trader, o.baseIn
	st.trades++
	st.slot, st.txIndex, st.timeline, st.at = s.Slot, s.TxIndex, timeline, at
	st.execution = o.execution()
	st.curve = s.Curve
	st.reservesKnown = s.ReservesKnown
	st.reserveBase, st.reserveQuote = o.reserveBase, o.reserveQuote
	st.charge(s, o.baseIn)
	st.closed = s.VirtualKnown && s.ReservesKnown && o.reserveBase == 0

	mid, source, ok := p.read(s, &o)
	if source == SourceNone && !p.emptied(s) {
		return ok // nothing new is known: the price stands
	}
	st.mid, st.source = mid, source
	return ok
}

// charge takes what the swap shows of fees.
func (st *poolState) charge(s *swapcast.Swap, baseIn bool) {
	if s.FeeBps >= 0 && s.FeeBps < 10_000 {
		st.fee, st.feeKnown = s.FeeBps, true
	}
	st.baseWhole, st.quoteWhole = s.UserAmountOut == s.AmountOut, s.UserAmountIn == s.AmountIn
	if baseIn {
		st.baseWhole, st.quoteWhole = st.quoteWhole, st.baseWhole
	}
}

// tell brings the quote mint's sum of what its pools hold up to date: such a mint
// has too many pools to look at them all.
func (p *pool) tell() {
	if !p.quote.reference() {
		return
	}
	holds := 0.0
	if st := &p.state; st.reservesKnown {
		quote := float64(st.reserveQuote)
		holds = quote + min(quote, float64(st.reserveBase)*st.mid)
	}
	p.quote.state.quoting += holds - p.state.told
	p.state.told = holds
}

// untell takes a forgotten pool out of that sum.
func (p *pool) untell() {
	p.quote.state.quoting -= p.state.told
	p.state.told = 0
}

// oriented is a swap seen from a pool's base mint.
type oriented struct {
	base, quote               float64
	reserveBase, reserveQuote uint64
	virtualBase, virtualQuote uint64
	baseIn                    bool
}

func orient(s *swapcast.Swap, baseIn bool) oriented {
	if baseIn {
		return oriented{
			float64(s.AmountIn), float64(s.AmountOut), s.ReserveIn, s.ReserveOut, s.VirtualIn, s.VirtualOut, true,
		}
	}
	return oriented{
		float64(s.AmountOut), float64(s.AmountIn), s.ReserveOut, s.ReserveIn, s.VirtualOut, s.VirtualIn, false,
	}
}

// read is the pool's price after the swap, raw quote for raw base, with what it
// was read from; SourceNone where the swap does not tell. It reports false where
// the price that the pool states does not fit the rest.
func (p *pool) read(s *swapcast.Swap, o *oriented) (mid float64, source Source, ok bool) {
	switch {
	case p.emptied(s), s.Interim:
		return 0, SourceNone, true
	case s.VirtualKnown && o.virtualBase > 0 && o.virtualQuote > 0:
		return float64(o.virtualQuote) / float64(o.virtualBase), SourceVirtual, true
	}
	spot, stated := o.spot(s)
	switch {
	case p.curve == curveProduct && s.ReservesKnown:
		vaults := float64(o.reserveQuote) / float64(o.reserveBase)
		if !stated {
			return vaults, SourceReserves, true
		}
		if within(spot, vaults, maxVaultRatio) {
			return spot, SourceSpot, true
		}
		mid, source = o.arbitrate(s, spot, vaults)
		return mid, source, false
	case stated && (within(spot, o.execution(), maxSpotRatio) || dust(s)):
		return spot, SourceSpot, true
	case stated:
		return 0, SourceNone, false
	case p.curve == curveProven && provenProduct(s):
		return float64(o.reserveQuote) / float64(o.reserveBase), SourceReserves, true
	case dust(s):
		return 0, SourceNone, true
	}
	return o.feeless(s.FeeBps), SourceExecution, true
}

// spot is the price that the pool states, raw quote for raw base.
func (o *oriented) spot(s *swapcast.Swap) (float64, bool) {
	switch {
	case !s.SpotKnown || !usable(s.Spot):
		return 0, false
	case o.baseIn:
		return s.Spot, true
	}
	return 1 / s.Spot, true
}

// arbitrate lets the trade decide between two prices that are far apart: the one
// nearer to what was paid is believed, neither where that is far too or where the
// amounts are too small to tell.
func (o *oriented) arbitrate(s *swapcast.Swap, spot, vaults float64) (float64, Source) {
	paid := o.execution()
	mid, source := spot, SourceSpot
	if math.Abs(math.Log(vaults/paid)) < math.Abs(math.Log(spot/paid)) {
		mid, source = vaults, SourceReserves
	}
	if dust(s) || !within(mid, paid, maxSpotRatio) {
		return 0, SourceNone
	}
	return mid, source
}

// execution is what the trade itself paid, raw quote for raw base.
func (o *oriented) execution() float64 { return o.quote / o.base }

// feeless is the execution price with a known fee taken out, which makes a
// seller get less and a buyer pay more.
func (o *oriented) feeless(bps int32) float64 {
	switch kept := 1 - float64(bps)/10_000; {
	case bps <= 0 || bps >= 10_000:
		return o.execution()
	case o.baseIn:
		return o.execution() / kept
	default:
		return o.execution() * kept
	}
}

// emptied tells whether the swap left a vault empty whose ratio is the price:
// such a pool has no price any more. A bonding curve keeps its price, for its
// virtual reserves are never empty; it is closed when its tokens are gone.
func (p *pool) emptied(s *swapcast.Swap) bool {
	return p.curve == curveProduct && !s.VirtualKnown && s.ReservesKnown && min(s.ReserveIn, s.ReserveOut) == 0
}

// dust tells whether rounding blurs the trade's own price.
func dust(s *swapcast.Swap) bool { return min(s.AmountIn, s.AmountOut) < minExecution }

// rounded tells whether the amounts are so small that one raw unit of them is
// more than 1%: what such a trade paid for one token is the rounding's word, not
// a price, so it is told without one.
func rounded(s *swapcast.Swap) bool { return min(s.AmountIn, s.AmountOut) < minTrade }

func usable(v float64) bool { return v > 0 && !math.IsInf(v, 1) && !math.IsInf(1/v, 1) }

// within tells whether a and b differ by no more than the given factor.
func within(a, b, factor float64) bool { return a <= b*factor && b <= a*factor }
