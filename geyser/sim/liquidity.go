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
	ta, tb := m.token(w, p.a), m.token(w, p.b)
	b := &m.b
	switch v := v.(type) {
	case *whirlpool:
		if v.v2 {
			return false
		}
		m.begin(w, 120_000)
		dl, x, y := v.grow(part, add)
		position := m.newAcct(2_394_240)
		nft := m.newAcct(rentToken)
		b.call(p.dex.program, 1)
		if add {
			b.log("Instruction: IncreaseLiquidity")
		} else {
			b.log("Instruction: DecreaseLiquidity")
		}
		b.acc(wr, p.id)
		b.acc(ro, m.prog.token, w.acct)
		b.acc(wr, position)
		b.acc(ro, nft)
		b.acc(wr, ta, tb, p.vaultA, p.vaultB, v.ticks[0], v.ticks[1])
		if add {
			b.bytes([]byte{0x2e, 0x9c, 0xf3, 0x76, 0x0d, 0xcd, 0xfb, 0xb2})
		} else {
			b.bytes([]byte{0xa0, 0x26, 0xd0, 0x6f, 0x68, 0x5b, 0x2c, 0x01})
		}
		b.buf = u128{0, dl}.append(b.buf)
		b.u64(x)
		b.u64(y)
		m.both(p, w, ta, tb, x, y, add, false)
		b.ret(40_000)
	case *raydiumCPMM:
		m.begin(w, 120_000)
		x, y := part64(v.x, part, add), part64(v.y, part, add)
		lp, lpUser := m.newAcct(rentMint), m.newAcct(rentToken)
		b.call(p.dex.program, 1)
		if add {
			b.log("Instruction: Deposit")
		} else {
			b.log("Instruction: Withdraw")
		}
		b.acc(ro, w.acct, p.auth)
		b.acc(wr, p.id, lpUser, ta, tb, p.vaultA, p.vaultB)
		b.acc(ro, m.prog.token, m.prog.token22, p.a.acct, p.b.acct)
		b.acc(wr, lp)
		if add {
			b.bytes([]byte{0xf2, 0x23, 0xc6, 0x89, 0x52, 0xe1, 0xf2, 0xb6})
			v.x, v.y = v.x+x, v.y+y
		} else {
			b.acc(ro, m.prog.memo)
			b.bytes([]byte{0xb7, 0x12, 0x46, 0x9c, 0x94, 0x6d, 0xa1, 0x22})
			v.x, v.y = v.x-x, v.y-y
		}
		b.u64(x / 2)
		b.u64(x)
		b.u64(y)
		m.both(p, w, ta, tb, x, y, add, true)
		b.ret(40_000)
	case *raydiumV4:
		m.begin(w, 120_000)
		x, y := part64(v.x, part, add), part64(v.y, part, add)
		lp, lpUser := m.newAcct(rentMint), m.newAcct(rentToken)
		b.call(p.dex.program, 1)
		b.acc(ro, m.prog.token)
		b.acc(wr, p.id)
		b.acc(ro, p.auth, v.openOrders)
		b.acc(wr, v.target, lp, p.vaultA, p.vaultB)
		if add {
			b.acc(ro, v.market)
			b.acc(wr, ta, tb, lpUser)
			b.acc(ro, w.acct, v.queue)
			b.data(3)
			b.u64(x)
			b.u64(y)
			b.u64(0)
			v.x, v.y = v.x+x, v.y+y
		} else {
			b.acc(ro, v.marketProgram)
			b.acc(wr, v.market, v.marketCoin, v.marketPc)
			b.acc(ro, v.vaultSigner)
			b.acc(wr, lpUser, ta, tb)
			b.acc(ro, w.acct)
			b.acc(wr, v.queue, v.bids, v.asks)
			b.data(4)
			b.u64(x / 2)
			v.x, v.y = v.x-x, v.y-y
		}
		m.both(p, w, ta, tb, x, y, add, false)
		b.ret(30_000)
	default:
		return false
	}
	return true
}

// part64 is a part of a reserve, rounded in favour of the pool.
func part64(v uint64, part float64, up bool) uint64 {
	n := uint64(float64(v) * part)
	if up {
		n++
	}
	return n
}

// both moves both tokens in one direction.
func (m *Market) both(p *pool, w *wallet, ta, tb *acct, x, y uint64, add, checked bool) {
	b := &m.b
	move := b.transfer
	if checked {
		move = b.transferChecked
	}
	if add {
		move(ta, p.vaultA, w.acct, x, 2)
		move(tb, p.vaultB, w.acct, y, 2)
		return
	}
	move(p.vaultA, ta, p.auth, x, 2)
	move(p.vaultB, tb, p.auth, y, 2)
}
