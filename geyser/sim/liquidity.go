package sim

// liquidity adds to a pool or takes away from it: two transfers in one
// direction, never a swap. Whirlpool, CPMM and Raydium v4 do it here.
func (m *Market) liquidity() bool {
	v := m.venues[m.rng.n(len(m.venues))]
	w := m.bots[m.rng.n(len(m.bots))]
	part := m.rng.between(0.0001, 0.002)
	add := m.rng.chance(0.5)
	p := v.base()
	if m.holds(w, p.a) < p.vaultA.amount/100 || m.holds(w, p.b) < p.vaultB.amount/100 || w.lamports < 1_000_000_000 {
		return false
	}
	d := deposit{pool: p, w: w, ta: m.token(w, p.a), tb: m.token(w, p.b), part: part, add: add}
	switch v := v.(type) {
	case *whirlpool:
		if v.v2 {
			return false
		}
		m.begin(w, 120_000)
		v.liquidity(&m.b, &d)
	case *raydiumCPMM:
		m.begin(w, 120_000)
		v.liquidity(&m.b, &d)
	case *raydiumV4:
		m.begin(w, 120_000)
		v.liquidity(&m.b, &d)
	default:
		return false
	}
	return true
}

// deposit is a change of liquidity: by a part of what the pool holds, in or out.
type deposit struct {
	pool   *pool
	w      *wallet
	ta, tb *acct
	part   float64
	add    bool
}

func (v *whirlpool) liquidity(b *builder, d *deposit) {
	dl, x, y := v.grow(d.part, d.add)
	position, nft := v.m.newAcct(2_394_240), v.m.newAcct(rentToken)
	b.call(v.dex.program, 1)
	if d.add {
		b.log("Instruction: IncreaseLiquidity")
		b.bytes([]byte{0x2e, 0x9c, 0xf3, 0x76, 0x0d, 0xcd, 0xfb, 0xb2})
	} else {
		b.log("Instruction: DecreaseLiquidity")
		b.bytes([]byte{0xa0, 0x26, 0xd0, 0x6f, 0x68, 0x5b, 0x2c, 0x01})
	}
	b.acc(wr, v.id)
	b.acc(ro, v.m.prog.token, d.w.acct)
	b.acc(wr, position)
	b.acc(ro, nft)
	b.acc(wr, d.ta, d.tb, v.vaultA, v.vaultB, v.ticks[0], v.ticks[1])
	b.buf = u128{0, dl}.append(b.buf)
	b.u64(x)
	b.u64(y)
	d.move(b, x, y, false)
	b.ret(40_000)
}

func (v *raydiumCPMM) liquidity(b *builder, d *deposit) {
	m := v.m
	x, y := part64(v.x, d.part, d.add), part64(v.y, d.part, d.add)
	lp, lpUser := m.newAcct(rentMint), m.newAcct(rentToken)
	b.call(v.dex.program, 1)
	b.acc(ro, d.w.acct, v.auth)
	b.acc(wr, v.id, lpUser, d.ta, d.tb, v.vaultA, v.vaultB)
	b.acc(ro, m.prog.token, m.prog.token22, v.a.acct, v.b.acct)
	b.acc(wr, lp)
	if d.add {
		b.log("Instruction: Deposit")
		b.bytes([]byte{0xf2, 0x23, 0xc6, 0x89, 0x52, 0xe1, 0xf2, 0xb6})
		v.x, v.y = v.x+x, v.y+y
	} else {
		b.log("Instruction: Withdraw")
		b.acc(ro, m.prog.memo)
		b.bytes([]byte{0xb7, 0x12, 0x46, 0x9c, 0x94, 0x6d, 0xa1, 0x22})
		v.x, v.y = v.x-x, v.y-y
	}
	b.u64(x / 2)
	b.u64(x)
	b.u64(y)
	d.move(b, x, y, true)
	b.ret(40_000)
}

func (v *raydiumV4) liquidity(b *builder, d *deposit) {
	m := v.m
	x, y := part64(v.x, d.part, d.add), part64(v.y, d.part, d.add)
	lp, lpUser := m.newAcct(rentMint), m.newAcct(rentToken)
	b.call(v.dex.program, 1)
	b.acc(ro, m.prog.token)
	b.acc(wr, v.id)
	b.acc(ro, v.auth, v.openOrders)
	b.acc(wr, v.target, lp, v.vaultA, v.vaultB)
	if d.add {
		b.acc(ro, v.market)
		b.acc(wr, d.ta, d.tb, lpUser)
		b.acc(ro, d.w.acct, v.queue)
		b.data(3)
		b.u64(x)
		b.u64(y)
		b.u64(0)
		v.x, v.y = v.x+x, v.y+y
	} else {
		b.acc(ro, v.marketProgram)
		b.acc(wr, v.market, v.marketCoin, v.marketPc)
		b.acc(ro, v.vaultSigner)
		b.acc(wr, lpUser, d.ta, d.tb)
		b.acc(ro, d.w.acct)
		b.acc(wr, v.queue, v.bids, v.asks)
		b.data(4)
		b.u64(x / 2)
		v.x, v.y = v.x-x, v.y-y
	}
	d.move(b, x, y, false)
	b.ret(30_000)
}

// part64 is a part of a reserve, rounded in favour of the pool.
func part64(v uint64, part float64, up bool) uint64 {
	n := uint64(float64(v) * part)
	if up {
		n++
	}
	return n
}

// move moves both tokens in one direction. The liquidity token's own mint or
// burn is left out.
func (d *deposit) move(b *builder, x, y uint64, checked bool) {
	send := b.transfer
	if checked {
		send = b.transferChecked
	}
	p := d.pool
	if d.add {
		send(d.ta, p.vaultA, d.w.acct, x, 2)
		send(d.tb, p.vaultB, d.w.acct, y, 2)
		return
	}
	send(p.vaultA, d.ta, p.auth, x, 2)
	send(p.vaultB, d.tb, p.auth, y, 2)
}
