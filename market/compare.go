package market

import (
	"bytes"
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
	bars     []barBefore              // one may be there twice, where times do not rise
}

// mintBefore is a mint with what its clients were last told.
type mintBefore struct {
	mint   solana.PublicKey
	before published
	book   *candleBook                // nil: none; as it is now, when that is compared
	last   [swapcast.Intervals]uint32 // the bars that were taken down last
}

// published is what makes a price another one.
type published struct {
	usd, liquidityUSD float64
	priced            bool
	cause             cause
}

// barBefore is one bar of a mint that begins at start, or the want of it.
type barBefore struct {
	mint     int // place in comparison.mints
	interval swapcast.Interval
	start    uint32
	final    bool
	bar      bar
}

// compare takes down what the swaps of the entries had part in.
func (m *Market) compare(first, end uint64) {
	j := m.journal
	c := &j.changes
	if c.place == nil {
		c.place = map[solana.PublicKey]int{}
	}
	clear(c.place)
	c.mints, c.bars = c.mints[:0], c.bars[:0]
	for i := first; i < end; i++ {
		if e := j.entries.at(i); e.kind == entrySwap {
			at, timed := timeOf(&e.swap, e.at)
			for _, mint := range [2]solana.PublicKey{e.swap.MintIn, e.swap.MintOut} {
				place, ok := c.place[mint]
				if !ok {
					place = len(c.mints)
					c.place[mint] = place
					c.mints = append(c.mints, mintBefore{mint: mint, before: m.published(mint), book: m.book(mint)})
				}
				if timed && c.mints[place].last[0] != at {
					m.compareBars(place, at)
				}
			}
		}
	}
}

// compareBars takes down a mint's bars of a second.
func (m *Market) compareBars(place int, at uint32) {
	c := &m.journal.changes
	k := &c.mints[place]
	for i, length := range seconds {
		start := at - at%length
		if k.last[i] == start {
			continue
		}
		k.last[i] = start
		interval := swapcast.Interval(i) //nolint:gosec // nine of them
		b, _ := k.book.find(interval, start)
		c.bars = append(c.bars, barBefore{place, interval, start, m.clock.over(start, length), b})
	}
}

func (m *Market) published(mint solana.PublicKey) published {
	ms := m.mints[mint]
	if ms == nil {
		return published{}
	}
	st := &ms.state
	return published{st.usd, st.liquidityUSD, st.priced, ms.cause}
}

func (m *Market) book(mint solana.PublicKey) *candleBook {
	if ms := m.mints[mint]; ms != nil {
		return ms.candles
	}
	return nil
}

// tell fills out with what has changed since compare.
func (m *Market) tell(out *Retraction) {
	c := &m.journal.changes
	for i := range c.mints {
		b := &c.mints[i]
		b.book = m.book(b.mint)
		if m.published(b.mint) == b.before {
			continue
		}
		p := swapcast.Price{Mint: b.mint, Commitment: m.opts.Commitment}
		if ms := m.mints[b.mint]; ms != nil && (ms != m.sol || ms.state.trades > 0) {
			e := m.estimate(ms, &m.scratch)
			p = m.priceOf(ms, &e)
		}
		p.Corrects = c.corrects
		out.Prices = append(out.Prices, p)
	}
	for i := range c.bars {
		was := &c.bars[i]
		k := &c.mints[was.mint]
		b, before := k.book.find(was.interval, was.start)
		final := m.clock.over(was.start, seconds[was.interval])
		if b == was.bar && (final == was.final || b.trades == 0) {
			continue
		}
		if b.trades == 0 {
			b = bar{start: was.start, open: before, high: before, low: before, close: before}
		}
		out.Candles = append(out.Candles, m.candleOf(k.mint, was.interval, &b))
	}
	slices.SortFunc(out.Candles, func(a, b swapcast.Candle) int {
		return cmp.Or(bytes.Compare(a.Mint[:], b.Mint[:]), cmp.Compare(a.Interval, b.Interval), cmp.Compare(a.Start, b.Start))
	})
	out.Candles = slices.CompactFunc(out.Candles, func(a, b swapcast.Candle) bool {
		return a.Mint == b.Mint && a.Interval == b.Interval && a.Start == b.Start
	})
}
