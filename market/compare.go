package market

import (
	"cmp"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// comparison is what the swaps that a retraction undoes had part in, as it was
// before: whatever comes out differently goes to those who were told. All that
// changes lies there, for a swap touches the prices of its two mints and the
// candles of its own time.
type comparison struct {
	corrects uint64 // the highest dead slot
	mints    []mintBefore
	place    map[solana.PublicKey]int // in mints
	bars     []barBefore
	seconds  map[mintSecond]struct{} // looked at
	seen     map[barPlace]struct{}   // in bars
}

// mintBefore is a mint with what its clients were last told.
type mintBefore struct {
	mint   solana.PublicKey
	before published
}

// published is what makes a price another one.
type published struct {
	usd, liquidityUSD float64
	priced            bool
	cause             cause
}

type mintSecond struct {
	mint int // place in comparison.mints
	at   uint32
}

type barPlace struct {
	mint     int // place in comparison.mints
	interval swapcast.Interval
	start    uint32
}

type barBefore struct {
	barPlace
	bar   bar
	final bool
}

// compare takes down what the swaps of the entries had part in.
func (m *Market) compare(first, end uint64) {
	j := m.journal
	c := &j.changes
	if c.place == nil {
		c.place, c.seconds, c.seen = map[solana.PublicKey]int{}, map[mintSecond]struct{}{}, map[barPlace]struct{}{}
	}
	clear(c.place)
	clear(c.seconds)
	clear(c.seen)
	c.mints, c.bars = c.mints[:0], c.bars[:0]
	for i := first; i < end; i++ {
		if e := j.entries.at(i); e.kind == entrySwap {
			at, timed := timeOf(&e.swap, e.at)
			for _, mint := range [2]solana.PublicKey{e.swap.MintIn, e.swap.MintOut} {
				place, ok := c.place[mint]
				if !ok {
					place = len(c.mints)
					c.place[mint] = place
					c.mints = append(c.mints, mintBefore{mint, m.published(mint)})
				}
				if timed {
					m.compareBars(mintSecond{place, at})
				}
			}
		}
	}
}

// compareBars takes down a mint's bars of a second, once.
func (m *Market) compareBars(s mintSecond) {
	c := &m.journal.changes
	if _, ok := c.seconds[s]; ok {
		return
	}
	c.seconds[s] = struct{}{}
	for i, length := range seconds {
		p := barPlace{s.mint, swapcast.Interval(i), s.at - s.at%length} //nolint:gosec // nine of them
		if _, ok := c.seen[p]; ok {
			continue
		}
		c.seen[p] = struct{}{}
		b, _ := m.bar(c.mints[p.mint].mint, p.interval, p.start)
		c.bars = append(c.bars, barBefore{p, b, m.clock.over(p.start, length)})
	}
}

func (m *Market) published(mint solana.PublicKey) published {
	ms := m.mints[mint]
	if ms == nil {
		return published{}
	}
	st := &ms.state
	return published{st.usd, st.liquidityUSD, st.priced, st.cause}
}

// bar is a mint's bar that begins at a time, and the close before it; both 0
// where there is none.
func (m *Market) bar(mint solana.PublicKey, i swapcast.Interval, start uint32) (b bar, before float64) {
	ms := m.mints[mint]
	if ms == nil || ms.candles == nil {
		return bar{}, 0
	}
	return ms.candles.find(i, start)
}

// tell fills out with what has changed since compare.
func (m *Market) tell(out *Retraction) {
	c := &m.journal.changes
	for i := range c.mints {
		if b := &c.mints[i]; m.published(b.mint) != b.before {
			p := swapcast.Price{Mint: b.mint, Commitment: m.opts.Commitment}
			if ms := m.mints[b.mint]; ms != nil && (ms != m.sol || ms.state.trades > 0) {
				e := m.estimate(ms, &m.scratch)
				p = m.priceOf(ms, &e)
			}
			p.Corrects = c.corrects
			out.Prices = append(out.Prices, p)
		}
	}
	slices.SortFunc(c.bars, func(a, b barBefore) int {
		return cmp.Or(cmp.Compare(a.mint, b.mint), cmp.Compare(a.interval, b.interval), cmp.Compare(a.start, b.start))
	})
	for i := range c.bars {
		was := &c.bars[i]
		mint := c.mints[was.mint].mint
		b, before := m.bar(mint, was.interval, was.start)
		final := m.clock.over(was.start, seconds[was.interval])
		if b == was.bar && (final == was.final || b.trades == 0) {
			continue
		}
		if b.trades == 0 {
			b = bar{start: was.start, open: before, high: before, low: before, close: before}
		}
		out.Candles = append(out.Candles, m.candleOf(mint, was.interval, &b))
	}
}
