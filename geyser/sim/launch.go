package sim

import (
	"math"
	"strconv"

	"github.com/gagliardetto/solana-go"
)

const (
	maxCurves = 40 // launched tokens that are still traded on Pump.fun
	maxGrown  = 12 // migrated ones that are still traded on PumpSwap
)

// launchDue says whether it is time for the next launch. It is asked once for
// each transaction.
func (m *Market) launchDue() bool {
	if m.opt.Launches < 0 {
		return false
	}
	m.launchCarry += m.opt.Launches / 60 / float64(m.opt.TPS)
	if m.launchCarry < 1 {
		return false
	}
	m.launchCarry--
	return true
}

//nolint:gochecknoglobals // word lists, never written
var (
	nameFirst  = []string{"Moon", "Based", "Giga", "Tiny", "Sleepy", "Turbo", "Wen", "Grumpy", "Lucky", "Quantum", "Retro", "Salty", "Golden", "Pixel", "Cosmic", "Lazy"}
	nameSecond = []string{"Frog", "Dog", "Cat", "Goose", "Penguin", "Otter", "Hamster", "Wizard", "Toaster", "Capybara", "Banana", "Raccoon", "Pickle", "Yeti", "Llama", "Shrimp"}
)

// pumpKey is a made-up mint address that ends in "pump", as Pump.fun's do.
func (m *Market) pumpKey() solana.PublicKey {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	var s [44]byte
	for i := range 40 {
		s[i] = alphabet[m.keys.n(len(alphabet))]
	}
	// 44 digits beginning with 2 to H are 32 bytes, no more and no less.
	s[0] = alphabet[1+m.keys.n(15)]
	copy(s[40:], "pump")
	return solana.MustPublicKeyFromBase58(string(s[:]))
}

// launch creates a token on Pump.fun; its creator buys the first ones.
func (m *Market) launch() {
	b := &m.b
	w := m.someone()
	if w.lamports < 3_000_000_000 {
		m.launchCarry++
		m.topUp(w, m.mints[tokSOL])
		return
	}
	first, second := nameFirst[m.rng.n(len(nameFirst))], nameSecond[m.rng.n(len(nameSecond))]
	c := &bondingCurve{
		mint: &mint{
			acct:     &acct{key: m.pumpKey()},
			index:    -1,
			decimals: 6,
			program:  m.prog.token22,
			unit:     1e6,
			rent:     rentToken22,
		},
		m:       m,
		name:    first + " " + second,
		creator: w, creatorVault: m.newAcct(0),
		mayhem: m.newAcct(0), mayhemTokens: m.newAcct(0),
		id: m.newAcct(0), id2: m.newAcct(0),
		virtualSOL: curveVirtualSOL, virtualToken: curveVirtualToken, realToken: curveRealToken,
		heat: m.rng.logNormal(1, 0.7),
	}
	c.symbol = first[:2] + second[:min(3, len(second))]
	if m.rng.chance(0.2) {
		c.heat *= 6
	}
	c.tokens = &acct{key: m.ataKey(c.id, c.mint), mint: c.mint, owner: c.id}
	m.curves = append(m.curves, c)
	if len(m.curves) > maxCurves {
		m.forgetCurve()
	}

	limit, price := m.priority(300_000)
	b.begin(w.acct, priorityFee(limit, price))
	b.addSigner(c.mint.acct)
	b.computeBudget(limit, price)
	c.create(b, "https://example.com/"+strconv.FormatUint(m.slot, 10)+"/"+c.symbol+".json")
	ata := m.token(w, c.mint)
	b.createATA(w.acct, ata, false, 1)
	amount := c.affordable(uint64(m.rng.between(0.05, 1.2) * 1e9))
	c.holders = append(c.holders, w)
	sol := c.cost(amount)
	fee, creator := feesOf(sol)
	c.buy(b, w, amount, (sol+fee+creator)*11/10)
	c.lastSlot = m.slot
}

// forgetCurve drops the token that nobody has touched for longest: its accounts
// are never seen again.
func (m *Market) forgetCurve() {
	k := 0
	for i, c := range m.curves[:len(m.curves)-1] {
		if c.lastSlot < m.curves[k].lastSlot {
			k = i
		}
	}
	c := m.curves[k]
	m.curves = append(m.curves[:k], m.curves[k+1:]...)
	c.forget()
}

func (c *bondingCurve) forget() {
	for _, w := range c.holders {
		delete(w.extra, c.mint)
	}
	c.holders = nil
}

// tradeCurve buys or sells a launched token on its curve.
func (m *Market) tradeCurve() bool {
	if len(m.curves) == 0 {
		return false
	}
	c := m.curves[m.rng.n(len(m.curves))]
	for range 3 {
		if o := m.curves[m.rng.n(len(m.curves))]; o.heat > c.heat {
			c = o
		}
	}
	if c.complete {
		return false
	}
	buying := 0.5 + float64(0.22*math.Tanh(c.heat-0.8))
	c.heat *= 0.9992
	if m.rng.chance(buying) || len(c.holders) == 0 {
		return m.buyCurve(c)
	}
	return m.sellCurve(c)
}

func (m *Market) buyCurve(c *bondingCurve) bool {
	w := m.someone()
	if w.lamports < 300_000_000 {
		m.topUp(w, m.mints[tokSOL])
		return true
	}
	budget := min(uint64(m.rng.logNormal(0.35e9, 1.1)*math.Sqrt(c.heat)), w.lamports/2)
	amount := c.affordable(budget)
	if amount == 0 {
		return false
	}
	b := &m.b
	m.begin(w, 130_000)
	ata := m.token(w, c.mint)
	if !ata.live {
		b.createATA(w.acct, ata, false, 1)
		c.holders = append(c.holders, w)
	}
	sol := c.cost(amount)
	fee, creator := feesOf(sol)
	c.buy(b, w, amount, (sol+fee+creator)*105/100)
	if m.rng.chance(0.3) {
		b.systemTransfer(w.acct, m.tip, uint64(100_000+m.rng.n(1_000_000)), 1)
	}
	return true
}

func (m *Market) sellCurve(c *bondingCurve) bool {
	w := c.holders[m.rng.n(len(c.holders))]
	ata := m.token(w, c.mint)
	if ata.amount == 0 || w.lamports < lamportReserve {
		return false
	}
	amount := ata.amount
	if m.rng.chance(0.6) {
		amount = max(1, uint64(float64(amount)*m.rng.between(0.2, 0.9)))
	}
	if mulDiv(c.virtualSOL, amount, c.virtualToken+amount) < 10_000 {
		return false
	}
	m.begin(w, 110_000)
	c.sell(&m.b, w, amount, 0)
	return true
}

// migrateDue moves the first completed curve's liquidity to PumpSwap.
func (m *Market) migrateDue() bool {
	for i, c := range m.curves {
		if c.complete {
			m.curves = append(m.curves[:i], m.curves[i+1:]...)
			m.migrate(c)
			m.grown = append(m.grown, c)
			if len(m.grown) > maxGrown {
				m.grown[0].forget()
				m.grown = append(m.grown[:0], m.grown[1:]...)
			}
			return true
		}
	}
	return false
}

// migrate writes Pump.fun's migrate (9beae792ec9ea21e, no arguments). The
// account list is that of the IDL in pump-sdk 2.0.0. No real one was at hand:
// the inner instructions are the essential ones, simplified: the tokens and
// the SOL that move, the new accounts, and the two events.
func (m *Market) migrate(c *bondingCurve) {
	b := &m.b
	s := &m.shared
	sol := m.mints[tokSOL]
	prog, amm := m.dexes.pump, m.dexes.pumpSwap
	w := s.migrator
	if w.lamports < 500_000_000 {
		w = m.bank.acct
	}
	limit, price := m.priority(400_000)
	b.begin(w, priorityFee(limit, price))
	b.computeBudget(limit, price)

	const fee = 15_000_001 // lamports that the migration itself costs
	auth, lp := m.newAcct(0), m.newAcct(0)
	authTokens := &acct{key: m.ataKey(auth, c.mint), mint: c.mint, owner: auth}
	authSOL := &acct{key: m.ataKey(auth, sol), mint: sol, owner: auth}
	lpUser := m.newAcct(0)
	p := m.newPumpSwap(c.mint, sol, 0, 0, c.creator.acct)
	p.vaultA.live, p.vaultB.live = false, false
	p.vaultA.lamports, p.vaultB.lamports, p.id.lamports = 0, 0, 0
	p.id.alt, p.vaultA.alt, p.vaultB.alt = 0, 0, 0

	b.call(prog.program, 1)
	b.log("Instruction: Migrate")
	b.acc(ro, s.pumpGlobal)
	b.acc(wr, s.pumpFeeTo)
	b.acc(ro, c.mint.acct)
	b.acc(wr, c.id, c.tokens)
	b.acc(wr|signer, w)
	b.acc(ro, m.prog.system, c.program, amm.program)
	b.acc(wr, p.id, auth, authTokens, authSOL)
	b.acc(ro, s.swapConfig, sol.acct)
	b.acc(wr, lp, lpUser, p.vaultA, p.vaultB)
	b.acc(ro, m.prog.token22, m.prog.ata, amm.event, prog.event, prog.program, m.prog.rent)
	b.bytes([]byte{0x9b, 0xea, 0xe7, 0x92, 0xec, 0x9e, 0xa2, 0x1e})

	b.createATA(w, authTokens, true, 2)
	b.createATA(w, authSOL, true, 2)
	tokens := c.tokens.amount
	quote := c.realSOL - fee
	b.transferChecked(c.tokens, authTokens, c.id, tokens, 2)
	b.pay(c.id, s.pumpFeeTo, fee)
	b.pay(c.id, authSOL, quote)
	b.call(sol.program, 2)
	b.log("Instruction: SyncNative")
	b.acc(wr, authSOL)
	b.data(17)
	authSOL.amount += quote
	b.ret(3045)

	p.x, p.y = tokens, quote
	m.createPool(c, p, w, auth, lp, lpUser, authTokens, authSOL)

	e := append(b.event[:0], 0xbd, 0xe9, 0x5d, 0xb9, 0x5c, 0x94, 0xea, 0x94)
	e = append(e, w.key[:]...)
	e = append(e, c.key[:]...)
	for _, v := range [...]uint64{tokens, quote, fee} {
		e = le.AppendUint64(e, v)
	}
	e = append(e, c.id.key[:]...)
	e = le.AppendUint64(e, uint64(m.unixNow()))
	e = append(e, p.id.key[:]...)
	e = append(e, zeroKey[:]...)
	b.event = e
	b.emitCPI(prog.program, prog.event, 2, e, 2125)
	b.ret(40_000)
	c.pool = p
}

// createPool is PumpSwap's create_pool (e992d18ecf6840bc) as the migration calls
// it: index, amounts, creator, is_mayhem_mode.
func (m *Market) createPool(c *bondingCurve, p *pumpSwap, w, auth, lp, lu, at, as *acct) {
	b := &m.b
	amm, sol, s := p.dex, m.mints[tokSOL], &m.shared
	b.call(amm.program, 2)
	b.log("Instruction: CreatePool")
	b.acc(wr, p.id)
	b.acc(ro, s.swapConfig)
	b.acc(wr, auth)
	b.acc(ro, c.mint.acct, sol.acct)
	b.acc(wr, lp, at, as, lu, p.vaultA, p.vaultB)
	b.acc(ro, m.prog.system, m.prog.token22, c.program, sol.program, m.prog.ata, amm.event, amm.program)
	b.bytes([]byte{0xe9, 0x92, 0xd1, 0x8e, 0xcf, 0x68, 0x40, 0xbc})
	b.u16(0)
	b.u64(p.x)
	b.u64(p.y)
	b.bytes(c.creator.key[:])
	b.data(0)
	b.createAccount(w, p.id, 2_978_880, 300, amm.program, 3)
	b.createATA(w, p.vaultA, true, 3)
	b.createATA(w, p.vaultB, true, 3)
	b.transferChecked(at, p.vaultA, auth, p.x, 3)
	b.transferChecked(as, p.vaultB, auth, p.y, 3)
	m.createPoolEvent(c, p, auth, lp, at, as)
	b.ret(60_000)
}

func (m *Market) createPoolEvent(c *bondingCurve, p *pumpSwap, auth, lp, ub, uq *acct) {
	b := &m.b
	e := append(b.event[:0], 0xb1, 0x31, 0x0c, 0xd2, 0xa0, 0x76, 0xa7, 0x74)
	e = le.AppendUint64(e, uint64(m.unixNow()))
	e = append(e, 0, 0)
	e = append(e, auth.key[:]...)
	e = append(e, c.key[:]...)
	e = append(e, m.mints[tokSOL].key[:]...)
	e = append(e, 6, 9)
	l := uint64(math.Sqrt(float64(p.x) * float64(p.y)))
	for _, v := range [...]uint64{p.x, p.y, p.x, p.y, 100, l, l - 100} {
		e = le.AppendUint64(e, v)
	}
	e = append(e, 255)
	for _, k := range [...]*acct{p.id, lp, ub, uq, c.creator.acct} {
		e = append(e, k.key[:]...)
	}
	e = append(e, 0)
	b.event = e
	b.logData(e)
	b.emitCPI(p.dex.program, p.dex.event, 3, e, 2027)
}

// tradeGrown trades a migrated token on PumpSwap.
func (m *Market) tradeGrown() bool {
	if len(m.grown) == 0 {
		return false
	}
	c := m.grown[m.rng.n(len(m.grown))]
	w := m.someone()
	aToB := m.rng.chance(0.49) && len(c.holders) > 0
	if aToB {
		w = c.holders[m.rng.n(len(c.holders))]
	}
	if w.lamports < 300_000_000 {
		m.topUp(w, m.mints[tokSOL])
		return true
	}
	var in uint64
	if aToB {
		in = m.holds(w, c.mint)
		in = min(in, c.pool.x/100)
	} else {
		in = min(uint64(m.rng.logNormal(0.4e9, 1)), w.lamports/3, c.pool.y/100)
	}
	f := c.pool.quote(aToB, in)
	if !f.ok || f.out < 1000 {
		return false
	}
	if a := m.token(w, c.mint); !a.live {
		c.holders = append(c.holders, w)
	}
	m.begin(w, 170_000)
	m.trade(w, c.pool, aToB, in, f.out)
	return true
}
