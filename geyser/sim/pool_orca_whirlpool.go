package sim

// Orca Whirlpool, whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc.
//
// Facts read from real transactions of slot 361774429: P8aHpgY1… (swap),
// uwXH8m5S… (swap_v2); the Traded event from their logs.
//
//	swap f8c69e91e17587c8, 42 bytes: amount u64 | other_amount_threshold u64 |
//	  sqrt_price_limit u128 | amount_specified_is_input bool | a_to_b bool
//	accounts, 11: 0 token program, 1 authority, 2 whirlpool, 3 owner account a,
//	  4 vault a, 5 owner account b, 6 vault b, 7 to 9 tick arrays, 10 oracle
//	swap_v2 2b04ed0b1ac91e62, 43 bytes: the same and remaining_accounts_info
//	  None (00); accounts, 15: 0 token program a, 1 token program b, 2 memo,
//	  3 authority, 4 whirlpool, 5 mint a, 6 mint b, 7 owner a, 8 vault a,
//	  9 owner b, 10 vault b, 11 to 13 tick arrays, 14 oracle
//	inner: Transfer (swap) or TransferChecked (swap_v2), user -> vault first.
//	log after the transfers, 121 bytes: Traded e1ca49af932ba096 | whirlpool |
//	  a_to_b bool | pre_sqrt u128 | post_sqrt u128 | input u64 | output u64 |
//	  input_transfer_fee u64 | output_transfer_fee u64 | lp_fee u64 | protocol_fee u64
//	fee: ceil(amount * rate / 1e6) of the input; protocol 13% of it, floor.
//	increase_liquidity 2e9cf3760dcdfbb2 | liquidity u128 | max_a | max_b;
//	decrease_liquidity a026d06f685b2c01 | liquidity u128 | min_a | min_b.

type whirlpool struct {
	pool
	concentrated
	feePpm uint64
	ticks  [3]*acct
	oracle *acct
	v2     bool // one mint is a Token-2022 one: only swap_v2 works
	now    bool // swap_v2 in this instruction
	count  int
}

func (m *Market) newWhirlpool(a, b *mint, price, value float64, feePpm uint64) *whirlpool {
	c, x, y := newConcentrated(price, value)
	p := &whirlpool{concentrated: c, feePpm: feePpm}
	p.pool = m.newPool(m.dexes.whirl, a, b, x, y, nil)
	for i := range p.ticks {
		p.ticks[i] = m.listed(70_407_360)
	}
	p.oracle = m.listed(0)
	p.v2 = a.program == m.prog.token22 || b.program == m.prog.token22
	return p
}

func (p *whirlpool) feeRate() float64 { return float64(p.feePpm) / 1e6 }

func (p *whirlpool) quote(aToB bool, in uint64) (f fill) {
	if in == 0 {
		return f
	}
	f.fee = mulDivUp(in, p.feePpm, 1_000_000)
	_, f.out, f.ok = p.step(aToB, in-f.fee)
	f.ok = f.ok && f.out > 0
	f.in, f.vaultIn, f.payout = in, in, f.out
	f.proto = mulDiv(f.fee, 1300, 10_000)
	return f
}

//nolint:gochecknoglobals // discriminators, never written
var (
	discSwap      = []byte{0xf8, 0xc6, 0x9e, 0x91, 0xe1, 0x75, 0x87, 0xc8}
	discSwapV2    = []byte{0x2b, 0x04, 0xed, 0x0b, 0x1a, 0xc9, 0x1e, 0x62}
	discTraded    = []byte{0xe1, 0xca, 0x49, 0xaf, 0x93, 0x2b, 0xa0, 0x96}
	whirlMinLimit = u128{0, 4_295_048_016}
	whirlMaxLimit = u128{0xfffec4b1, 0x35bb7f32a81b33af}
)

// accounts also chooses the instruction: swap_v2 where it must be, and now and
// then where a direct trader likes it.
func (p *whirlpool) accounts(b *builder, u *party, aToB, routed bool) {
	p.count++
	p.now = p.v2 || !routed && p.count%3 == 0
	ua, ub := u.src, u.dst
	if !aToB {
		ua, ub = ub, ua
	}
	if p.now {
		b.acc(ro, p.a.program, p.b.program, p.m.prog.memo, u.auth)
		b.acc(wr, p.id)
		b.acc(ro, p.a.acct, p.b.acct)
		b.acc(wr, ua, p.vaultA, ub, p.vaultB)
	} else {
		b.acc(ro, p.m.prog.token, u.auth)
		b.acc(wr, p.id, ua, p.vaultA, ub, p.vaultB)
	}
	b.acc(wr, p.ticks[:]...)
	b.acc(wr, p.oracle)
}

func (p *whirlpool) swap(b *builder, u *party, aToB bool, in, minOut uint64, height int) fill {
	f := p.quote(aToB, in)
	next, _, _ := p.step(aToB, in-f.fee)
	b.call(p.dex.program, height)
	o, i := b.place()
	_, _, vi, vo := p.sides(aToB)
	p.accounts(b, u, aToB, height > 1)
	v2 := p.now
	if v2 {
		b.log("Instruction: SwapV2")
	} else {
		b.log("Instruction: Swap")
	}
	if v2 {
		b.bytes(discSwapV2)
	} else {
		b.bytes(discSwap)
	}
	b.u64(in)
	b.u64(minOut)
	limit := whirlMaxLimit
	if aToB {
		limit = whirlMinLimit
	}
	b.buf = limit.append(b.buf)
	b.data(1, bit(aToB))
	if v2 {
		b.data(0)
	}
	if b.dry {
		b.fail(6018)
		return f
	}
	if v2 {
		b.transferChecked(u.src, vi, u.auth, f.in, height+1)
		b.transferChecked(vo, u.dst, p.id, f.out, height+1)
	} else {
		b.transfer(u.src, vi, u.auth, f.in, height+1)
		b.transfer(vo, u.dst, p.id, f.out, height+1)
	}
	e := append(b.event[:0], discTraded...)
	e = append(e, p.id.key[:]...)
	e = append(e, bit(aToB))
	e = p.sqrt.append(e)
	e = next.append(e)
	for _, v := range [...]uint64{f.in, f.out, 0, 0, f.fee - f.proto, f.proto} {
		e = le.AppendUint64(e, v)
	}
	b.logData(e)
	b.event = e
	p.sqrt = next
	b.ret(36_000)
	s := p.swapped(b, o, i, u, aToB, &f)
	s.SpotKnown, s.Spot = true, spot(aToB, p.price())
	return f
}

// bit is a bool as one byte.
func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// spot turns a price of a in b into raw units out for one raw unit in.
func spot(aToB bool, price float64) float64 {
	if aToB {
		return price
	}
	return 1 / price
}

// plan: Whirlpool takes the direction as an argument, and has a number of its
// own for swap_v2.
func (p *whirlpool) plan(b *builder, aToB bool) {
	if p.v2 {
		b.data(47, bit(aToB), 0)
		return
	}
	b.data(p.dex.label, bit(aToB))
}
