package parser_test

import (
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

const (
	phoenixProgram  = "PhoeNiXZ8ByJGLkxNfZRnkUfjvmuYqLR89jjFHGqdXY"
	openbookProgram = "opnb2LAfJYbRMAHHvqjCwQxanZn7ReEHp1k81EohpZb"
	solfiProgram    = "SoLFiHG9TfgtdUXUjWAxi3LtvYuFyDLVhBWxdMZxyCe"
	zerofiProgram   = "ZERor4xhbUycZ6gb9ntrhqscUcZmAbQDjEAtCf4hbZY"
	humidifiProgram = "9H6tua7jkLhdm3w8BvgpTn5LZNU7g4ZynDmCiNN3q6Rp"
	goonfiProgram   = "goonERTdGsjnkZqWuVjs73BZ3Pb9qoCUdBUL17BnS5j"
	tesseraProgram  = "TessVdML9pBGgG9yGks7o4HewRaXVAMuoVj4x83GLQH"
)

// TestOracleVariants reads every swap instruction of the order books and the
// oracle market makers with the shortest data and the fewest accounts that it
// may have, and none with a byte or an account less.
func TestOracleVariants(t *testing.T) {
	hidden := func(kind byte) []byte {
		d := make([]byte, 25)
		d[24] = kind
		return HumidifiHide(d)
	}
	plain := func(disc string, args int) []byte { return Join(Hex(disc), make([]byte, args)) }
	for _, v := range []struct {
		name, program string
		data          []byte
		accounts      int
		pool, a, b    int // positions
	}{
		{"phoenix swap", phoenixProgram, plain("00", 54), 9, 2, 6, 7},
		{"openbook place_take_order", openbookProgram, plain("032c47031ac7cb55", 27), 16, 2, 6, 7},
		{"lifinity swap", "2wT8Yq49kHgDzXuPxZSaeLaH1qbmGXtEyPy64bL7aD3c", plain("f8c69e91e17587c8", 16), 13, 1, 5, 6},
		{"invariant swap", "HyaB3W9q6XdA5xwpU4XnSZV94htfmbmqJXZcEbRaJutt", plain("f8c69e91e17587c8", 26), 10, 1, 5, 6},
		{"obric swap", "obriQD1zbpyLz95G5n7nJe6a4DPjpFwa5XYPoNm113y", plain("f8c69e91e17587c8", 17), 12, 0, 3, 4},
		{"obric swap2", "obriQD1zbpyLz95G5n7nJe6a4DPjpFwa5XYPoNm113y", plain("414b3f4ceb5b5b88", 17), 12, 0, 3, 4},
		{"solfi swap", solfiProgram, plain("07", 17), 8, 1, 2, 3},
		{"zerofi swap", zerofiProgram, plain("06", 16), 10, 0, 2, 4},
		{"humidifi swap", humidifiProgram, hidden(4), 9, 1, 2, 3},
		{"humidifi swap_v2", humidifiProgram, hidden(15), 9, 1, 2, 3},
		{"humidifi swap_v3", humidifiProgram, hidden(20), 9, 1, 2, 3},
		{"goonfi swap", goonfiProgram, plain("02", 18), 9, 1, 4, 5},
		{"tessera swap", tesseraProgram, plain("10", 17), 12, 1, 3, 4},
	} {
		t.Run(v.name, func(t *testing.T) {
			read := func(data, accounts int) *parser.Result {
				b := NewBuilder(v.name, user)
				p := newPool(b, "pool", assetA, assetB)
				from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
				f := filler(v.accounts)
				f[v.pool], f[v.a], f[v.b] = p.key, p.vaultA, p.vaultB
				if v.program == zerofiProgram {
					f[6] = to
				}
				if v.a == 5 && v.accounts == 13 { // Lifinity
					f[4] = to
				}
				b.Begin(solana.MustPublicKeyFromBase58(v.program), v.data[:data], f[:accounts]...)
				b.Transfer(from, p.vaultA, user, 1_000)
				b.Transfer(p.vaultB, to, p.auth, 500)
				b.End()
				return parse(b.Tx())
			}
			r := read(len(v.data), v.accounts)
			want(t, r, [4]uint64{1_000, 500, 1_000, 500})
			if s := r.Swaps[0]; s.Pool != Key("pool") || s.Trader != user {
				t.Errorf("pool %s, trader %s", s.Pool, s.Trader)
			}
			wantReason(t, read(len(v.data)-1, v.accounts), "short_data")
			wantReason(t, read(len(v.data), v.accounts-1), "short_accounts")
		})
	}
}

// TestUnknownOfMakers: an instruction that is no known swap and moves two vaults
// of one owner against each other is told, and one that moves one of them or
// nothing is passed over.
func TestUnknownOfMakers(t *testing.T) {
	for _, v := range []struct {
		name, program string
		data          []byte
	}{
		{"solfi 6", solfiProgram, Join([]byte{6}, make([]byte, 152))},
		{"zerofi 5", zerofiProgram, Join([]byte{5}, make([]byte, 68))},
		{"tessera 17", tesseraProgram, Join([]byte{17}, make([]byte, 17))},
		{"goonfi 1", goonfiProgram, Join([]byte{1}, make([]byte, 41))},
		{"humidifi 13", humidifiProgram, HumidifiHide(Join(make([]byte, 64), []byte{13}))},
		{"humidifi 25 bytes of another kind", humidifiProgram, HumidifiHide(make([]byte, 25))},
		{"openbook place_order", openbookProgram, Join(Hex("33c29baf6d82606a"), make([]byte, 40))},
		{"phoenix withdraw", phoenixProgram, []byte{12, 0, 0}},
	} {
		t.Run(v.name, func(t *testing.T) {
			for moves := range 3 {
				b := NewBuilder(v.name, user)
				p := newPool(b, "pool", assetA, assetB)
				from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
				b.Begin(solana.MustPublicKeyFromBase58(v.program), v.data, p.key, p.vaultA, p.vaultB, from, to)
				if moves > 0 {
					b.Transfer(from, p.vaultA, user, 1_000)
				}
				if moves > 1 {
					b.Transfer(p.vaultB, to, p.auth, 500)
				}
				b.End()
				r := parse(b.Tx())
				if moves > 1 {
					wantReason(t, r, "unknown_instruction")
				} else {
					want(t, r)
				}
			}
		})
	}
}

// TestUnknownOfSelfOwned: the same with vaults that own themselves, as those of
// Phoenix and ZeroFi do.
func TestUnknownOfSelfOwned(t *testing.T) {
	for _, against := range []bool{true, false} {
		b := NewBuilder("self-owned", user)
		vaultA := b.Account("vault a", Key("its owner"), assetA, 9_000)
		vaultB := b.Account("vault b", Key("another owner"), assetB, 9_000)
		tx := func() *swapcast.Transaction {
			from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 5_000)
			b.Begin(solana.MustPublicKeyFromBase58(zerofiProgram), []byte{9}, vaultA, vaultB, from, to)
			b.Transfer(from, vaultA, user, 1_000)
			if against {
				b.Transfer(vaultB, to, vaultB, 500)
			} else {
				b.Transfer(to, vaultB, user, 500)
			}
			b.End()
			return b.Tx()
		}()
		for i := range tx.PreTokens {
			for _, v := range []solana.PublicKey{vaultA, vaultB} {
				if tx.Keys[tx.PreTokens[i].Account] == v {
					tx.PreTokens[i].Owner = v
				}
			}
		}
		if r := parse(tx); against {
			wantReason(t, r, "unknown_instruction")
		} else {
			want(t, r)
		}
	}
}

// bookMove is one transfer of an order book's instruction.
type bookMove struct {
	in     bool
	base   bool
	amount uint64
}

// phoenixTx is a Phoenix instruction with its transfers and its log.
func phoenixTx(tag byte, moves []bookMove, base, quote, fee uint64) *swapcast.Transaction {
	b := NewBuilder("phoenix", user)
	p := newPool(b, "market", assetA, assetB)
	mineA, mineB := b.Account("mine a", user, assetA, 1_000_000), b.Account("mine b", user, assetB, 1_000_000)
	f := filler(10)
	f[2], f[3], f[4], f[5], f[6], f[7] = p.key, user, mineA, mineB, p.vaultA, p.vaultB
	program := solana.MustPublicKeyFromBase58(phoenixProgram)
	b.Begin(program, Join([]byte{tag, 2}, make([]byte, 53)), f...)
	for _, m := range moves {
		vault, mine := p.vaultB, mineB
		if m.base {
			vault, mine = p.vaultA, mineA
		}
		if m.in {
			b.Transfer(mine, vault, user, m.amount)
		} else {
			b.Transfer(vault, mine, p.auth, m.amount)
		}
	}
	// A reduced and a placed order stand before the summary, a fee after it.
	b.Begin(program, Join([]byte{15, 1, tag}, make([]byte, 24+64), []byte{4, 0},
		[]byte{4, 0, 0}, make([]byte, 32), []byte{3, 1, 0}, make([]byte, 40),
		[]byte{6, 2, 0}, U128(9, 9), U64(base), U64(quote), U64(fee), []byte{7, 3, 0}, U64(fee)), Key("log"))
	b.End()
	b.End()
	return b.Tx()
}

func TestPhoenix(t *testing.T) {
	const swap, swapFree, limit, limitFree, postMany = 0, 1, 2, 3, 16
	sell := []bookMove{{in: false, base: false, amount: 9_990}, {in: true, base: true, amount: 5_000}}
	buy := []bookMove{{in: false, base: true, amount: 5_000}, {in: true, base: false, amount: 10_000}}

	r := parse(phoenixTx(swap, sell, 50, 999, 1))
	want(t, r, [4]uint64{5_000, 9_990, 5_000, 9_990})
	if r.Swaps[0].FeeBps != 10 {
		t.Errorf("fee of a sale: %d", r.Swaps[0].FeeBps)
	}
	r = parse(phoenixTx(swap, buy, 50, 1_000, 10))
	want(t, r, [4]uint64{10_000, 5_000, 10_000, 5_000})
	if r.Swaps[0].FeeBps != 100 {
		t.Errorf("fee of a purchase: %d", r.Swaps[0].FeeBps)
	}

	// Nothing was on the book.
	want(t, parse(phoenixTx(swap, nil, 0, 0, 0)))
	// Free funds in the market paid: part, all of one side, all of both.
	part := []bookMove{sell[0], {in: true, base: true, amount: 4_321}}
	wantReason(t, parse(phoenixTx(swap, part, 50, 999, 1)), "event_mismatch")
	wantReason(t, parse(phoenixTx(swap, sell[:1], 50, 999, 1)), "zero_amount")
	wantReason(t, parse(phoenixTx(swap, nil, 50, 999, 1)), "no_transfers")
	wantReason(t, parse(phoenixTx(swapFree, nil, 50, 999, 1)), "no_transfers")
	// Orders that rest, and such as cross the book.
	want(t, parse(phoenixTx(swapFree, nil, 0, 0, 0)))
	want(t, parse(phoenixTx(limit, sell[1:], 0, 0, 0)))
	want(t, parse(phoenixTx(postMany, sell[1:], 0, 0, 0)))
	wantReason(t, parse(phoenixTx(limit, sell, 50, 999, 1)), "unknown_instruction")
	wantReason(t, parse(phoenixTx(limitFree, nil, 50, 999, 1)), "unknown_instruction")
}

// TestOpenbook: a take with a referrer, and one that filled nothing.
func TestOpenbook(t *testing.T) {
	take := func(moves func(b *Builder, p pool, base, quote, referrer solana.PublicKey)) *parser.Result {
		b := NewBuilder("openbook", user)
		p := newPool(b, "market", assetA, assetB)
		base, quote := b.Account("base", user, assetA, 5_000), b.Account("quote", user, assetB, 0)
		referrer := b.Account("referrer", Key("a referrer"), assetB, 0)
		f := filler(16)
		f[2], f[6], f[7], f[9], f[10], f[11] = p.key, p.vaultA, p.vaultB, base, quote, referrer
		b.Begin(solana.MustPublicKeyFromBase58(openbookProgram), Join(Hex("032c47031ac7cb55"), make([]byte, 27)), f...)
		moves(b, p, base, quote, referrer)
		b.End()
		return parse(b.Tx())
	}
	want(t, take(func(b *Builder, p pool, base, quote, referrer solana.PublicKey) {
		b.Transfer(base, p.vaultA, user, 1_000)
		b.Transfer(p.vaultB, quote, p.auth, 500)
		b.Transfer(p.vaultB, referrer, p.auth, 3)
	}), [4]uint64{1_000, 503, 1_000, 500})
	want(t, take(func(*Builder, pool, solana.PublicKey, solana.PublicKey, solana.PublicKey) {}))
}

// TestCorpusQuietInstructions: the oracle updates and order placements of the
// corpus move nothing against each other, are no swaps and no errors. That they
// are there at all is what makes this test one.
func TestCorpusQuietInstructions(t *testing.T) {
	quiet := map[string]func(d []byte) bool{
		solfiProgram:    func(d []byte) bool { return d[0] == 6 },
		zerofiProgram:   func(d []byte) bool { return d[0] == 5 },
		humidifiProgram: func(d []byte) bool { return len(d) == 65 },
		goonfiProgram:   func(d []byte) bool { return d[0] == 1 },
		tesseraProgram:  func(d []byte) bool { return d[0] == 13 },
		openbookProgram: func(d []byte) bool { return len(d) >= 8 && [4]byte(d[:4]) != [4]byte{0x03, 0x2c, 0x47, 0x03} },
		phoenixProgram:  func(d []byte) bool { return d[0] != 0 && d[0] != 15 },
	}
	found := map[string]int{}
	p := parser.New()
	var r parser.Result
	for _, c := range Corpus(t) {
		if c.Tx.Failed {
			continue
		}
		p.Parse(c.Tx, &r)
		for i := range c.Tx.Instructions {
			ix := &c.Tx.Instructions[i]
			id := c.Tx.Keys[ix.Program].String()
			if is := quiet[id]; is == nil || len(ix.Data) == 0 || !is(ix.Data) {
				continue
			}
			found[id]++
			path := swapcast.Path{Outer: int(ix.Outer), Inner: int(ix.Inner)}
			for k := range r.Swaps {
				if r.Swaps[k].Path == path {
					t.Errorf("%s %v: a swap", c.Tx.Signature, path)
				}
			}
			for _, u := range r.Unparsed {
				if u.Path == path {
					t.Errorf("%s %v: %s", c.Tx.Signature, path, u.Reason)
				}
			}
		}
	}
	for id := range quiet {
		if found[id] == 0 {
			t.Errorf("%s: none in the corpus", id)
		}
		t.Logf("%s: %d", id, found[id])
	}
}
