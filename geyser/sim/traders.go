package sim

import "math"

// Shares of the transactions. What is left over trades directly.
const (
	shareVote      = 0.03
	shareSOL       = 0.03
	shareToken     = 0.04
	shareFailed    = 0.05
	shareLiquidity = 0.015
	shareCurve     = 0.13
	shareGrown     = 0.04
	shareArb       = 0.24
	shareRouted    = 0.16
	shareTwice     = 0.02
)

// act builds the next transaction in m.b.
func (m *Market) act() {
	if m.launchDue() {
		m.launch()
		return
	}
	if m.migrateDue() {
		return
	}
	r := m.rng.f()
	take := func(share float64) bool {
		r -= share
		return r < 0
	}
	done := false
	switch {
	case take(shareVote):
		m.vote()
		done = true
	case take(shareSOL):
		m.sendSOL()
		done = true
	case take(shareToken):
		done = m.sendToken()
	case take(shareFailed):
		done = m.direct(true)
	case take(shareLiquidity):
		done = m.liquidity()
	case take(shareCurve):
		done = m.tradeCurve()
	case take(shareGrown):
		done = m.tradeGrown()
	case take(shareArb):
		done = m.arbPair() || m.arbMid()
	case take(shareRouted):
		done = m.routed()
	case take(shareTwice):
		done = m.twice()
	}
	if !done && !m.direct(false) {
		m.sendSOL()
	}
}

// tvl is what a pool of listed tokens holds, US dollars.
func (m *Market) tvl(p *pool) float64 {
	if p.a.index < 0 {
		return 2 * float64(p.vaultB.amount) * m.usdRaw(p.b)
	}
	return float64(p.vaultA.amount)*m.usdRaw(p.a) + float64(p.vaultB.amount)*m.usdRaw(p.b)
}

// size is how much a noise trader would like to trade, US dollars: a person's
// trade, now and then a big one, never much of the pool.
func (m *Market) size(p *pool) float64 {
	usd := m.rng.logNormal(90, 1.5)
	return min(usd, m.tvl(p)*0.0006)
}

func (m *Market) someone() *wallet { return m.wallets[m.rng.n(len(m.wallets))] }

// lamportReserve is what a wallet must have before it makes a transaction that
// opens accounts.
const lamportReserve = 40_000_000

// priority draws a compute budget and its price.
func (m *Market) priority(limit uint32) (uint32, uint64) {
	limit += uint32(m.rng.n(20_000))
	return limit, uint64(m.rng.logNormal(40_000, 1.2))
}

// begin begins a transaction with its compute budget.
func (m *Market) begin(w *wallet, limit uint32) {
	limit, price := m.priority(limit)
	m.b.begin(w.acct, priorityFee(limit, price))
	m.b.computeBudget(limit, price)
}

// spend makes a wallet's token account ready to pay amount: wrapped on the spot
// for SOL. It returns what to close afterwards.
func (m *Market) spend(w *wallet, mn *mint, amount uint64) (src, closing *acct) {
	b := &m.b
	src = m.token(w, mn)
	if !mn.native || w.bot {
		return src, nil
	}
	b.createATA(w.acct, src, false, 1)
	b.wrap(w.acct, src, amount)
	return src, src
}

// receive makes a wallet's token account ready to be paid.
func (m *Market) receive(w *wallet, mn *mint) (dst, closing *acct) {
	dst = m.token(w, mn)
	if !dst.live {
		m.b.createATA(w.acct, dst, !mn.native && m.rng.chance(0.2), 1)
	}
	if mn.native && !w.bot {
		closing = dst
	}
	return dst, closing
}

// lean is how strongly the public minds a pool's price: the chance of the side
// that brings the price back to the true mid grows by it for each fee that the
// pool stands off, up to certainty. The same people see the price on other
// venues, so they buy where a pool is cheap and sell where it is dear; with no
// lean at all every pool would wander from one edge of its fee to the other.
const lean = 1.5

// side draws the direction of somebody's trade: either with the same chance at
// the true mid, whatever the people hold.
func (m *Market) side(v venue) (aToB bool) {
	p := v.base()
	off := math.Log(v.price()/m.rawPrice(p.a, p.b)) / v.feeRate()
	return m.rng.f() < 0.5+float64(lean/2*off)
}

// holder draws a wallet that can pay so many dollars of a token; where none of
// many can, it is the last one looked at, and able is false.
func (m *Market) holder(mn *mint, usd float64) (w *wallet, able bool) {
	for range 40 {
		w = m.someone()
		if w.lamports >= lamportReserve && float64(m.holds(w, mn))*m.usdRaw(mn)*0.8 >= usd {
			return w, true
		}
	}
	return w, false
}

// direct is one noise trade straight at a pool; with fail it meets its
// slippage limit.
func (m *Market) direct(fail bool) bool {
	v := m.venues[m.rng.n(len(m.venues))]
	p := v.base()
	aToB := m.side(v)
	mi, mo, _, _ := p.sides(aToB)
	usd := m.size(p)
	w, able := m.holder(mi, usd)
	if !able {
		m.topUp(w, mi)
		return true
	}
	if m.deposit(w, mo) {
		return true
	}
	in := uint64(usd / m.usdRaw(mi))
	f := v.quote(aToB, in)
	if !f.ok {
		return false
	}
	m.begin(w, 150_000)
	m.b.dry = fail
	m.trade(w, v, aToB, in, f.out)
	return true
}

// trade writes the accounts, the swap and the clean-up of a direct trade.
func (m *Market) trade(w *wallet, v venue, aToB bool, in, out uint64) {
	b := &m.b
	mi, mo, _, _ := v.base().sides(aToB)
	src, c1 := m.spend(w, mi, in)
	dst, c2 := m.receive(w, mo)
	minOut := out - mulDiv(out, uint64(30+m.rng.n(300)), 10_000)
	if b.dry {
		minOut = out + out/50 + 1
	}
	u := party{auth: w.acct, trader: w.acct, src: src, dst: dst}
	v.swap(b, &u, aToB, in, minOut, 1)
	if b.failed {
		return
	}
	for _, c := range [...]*acct{c1, c2} {
		if c != nil {
			b.closeAccount(c)
		}
	}
}

// twice is one wallet that swaps in two pools in one transaction.
func (m *Market) twice() bool {
	v1, v2 := m.venues[m.rng.n(len(m.venues))], m.venues[m.rng.n(len(m.venues))]
	w := m.bots[m.rng.n(len(m.bots))]
	m.begin(w, 240_000)
	b := &m.b
	for _, v := range [...]venue{v1, v2} {
		p := v.base()
		aToB := m.side(v)
		mi, mo, _, _ := p.sides(aToB)
		in := uint64(m.size(p) / m.usdRaw(mi))
		f := v.quote(aToB, in)
		if !f.ok || m.holds(w, mi) < in {
			continue
		}
		u := party{auth: w.acct, trader: w.acct, src: m.token(w, mi), dst: m.token(w, mo)}
		v.swap(b, &u, aToB, in, f.out-f.out/100, 1)
	}
	return true
}

// arbMid is an arbitrageur who knows the true mid and trades the pool that is
// furthest from it back to the edge of its fee.
func (m *Market) arbMid() bool {
	var best venue
	worst, target := 0.0, 0.0
	for range 6 {
		v := m.venues[m.rng.n(len(m.venues))]
		p := v.base()
		mid := m.rawPrice(p.a, p.b)
		edge := v.feeRate() + 0.0003
		if d, ok := v.(*dlmm); ok {
			edge += d.step / 2
		}
		off := math.Abs(math.Log(v.price()/mid)) - edge
		if off > worst {
			worst, best = off, v
			target = mid * (1 + v.feeRate())
			if v.price() < mid {
				target = mid / (1 + v.feeRate())
			}
		}
	}
	if best == nil {
		return false
	}
	aToB, in := best.toward(target)
	return m.botTrade(best, aToB, in)
}

// leastArbitrage is the size in US dollars below which no bot bothers: its gain
// would not pay the fee.
const leastArbitrage = 2

// botTrade is a direct trade by a bot, with a tip. It is capped by what the bot
// holds.
func (m *Market) botTrade(v venue, aToB bool, in uint64) bool {
	w := m.bots[m.rng.n(len(m.bots))]
	mi, mo, _, _ := v.base().sides(aToB)
	in = min(in, uint64(250_000/m.usdRaw(mi)))
	if float64(in)*m.usdRaw(mi) < leastArbitrage {
		return false
	}
	if have := m.holds(w, mi); have < in || have < uint64(100_000/m.usdRaw(mi)) {
		m.topUp(w, mi)
		return true
	}
	if w.lamports < 1_000_000_000 {
		m.topUp(w, m.mints[tokSOL])
		return true
	}
	if m.deposit(w, mo) {
		return true
	}
	f := v.quote(aToB, in)
	if !f.ok {
		return false
	}
	m.begin(w, 120_000)
	b := &m.b
	u := party{auth: w.acct, trader: w.acct, src: m.token(w, mi), dst: m.token(w, mo)}
	v.swap(b, &u, aToB, in, f.out, 1)
	if m.rng.chance(0.5) {
		b.systemTransfer(w.acct, m.tip, uint64(1000+m.rng.n(90_000)), 1)
	}
	return true
}

// arbPair is an arbitrageur who buys in one pool and sells in another one of
// the same pair, in one transaction.
func (m *Market) arbPair() bool {
	v := m.venues[m.rng.n(len(m.venues))]
	p := v.base()
	group := m.byPair[pairKey(p.a.index, p.b.index)]
	if len(group) < 2 {
		return false
	}
	cheap, dear := group[0], group[0]
	for _, g := range group[1:] {
		if g.base().a != p.a {
			continue
		}
		if g.price() < cheap.price() {
			cheap = g
		}
		if g.price() > dear.price() {
			dear = g
		}
	}
	lo, hi := cheap.price(), dear.price()
	if cheap == dear || math.Log(hi/lo) < cheap.feeRate()+dear.feeRate()+0.0004 {
		return false
	}
	middle := math.Sqrt(lo * hi)
	_, in := cheap.toward(middle)
	in = min(in/2, uint64(200_000/m.usdRaw(p.b)))
	f1 := cheap.quote(false, in)
	if !f1.ok {
		return false
	}
	// The smaller of the two pools says how much is worth doing.
	if _, room := dear.toward(middle); f1.out > room/2 {
		in = uint64(float64(in) * float64(room/2) / float64(f1.out))
		if f1 = cheap.quote(false, in); !f1.ok {
			return false
		}
	}
	f2 := dear.quote(true, f1.out)
	if !f2.ok || f2.out <= f1.in || float64(in)*m.usdRaw(p.b) < leastArbitrage {
		return false
	}
	w := m.bots[m.rng.n(len(m.bots))]
	if m.holds(w, p.b) < in || w.lamports < 1_000_000_000 {
		return false
	}
	m.begin(w, 220_000)
	b := &m.b
	ta, tb := m.token(w, p.a), m.token(w, p.b)
	u := party{auth: w.acct, trader: w.acct, src: tb, dst: ta}
	cheap.swap(b, &u, false, in, f1.out, 1)
	u = party{auth: w.acct, trader: w.acct, src: ta, dst: tb}
	dear.swap(b, &u, true, f1.out, in, 1)
	b.systemTransfer(w.acct, m.tip, uint64(5000+m.rng.n(200_000)), 1)
	return true
}

// topUp sends a wallet some of a token from the exchange.
func (m *Market) topUp(w *wallet, mn *mint) {
	b := &m.b
	usd := m.rng.logNormal(900, 1)
	if w.bot {
		usd = 2e6
	}
	amount := uint64(usd / m.usdRaw(mn))
	if mn.native && !w.bot || w.lamports < lamportReserve {
		sol := m.mints[tokSOL]
		m.begin(m.bank, 1000)
		b.systemTransfer(m.bank.acct, w.acct, max(uint64(usd/m.usdRaw(sol)), 100_000_000), 1)
		return
	}
	m.begin(m.bank, 40_000)
	dst := m.token(w, mn)
	b.createATA(m.bank.acct, dst, false, 1)
	src := m.token(m.bank, mn)
	b.transferChecked(src, dst, m.bank.acct, min(amount, src.amount), 1)
}

// What a wallet keeps at most of one token, US dollars. The rest goes back to
// the exchange, so that no run ends with all of a token in one place.
const (
	richWallet = 25_000
	richBot    = 6e7
)

// deposit sends half of what a wallet has of a token to the exchange if that is
// too much.
func (m *Market) deposit(w *wallet, mn *mint) bool {
	if mn.index < 0 {
		return false
	}
	limit := float64(richWallet)
	if w.bot {
		limit = richBot
	}
	have := m.holds(w, mn)
	if float64(have)*m.usdRaw(mn) < limit {
		return false
	}
	if mn.native && !w.bot {
		m.begin(w, 1000)
		m.b.systemTransfer(w.acct, m.bank.acct, have/2, 1)
		return true
	}
	m.begin(w, 40_000)
	dst := m.token(m.bank, mn)
	if !dst.live {
		m.b.createATA(w.acct, dst, false, 1)
	}
	m.b.transferChecked(m.token(w, mn), dst, w.acct, have/2, 1)
	return true
}

// sendSOL is a plain transfer of SOL between two wallets.
func (m *Market) sendSOL() {
	from, to := m.someone(), m.someone()
	if from == to || from.lamports < 200_000_000 {
		from = m.bank
	}
	m.begin(from, 1000)
	amount := min(uint64(m.rng.logNormal(0.3e9, 1.2)), from.lamports/2)
	m.b.systemTransfer(from.acct, to.acct, max(amount, 1_000_000), 1)
}

// sendToken is a transfer of tokens between two wallets.
func (m *Market) sendToken() bool {
	from, to := m.someone(), m.someone()
	if from == to || from.lamports < lamportReserve {
		return false
	}
	mn := m.mints[1+m.rng.n(len(m.mints)-1)]
	have := m.holds(from, mn)
	if have == 0 {
		return false
	}
	b := &m.b
	m.begin(from, 40_000)
	dst := m.token(to, mn)
	if !dst.live {
		b.createATA(from.acct, dst, false, 1)
	}
	b.transferChecked(m.token(from, mn), dst, from.acct, 1+uint64(float64(have)*m.rng.between(0.05, 0.6)), 1)
	return true
}

// vote is a validator's vote: TowerSync (14), with its 31 lockouts, root,
// blockhash and timestamp.
func (m *Market) vote() {
	v := m.voters[m.rng.n(len(m.voters))]
	b := &m.b
	b.begin(v.id, 0)
	b.vote = true
	b.call(m.prog.vote, 1)
	b.acc(wr, v.account)
	b.acc(wr|signer, v.id)
	b.u32(14)
	b.u64(m.parent - 31)
	b.data(31)
	for i := range 31 {
		b.data(1, byte(31-i))
	}
	h := m.blockhash(m.parent)
	b.bytes(h[:])
	b.data(1)
	b.u64(uint64(m.unixNow()))
	h = m.blockhash(m.parent ^ 1<<63)
	b.bytes(h[:])
	b.ret(2100)
}
