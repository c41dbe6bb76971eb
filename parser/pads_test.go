package parser_test

import (
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

const (
	launchProgram   = "LanMV9sAd7wArD4vJFi2qDdfnVhFxYSUg6eADduJ3uj"
	dbcProgram      = "dbcij3LWUppWqq96dh6gJWwBifmcGfLSB5D4DuSMaqN"
	damm1Program    = "Eo7WjKq67rjJQSZxS6z3YkapzY3eMj6Xy8X5EQVn5UaB"
	moonProgram     = "MoonCVVNZFSYkqNXP6bxHLPL6QQJiMagDL3qcqUQTrG"
	boopProgram     = "boop8hVGQGqehUK2iVEMEnMrL5RbjywRzHKBmBE7ry4"
	heavenProgram   = "HEAVENoP2qxoeuF8Dj2oT1GHEnu49U5mJYkdeC8BAX2o"
	pancakeProgram  = "HpNfyc2Saw7RKkQd8nEL4khUcuPhQ7WwY1B2qjx8jxFq"
	fluxProgram     = "FLUXubRmkEi2q6K3Y9kBPg9248ggaZVsoSFhtJHSrm1X"
	saberProgram    = "SSwpkEEcbUqx4vtoEByFjSkhKdCT862DNVb52nZg1UZ"
	stabbleProgram  = "swapNyd8XiQwJ6ianp9snpu4brUqFxadzvHebnAXjJZ"
	weightedProgram = "swapFpHZwjELNnjvThjajtiVmkz3yPQEHjLtka2fwHW"
	cropperProgram  = "H8W3ctz92svYg6mkn1UtGfu2aQr2fnUFHM1RhScEtQDt"
	sarosProgram    = "SSwapUtytfBdBn1b9NUGG6foMVPtcWgpRU32HToDUZr"
	orcaV2Program   = "9W959DqEETiGZocYWCQPaJ6sBmUzgfxXfqGeTEdp3aQP"

	meteoraVaults = "24Uqj9JCLxUeoC3hGfh5W3s9FM9uCHDS2SG3LYwBpyTi"
	stabbleVaults = "vo1tWgqZMjG61Z2T9qUaMYKqZ75CYzMuaZ2LZP1n7HV"
)

func program(text string) solana.PublicKey { return solana.MustPublicKeyFromBase58(text) }

// TestPadVariants reads every swap instruction whose transfers are enough with
// the shortest data and the fewest accounts that it may have, and none with a
// byte or an account less.
func TestPadVariants(t *testing.T) {
	for _, v := range []variant{
		{"launchlab buy_exact_in", launchProgram, "faea0d7bd59c13ec", 24, 15, 4, 8, 7, 5},
		{"launchlab buy_exact_out", launchProgram, "18d3742869039938", 24, 15, 4, 8, 7, 5},
		{"launchlab sell_exact_in", launchProgram, "9527de9bd37c981a", 24, 15, 4, 7, 8, 6},
		{"launchlab sell_exact_out", launchProgram, "5fc8472208090ba6", 24, 15, 4, 7, 8, 6},
		{"damm v1 swap", damm1Program, "f8c69e91e17587c8", 16, 15, 0, 5, 6, 2},
		{"dbc swap", dbcProgram, "f8c69e91e17587c8", 16, 15, 2, 5, 6, 4},
		{"dbc swap2", dbcProgram, "414b3f4ceb5b5b88", 17, 15, 2, 5, 6, 4},
		{"dbc swap2_with_transfer_hook", dbcProgram, "b75d992818e6c297", 17, 15, 2, 5, 6, 4},
		{"heaven buy", heavenProgram, "66063d1201daebea", 20, 14, 4, 11, 10, 8},
		{"heaven sell", heavenProgram, "33e685a4017f83ad", 20, 14, 4, 10, 11, 9},
		{"pancakeswap swap", pancakeProgram, "f8c69e91e17587c8", 33, 10, 2, 5, 6, 4},
		{"pancakeswap swap_v2", pancakeProgram, "2b04ed0b1ac91e62", 33, 13, 2, 5, 6, 4},
		{"fluxbeam swap", fluxProgram, "01", 16, 14, 0, 4, 5, 6},
		{"saber swap", saberProgram, "01", 16, 9, 0, 4, 5, 6},
		{"saros swap", sarosProgram, "01", 16, 10, 0, 4, 5, 6},
		{"orca v2 swap", orcaV2Program, "01", 16, 10, 0, 4, 5, 6},
		{"stabble swap", stabbleProgram, "f8c69e91e17587c8", 9, 12, 6, 3, 4, 2},
		{"stabble swap_v2", stabbleProgram, "2b04ed0b1ac91e62", 9, 15, 8, 5, 6, 4},
		{"stabble swap, amount given", stabbleProgram, "f8c69e91e17587c801", 16, 12, 6, 3, 4, 2},
		{"stabble weighted swap", weightedProgram, "f8c69e91e17587c8", 9, 12, 6, 3, 4, 2},
		{"cropper swap", cropperProgram, "f8c69e91e17587c8", 34, 11, 2, 4, 6, 5},
	} {
		t.Run(v.name, v.test)
	}
}

// moonTx is a transaction of trades on one Moonshot curve.
type moonTx struct {
	b                  *Builder
	curve, vault, mine solana.PublicKey
	fees               [2]solana.PublicKey
}

func newMoon(name string) *moonTx {
	m := &moonTx{b: NewBuilder(name, user)}
	m.curve = m.b.Lamports(Key("curve"), 50_000)
	m.fees = [2]solana.PublicKey{m.b.Lamports(Key("fee 1"), 1), m.b.Lamports(Key("fee 2"), 1)}
	m.vault, m.mine = m.b.Account("vault", m.curve, assetA, 9_000), m.b.Account("mine", user, assetA, 9_000)
	return m
}

func (m *moonTx) begin(disc string) {
	f := filler(11)
	f[0], f[1], f[2], f[3], f[4], f[5] = user, m.mine, m.curve, m.vault, m.fees[0], m.fees[1]
	m.b.Begin(program(moonProgram), Join(Hex(disc), make([]byte, 25)), f...)
}

func (m *moonTx) buy(sol, fee, tokens uint64) {
	m.begin("66063d1201daebea")
	m.b.Transfer(m.vault, m.mine, m.curve, tokens)
	m.b.Pay(user, m.curve, sol)
	m.b.Pay(user, m.fees[0], fee)
	m.b.Pay(user, m.fees[1], fee)
	m.b.Pay(user, Key("rent of something"), 77)
	m.b.End()
}

// sell's stated is what the event says that the curve gave; 0 leaves it out.
func (m *moonTx) sell(tokens, sol, fee, stated uint64) {
	m.begin("33e685a4017f83ad")
	m.b.Transfer(m.mine, m.vault, user, tokens)
	m.b.Shift(m.curve, m.fees[0], fee)
	m.b.Shift(m.curve, m.fees[1], fee)
	m.b.Shift(m.curve, user, sol-2*fee)
	if stated > 0 {
		m.b.LogData(Join(Hex("bddb7fd34ee661ee"), U64(tokens), U64(stated), U64(fee), U64(fee), U64(1), m.curve[:],
			make([]byte, 64), []byte{1, 0, 0, 0, 0}))
	}
	m.b.End()
}

// TestMoonshot: what a curve lost without an instruction.
func TestMoonshot(t *testing.T) {
	read := func(name string, fill func(m *moonTx)) *parser.Result {
		m := newMoon(name)
		fill(m)
		return parse(m.b.Tx())
	}
	r := read("stated", func(m *moonTx) { m.sell(300, 10_000, 50, 10_000) })
	want(t, r, [4]uint64{300, 10_000, 300, 9_900})
	if s := r.Swaps[0]; s.FeeBps != 100 || s.ReserveOut != 40_000 || s.ReserveIn != 9_300 || s.MintOut != swapcast.NativeMint() {
		t.Errorf("%+v", s)
	}
	r = read("not stated", func(m *moonTx) { m.sell(300, 10_000, 50, 0) })
	want(t, r, [4]uint64{300, 10_000, 300, 10_000})
	if r.Swaps[0].FeeBps != -1 {
		t.Errorf("a fee that nothing states: %d", r.Swaps[0].FeeBps)
	}
	want(t, read("stated otherwise", func(m *moonTx) { m.sell(300, 10_000, 50, 9_999) }), [4]uint64{300, 10_000, 300, 10_000})
	want(t, read("bought and sold", func(m *moonTx) {
		m.buy(7_000, 35, 200)
		m.sell(300, 10_000, 50, 10_000)
	}), [4]uint64{7_000, 200, 7_070, 200}, [4]uint64{300, 10_000, 300, 9_900})
	r = read("sold twice", func(m *moonTx) {
		m.sell(300, 10_000, 50, 10_000)
		m.sell(300, 9_000, 45, 9_000)
	})
	if len(r.Swaps) != 0 || len(r.Unparsed) != 2 || r.Unparsed[0].Reason != "no_event" {
		t.Errorf("two sales: %v %v", r.Swaps, r.Unparsed)
	}
	wantReason(t, read("migrated", func(m *moonTx) {
		m.sell(300, 10_000, 50, 10_000)
		m.begin("0102030405060708")
		m.b.Shift(m.curve, user, 20_000)
		m.b.End()
	}), "no_event")
	wantReason(t, read("nothing moved", func(m *moonTx) {
		m.begin("66063d1201daebea")
		m.b.Pay(user, m.curve, 5)
		m.b.End()
	}), "no_transfers")
}

// TestBoop: fees and rent are told from what the curve gained.
func TestBoop(t *testing.T) {
	b := NewBuilder("boop", user)
	curve, sol, fees := Key("curve"), b.Lamports(Key("sol"), 50_000), b.Lamports(Key("fees"), 5)
	vault, mine := b.Account("vault", curve, assetA, 9_000), b.Account("mine", user, assetA, 0)
	f := filler(13)
	f[1], f[2], f[3], f[4], f[5], f[6] = curve, fees, vault, sol, mine, user
	b.Begin(program(boopProgram), Join(Hex("8a7f0e5b26577369"), make([]byte, 16)), f...)
	b.Pay(user, Key("rent of something"), 2_039_280)
	b.Pay(user, sol, 10_000) // all of it first, then the fee out of it
	b.Pay(sol, fees, 100)
	b.Transfer(vault, mine, curve, 400)
	b.End()
	r := parse(b.Tx())
	want(t, r, [4]uint64{9_900, 400, 10_000, 400})
	if s := r.Swaps[0]; s.Pool != curve || s.Trader != user || s.FeeBps != 100 || s.ReserveIn != 59_900 || s.ReserveOut != 8_600 {
		t.Errorf("%+v", s)
	}
}

// launchBuy is a LaunchLab buy of 400 coins for 10_000 whose event begins with
// virtual 30_000 and 5_000 and says what the arguments say.
func launchBuy(in, raised, toFees uint64) *parser.Result {
	b := NewBuilder("launchlab", user)
	p := newPool(b, "pool", assetA, assetB)
	from, to := b.Account("from", user, assetB, 50_000), b.Account("to", user, assetA, 0)
	claim := b.Account("claim fees", p.auth, assetB, 0)
	f := filler(18)
	f[4], f[5], f[6], f[7], f[8], f[15] = p.key, to, from, p.vaultA, p.vaultB, claim
	b.Begin(program(launchProgram), Join(Hex("faea0d7bd59c13ec"), make([]byte, 24)), f...)
	b.Transfer(from, p.vaultB, user, 10_000)
	b.Transfer(p.vaultA, to, p.auth, 1_234)
	if toFees > 0 {
		b.Transfer(p.vaultB, claim, p.auth, toFees)
	}
	b.Event(Join(Hex("bddb7fd34ee661ee"), p.key[:], U64(4_000), U64(5_000), U64(30_000), U64(0), U64(0), U64(1_234), U64(raised),
		U64(in), U64(1_234), U64(25), U64(100), U64(0), U64(0), []byte{0, 0, 1}))
	b.End()
	return parse(b.Tx())
}

// TestLaunchLab: the event must agree, fees may leave the vault at once, and
// only a constant product's reserves are shown as such.
func TestLaunchLab(t *testing.T) {
	r := launchBuy(10_000, 9_832, 0) // 30_000*5_000/(5_000-1_234) - 30_000
	want(t, r, [4]uint64{10_000, 1_234, 10_000, 1_234})
	if s := r.Swaps[0]; !s.VirtualKnown || s.VirtualIn != 39_832 || s.VirtualOut != 3_766 || s.ReserveIn != 9_832 ||
		s.ReserveOut != 2_766 || s.FeeBps != 125 || !s.SpotKnown {
		t.Errorf("constant product: %+v", s)
	}
	r = launchBuy(10_000, 7_404, 0) // 6 a coin, whatever was sold: a fixed price
	want(t, r, [4]uint64{10_000, 1_234, 10_000, 1_234})
	if s := r.Swaps[0]; s.VirtualKnown || s.SpotKnown || s.ReserveIn != 7_404 {
		t.Errorf("fixed price: %+v", s)
	}
	want(t, launchBuy(10_000, 9_832, 125), [4]uint64{9_875, 1_234, 10_000, 1_234})
	wantReason(t, launchBuy(10_001, 9_832, 0), "event_mismatch")
	wantReason(t, launchBuy(9_999, 9_832, 0), "event_mismatch")

	r = launchSell(4_609)
	want(t, r, [4]uint64{500, 4_658, 500, 4_609})
	if s := r.Swaps[0]; !s.VirtualKnown || s.VirtualIn != 4_266 || s.VirtualOut != 35_162 || s.ReserveIn != 3_266 ||
		s.ReserveOut != 5_162 || s.FeeBps != 131 {
		t.Errorf("sale: %+v", s)
	}
	wantReason(t, launchSell(4_608), "event_mismatch")
}

// launchSell is a sale of 500 coins on the curve of launchBuy, whose vault hands
// the platform's and the creator's fee on at once and keeps the protocol's.
func launchSell(out uint64) *parser.Result {
	b := NewBuilder("launchlab sale", user)
	p := newPool(b, "pool", assetA, assetB)
	from, to := b.Account("from", user, assetA, 50_000), b.Account("to", user, assetB, 0)
	platform, creator := b.Account("platform fees", p.auth, assetB, 0), b.Account("creator fees", p.auth, assetB, 0)
	f := filler(18)
	f[4], f[5], f[6], f[7], f[8], f[16], f[17] = p.key, from, to, p.vaultA, p.vaultB, platform, creator
	b.Begin(program(launchProgram), Join(Hex("9527de9bd37c981a"), make([]byte, 24)), f...)
	b.Event(Join(Hex("bddb7fd34ee661ee"), p.key[:], U64(4_000), U64(5_000), U64(30_000), U64(1_234), U64(9_832), U64(734), U64(5_162),
		U64(500), U64(out), U64(12), U64(47), U64(2), U64(0), []byte{1, 0, 1}))
	b.Transfer(from, p.vaultA, user, 500)
	b.Transfer(p.vaultB, to, p.auth, 4_609)
	b.Transfer(p.vaultB, platform, p.auth, 47)
	b.Transfer(p.vaultB, creator, p.auth, 2)
	b.End()
	return parse(b.Tx())
}

// TestDBC: either event is held against what moved; a referral leaves a vault.
func TestDBC(t *testing.T) {
	read := func(out, referral uint64, newer bool) *parser.Result {
		b := NewBuilder("dbc", user)
		p := newPool(b, "pool", assetA, assetB)
		from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
		other := b.Account("referrer", Key("a referrer"), assetB, 0)
		f := filler(15)
		f[2], f[3], f[4], f[5], f[6] = p.key, from, to, p.vaultA, p.vaultB
		b.Begin(program(dbcProgram), Join(Hex("f8c69e91e17587c8"), make([]byte, 16)), f...)
		b.Transfer(from, p.vaultA, user, 1_000)
		b.Transfer(p.vaultB, to, p.auth, 500)
		if referral > 0 {
			b.Transfer(p.vaultB, other, p.auth, referral)
		}
		head := Join(p.key[:], make([]byte, 32), []byte{0, 1}, U64(1_000), U64(1))
		price := U128(0, 2)
		if newer {
			b.Event(Join(Hex("bd4233a826507599"), head, []byte{0}, U64(1_000), U64(1_000), U64(0), U64(out), price,
				U64(4), U64(1), U64(referral), U64(777), U64(9_999), U64(1)))
		} else {
			b.Event(Join(Hex("1b3c15d58aaabb93"), head, U64(1_000), U64(out), price, U64(4), U64(1), U64(referral), U64(1_000), U64(1)))
		}
		b.End()
		return parse(b.Tx())
	}
	for _, newer := range []bool{true, false} {
		r := read(500, 0, newer)
		want(t, r, [4]uint64{1_000, 500, 1_000, 500})
		if s := r.Swaps[0]; s.Spot != 4 || (newer && (s.ReserveOut != 777 || s.FeeBps != 99)) {
			t.Errorf("%+v", s)
		}
		want(t, read(500, 3, newer), [4]uint64{1_000, 503, 1_000, 500})
		wantReason(t, read(501, 0, newer), "event_mismatch")
	}
}

// damm1 is a swap of 1_000_000 for 500_000 through the vaults, of which so many
// lp tokens were made and destroyed.
func damm1(minted, burned, host uint64, deeper bool) *swapcast.Transaction {
	b := NewBuilder("damm v1", user)
	p := newPool(b, "pool", assetA, assetB)
	from, to := b.Account("from", user, assetA, 5_000_000), b.Account("to", user, assetB, 0)
	lpA, lpB := b.Account("lp a", p.key, Token("lp mint a", 6), 400_000), b.Account("lp b", p.key, Token("lp mint b", 6), 100_000)
	f := filler(15)
	f[0], f[1], f[2], f[5], f[6], f[9], f[10] = p.key, from, to, p.vaultA, p.vaultB, lpA, lpB
	b.Begin(program(damm1Program), Join(Hex("f8c69e91e17587c8"), make([]byte, 16)), f...)
	b.Begin(program(meteoraVaults), []byte{1})
	b.TransferPlain(from, p.vaultA, user, 1_000_000)
	if deeper { // what a program below the vault moves is not the pool's doing
		b.Begin(Key("a program"), nil)
		b.TransferPlain(from, p.vaultA, user, 9)
		b.End()
	}
	b.Call(solana.TokenProgramID, append([]byte{7}, U64(minted)...), Key("lp mint a"), lpA, p.auth)
	b.End()
	b.Begin(program(meteoraVaults), []byte{2})
	b.TransferPlain(p.vaultB, to, p.auth, 500_000)
	b.Call(solana.TokenProgramID, append([]byte{8}, U64(burned)...), lpB, Key("lp mint b"), p.key)
	b.End()
	b.LogData(Join(Hex("516ce3becdd00ac4"), U64(999_999), U64(500_000), U64(2_000), U64(500), U64(host)))
	b.End()
	return b.Tx()
}

// TestDAMMv1: the vault program's transfers are the pool's, its shares tell the
// reserves, and flat sources give the same.
func TestDAMMv1(t *testing.T) {
	moved := [4]uint64{1_000_000, 500_000, 1_000_000, 500_000}
	r := parse(damm1(800_000, 250_000, 0, false))
	want(t, r, moved)
	if s := r.Swaps[0]; !s.ReservesKnown || s.ReserveIn != 500_000 || s.ReserveOut != 200_000 || s.FeeBps != 25 {
		t.Errorf("%+v", s)
	}
	want(t, parse(damm1(800_000, 250_000, 0, true)), moved)
	r = parse(damm1(800_000, 19_999, 7, false))
	want(t, r, moved)
	if s := r.Swaps[0]; s.ReservesKnown || s.FeeBps != -1 {
		t.Errorf("few lp tokens, a host: %+v", s)
	}
	flat := damm1(800_000, 250_000, 0, false)
	for i := range flat.Instructions {
		if flat.Instructions[i].Inner >= 0 {
			flat.Instructions[i].Depth = 0
		}
	}
	want(t, parse(flat), moved)
}

// TestHeaven: without its event a trade has no reserves; a transfer fee that the
// program gives back to the account is none.
func TestHeaven(t *testing.T) {
	read := func(event bool) *parser.Result {
		b := NewBuilder("heaven", user)
		coin := Mint{Key: Key("coin"), Decimals: 9, Program: solana.Token2022ProgramID}
		p := newPool(b, "pool", coin, assetB)
		from, to := b.Account("from", user, coin, 5_000), b.Account("to", user, assetB, 0)
		f := filler(16)
		f[4], f[8], f[9], f[10], f[11] = p.key, from, to, p.vaultA, p.vaultB
		b.Begin(program(heavenProgram), Join(Hex("33e685a4017f83ad"), make([]byte, 20)), f...)
		b.Transfer(p.vaultB, to, p.auth, 500)
		b.Transfer(from, p.vaultA, user, 1_000)
		b.Call(solana.Token2022ProgramID, []byte{26, 3, 1}, coin.Key, p.vaultA, p.auth, p.vaultA)
		if event {
			b.LogData(Join(Hex("bddb7fd34ee661ee"), U64(8_000), U64(4_000), U64(0), U64(5), U64(0), U64(1_000), U64(0), U64(0), U64(505)))
		}
		b.End()
		return parse(b.Tx())
	}
	r := read(true)
	want(t, r, [4]uint64{1_000, 500, 1_000, 500})
	if s := r.Swaps[0]; s.ReserveIn != 8_000 || s.ReserveOut != 4_000 || s.Spot != 0.5 || s.FeeBps != 99 {
		t.Errorf("%+v", s)
	}
	r = read(false)
	want(t, r, [4]uint64{1_000, 500, 1_000, 500})
	if s := r.Swaps[0]; s.ReservesKnown || s.SpotKnown || s.FeeBps != -1 {
		t.Errorf("%+v", s)
	}
}

// TestStabbleRoute: two pools over one token account, each with its own amounts.
func TestStabbleRoute(t *testing.T) {
	b := NewBuilder("stabble", user)
	mints := [3]Mint{assetA, assetB, Token("asset c", 6)}
	auth := Key("vault authority")
	var vaults, mine, fees [3]solana.PublicKey
	for i, m := range mints {
		n := string(rune('a' + i))
		vaults[i] = b.Account("vault "+n, auth, m, 1_000_000)
		mine[i] = b.Account("mine "+n, user, m, 10_000)
		fees[i] = b.Account("fees "+n, Key("a beneficiary"), m, 0)
	}
	for i := range 2 {
		f := filler(12)
		f[0], f[1], f[2], f[3], f[4], f[5], f[6] = user, mine[i], mine[i+1], vaults[i], vaults[i+1], fees[i+1], Key("pool "+string(rune('a'+i)))
		b.Begin(program(stabbleProgram), Join(Hex("f8c69e91e17587c8"), []byte{1}, U64(1_000), U64(1)), f...)
		b.TransferPlain(mine[i], vaults[i], user, 1_000)
		b.Begin(program(stabbleVaults), []byte{1})
		b.TransferPlain(vaults[i+1], fees[i+1], auth, 2)
		b.TransferPlain(vaults[i+1], mine[i+1], auth, 990)
		b.End()
		b.End()
	}
	want(t, parse(b.Tx()), [4]uint64{1_000, 992, 1_000, 990}, [4]uint64{1_000, 992, 1_000, 990})
}

// TestUnknownThroughVaults: an instruction that nobody knows and that trades
// through a vault program is reported; one that only puts in or takes out is not.
func TestUnknownThroughVaults(t *testing.T) {
	damm := func(first, second string) *parser.Result {
		tx := damm1(800_000, 250_000, 0, false)
		tx.Instructions[0].Data = Join(Hex("0102030405060708"), make([]byte, 16))
		vaults := 0
		for i := range tx.Instructions {
			if ix := &tx.Instructions[i]; tx.Keys[ix.Program] == program(meteoraVaults) {
				ix.Data = Hex([]string{first, second}[vaults])
				vaults++
			}
		}
		return parse(tx)
	}
	const deposit, withdraw = "f223c68952e1f2b6", "b712469c946da122"
	wantReason(t, damm(deposit, withdraw), "unknown_instruction")
	want(t, damm(deposit, deposit))
	want(t, damm(withdraw, withdraw))

	stab := func(out uint64) *parser.Result {
		b := NewBuilder("stabble unknown", user)
		p := newPool(b, "pool", assetA, assetB)
		from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 5_000)
		b.Begin(program(stabbleProgram), Hex("0102030405060708"), filler(12)...)
		b.TransferPlain(from, p.vaultA, user, 1_000)
		b.Begin(program(stabbleVaults), []byte{1})
		if out > 0 {
			b.TransferPlain(p.vaultB, to, p.auth, out)
		} else {
			b.TransferPlain(to, p.vaultB, user, 100)
		}
		b.End()
		b.End()
		return parse(b.Tx())
	}
	wantReason(t, stab(500), "unknown_instruction")
	want(t, stab(0))
}
