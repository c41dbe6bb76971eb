package sim

import "github.com/swapcast/swapcast"

// Pump.fun bonding curve, 6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P.
//
// Facts read from real transactions of July 2026: 5EDHe12K… (create_v2 and
// buy), 2RoRJxat… (create_v2, buy_exact_sol_in), 2m5nWLnD… (event with
// another quote), and from the instruction and event lists of the program's
// IDL in the npm package pump-sdk 2.0.0. The tokens are Token-2022 mints.
//
//	buy 66063d1201daebea, 24 bytes: amount u64 | max_sol_cost u64
//	accounts, 18: 0 global, 1 fee recipient, 2 mint, 3 curve, 4 curve's tokens,
//	  5 user's tokens, 6 user, 7 system, 8 token program, 9 creator vault,
//	  10 event authority, 11 program, 12 global volume, 13 user volume,
//	  14 fee config, 15 fee program, 16 curve v2, 17 buyback recipient
//	inner: [create the user's volume account, once], fee program GetFees,
//	  TransferChecked curve -> user, then System transfers user -> creator vault
//	  (before its first fee the vault's rent as well),
//	  curve, buyback recipient, fee recipient; TradeEvent by self-CPI.
//	sell 33e685a4017f83ad, 24 bytes: amount u64 | min_sol_output u64
//	accounts, 16: 0 to 7 as above, 8 creator vault, 9 token program, 10, 11 as
//	  above, 12 fee config, 13 fee program, 14 curve v2, 15 buyback recipient.
//	  The lamports leave the curve without an instruction: it owns itself.
//	  (14 accounts seen in 3R5DUizx… of 2025; the last two by analogy with buy.)
//	TradeEvent bddb7fd34ee661ee, 350 bytes and the name of the instruction:
//	  mint, sol_amount, token_amount, is_buy, user, timestamp, virtual sol and
//	  token reserves, real sol and token reserves, fee recipient, fee bps, fee,
//	  creator, creator bps, creator fee, track_volume, 4 volume words, ix_name,
//	  mayhem_mode, cashback bps, cashback, buyback bps, buyback fee,
//	  shareholders vec, quote mint (zero is SOL), quote amount, virtual and real
//	  quote reserves. The event is in the log as well.
//	curve: virtual 30 SOL and 1,073,000,000 tokens, real 793,100,000 tokens;
//	  buy costs floor(vs*amount/(vt-amount))+1, sell pays floor(vs*amount/(vt+amount));
//	  fees on the SOL side, each rounded up: 95 bps (half of it, rounded down, to
//	  the buyback recipient) and 30 bps to the creator.

const (
	curveVirtualSOL   = 30_000_000_000
	curveVirtualToken = 1_073_000_000_000_000
	curveRealToken    = 793_100_000_000_000
	curveSupply       = 1_000_000_000_000_000
	curveFeeBps       = 95
	curveCreatorBps   = 30
	curveBuybackBps   = 5000
	curveRent         = 1_691_280
	vaultRent         = 890_880
)

// bondingCurve is one launched token while Pump.fun still sells it.
type bondingCurve struct {
	*mint
	m                    *Market
	name                 string
	id, id2              *acct
	tokens               *acct // the curve's own
	creator              *wallet
	creatorVault         *acct
	mayhem, mayhemTokens *acct

	virtualSOL, virtualToken uint64
	realSOL, realToken       uint64

	heat     float64 // how much traders like it
	lastSlot uint64
	holders  []*wallet
	complete bool
	pool     *pumpSwap // after the migration
}

// feesOf is what a SOL amount costs on top.
func feesOf(sol uint64) (fee, creator uint64) {
	return mulDivUp(sol, curveFeeBps, 10_000), mulDivUp(sol, curveCreatorBps, 10_000)
}

// cost is what amount tokens cost before fees.
func (c *bondingCurve) cost(amount uint64) uint64 {
	return mulDiv(c.virtualSOL, amount, c.virtualToken-amount) + 1
}

// affordable is how many tokens a SOL budget, fees included, buys.
func (c *bondingCurve) affordable(sol uint64) uint64 {
	net := mulDiv(sol, 10_000, 10_000+curveFeeBps+curveCreatorBps)
	if net < 10 {
		return 0
	}
	net -= 4
	n := mulDiv(c.virtualToken, net, c.virtualSOL+net)
	return min(n, c.realToken)
}

func (c *bondingCurve) getFees(b *builder, height int, sol uint64) {
	s := &c.m.shared
	b.call(s.feeProgram, height)
	b.log("Instruction: GetFees")
	b.acc(ro, s.pumpFeeConfig, c.m.dexes.pump.program)
	b.bytes([]byte{0xe7, 0x25, 0x7e, 0x55, 0xcf, 0x5b, 0x3f, 0x34, 1})
	b.u64(mulDiv(c.virtualSOL, curveSupply, c.virtualToken)) // market cap, u128
	b.u64(0)
	b.u64(sol)
	b.data(0)
	b.ret(3302)
	var r [24]byte
	le.PutUint64(r[8:], curveFeeBps)
	le.PutUint64(r[16:], curveCreatorBps)
	b.returned(s.feeProgram, r[:])
}

// buy sells amount tokens of the curve to w. The wallet's token account must
// exist.
func (c *bondingCurve) buy(b *builder, w *wallet, amount, maxCost uint64) fill {
	m, s := c.m, &c.m.shared
	prog := m.dexes.pump
	sol := c.cost(amount)
	fee, creatorFee := feesOf(sol)
	buyback := fee / 2
	ata, volume := m.token(w, c.mint), m.volumeOf(w)
	b.call(prog.program, 1)
	o, i := b.place()
	b.log("Instruction: Buy")
	b.acc(ro, s.pumpGlobal)
	b.acc(wr, s.pumpFeeTo)
	b.acc(ro, c.mint.acct)
	b.acc(wr, c.id, c.tokens, ata)
	b.acc(wr|signer, w.acct)
	b.acc(ro, m.prog.system, c.program)
	b.acc(wr, c.creatorVault)
	b.acc(ro, prog.event, prog.program, s.pumpVolume)
	b.acc(wr, volume)
	b.acc(ro, s.pumpFeeConfig, s.feeProgram, c.id2)
	b.acc(wr, s.pumpBuyback)
	b.bytes(discBuy)
	b.u64(amount)
	b.u64(maxCost)
	if volume.lamports == 0 {
		b.createAccount(w.acct, volume, 1_844_400, 137, prog.program, 2)
	}
	c.getFees(b, 2, sol)
	b.transferChecked(c.tokens, ata, c.id, amount, 2)
	if c.creatorVault.lamports == 0 {
		b.systemTransfer(w.acct, c.creatorVault, vaultRent, 2)
	}
	b.systemTransfer(w.acct, c.creatorVault, creatorFee, 2)
	b.systemTransfer(w.acct, c.id, sol, 2)
	b.systemTransfer(w.acct, s.pumpBuyback, buyback, 2)
	b.systemTransfer(w.acct, s.pumpFeeTo, fee-buyback, 2)
	c.virtualSOL += sol
	c.realSOL += sol
	c.virtualToken -= amount
	c.realToken -= amount
	f := fill{in: sol + fee + creatorFee, out: amount, vaultIn: sol, payout: amount, fee: fee + creatorFee, ok: true}
	c.event(b, w, true, sol, amount, fee, creatorFee, buyback)
	if c.realToken == 0 {
		c.complete = true
		e := append(b.event[:0], 0x5f, 0x72, 0x61, 0x9c, 0xd4, 0x2e, 0x98, 0x08)
		e = append(e, w.key[:]...)
		e = append(e, c.key[:]...)
		e = append(e, c.id.key[:]...)
		e = le.AppendUint64(e, uint64(m.unixNow()))
		e = append(e, zeroKey[:]...)
		b.event = e
		b.emitCPI(prog.program, prog.event, 2, e, 2125)
	}
	b.ret(50_000)
	c.record(b, o, i, w, true, &f)
	return f
}

// sell buys amount tokens back from w.
func (c *bondingCurve) sell(b *builder, w *wallet, amount, minOut uint64) fill {
	m, s := c.m, &c.m.shared
	prog := m.dexes.pump
	sol := mulDiv(c.virtualSOL, amount, c.virtualToken+amount)
	fee, creatorFee := feesOf(sol)
	buyback := fee / 2
	ata := m.token(w, c.mint)
	b.call(prog.program, 1)
	o, i := b.place()
	b.log("Instruction: Sell")
	b.acc(ro, s.pumpGlobal)
	b.acc(wr, s.pumpFeeTo)
	b.acc(ro, c.mint.acct)
	b.acc(wr, c.id, c.tokens, ata)
	b.acc(wr|signer, w.acct)
	b.acc(ro, m.prog.system)
	b.acc(wr, c.creatorVault)
	b.acc(ro, c.program, prog.event, prog.program, s.pumpFeeConfig, s.feeProgram, c.id2)
	b.acc(wr, s.pumpBuyback)
	b.bytes(discSell)
	b.u64(amount)
	b.u64(minOut)
	c.getFees(b, 2, sol)
	b.transferChecked(ata, c.tokens, w.acct, amount, 2)
	b.pay(c.id, w.acct, sol-fee-creatorFee)
	b.pay(c.id, c.creatorVault, creatorFee)
	b.pay(c.id, s.pumpBuyback, buyback)
	b.pay(c.id, s.pumpFeeTo, fee-buyback)
	c.virtualSOL -= sol
	c.realSOL -= sol
	c.virtualToken += amount
	c.realToken += amount
	f := fill{in: amount, out: sol - fee - creatorFee, vaultIn: amount, payout: sol, fee: fee + creatorFee, ok: true}
	c.event(b, w, false, sol, amount, fee, creatorFee, buyback)
	b.ret(40_000)
	c.record(b, o, i, w, false, &f)
	return f
}

// event writes TradeEvent to the log and by self-CPI.
func (c *bondingCurve) event(b *builder, w *wallet, isBuy bool, sol, tokens, fee, creatorFee, buyback uint64) {
	s := &c.m.shared
	e := append(b.event[:0], 0xbd, 0xdb, 0x7f, 0xd3, 0x4e, 0xe6, 0x61, 0xee)
	u := func(v ...uint64) {
		for _, x := range v {
			e = le.AppendUint64(e, x)
		}
	}
	e = append(e, c.key[:]...)
	u(sol, tokens)
	e = append(e, bit(isBuy))
	e = append(e, w.key[:]...)
	u(uint64(c.m.unixNow()), c.virtualSOL, c.virtualToken, c.realSOL, c.realToken)
	e = append(e, s.pumpFeeTo.key[:]...)
	u(curveFeeBps, fee)
	e = append(e, c.creator.key[:]...)
	u(curveCreatorBps, creatorFee)
	e = append(e, 0)
	u(0, 0, 0, 0)
	name := "sell"
	if isBuy {
		name = "buy"
	}
	e = le.AppendUint32(e, uint32(len(name)))
	e = append(e, name...)
	e = append(e, 0)
	u(0, 0, curveBuybackBps, buyback)
	e = append(e, 0, 0, 0, 0)
	e = append(e, zeroKey[:]...)
	u(sol, c.virtualSOL, c.realSOL)
	b.event = e
	b.logData(e)
	p := c.m.dexes.pump
	b.emitCPI(p.program, p.event, 2, e, 2125)
}

// record notes the swap for the ground truth. A curve has no wrapped SOL vault:
// its reserves are those of the curve.
func (c *bondingCurve) record(b *builder, o, i int, w *wallet, isBuy bool, f *fill) {
	m := c.m
	p := pool{m: m, dex: m.dexes.pump, id: c.id, a: m.mints[tokSOL], b: c.mint}
	u := party{trader: w.acct}
	s := p.swapped(b, o, i, &u, isBuy, f)
	s.ReservesKnown, s.VirtualKnown = true, true
	s.ReserveIn, s.ReserveOut = c.realSOL, c.realToken
	s.VirtualIn, s.VirtualOut = c.virtualSOL, c.virtualToken
	s.Curve = swapcast.CurveAt(curveRealToken-float64(c.realToken), curveRealToken)
	s.SpotKnown, s.Spot = true, float64(c.virtualToken)/float64(c.virtualSOL)
	if !isBuy {
		s.ReserveIn, s.ReserveOut = s.ReserveOut, s.ReserveIn
		s.VirtualIn, s.VirtualOut = s.VirtualOut, s.VirtualIn
		s.Spot = 1 / s.Spot
	}
	c.lastSlot = m.slot
}

// create writes create_v2 (d6904cec5f8b31b4: name, symbol, uri, creator,
// is_mayhem_mode), as in 5EDHe12K…: mint, curve and the curve's tokens are made,
// all tokens minted, the mint authority given up, CreateEvent emitted.
func (c *bondingCurve) create(b *builder, uri string) {
	m, s := c.m, &c.m.shared
	prog, w := m.dexes.pump, c.creator
	t22, mint := m.prog.token22, c.mint.acct
	b.call(prog.program, 1)
	b.log("Instruction: CreateV2")
	b.acc(wr|signer, mint)
	b.acc(ro, s.pumpMintAuth)
	b.acc(wr, c.id, c.tokens)
	b.acc(ro, s.pumpGlobal)
	b.acc(wr|signer, w.acct)
	b.acc(ro, m.prog.system, t22, m.prog.ata)
	b.acc(wr, s.mayhemProgram)
	b.acc(ro, s.mayhemParams)
	b.acc(wr, s.mayhemVault, c.mayhem, c.mayhemTokens)
	b.acc(ro, prog.event, prog.program)
	b.bytes([]byte{0xd6, 0x90, 0x4c, 0xec, 0x5f, 0x8b, 0x31, 0xb4})
	b.str(c.name)
	b.str(c.symbol)
	b.str(uri)
	b.bytes(w.key[:])
	b.data(0)

	b.createAccount(w.acct, mint, 2_519_520, 234, t22, 2)
	b.call(t22, 2)
	b.log("MetadataPointerInstruction::Initialize")
	b.acc(wr, mint)
	b.data(39, 0)
	b.bytes(zeroKey[:])
	b.bytes(mint.key[:])
	b.ret(925)
	b.call(t22, 2)
	b.log("Instruction: InitializeMint2")
	b.acc(wr, mint)
	b.data(20, c.decimals)
	b.bytes(s.pumpMintAuth.key[:])
	b.data(0)
	b.ret(1772)
	b.createAccount(w.acct, c.id, curveRent, 115, prog.program, 2)
	b.createATA(w.acct, c.tokens, true, 2)
	text := len(c.name) + len(c.symbol) + len(uri)
	b.systemTransfer(w.acct, mint, uint64(84+text)*6960, 2)
	b.call(t22, 2)
	b.log("TokenMetadataInstruction: Initialize")
	b.acc(wr, mint)
	b.acc(ro, s.pumpMintAuth, mint, s.pumpMintAuth)
	b.bytes([]byte{0xd2, 0xe1, 0x1e, 0xa2, 0x58, 0xb8, 0x4d, 0x8d})
	b.str(c.name)
	b.str(c.symbol)
	b.str(uri)
	b.ret(3514)
	b.call(t22, 2)
	b.log("TokenMetadataInstruction: UpdateAuthority")
	b.acc(wr, mint)
	b.acc(ro, s.pumpMintAuth)
	b.bytes([]byte{0xd7, 0xe4, 0xa6, 0xe4, 0x54, 0x64, 0x56, 0x7b})
	b.bytes(zeroKey[:])
	b.ret(3871)
	b.mintTo(c.mint, c.tokens, s.pumpMintAuth, curveSupply, 2)
	b.call(t22, 2)
	b.log("Instruction: SetAuthority")
	b.acc(wr, mint)
	b.acc(ro, s.pumpMintAuth)
	b.data(6, 0, 0)
	b.ret(1044)
	c.createEvent(b, uri)
	b.ret(50_000)
}

func (c *bondingCurve) createEvent(b *builder, uri string) {
	e := append(b.event[:0], 0x1b, 0x72, 0xa9, 0x4d, 0xde, 0xeb, 0x63, 0x76)
	for _, s := range [...]string{c.name, c.symbol, uri} {
		e = le.AppendUint32(e, uint32(len(s)))
		e = append(e, s...)
	}
	e = append(e, c.key[:]...)
	e = append(e, c.id.key[:]...)
	e = append(e, c.creator.key[:]...)
	e = append(e, c.creator.key[:]...)
	for _, v := range [...]uint64{
		uint64(c.m.unixNow()), curveVirtualToken, curveVirtualSOL, curveRealToken, curveSupply,
	} {
		e = le.AppendUint64(e, v)
	}
	e = append(e, c.program.key[:]...)
	e = append(e, 0, 0)
	e = append(e, zeroKey[:]...)
	e = le.AppendUint64(e, curveVirtualSOL)
	b.event = e
	b.logData(e)
	p := c.m.dexes.pump
	b.emitCPI(p.program, p.event, 2, e, 2125)
}
