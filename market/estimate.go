package market

import "math"

const (
	// agreeBand is how far from the median a pool may stand and still count:
	// 2%, a little more than the widest fees and spreads that keep arbitrage
	// away.
	agreeBand = 1.02
	// halfDepth is the depth in dollars that gives half of the confidence.
	halfDepth = 10_000
	// maxFlowDepth bounds what a pool without known vaults may count for.
	maxFlowDepth = 10_000
	// executionTrust is the weight of an execution price against a stated one.
	executionTrust = 0.5
	// newTrust is the confidence left to a mint that has just appeared.
	newTrust = 0.9
	// disagreeShare of all weight outside the band gives reason "disagreement".
	disagreeShare = 0.1
	// minPrice and maxPrice bound what is a price at all, in dollars or SOL.
	minPrice, maxPrice = 1e-18, 1e12
	// leastWeight keeps a pool with nothing in its vault in the race where all
	// the others are no better.
	leastWeight = 1e-6
)

// estimate is what the pools say of a mint at one moment.
type estimate struct {
	usd, sol           float64
	usdKnown, solKnown bool
	confidence         float64
	liquidityUSD       float64
	reasons            Reasons
	depth, solShare    float64 // of the agreeing pools: dollars, share quoted in SOL
	total              float64 // weight of all candidates
	low, high          float64 // the band of agreement, in the numeraire
}

// candidate is one pool's word on a mint's price.
type candidate struct {
	pool   *pool
	price  float64 // in the numeraire: dollars, or SOL where no dollars are known
	weight float64
	depth  float64
	half   float64 // what the quote side holds, no more than can be sold
	trust  float64 // confidence of the quote's own price
}

// centre is the outcome of weighing candidates.
type centre struct {
	price, low, high float64
	agree            float64 // share of weight in the band
	effective        float64 // number of pools that the weight amounts to
	depth            float64 // of the agreeing pools, in the numeraire
	gone             float64 // share of what they were trusted with that is gone
	solShare         float64 // share of the agreeing weight that is quoted in SOL
	trust            float64 // mean confidence of the quotes
	execution        float64 // ... that comes from execution prices
	unknownDepth     float64 // ... of pools without known vaults
	curve            float64 // ... of bonding curves
	newest           uint64
	pools            int
	total            float64
}

// estimate weighs a mint's pools. It changes nothing but the scratch space.
func (m *Market) estimate(ms *mintState, scratch *[]candidate) estimate {
	if ms == m.usdc {
		return m.withSOL(estimate{
			usd: 1, usdKnown: true, confidence: 1, reasons: ReasonReference, liquidityUSD: ms.quoted(1),
		})
	}
	var e estimate
	cs := m.candidates(ms, (*scratch)[:0], false)
	*scratch = cs
	if len(cs) > 0 {
		c := weigh(cs)
		e.usd, e.usdKnown, e.low, e.high, e.total = c.price, true, c.low, c.high, c.total
		e.depth, e.solShare = c.depth, c.solShare
		m.judge(&e, ms, &c)
		e.liquidityUSD = liquidity(ms, cs, c.price)
	}
	if len(cs) == 0 && drained(ms) {
		e.reasons |= ReasonPulled
	}
	if ms == m.usdt && (!e.usdKnown || e.reasons&ReasonThin != 0) {
		e.usd, e.usdKnown, e.confidence, e.reasons = 1, true, newTrust, ReasonAssumed
	}
	if e.usdKnown {
		quoted := ms.quoted(e.usd)
		if !ms.rank.root() {
			quoted = min(quoted, e.depth)
		}
		e.liquidityUSD += quoted
	}
	e = m.withSOL(e)
	if ms == m.sol {
		e.sol, e.solKnown = 1, true
		return e
	}
	if e.solKnown {
		return e
	}
	// No way from dollars to SOL yet: the pools that are quoted in SOL say it.
	cs = m.candidates(ms, (*scratch)[:0], true)
	*scratch = cs
	if len(cs) > 0 {
		c := weigh(cs)
		e.sol, e.solKnown = c.price, true
		if !e.usdKnown {
			e.low, e.high, e.total = c.low, c.high, c.total
			e.reasons |= ReasonNoDollar
		}
	}
	return e
}

// withSOL adds the price in SOL where SOL's own is known.
func (m *Market) withSOL(e estimate) estimate {
	if e.usdKnown && m.solUSD.known {
		if v := e.usd / m.solUSD.usd; priceable(v) {
			e.sol, e.solKnown = v, true
		}
	}
	return e
}

// candidates appends what each of a mint's pools says, in dollars, or in SOL
// from the pools quoted in it.
func (m *Market) candidates(ms *mintState, dst []candidate, inSOL bool) []candidate {
	newest := uint64(0)
	var hops [2]hop // SOL and dollars take turns in most lists
	for _, p := range ms.pools {
		if p.base != ms || p.state.mid <= 0 {
			continue
		}
		h := &hops[0]
		if p.quote == m.sol {
			h = &hops[1]
		}
		if p.quote != h.quote {
			m.hop(h, ms, p.quote, inSOL)
		}
		price := p.state.mid * h.price
		if !priceable(price) { // 0 where the quote has no value
			continue
		}
		if len(dst) == 0 || distance(m.time.slot, p.state.slot) < distance(m.time.slot, newest) {
			newest = p.state.slot
		}
		c := candidate{pool: p, price: price, depth: p.depth(h.unit, h.depth), trust: h.confidence}
		if p.state.reservesKnown && !p.state.closed {
			c.half = min(float64(p.state.reserveQuote)*h.unit, h.depth/2)
		}
		dst = append(dst, c)
	}
	var known, hidden float64
	for i := range dst {
		c := &dst[i]
		st := &c.pool.state
		c.weight = c.depth
		if age := distance(newest, st.slot); age > 0 {
			c.weight *= decay(age, m.opts.HalfLifeSlots)
		}
		if st.source == SourceExecution {
			c.weight *= executionTrust
		}
		c.weight = max(c.weight, leastWeight)
		if st.reservesKnown {
			known += c.weight
		} else {
			hidden += c.weight
		}
	}
	if hidden > 0 {
		boundHidden(dst, known, hidden)
	}
	return dst
}

// hop is the way from a mint's pools through one quote to the numeraire. Its
// figures are 0 where there is none.
type hop struct {
	quote       *mintState
	price, unit float64 // what a raw price and a raw quote unit count for
	quoteValue
}

// hop fills h, whatever it was.
func (m *Market) hop(h *hop, ms, quote *mintState, inSOL bool) {
	*h = hop{quote: quote}
	switch {
	case !pricing(ms, quote) || !ms.decimalsKnown || !quote.decimalsKnown:
		return
	case !inSOL:
		h.quoteValue = m.quoteValue(quote)
	case quote == m.sol:
		h.quoteValue = quoteValue{usd: 1, known: true, depth: math.Inf(1)}
	}
	if h.known {
		h.price = pow10(int(ms.decimals)-int(quote.decimals)) * h.usd
		h.unit = h.usd * pow10(-int(quote.decimals))
	}
}

// depth is what a trade could take out of the pool, both sides, as far as that is
// trusted, where one raw quote unit counts for unit, and no path is deeper than
// its second hop.
func (p *pool) depth(unit, second float64) float64 {
	depth := min(2*p.state.counts*unit, second)
	if p.state.reservesKnown {
		return depth
	}
	return min(depth, maxFlowDepth)
}

// weigh finds the centre: the weighted median, then the weighted mean of what
// stands near it. It sorts the candidates by price.
func weigh(cs []candidate) centre {
	total := 0.0
	for i := range cs { // few and nearly in order from last time
		total += cs[i].weight
		for j := i; j > 0 && cs[j].price < cs[j-1].price; j-- {
			cs[j], cs[j-1] = cs[j-1], cs[j]
		}
	}
	median, sum := cs[len(cs)-1].price, 0.0
	for i := range cs {
		if sum += cs[i].weight; sum >= total/2 {
			median = cs[i].price
			break
		}
	}
	c := centre{low: median / agreeBand, high: median * agreeBand, total: total}
	var w, w2, mean float64
	for i := range cs {
		k := &cs[i]
		if k.price < c.low || k.price > c.high {
			continue
		}
		st := &k.pool.state
		if c.pools == 0 || st.slot > c.newest {
			c.newest = st.slot
		}
		c.pools++
		w += k.weight
		w2 += k.weight * k.weight
		mean += k.weight * (k.price - median) // around the median: no overflow, no loss
		c.depth += k.depth
		c.gone += st.gone * k.weight
		c.trust += k.weight * k.trust
		if k.pool.quote.rank == rankSOL {
			c.solShare += k.weight
		}
		switch st.source {
		case SourceExecution:
			c.execution += k.weight
		case SourceVirtual:
			c.curve += k.weight
		}
		if !st.reservesKnown {
			c.unknownDepth += k.weight
		}
	}
	c.price = median + mean/w
	c.agree = min(w/total, 1)
	c.effective = w * w / w2
	c.solShare /= w
	c.trust /= w
	c.gone /= w
	c.execution /= w
	c.curve /= w
	c.unknownDepth /= w
	return c
}

// liquidity is what the mint's pools hold in dollars, the mint's own side
// counted at its price and at no more than the other side: what nobody has
// paid for is no liquidity. What is quoted in a second quote is worth no more than
// that can be sold for.
func liquidity(ms *mintState, cs []candidate, usd float64) float64 {
	sum := 0.0
	for i := range cs {
		half := cs[i].half
		sum += half + min(half, ms.whole(float64(cs[i].pool.state.reserveBase))*usd)
	}
	return sum
}

// quoted is what the pools hold that a mint quotes, in dollars. The sum loses a
// raw unit here and there as pools come and go, so that none may leave less
// than nothing.
func (ms *mintState) quoted(usd float64) float64 {
	if v := ms.whole(ms.state.quoting) * usd; usable(v) {
		return v
	}
	return 0
}

// priceable tells whether v can be a price.
func priceable(v float64) bool { return v >= minPrice && v <= maxPrice && !math.IsNaN(v) }
