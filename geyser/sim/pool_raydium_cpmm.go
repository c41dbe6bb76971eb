package sim

// Raydium CPMM, CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C.
//
// Facts read from real transactions of slot 361774429: 5pRdV6zz… (direct) and
// 5F7N7y52… (routed); the event from their logs.
//
//	swap_base_input 8fbe5adac41e33de, 24 bytes: amount_in u64 | minimum_out u64
//	accounts, 13: 0 payer, 1 authority, 2 config, 3 pool, 4 input account,
//	  5 output account, 6 input vault, 7 output vault, 8 input token program,
//	  9 output token program, 10 input mint, 11 output mint, 12 observation
//	log before the transfers, 170 bytes: SwapEvent 40c6cde8260871e2 | pool |
//	  input_vault_before u64 | output_vault_before u64 (fees owed left out) |
//	  input u64 | output u64 | input_transfer_fee u64 | output_transfer_fee u64 |
//	  base_input bool | input mint | output mint | trade_fee u64 |
//	  creator_fee u64 | creator_fee_on_input bool
//	inner: TransferChecked user -> vault, TransferChecked vault -> user.
//	fee: ceil(amount * rate / 1e6), of which 12% to the protocol and 4% to the
//	  fund: they stay in the vault but leave the curve.
//	deposit f223c68952e1f2b6 | lp u64 | max_0 u64 | max_1 u64;
//	withdraw b712469c946da122 | lp u64 | min_0 u64 | min_1 u64.

type raydiumCPMM struct {
	pool
	product
	feePpm      uint64
	observation *acct
}

func (m *Market) newRaydiumCPMM(a, b *mint, x, y, feePpm uint64) *raydiumCPMM {
	return &raydiumCPMM{
		pool:        m.newPool(m.dexes.cpmm, a, b, x, y, m.shared.cpmmAuth),
		product:     product{x, y},
		feePpm:      feePpm,
		observation: m.listed(29_252_880),
	}
}

func (p *raydiumCPMM) feeRate() float64 { return float64(p.feePpm) / 1e6 }

func (p *raydiumCPMM) quote(aToB bool, in uint64) (f fill) {
	if in == 0 {
		return f
	}
	f.fee = mulDivUp(in, p.feePpm, 1_000_000)
	f.proto = mulDiv(f.fee, 120_000, 1_000_000) + mulDiv(f.fee, 40_000, 1_000_000)
	f.in, f.vaultIn = in, in
	f.out = p.out(aToB, in-f.fee)
	f.payout, f.ok = f.out, f.out > 0
	return f
}

func (p *raydiumCPMM) accounts(b *builder, u *party, aToB, _ bool) {
	in, out, vi, vo := p.sides(aToB)
	b.acc(ro, u.auth, p.auth, p.m.shared.cpmmConfig)
	b.acc(wr, p.id, u.src, u.dst, vi, vo)
	b.acc(ro, in.program, out.program, in.acct, out.acct)
	b.acc(wr, p.observation)
}

func (p *raydiumCPMM) swap(b *builder, u *party, aToB bool, in, minOut uint64, height int) fill {
	f := p.quote(aToB, in)
	b.call(p.dex.program, height)
	o, i := b.place()
	b.log("Instruction: SwapBaseInput")
	p.accounts(b, u, aToB, height > 1)
	b.bytes([]byte{0x8f, 0xbe, 0x5a, 0xda, 0xc4, 0x1e, 0x33, 0xde})
	b.u64(in)
	b.u64(minOut)
	if b.dry {
		b.fail(6005)
		return f
	}
	mi, mo, vi, vo := p.sides(aToB)
	ri, rout := p.x, p.y
	if !aToB {
		ri, rout = rout, ri
	}
	e := append(b.event[:0], discAnchorSwapEvent...)
	e = append(e, p.id.key[:]...)
	for _, v := range [...]uint64{ri, rout, f.in, f.out, 0, 0} {
		e = le.AppendUint64(e, v)
	}
	e = append(e, 1)
	e = append(e, mi.key[:]...)
	e = append(e, mo.key[:]...)
	e = le.AppendUint64(e, f.fee)
	e = le.AppendUint64(e, 0)
	e = append(e, 1)
	b.logData(e)
	b.event = e

	b.transferChecked(u.src, vi, u.auth, f.in, height+1)
	b.transferChecked(vo, u.dst, p.auth, f.out, height+1)
	if aToB {
		p.x, p.y = p.x+f.in-f.proto, p.y-f.out
	} else {
		p.x, p.y = p.x-f.out, p.y+f.in-f.proto
	}
	b.ret(28_000)
	s := p.swapped(b, o, i, u, aToB, &f)
	s.FeeBps = int32(p.feePpm / 100)
	return f
}

// discAnchorSwapEvent is Anchor's discriminator of an event called SwapEvent:
// CPMM, CLMM and Jupiter all have one.
//
//nolint:gochecknoglobals // never written
var discAnchorSwapEvent = []byte{0x40, 0xc6, 0xcd, 0xe8, 0x26, 0x08, 0x71, 0xe2}
