package market

import "github.com/swapcast/swapcast"

// undoTo takes the state back to before the entry at a position, and the journal
// with it. The entries stay readable at their positions, as undoLog.at says.
func (m *Market) undoTo(first uint64) {
	j := m.journal
	for j.entries.to > first {
		e := j.entries.pop()
		if e.kind <= entryRefused {
			j.swaps--
		}
		m.undo(&e.marks)
		if e.tokens != nil {
			m.undoTokens(e.tokens)
		}
		m.facts = e.facts
	}
}

// undo takes the newest records off each log down to the marks. What came or
// went as a whole is first, for an entry ends with what it made the market
// forget; the other logs have no order among each other.
func (m *Market) undo(to *marks) {
	j := m.journal
	for j.comings.to > to.comings {
		c := j.comings.pop()
		m.undoComing(c)
		*c = coming{}
	}
	m.mintUse.undo(to.mintUse)
	m.poolUse.undo(to.poolUse)
	m.tradeUse.undo(to.tradeUse)
	m.candleUse.undo(to.candleUse)
	for j.mints.to > to.mints {
		r := j.mints.pop()
		r.ms.decimals, r.ms.decimalsKnown, r.ms.state = r.decimals, r.decimalsKnown, r.state
	}
	for j.causes.to > to.causes {
		r := j.causes.pop()
		r.ms.cause = r.cause
	}
	for j.quotes.to > to.quotes {
		r := j.quotes.pop()
		r.ms.quote = r.quote
	}
	for j.pools.to > to.pools {
		r := j.pools.pop()
		r.p.state = r.state
	}
	for j.trades.to > to.trades {
		r := j.trades.pop()
		var old *swapcast.Trade
		if r.over {
			old = j.olds.pop()
		}
		r.ms.trades.undo(old, r.full)
	}
	for j.pushes.to > to.pushes {
		r := j.pushes.pop()
		r.k.past[r.interval].undo(r)
	}
	for j.openings.to > to.openings {
		r := j.openings.pop()
		r.k.open = r.open
	}
	for j.books.to > to.books {
		r := j.books.pop()
		r.k.bookFacts = r.bookFacts
	}
}

func (m *Market) undoComing(c *coming) {
	switch c.what {
	case mintCame:
		last := len(m.order) - 1
		m.order[last] = nil
		m.order = m.order[:last]
		delete(m.mints, c.ms.mint)
	case mintWent:
		last := len(m.order)
		m.order = append(m.order, c.ms)
		if i := c.ms.order; i != last {
			m.order[last] = m.order[i]
			m.order[last].order = last
			m.order[i] = c.ms
		}
		m.mints[c.ms.mint] = c.ms
	case poolCame:
		m.unchain(c.p, nil)
		c.p.base.pop()
		if !c.p.quote.reference() {
			c.p.quote.pop()
		}
	case poolWent:
		if c.before == nil {
			m.pools[c.p.address] = c.p
		} else {
			c.before.next = c.p
		}
		if !c.p.quote.reference() {
			c.p.quote.undrop(c.p, c.atQuote)
		}
		c.p.base.undrop(c.p, c.atBase)
	case tradesWent:
		c.ms.trades = c.trades
	case candlesReplaced:
		c.ms.candles = c.candles
	}
}

func (m *Market) undoTokens(l *tokenList) {
	for i, t := range l.added {
		if l.listed[i] {
			m.tokens[t.Mint] = l.before[i]
		} else {
			delete(m.tokens, t.Mint)
		}
	}
}

// pop forgets the pool that came last.
func (ms *mintState) pop() {
	last := len(ms.pools) - 1
	ms.pools[last] = nil
	ms.pools = ms.pools[:last]
}

// undrop puts a pool back into the place that drop took it from.
func (ms *mintState) undrop(p *pool, at int) {
	last := len(ms.pools)
	ms.pools = append(ms.pools, p)
	ms.pools[last], ms.pools[at] = ms.pools[at], p
}

// undo takes the newest trade off again, which took the place of an old one or,
// where that is nil, of none.
func (r *ring) undo(old *swapcast.Trade, full bool) {
	if old == nil {
		last := len(r.buf) - 1
		r.buf = r.buf[:last]
		return
	}
	if r.next--; r.next < 0 {
		r.next = len(r.buf) - 1
	}
	r.buf[r.next], r.full = *old, full
}

// undo takes the newest bar off again.
func (r *barRing) undo(i *pushImage) {
	if !i.over {
		r.bars = r.bars[:len(r.bars)-1]
		return
	}
	if r.next--; r.next < 0 {
		r.next = len(r.bars) - 1
	}
	r.bars[r.next] = i.old
}
