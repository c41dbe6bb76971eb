package sim

// Meteora DAMM v2 (cp-amm), cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG.
//
// Facts: accounts, transfers and order from real transactions N2jtQtjj… and
// 4GDjR5Yg… (2025, which still emitted EvtSwap 1b3c15d58aaabb93); swap2 and
// EvtSwap2, which the program of 2026 emits, from the instruction and event
// lists of the IDL in the npm package cp-amm-sdk 1.5.0.
//
//	swap f8c69e91e17587c8, 24 bytes: amount_in u64 | minimum_amount_out u64
//	swap2 414b3f4ceb5b5b88, 25 bytes: amount_0 u64 | amount_1 u64 | mode u8 (0 exact in)
//	accounts of both, 14: 0 pool authority, 1 pool, 2 input account, 3 output
//	  account, 4 vault a, 5 vault b, 6 mint a, 7 mint b, 8 payer, 9 program a,
//	  10 program b, 11 referral account (the program itself: none),
//	  12 event authority, 13 program
//	inner: TransferChecked user -> vault, vault -> user, then the event.
//	EvtSwap2 bd4233a826507599: pool | trade_direction u8 (0 a to b) |
//	  collect_fee_mode u8 | has_referral bool | amount_0 | amount_1 | mode u8 |
//	  included_fee_input | excluded_fee_input | amount_left | output |
//	  next_sqrt_price u128 | claiming_fee | protocol_fee | compounding_fee |
//	  referral_fee | included_transfer_fee_amount_in |
//	  included_transfer_fee_amount_out | excluded_transfer_fee_amount_out |
//	  timestamp u64 | reserve_a | reserve_b
//	fee: collect mode 0, taken from the output: ceil(output * rate / 1e6), 20%
//	  of it to the protocol. Fees stay in the vault.

type dammV2 struct {
	pool
	concentrated
	feePpm uint64
	count  int
}

func (m *Market) newDAMMv2(a, b *mint, price, value float64, feePpm uint64) *dammV2 {
	c, x, y := newConcentrated(price, value)
	return &dammV2{
		pool:         m.newPool(m.dexes.dammV2, a, b, x, y, m.shared.dammAuth),
		concentrated: c,
		feePpm:       feePpm,
	}
}

func (p *dammV2) feeRate() float64 { return float64(p.feePpm) / 1e6 }

func (p *dammV2) quote(aToB bool, in uint64) (f fill) {
	if in == 0 {
		return f
	}
	_, gross, ok := p.step(aToB, in)
	f.fee = mulDivUp(gross, p.feePpm, 1_000_000)
	f.ok = ok && gross > f.fee
	if !f.ok {
		return f
	}
	f.proto = mulDiv(f.fee, 20, 100)
	f.out = gross - f.fee
	f.in, f.vaultIn, f.payout = in, in, f.out
	return f
}

func (p *dammV2) accounts(b *builder, u *party, _, _ bool) {
	b.acc(ro, p.auth)
	b.acc(wr, p.id, u.src, u.dst, p.vaultA, p.vaultB)
	b.acc(ro, p.a.acct, p.b.acct, u.auth, p.a.program, p.b.program, p.dex.program, p.dex.event, p.dex.program)
}

func (p *dammV2) swap(b *builder, u *party, aToB bool, in, minOut uint64, height int) fill {
	f := p.quote(aToB, in)
	next, _, _ := p.step(aToB, in)
	b.call(p.dex.program, height)
	o, i := b.place()
	p.accounts(b, u, aToB, height > 1)
	_, _, vi, vo := p.sides(aToB)
	p.count++
	if height == 1 && p.count%2 == 0 {
		b.log("Instruction: Swap2")
		b.bytes([]byte{0x41, 0x4b, 0x3f, 0x4c, 0xeb, 0x5b, 0x5b, 0x88})
		b.u64(in)
		b.u64(minOut)
		b.data(0)
	} else {
		b.log("Instruction: Swap")
		b.bytes(discSwap)
		b.u64(in)
		b.u64(minOut)
	}
	if b.dry {
		b.fail(6013)
		return f
	}
	b.transferChecked(u.src, vi, u.auth, f.in, height+1)
	b.transferChecked(vo, u.dst, p.auth, f.out, height+1)
	p.sqrt = next

	e := append(b.event[:0], 0xbd, 0x42, 0x33, 0xa8, 0x26, 0x50, 0x75, 0x99)
	e = append(e, p.id.key[:]...)
	e = append(e, bit(!aToB), 0, 0)
	e = le.AppendUint64(e, in)
	e = le.AppendUint64(e, minOut)
	e = append(e, 0)
	for _, v := range [...]uint64{f.in, f.in, 0, f.out} {
		e = le.AppendUint64(e, v)
	}
	e = next.append(e)
	for _, v := range [...]uint64{
		f.fee - f.proto, f.proto, 0, 0, f.in, f.out, f.out,
		uint64(p.m.unixNow()), p.vaultA.amount, p.vaultB.amount,
	} {
		e = le.AppendUint64(e, v)
	}
	b.event = e
	b.emitCPI(p.dex.program, p.dex.event, height+1, e, 2092)
	b.ret(22_000)
	s := p.swapped(b, o, i, u, aToB, &f)
	s.SpotKnown, s.Spot = true, spot(aToB, p.price())
	return f
}
