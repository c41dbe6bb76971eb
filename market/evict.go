package market

import "math"

// forget keeps the state within its bounds. Each swap adds at most two mints,
// one pool and two trades, so each call removes only as many.
func (m *Market) forget() {
	for m.nPools > m.opts.MaxPools {
		m.removePool(m.poolUse.tail, evictPoolLimit)
	}
	for len(m.mints) > m.opts.MaxMints && m.mintUse.tail != nil {
		m.removeMint(m.mintUse.tail, evictMintLimit)
	}
	if idle := m.mintUse.tail; idle != nil && distance(m.time.slot, idle.state.lastSlot) > m.opts.IdleSlots {
		m.removeMint(idle, evictMintIdle)
	}
	for m.nTrades > m.opts.MaxTrades {
		ms := m.tradeUse.tail
		m.clearTrades(ms)
		m.metrics.evict(evictTradesLimit)
	}
	for m.nCandles > m.opts.MaxCandles {
		m.clearCandles(m.candleUse.tail)
		m.metrics.evict(evictCandlesLimit)
	}
	if newest := m.poolUse.head; newest != nil {
		m.trim(newest.base)
		if !newest.quote.reference() {
			m.trim(newest.quote)
		}
	}
}

// trim forgets the lightest pool of a mint that has too many.
func (m *Market) trim(ms *mintState) {
	if len(ms.pools) <= m.opts.MaxPoolsPerMint {
		return
	}
	lightest := ms.pools[0]
	least := m.worth(lightest)
	for _, p := range ms.pools[1:] {
		if w := m.worth(p); w < least {
			lightest, least = p, w
		}
	}
	m.removePool(lightest, evictPoolOfMint)
}

// worth orders a mint's pools by what they are worth keeping: dollars of depth,
// less with age; a pool that prices nothing comes last.
func (m *Market) worth(p *pool) float64 {
	q := m.quoteValue(p.quote)
	if !p.pricing() || !p.quote.decimalsKnown || !q.known && p.quote != m.sol {
		return 0
	}
	usd := q.usd
	if !q.known {
		usd = 1 // SOL before its price is known: any order among its pools will do
	}
	return p.depth(usd/pow10(int(p.quote.decimals)), math.Inf(1)) * decay(distance(m.time.slot, p.state.slot), m.opts.HalfLifeSlots)
}

func (m *Market) removePool(p *pool, why eviction) {
	gone := coming{what: poolWent, p: p, before: m.chained(p)}
	m.unchain(p, gone.before)
	m.nPools--
	m.poolUse.remove(p)
	m.journal.pool(p)
	m.journal.mint(p.quote)
	p.untell()
	gone.atBase = p.base.drop(p)
	if !p.quote.reference() {
		gone.atQuote = p.quote.drop(p)
	}
	m.journal.came(gone)
	m.metrics.evict(why)
}

// chained is the pool that p follows at its address, nil where it is the first.
func (m *Market) chained(p *pool) *pool {
	before := m.pools[p.address]
	if before == p {
		return nil
	}
	for before.next != p {
		before = before.next
	}
	return before
}

// unchain takes p out of the pools at its address.
func (m *Market) unchain(p, before *pool) {
	switch {
	case before != nil:
		before.next = p.next
	case p.next != nil:
		m.pools[p.address] = p.next
	default:
		delete(m.pools, p.address)
	}
}

func (m *Market) removeMint(ms *mintState, why eviction) {
	for len(ms.pools) > 0 {
		m.removePool(ms.pools[len(ms.pools)-1], evictPoolWithMint)
	}
	m.clearTrades(ms)
	m.clearCandles(ms)
	m.mintUse.remove(ms)
	delete(m.mints, ms.mint)
	delete(m.learned, ms.mint)
	last := m.order[len(m.order)-1]
	m.order[ms.order], last.order = last, ms.order
	m.order[len(m.order)-1] = nil
	m.order = m.order[:len(m.order)-1]
	m.journal.came(coming{what: mintWent, ms: ms})
	m.metrics.evict(why)
}

func (m *Market) clearTrades(ms *mintState) {
	if len(ms.trades.buf) == 0 {
		return
	}
	m.journal.came(coming{what: tradesWent, ms: ms, trades: ms.trades})
	m.nTrades -= ms.trades.clear()
	m.tradeUse.remove(ms)
}
