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
		m.opts.Metrics.evict(evictTradesLimit)
	}
	for m.nCandles > m.opts.MaxCandles {
		m.clearCandles(m.candleUse.tail)
		m.opts.Metrics.evict(evictCandlesLimit)
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
	first := m.pools[p.address]
	switch {
	case first == p && p.next == nil:
		delete(m.pools, p.address)
	case first == p:
		m.pools[p.address] = p.next
	default:
		for first.next != p {
			first = first.next
		}
		first.next = p.next
	}
	m.nPools--
	m.poolUse.remove(p)
	p.untell()
	p.base.drop(p)
	if !p.quote.reference() {
		p.quote.drop(p)
	}
	m.opts.Metrics.evict(why)
}

func (m *Market) removeMint(ms *mintState, why eviction) {
	for len(ms.pools) > 0 {
		m.removePool(ms.pools[len(ms.pools)-1], evictPoolWithMint)
	}
	m.clearTrades(ms)
	m.clearCandles(ms)
	m.mintUse.remove(ms)
	delete(m.mints, ms.mint)
	last := m.order[len(m.order)-1]
	m.order[ms.order], last.order = last, ms.order
	m.order[len(m.order)-1] = nil
	m.order = m.order[:len(m.order)-1]
	m.opts.Metrics.evict(why)
}

func (m *Market) clearTrades(ms *mintState) {
	if len(ms.trades.buf) == 0 {
		return
	}
	m.nTrades -= ms.trades.clear()
	m.tradeUse.remove(ms)
}
