package sim

// PumpSwap, pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA.
//
// Facts read from real transactions: 4pCgZ28W… (buy, October 2025, with the
// fee program), pkkWo264… and RXgRGNHs… (sell, August 2025); sell's two fee
// accounts from the IDL in the npm package pump-swap-sdk. Later programs append
// fields to both events; what stands here is a prefix of theirs.
//
//	buy 66063d1201daebea, 25 bytes: base_amount_out u64 | max_quote_in u64 | track_volume u8
//	sell 33e685a4017f83ad, 24 bytes: base_amount_in u64 | min_quote_out u64
//	accounts: 0 pool, 1 user, 2 global config, 3 base mint, 4 quote mint,
//	  5 user base, 6 user quote, 7 pool base, 8 pool quote, 9 fee recipient,
//	  10 its account, 11 base program, 12 quote program, 13 system,
//	  14 associated token program, 15 event authority, 16 program,
//	  17 creator vault account, 18 creator vault authority; buy, 23: 19 global
//	  volume, 20 user volume, 21 fee config, 22 fee program; sell, 21: 19 fee
//	  config, 20 fee program
//	inner of buy: GetFees, TransferChecked pool -> user (base), then user -> pool,
//	  fee recipient, creator (quote), BuyEvent by self-CPI; of sell: GetFees,
//	  user -> pool (base), pool -> user, fee recipient, creator (quote), SellEvent.
//	  The events are in the log as well.
//	curve: buy costs floor(q*out/(b-out))+1, sell yields floor(q*in/(b+in));
//	  fees of the quote amount, each rounded up: 20 bps stay in the pool, 5 bps
//	  protocol, and the creator's.

type pumpSwap struct {
	pool
	product
	creatorBps   uint64
	creator      *acct
	creatorAuth  *acct
	creatorVault *acct
	feeTokens    *acct
}

const (
	swapLPBps    = 20
	swapProtoBps = 5
)

// newPumpSwap makes a pool of a base token against SOL. A launched token brings
// its creator, who takes 30 bps; listed ones pay 5.
func (m *Market) newPumpSwap(a, b *mint, x, y uint64, creator *acct) *pumpSwap {
	p := &pumpSwap{pool: m.newPool(m.dexes.pumpSwap, a, b, x, y, nil), product: product{x, y}, creatorBps: 5}
	p.creator = creator
	if creator != nil {
		p.creatorBps = 30
	} else {
		p.creator = m.newAcct(1_000_000_000)
	}
	p.creatorAuth = m.newAcct(0)
	p.creatorVault = m.newATA(p.creatorAuth, b, 0)
	p.feeTokens = m.shared.swapFeeTokens[b]
	return p
}

func (p *pumpSwap) feeRate() float64 {
	return float64(swapLPBps+swapProtoBps+p.creatorBps) / 1e4
}

// fees of a quote amount: for the pool, the protocol and the creator.
func (p *pumpSwap) fees(q uint64) (lp, proto, creator uint64) {
	return mulDivUp(q, swapLPBps, 10_000), mulDivUp(q, swapProtoBps, 10_000), mulDivUp(q, p.creatorBps, 10_000)
}

func (p *pumpSwap) quote(aToB bool, in uint64) (f fill) {
	if aToB {
		if in == 0 {
			return f
		}
		gross := p.out(true, in)
		lp, proto, creator := p.fees(gross)
		if gross <= lp+proto+creator {
			return f
		}
		return fill{
			in: in, vaultIn: in, out: gross - lp - proto - creator, payout: gross - lp,
			fee: lp + proto + creator, proto: proto, extra: gross, ok: true,
		}
	}
	eff := mulDiv(in, 10_000, 10_000+swapLPBps+swapProtoBps+p.creatorBps)
	if eff < 16 {
		return f
	}
	return p.buyOut(p.out(false, eff-5))
}

// buyOut is what buying an exact base amount costs.
func (p *pumpSwap) buyOut(base uint64) (f fill) {
	if base == 0 || base >= p.x {
		return f
	}
	q := mulDiv(p.y, base, p.x-base) + 1
	lp, proto, creator := p.fees(q)
	return fill{
		in: q + lp + proto + creator, vaultIn: q + lp, out: base, payout: base,
		fee: lp + proto + creator, proto: proto, extra: q, ok: true,
	}
}

func (p *pumpSwap) accounts(b *builder, u *party, aToB, _ bool) {
	m, s := p.m, &p.m.shared
	base, quote := u.src, u.dst
	if !aToB {
		base, quote = quote, base
	}
	b.acc(wr, p.id)
	b.acc(wr, u.auth)
	b.acc(ro, s.swapConfig, p.a.acct, p.b.acct)
	b.acc(wr, base, quote, p.vaultA, p.vaultB)
	b.acc(ro, s.swapFeeTo)
	b.acc(wr, p.feeTokens)
	b.acc(ro, p.a.program, p.b.program, m.prog.system, m.prog.ata, p.dex.event, p.dex.program)
	b.acc(wr, p.creatorVault)
	b.acc(ro, p.creatorAuth)
	if !aToB {
		b.acc(wr, s.swapVolume, m.swapVolumeOf(u.auth))
	}
	b.acc(ro, s.swapFeeConfig, s.feeProgram)
}

// plan: 92 is a buy, 93 a sell.
func (p *pumpSwap) plan(b *builder, aToB bool) {
	if aToB {
		b.data(p.dex.label)
		return
	}
	b.data(p.dex.label - 1)
}

func (p *pumpSwap) swap(b *builder, u *party, aToB bool, in, limit uint64, height int) fill {
	f := p.quote(aToB, in)
	s := &p.m.shared
	b.call(p.dex.program, height)
	o, i := b.place()
	p.accounts(b, u, aToB, height > 1)
	if aToB {
		b.log("Instruction: Sell")
		b.bytes(discSell)
		b.u64(f.in)
		b.u64(limit)
	} else {
		b.log("Instruction: Buy")
		b.bytes(discBuy)
		b.u64(f.out)
		b.u64(in)
		b.data(0)
		limit = in
	}
	if b.dry {
		b.fail(6004)
		return f
	}
	b.call(s.feeProgram, height+1)
	b.log("Instruction: GetFees")
	b.acc(ro, s.swapFeeConfig, p.dex.program)
	b.bytes([]byte{0xe7, 0x25, 0x7e, 0x55, 0xcf, 0x5b, 0x3f, 0x34, 1})
	b.u64(uint64(float64(curveSupply) * p.price())) // market cap, u128
	b.u64(0)
	b.u64(f.extra)
	b.ret(4641)
	var r [24]byte
	le.PutUint64(r[:], swapLPBps)
	le.PutUint64(r[8:], swapProtoBps)
	le.PutUint64(r[16:], p.creatorBps)
	b.returned(s.feeProgram, r[:])

	_, proto, creator := p.fees(f.extra)
	userBase, userQuote := u.src.amount, u.dst.amount
	x, y := p.x, p.y
	if aToB {
		b.transferChecked(u.src, p.vaultA, u.auth, f.in, height+1)
		b.transferChecked(p.vaultB, u.dst, p.id, f.out, height+1)
		b.transferChecked(p.vaultB, p.feeTokens, p.id, proto, height+1)
		b.transferChecked(p.vaultB, p.creatorVault, p.id, creator, height+1)
		p.x, p.y = p.x+f.in, p.y-f.payout
	} else {
		userBase, userQuote = userQuote, userBase
		b.transferChecked(p.vaultA, u.dst, p.id, f.out, height+1)
		b.transferChecked(u.src, p.vaultB, u.auth, f.vaultIn, height+1)
		b.transferChecked(u.src, p.feeTokens, u.auth, proto, height+1)
		b.transferChecked(u.src, p.creatorVault, u.auth, creator, height+1)
		p.x, p.y = p.x-f.out, p.y+f.vaultIn
	}
	p.event(b, u, aToB, &f, limit, userBase, userQuote, x, y, height)
	b.ret(55_000)
	p.swapped(b, o, i, u, aToB, &f)
	return f
}

// event writes BuyEvent or SellEvent to the log and by self-CPI.
func (p *pumpSwap) event(b *builder, u *party, sell bool, f *fill, limit, userBase, userQuote, x, y uint64, height int) {
	lp, proto, creator := p.fees(f.extra)
	e := b.event[:0]
	var words [14]uint64
	ub, uq := u.src, u.dst
	if sell {
		e = append(e, 0x3e, 0x2f, 0x37, 0x0a, 0xa5, 0x03, 0xdc, 0x2a)
		words = [14]uint64{
			0, f.in, limit, userBase, userQuote, x, y, f.extra,
			swapLPBps, lp, swapProtoBps, proto, f.extra - lp, f.out,
		}
	} else {
		e = append(e, 0x67, 0xf4, 0x52, 0x1f, 0x2c, 0xf5, 0x77, 0x77)
		ub, uq = uq, ub
		words = [14]uint64{
			0, f.out, limit, userBase, userQuote, x, y, f.extra,
			swapLPBps, lp, swapProtoBps, proto, f.extra + lp, f.in,
		}
	}
	words[0] = uint64(p.m.unixNow())
	for _, v := range words {
		e = le.AppendUint64(e, v)
	}
	for _, k := range [...]*acct{p.id, u.auth, ub, uq, p.m.shared.swapFeeTo, p.feeTokens, p.creator} {
		e = append(e, k.key[:]...)
	}
	e = le.AppendUint64(e, p.creatorBps)
	e = le.AppendUint64(e, creator)
	if !sell {
		e = append(e, 0)
		for range 4 {
			e = le.AppendUint64(e, 0)
		}
	}
	b.event = e
	b.logData(e)
	b.emitCPI(p.dex.program, p.dex.event, height+1, e, 2027)
}

// swapVolumeOf is a trader's PumpSwap volume account.
func (m *Market) swapVolumeOf(a *acct) *acct {
	v := m.swapVolumes[a]
	if v == nil {
		v = m.newAcct(1_844_400)
		m.swapVolumes[a] = v
	}
	return v
}
