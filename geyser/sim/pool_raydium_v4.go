package sim

import "encoding/base64"

// Raydium AMM v4, 675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8.
//
// Facts read from real transactions: 54MFrVcf… (18 accounts, direct),
// pL1XB94m… and 35Trh2L4… (17 accounts, called by a router), slot 361774429.
//
//	SwapBaseIn, 17 bytes: 09 | amount_in u64 | minimum_amount_out u64
//	accounts, 18: 0 token program, 1 amm, 2 authority, 3 open orders,
//	  4 target orders, 5 coin vault, 6 pc vault, 7 market program, 8 market,
//	  9 bids, 10 asks, 11 event queue, 12 market coin vault, 13 market pc vault,
//	  14 vault signer, 15 user source, 16 user destination, 17 user owner.
//	  Routers leave out 4 and pass the amm for 3 and 7 to 13 (17 accounts).
//	inner: Token Transfer user -> vault, Token Transfer vault -> user.
//	log before the transfers: "ray_log: " base64 of 57 bytes:
//	  03 | amount_in | minimum_out | direction (1 pc to coin, 2 coin to pc) |
//	  user_source | pool_coin | pool_pc (both before the swap) | out_amount
//	fee: ceil(amount_in * 25 / 10000), kept in the pool; then x*y=k, floor.
//	Deposit: 03 | max_coin u64 | max_pc u64 | base_side u64; Withdraw: 04 | lp u64.

type raydiumV4 struct {
	pool
	product
	openOrders, target, marketProgram, market, bids, asks, queue *acct
	marketCoin, marketPc, vaultSigner                            *acct
}

func (m *Market) newRaydiumV4(a, b *mint, x, y uint64) *raydiumV4 {
	p := &raydiumV4{pool: m.newPool(m.dexes.rayV4, a, b, x, y, m.shared.rayV4Auth), product: product{x, y}}
	p.openOrders, p.target = m.listed(23_357_760), m.listed(16_258_560)
	p.marketProgram = m.shared.openbook
	p.market, p.bids, p.asks, p.queue = m.listed(3_591_360), m.listed(101_977_920), m.listed(101_977_920), m.listed(79_594_560)
	p.vaultSigner = m.listed(0)
	p.marketCoin, p.marketPc = m.newToken(p.vaultSigner, a, 0), m.newToken(p.vaultSigner, b, 0)
	m.list(p.marketCoin)
	m.list(p.marketPc)
	return p
}

func (p *raydiumV4) feeRate() float64 { return 0.0025 }

func (p *raydiumV4) quote(aToB bool, in uint64) (f fill) {
	if in == 0 {
		return f
	}
	f.fee = mulDivUp(in, 25, 10_000)
	f.in, f.vaultIn = in, in
	f.out = p.out(aToB, in-f.fee)
	f.payout, f.ok = f.out, f.out > 0
	return f
}

func (p *raydiumV4) accounts(b *builder, u *party, _, routed bool) {
	b.acc(ro, p.m.prog.token)
	b.acc(wr, p.id)
	b.acc(ro, p.auth)
	if routed {
		b.acc(wr, p.id, p.vaultA, p.vaultB)
		b.acc(ro, p.id, p.id, p.id, p.id, p.id, p.id, p.id, p.id)
	} else {
		b.acc(wr, p.openOrders, p.target, p.vaultA, p.vaultB)
		b.acc(ro, p.marketProgram)
		b.acc(wr, p.market, p.bids, p.asks, p.queue, p.marketCoin, p.marketPc)
		b.acc(ro, p.vaultSigner)
	}
	b.acc(wr, u.src, u.dst)
	b.acc(ro, u.auth)
}

func (p *raydiumV4) swap(b *builder, u *party, aToB bool, in, minOut uint64, height int) fill {
	f := p.quote(aToB, in)
	b.call(p.dex.program, height)
	o, i := b.place()
	_, _, vi, vo := p.sides(aToB)
	p.accounts(b, u, aToB, height > 1)
	b.data(9)
	b.u64(in)
	b.u64(minOut)

	dir := uint64(1)
	if aToB {
		dir = 2
	}
	var raw [57]byte
	e := append(raw[:0], 3)
	for _, v := range [...]uint64{in, minOut, dir, u.src.amount, p.x, p.y, f.out} {
		e = le.AppendUint64(e, v)
	}
	b.logb = append(b.logb, "Program log: ray_log: "...)
	b.logb = base64.StdEncoding.AppendEncode(b.logb, e)
	b.endLog()
	if b.dry {
		b.fail(30)
		return f
	}
	b.transfer(u.src, vi, u.auth, f.in, height+1)
	b.transfer(vo, u.dst, p.auth, f.out, height+1)
	if aToB {
		p.x, p.y = p.x+f.in, p.y-f.out
	} else {
		p.x, p.y = p.x-f.out, p.y+f.in
	}
	b.ret(17_500)
	s := p.swapped(b, o, i, u, aToB, &f)
	s.FeeBps = 25
	return f
}
