package sim

// Raydium CLMM, CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK.
//
// Facts read from real transactions: 67YdYsQ5… and 4GDjR5Yg… (swap, slot
// 361774429), nexzRp8Z… (swap_v2); the event from their logs.
//
//	swap f8c69e91e17587c8 and swap_v2 2b04ed0b1ac91e62, 41 bytes: amount u64 |
//	  other_amount_threshold u64 | sqrt_price_limit u128 | is_base_input bool
//	accounts of swap, 13 here: 0 payer, 1 config, 2 pool, 3 input account,
//	  4 output account, 5 input vault, 6 output vault, 7 observation,
//	  8 token program, 9 tick array, 10 bitmap extension, 11, 12 tick arrays
//	accounts of swap_v2, 16 here: 0 to 7 the same, 8 Token, 9 Token-2022,
//	  10 memo, 11 input mint, 12 output mint, 13 bitmap extension,
//	  14, 15 tick arrays
//	inner: Transfer (swap) or TransferChecked (swap_v2), user -> vault first.
//	log after the transfers, 205 bytes: SwapEvent 40c6cde8260871e2 | pool |
//	  sender | user's token account 0 | and 1 | amount_0 u64 | transfer_fee_0 u64 |
//	  amount_1 u64 | transfer_fee_1 u64 | zero_for_one bool | sqrt_price u128 |
//	  liquidity u128 | tick i32 (both after the swap)
//	fee: ceil(amount * rate / 1e6) of the input.

import "math"

type raydiumCLMM struct {
	pool
	concentrated
	feePpm              uint64
	config              *acct
	ticks               [3]*acct
	observation, bitmap *acct
	v2                  bool
	now                 bool
	count               int
}

func (m *Market) newRaydiumCLMM(a, b *mint, price, value float64, feePpm uint64) *raydiumCLMM {
	c, x, y := newConcentrated(price, value)
	p := &raydiumCLMM{concentrated: c, feePpm: feePpm}
	p.pool = m.newPool(m.dexes.clmm, a, b, x, y, nil)
	switch feePpm {
	case 100:
		p.config = m.shared.clmmConfig[0]
	case 400:
		p.config = m.shared.clmmConfig[1]
	default:
		p.config = m.shared.clmmConfig[2]
	}
	for i := range p.ticks {
		p.ticks[i] = m.listed(72_161_280)
	}
	p.observation, p.bitmap = m.listed(32_092_560), m.listed(13_641_600)
	p.v2 = a.program == m.prog.token22 || b.program == m.prog.token22
	return p
}

func (p *raydiumCLMM) feeRate() float64 { return float64(p.feePpm) / 1e6 }

func (p *raydiumCLMM) quote(aToB bool, in uint64) (f fill) {
	if in == 0 {
		return f
	}
	f.fee = mulDivUp(in, p.feePpm, 1_000_000)
	_, f.out, f.ok = p.step(aToB, in-f.fee)
	f.ok = f.ok && f.out > 0
	f.in, f.vaultIn, f.payout = in, in, f.out
	return f
}

func (p *raydiumCLMM) accounts(b *builder, u *party, aToB, routed bool) {
	p.count++
	p.now = p.v2 || !routed && p.count%2 == 0
	in, out, vi, vo := p.sides(aToB)
	b.acc(ro, u.auth, p.config)
	b.acc(wr, p.id, u.src, u.dst, vi, vo, p.observation)
	if p.now {
		b.acc(ro, p.m.prog.token, p.m.prog.token22, p.m.prog.memo, in.acct, out.acct)
		b.acc(wr, p.bitmap, p.ticks[0], p.ticks[1])
		return
	}
	b.acc(ro, p.m.prog.token)
	b.acc(wr, p.ticks[0], p.bitmap, p.ticks[1], p.ticks[2])
}

// plan: 26 is swap, 45 swap_v2.
func (p *raydiumCLMM) plan(b *builder, _ bool) {
	if p.v2 {
		b.data(45)
		return
	}
	b.data(p.dex.label)
}

func (p *raydiumCLMM) swap(b *builder, u *party, aToB bool, in, minOut uint64, height int) fill {
	f := p.quote(aToB, in)
	next, _, _ := p.step(aToB, in-f.fee)
	b.call(p.dex.program, height)
	o, i := b.place()
	p.accounts(b, u, aToB, height > 1)
	_, _, vi, vo := p.sides(aToB)
	if p.now {
		b.log("Instruction: SwapV2")
		b.bytes(discSwapV2)
	} else {
		b.log("Instruction: Swap")
		b.bytes(discSwap)
	}
	b.u64(in)
	b.u64(minOut)
	b.u64(0)
	b.u64(0)
	b.data(1)
	if b.dry {
		b.fail(6022)
		return f
	}
	if p.now {
		b.transferChecked(u.src, vi, u.auth, f.in, height+1)
		b.transferChecked(vo, u.dst, p.id, f.out, height+1)
	} else {
		b.transfer(u.src, vi, u.auth, f.in, height+1)
		b.transfer(vo, u.dst, p.id, f.out, height+1)
	}
	p.sqrt = next

	t0, t1, a0, a1 := u.src, u.dst, f.in, f.out
	if !aToB {
		t0, t1, a0, a1 = t1, t0, a1, a0
	}
	e := append(b.event[:0], discAnchorSwapEvent...)
	e = append(e, p.id.key[:]...)
	e = append(e, u.auth.key[:]...)
	e = append(e, t0.key[:]...)
	e = append(e, t1.key[:]...)
	for _, v := range [...]uint64{a0, 0, a1, 0} {
		e = le.AppendUint64(e, v)
	}
	e = append(e, bit(aToB))
	e = next.append(e)
	e = u128{0, p.l}.append(e)
	e = le.AppendUint32(e, uint32(tickOf(p.price())))
	b.logData(e)
	b.event = e
	b.ret(58_000)
	s := p.swapped(b, o, i, u, aToB, &f)
	s.SpotKnown, s.Spot = true, spot(aToB, p.price())
	return f
}

// tickOf is the tick that a price lies in: floor(log_1.0001(price)).
func tickOf(price float64) int32 {
	return int32(math.Floor(math.Log(price) / math.Log(1.0001)))
}
