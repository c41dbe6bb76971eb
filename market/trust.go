package market

import (
	"math"

	"github.com/swapcast/swapcast"
)

// This file has the rules against made-up depth and made-up trade, a function
// for each. Depth is what an attack has to bring, so each rule is about what
// counts as depth, and none freezes a price: a pool whose depth is trusted moves
// the price with its next swap.

const (
	// leanLimit is how much more a pool's quote side counts than its base side is
	// worth at the pool's price. Real ranges lean; a quote side that nobody can
	// buy from is a deposit beside the market.
	leanLimit = 10
	// seasonSlots is in how many slots half of new depth is trusted, about forty
	// seconds.
	seasonSlots = 150
	// offSlots is how long a pool that stands off its mint's price has to stay there
	// before its depth is trusted all the same, about six minutes.
	offSlots = 1_500
	// hollowMove is the move of a pool's price from which what was paid for it shows
	// how deep the pool is: as much as a hollow pool may move a major's price, and
	// more than most bins are wide. hollowSlack is how far beyond its depth is
	// believed: swaps may have been missed, and fees stay in the vaults.
	hollowMove, hollowSlack = 1.01, 4
	// hiddenShare bounds the weight of all of a mint's pools of unknown depth, as
	// a part of that of its other pools.
	hiddenShare = 0.25
	// washSlots is within how many slots a trader who turns around in a pool only
	// takes back what he did.
	washSlots = 32
	// pulledShare of the trusted depth left: somebody pulled the rest.
	pulledShare = 0.1
)

// holds is what a pool's quote side counts for, raw units: the vault, or the mean
// trade where it is not known.
func (p *pool) holds() float64 {
	st := &p.state
	switch {
	case st.closed:
		return 0
	case st.reservesKnown:
		return min(float64(st.reserveQuote), leanLimit*float64(st.reserveBase)*st.mid)
	}
	return st.flow / 2
}

// season lets the trusted depth follow what a pool holds. Weight is the lesser of
// the two, so a rug shows at once, and depth that has just come counts slowly:
// new pools, and old ones that are filled for an attack, would else outvote the
// honest pools before arbitrage finds them. Only time in which the pool traded
// counts, and none while it stands off the price, unless it stays there: a pool
// is confirmed when it agrees, or when nobody trades it back for long. A first
// pool has nothing to be held against, and when the market itself begins every
// pool is new.
func (m *Market) season(p *pool, before uint64, paid float64) {
	st := &p.state
	now := p.holds()
	switch off := (now > st.trusted || st.source == SourceExecution) && m.off(p); {
	case !off:
		st.off, st.offSince = false, 0
	case !st.off:
		st.off, st.offSince = true, st.slot
	}
	switch {
	case st.trades == 1 && m.rivalled(p) && !m.beginning(st.slot):
		st.trusted = 0
	case st.trades == 1 || now > st.trusted && m.beginning(st.slot):
		st.trusted = now
	case now > st.trusted && st.off && distance(st.slot, st.offSince) < offSlots:
	case st.slot != before:
		st.trusted += (now - st.trusted) * (1 - decay(min(distance(st.slot, before), seasonSlots), seasonSlots))
	}
	if near := p.shown(paid); now > near {
		st.trusted = min(st.trusted, near)
	}
	st.counts, st.gone = min(now, st.trusted), 0
	if st.reservesKnown && now < st.trusted {
		st.gone = 1 - now/st.trusted
	}
}

// shown is how much quote a pool has near its price, raw units, as what flowed
// through it since its price was last that far away shows: in a constant product
// the quote side grows with the root of the price. It is what tells a hollow pool,
// whose vaults are full of ranges and orders far off, so that a few dollars throw
// its price about or let it creep. Infinite until the price has moved. Prices of
// trades go to and fro by the fee, so pools that have no better are asked only
// where they stand off the mint's price.
func (p *pool) shown(paid float64) float64 {
	st := &p.state
	if st.net += paid; st.anchor > 0 && within(st.anchor, st.mid, hollowMove) {
		return math.Inf(1)
	}
	from, net := st.anchor, math.Abs(st.net)
	st.anchor, st.net = st.mid, 0
	if from <= 0 || st.mid <= 0 || st.source == SourceExecution && !st.off {
		return math.Inf(1)
	}
	return hollowSlack * net / math.Abs(math.Sqrt(st.mid/from)-1)
}

// off tells whether a pool stands off the price that its mint was last given.
func (m *Market) off(p *pool) bool {
	usd := p.base.state.usd
	if usd == 0 || p.state.mid <= 0 {
		return false
	}
	var h hop
	m.hop(&h, p.base, p.quote, false)
	return h.known && !within(p.state.mid*h.price, usd, agreeBand)
}

// rivalled tells whether another pool that trades prices the same mint. A curve
// that has sold its last token is none: where a launch moves to its AMM, that
// one counts at once.
func (m *Market) rivalled(p *pool) bool {
	for _, q := range p.base.pools {
		st := &q.state
		if q != p && st.mid > 0 && !st.closed && st.trusted > 0 && q.base == p.base && q.pricing() &&
			distance(m.time.slot, st.slot) <= m.opts.HalfLifeSlots {
			return true
		}
	}
	return false
}

// boundHidden keeps the pools whose vaults are not known, of which one can have
// any number with any trades, from outvoting those that show what they hold.
func boundHidden(cs []candidate, known, hidden float64) {
	bound := max(known*hiddenShare, maxFlowDepth)
	if known == 0 || hidden <= bound {
		return
	}
	for i := range cs {
		if !cs[i].pool.state.reservesKnown {
			cs[i].weight *= bound / hidden
		}
	}
}

// wash tells whether a trader turns around in a pool: what he does to and fro is
// no interest in the token. Such trades are told as any other, but they add
// nothing to what the pool or the mint is ranked by. Two wallets get around it,
// and then pay the fees for a place in a list.
func (p *pool) wash(s *swapcast.Swap, sold bool) bool {
	st := &p.state
	return st.trades > 0 && st.sold != sold && st.trader == s.Trader && !s.Trader.IsZero() &&
		distance(st.slot, s.Slot) <= washSlots
}

// drained tells whether a mint's price is gone because its pools were emptied.
func drained(ms *mintState) bool {
	for _, p := range ms.pools {
		if st := &p.state; p.base == ms && st.mid == 0 && st.reservesKnown && min(st.reserveBase, st.reserveQuote) == 0 {
			return true
		}
	}
	return false
}
