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
	// firstTrust is the part of its depth that a new pool counts for.
	firstTrust = 0.01
	// seasonSlots is in how many slots half of new depth is trusted, about forty
	// seconds, and offSlots where the pool stands off its mint's price.
	seasonSlots, offSlots = 150, 1_500
	// hollowMove is the move of a pool's price from which a trade shows how deep
	// the pool is, and hollowSlack how far beyond that its depth is believed.
	hollowMove, hollowSlack = 1.02, 4
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

// before is what a pool was before a swap.
type before struct {
	trades, slot uint64
	mid          float64
}

// season lets the trusted depth follow what a pool holds. Weight is the lesser of
// the two, so a rug shows at once, and depth that has just come counts slowly:
// new pools, and old ones that are filled for an attack, would else outvote the
// honest pools before arbitrage finds them. Time counts only in which the pool
// traded, tenfold less where it stood off the price: a pool is confirmed when it
// agrees, or when it stays. A first pool has nothing to be held against, and when
// the market itself begins every pool is new.
func (m *Market) season(p *pool, was before, paid float64) {
	st := &p.state
	now := p.holds()
	moved := !within(was.mid, st.mid, hollowMove)
	off := (moved || st.slot != was.slot) && m.off(p)
	switch {
	case was.trades == 0 && m.rivalled(p) && !m.beginning(st.slot):
		st.trusted = now * firstTrust
	case was.trades == 0 || now > st.trusted && m.beginning(st.slot):
		st.trusted = now
	case st.slot != was.slot:
		half := uint64(seasonSlots)
		if off {
			half = offSlots
		}
		st.trusted += (now - st.trusted) * (1 - decay(min(distance(st.slot, was.slot), seasonSlots), half))
	}
	if off && moved {
		if near := shown(was.mid, st.mid, paid); now > near {
			st.trusted = min(st.trusted, near)
		}
	}
	st.counts, st.gone = min(now, st.trusted), 0
	if st.reservesKnown && now < st.trusted {
		st.gone = 1 - now/st.trusted
	}
}

// shown is how much quote a pool has near its price, raw units, as its last trade
// shows: in a constant product the quote side grows with the root of the price.
// It is what tells a hollow pool, whose vaults are full of ranges and orders far
// from the price, so that a few dollars throw its price about. Trades that moved
// little show nothing. Asked only of pools that stand off their mint's price: an
// honest one may have moved between two of its swaps that we saw.
func shown(from, to, paid float64) float64 {
	if from <= 0 || to <= 0 {
		return math.Inf(1)
	}
	return hollowSlack * paid / math.Abs(math.Sqrt(to/from)-1)
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
