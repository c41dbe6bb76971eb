package market

import (
	"bytes"
	"sync"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Update is what one swap brought. The caller owns it and reuses it; Apply
// resets both lists.
type Update struct {
	// Prices has the base mint's price first. A price that cannot be computed
	// is there with Known false.
	Prices []swapcast.Price
	Trades []swapcast.Trade
}

// Market holds the state of all pools and mints. Make it with New. One
// goroutine calls Apply, Retract and Settle; every other method may be called by
// any number of goroutines meanwhile.
type Market struct {
	// Static after New.
	opts            Options
	sol, usdc, usdt *mintState
	second          map[solana.PublicKey]rank // mints that quote others, beside those three

	mu sync.RWMutex // guards everything below and all that it points to

	facts
	mints     map[solana.PublicKey]*mintState
	order     []*mintState // every mint, in no particular order, for Top
	pools     map[solana.PublicKey]*pool
	mintUse   lru[mintState] // mints that quote others are not in it
	poolUse   lru[pool]
	tradeUse  lru[mintState] // mints of which trades are kept
	candleUse lru[mintState] // mints that have candles
	tokens    map[solana.PublicKey]swapcast.Token
	learned   map[solana.PublicKey]swapcast.Token // facts of followed mints, see Learn
	journal   *journal                            // nil: none is kept

	// Used by the applying goroutine only.
	scratch []candidate
	metrics *Metrics // nil while swaps are applied again
}

// facts is what a swap changes in the market as a whole; a plain value, so that
// an earlier one can be put back.
type facts struct {
	time     timeline
	lastAt   int64 // receipt of the newest swap, Unix ns
	solUSD   quoteValue
	clock    candleClock
	swapTime uint32 // of the swap that is being applied, 0 unknown
	nPools   int
	nTrades  int
	nCandles int
}

// New makes an empty market that knows the built-in tokens.
func New(opts Options) *Market {
	m := &Market{
		opts:      opts.withDefaults(),
		mints:     make(map[solana.PublicKey]*mintState),
		pools:     make(map[solana.PublicKey]*pool),
		tokens:    make(map[solana.PublicKey]swapcast.Token),
		learned:   make(map[solana.PublicKey]swapcast.Token),
		mintUse:   lru[mintState]{at: func(v *mintState) *links[mintState] { return &v.links }},
		poolUse:   lru[pool]{at: func(v *pool) *links[pool] { return &v.links }},
		tradeUse:  lru[mintState]{at: func(v *mintState) *links[mintState] { return &v.tradeLinks }},
		candleUse: lru[mintState]{at: func(v *mintState) *links[mintState] { return &v.candleLinks }},
		second:    secondQuotes(),
		metrics:   opts.Metrics,
	}
	m.AddTokens(builtinTokens())
	m.sol = m.addMint(swapcast.NativeMint(), rankSOL)
	m.usdt = m.addMint(swapcast.USDT(), rankUSDT)
	m.usdc = m.addMint(swapcast.USDC(), rankUSDC)
	if opts.JournalSwaps > 0 {
		m.keepJournal(opts.JournalSwaps)
	}
	return m
}

// Apply takes one swap into the state and fills out with the prices and trades
// that it brought (doc.go says which). It keeps nothing of s and allocates only
// for mints, pools and histories that are new.
func (m *Market) Apply(s *swapcast.Swap, out *Update) {
	out.Prices, out.Trades = out.Prices[:0], out.Trades[:0]
	if why, bad := refused(s); bad {
		m.metrics.ignore(why)
		if m.journal != nil {
			m.mu.Lock()
			m.recordSwap(s, 0, entryRefused)
			m.mu.Unlock()
		}
		return
	}
	if mt := m.metrics; mt != nil && mt.StagePrice != nil {
		start := m.opts.Now()
		defer func() { mt.StagePrice.Observe(m.opts.Now().Sub(start).Seconds()) }()
	}
	m.mu.Lock()
	defer m.mu.Unlock()

	at := s.ReceivedAt
	if at == 0 {
		at = m.opts.Now().UnixNano()
	}
	m.apply(s, at, out)
	m.sizes()
}

// apply is Apply for a swap that says something, received at the given time.
func (m *Market) apply(s *swapcast.Swap, at int64, out *Update) {
	m.recordSwap(s, at, entrySwap)
	m.lastAt = at
	restart := m.time.advance(s, m.opts.NoRestarts)
	if restart {
		m.metrics.ignore(refuseRestart)
	}
	m.timeSwap(s, at, restart)

	in, out2 := m.touch(s.MintIn, s.DecimalsIn, s.Slot), m.touch(s.MintOut, s.DecimalsOut, s.Slot)
	base, quote := order(in, out2)
	counts := m.observe(s, base, quote, at)
	m.price(s, base, quote, out)
	m.trade(s, in, out2, base, quote, counts, out)
	m.forget()
}

func (m *Market) sizes() {
	m.metrics.sizes(m.nPools, len(m.mints), m.nTrades, m.nCandles)
}

// refused tells whether a swap says nothing at all.
func refused(s *swapcast.Swap) (refusal, bool) {
	switch {
	case s.MintIn.IsZero() || s.MintOut.IsZero():
		return refuseNoMint, true
	case s.MintIn == s.MintOut:
		return refuseSelfPool, true
	case s.AmountIn == 0 || s.AmountOut == 0:
		return refuseZeroAmount, true
	}
	return 0, false
}

// touch finds or makes a mint, learns its decimals, and marks it as used.
func (m *Market) touch(mint solana.PublicKey, decimals uint8, slot uint64) *mintState {
	ms := m.mints[mint]
	if ms == nil {
		ms = m.addMint(mint, m.second[mint])
	}
	if !ms.reference() {
		m.mintUse.touch(ms)
	}
	m.journal.mint(ms)
	if !ms.learn(decimals) {
		m.metrics.ignore(refuseDecimals)
	}
	if ms.state.trades == 0 {
		ms.state.firstSlot = slot
	}
	ms.state.trades++
	ms.state.lastSlot = slot
	return ms
}

func (m *Market) addMint(mint solana.PublicKey, r rank) *mintState {
	ms := &mintState{mint: mint, rank: r, order: len(m.order)}
	if t, ok := m.tokens[mint]; ok && t.Known {
		ms.decimals, ms.decimalsKnown = t.Decimals, true
	}
	m.mints[mint] = ms
	m.order = append(m.order, ms)
	m.journal.came(coming{what: mintCame, ms: ms})
	if r == rankToken {
		m.mintUse.pushFront(ms)
	}
	return ms
}

// order says which of two mints the other one quotes. Between equals the
// address decides, so that both directions of a pool agree.
func order(a, b *mintState) (base, quote *mintState) {
	if a.rank < b.rank || a.rank == b.rank && bytes.Compare(a.mint[:], b.mint[:]) < 0 {
		return a, b
	}
	return b, a
}

// observe finds or makes the swap's pool and takes the swap into its state. It
// reports whether the swap counts as trading, beside what it says of the price.
func (m *Market) observe(s *swapcast.Swap, base, quote *mintState, at int64) bool {
	if s.Pool.IsZero() {
		m.metrics.ignore(refusePoolOwner)
		return true
	}
	p := m.pools[s.Pool]
	if p != nil && p.dex != s.DEX {
		m.metrics.ignore(refusePoolOwner)
		return true
	}
	for p != nil && (p.base != base || p.quote != quote) {
		p = p.next
	}
	if p == nil {
		p = m.addPool(s, base, quote)
	} else {
		m.poolUse.touch(p)
	}
	if p.late(s, m.time.number) {
		m.metrics.ignore(refuseLate)
		return true
	}
	m.journal.pool(p)
	before := p.state.slot
	if !p.observe(s, m.time.number, at) {
		m.metrics.ignore(refuseSpot)
	}
	p.tell()
	if p.pricing() {
		paid := float64(s.AmountIn)
		if p.state.sold {
			paid = -float64(s.AmountOut)
		}
		m.season(p, before, paid)
	}
	if p.state.washed {
		m.metrics.ignore(refuseWash)
	}
	return !p.state.washed
}

func (m *Market) addPool(s *swapcast.Swap, base, quote *mintState) *pool {
	c, _ := curveOf(s.DEX)
	p := &pool{
		address: s.Pool, program: s.Program, dex: s.DEX, curve: c, base: base, quote: quote,
		next: m.pools[s.Pool],
	}
	m.pools[s.Pool] = p
	m.nPools++
	m.journal.came(coming{what: poolCame, p: p})
	m.poolUse.pushFront(p)
	base.pools = append(base.pools, p)
	if !quote.reference() {
		quote.pools = append(quote.pools, p)
	}
	return p
}

// price fills out.Prices: the base mint, the other mint where it is no
// reference one, else the reference mint once a slot.
func (m *Market) price(s *swapcast.Swap, base, quote *mintState, out *Update) {
	c := causeOf(s)
	e := m.estimate(base, &m.scratch)
	m.keepQuote(base, &e)
	m.journal.cause(base)
	base.cause = c
	out.Prices = append(out.Prices, m.publish(base, &e))
	if quote.reference() && quote.cause.slot == s.Slot && quote.state.priced {
		return
	}
	e = m.estimate(quote, &m.scratch)
	if quote.reference() && !e.usdKnown {
		return
	}
	m.journal.cause(quote)
	quote.cause = c
	out.Prices = append(out.Prices, m.publish(quote, &e))
}

// publish makes the price of an estimate and keeps what Top needs of it.
func (m *Market) publish(ms *mintState, e *estimate) swapcast.Price {
	ms.state.liquidityUSD, ms.state.usd, ms.state.priced = e.liquidityUSD, e.usd, e.usdKnown
	return m.priceOf(ms, e)
}

func (m *Market) priceOf(ms *mintState, e *estimate) swapcast.Price {
	c := &ms.cause
	return swapcast.Price{
		Mint: ms.mint,
		USD:  e.usd, Known: e.usdKnown,
		SOL: e.sol, SOLKnown: e.solKnown,
		Confidence: e.confidence, LiquidityUSD: e.liquidityUSD,
		DEX: c.dex, Pool: c.pool, Slot: c.slot, Commitment: m.opts.Commitment,
		Signature: c.signature, BlockTime: c.blockTime, ReceivedAt: c.receivedAt,
	}
}

// trade fills out.Trades and keeps them: the seller's side of the mint that
// was given, the buyer's side of the one that was taken.
func (m *Market) trade(s *swapcast.Swap, in, taken, base, quote *mintState, counts bool, out *Update) {
	value, known := m.value(s, base, quote)
	for i, ms := range [2]*mintState{in, taken} {
		t := swapcast.Trade{
			Mint: ms.mint, Side: swapcast.Sell, Amount: s.AmountIn, Decimals: ms.decimals,
			Trader: s.Trader, DEX: s.DEX, Pool: s.Pool, Slot: s.Slot,
			Signature: s.Signature, Index: s.Index, Commitment: m.opts.Commitment,
			BlockTime: s.BlockTime, ReceivedAt: s.ReceivedAt,
		}
		if i == 1 {
			t.Side, t.Amount = swapcast.Buy, s.AmountOut
		}
		if known && ms.decimalsKnown && !rounded(s) {
			if usd := value / ms.whole(float64(t.Amount)); priceable(usd) {
				t.USD, t.AmountUSD, t.Known = usd, value, true
				if counts {
					ms.state.addVolume(value, s.Slot)
				}
				m.candle(ms, &contribution{m.swapTime, ms.state.usd, value}, s.ReceivedAt)
			}
		}
		out.Trades = append(out.Trades, t)
		m.journal.trade(ms, m.opts.TradesPerMint)
		grown := ms.trades.add(&t, m.opts.TradesPerMint)
		m.nTrades += grown
		if grown > 0 && len(ms.trades.buf) == 1 {
			m.tradeUse.pushFront(ms)
		} else {
			m.tradeUse.touch(ms)
		}
	}
}

// value is what a swap was worth in dollars: what the reference side holds
// where there is one, else the side whose price is trusted more.
func (m *Market) value(s *swapcast.Swap, base, quote *mintState) (float64, bool) {
	amount := func(ms *mintState) float64 {
		if ms.mint == s.MintIn {
			return ms.whole(float64(s.AmountIn))
		}
		return ms.whole(float64(s.AmountOut))
	}
	if q := m.quoteValue(quote); q.known {
		v := amount(quote) * q.usd
		return v, usable(v)
	}
	b := m.estimate(base, &m.scratch)
	side, usd, known := base, b.usd, b.usdKnown
	if !quote.reference() {
		if q := m.estimate(quote, &m.scratch); q.usdKnown && q.confidence > b.confidence {
			side, usd, known = quote, q.usd, true
		}
	}
	v := amount(side) * usd
	return v, known && usable(v)
}
