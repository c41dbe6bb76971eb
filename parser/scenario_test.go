package parser_test

import (
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

// The scenarios use Whirlpool's plain swap where any DEX would do.
var (
	whirlpoolID = solana.MustPublicKeyFromBase58("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc")
	raydiumID   = solana.MustPublicKeyFromBase58("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8")
	clmmID      = solana.MustPublicKeyFromBase58("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK")
	dlmmID      = solana.MustPublicKeyFromBase58("LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo")
	pumpID      = solana.MustPublicKeyFromBase58("6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P")
)

var (
	user   = Key("the trader")
	assetA = Token("asset a", 6)
	assetB = Token("asset b", 9)
	assetC = Token("asset c", 8)
)

// pool is a pool of two mints with its vaults.
type pool struct {
	key, auth, vaultA, vaultB solana.PublicKey
}

func newPool(b *Builder, name string, a, c Mint) pool {
	p := pool{key: Key(name), auth: Key(name + " authority")}
	p.vaultA = b.Account(name+" a", p.auth, a, 1_000_000_000)
	p.vaultB = b.Account(name+" b", p.auth, c, 2_000_000_000)
	return p
}

// made-up accounts that no reader looks at
func filler(n int) []solana.PublicKey {
	out := make([]solana.PublicKey, n)
	for i := range out {
		out[i] = Key("filler " + string(rune('a'+i)))
	}
	return out
}

func whirlpoolData() []byte {
	return Join(Hex("f8c69e91e17587c8"), U64(1), U64(1), U128(0, 0), []byte{1, 1})
}

// swapAB is a Whirlpool swap of a for b from one account into another.
func swapAB(b *Builder, p pool, by, from, to solana.PublicKey, in, out uint64) {
	f := filler(11)
	f[1], f[2], f[3], f[4], f[5], f[6] = by, p.key, from, p.vaultA, to, p.vaultB
	b.Begin(whirlpoolID, whirlpoolData(), f...)
	b.Transfer(from, p.vaultA, by, in)
	b.Transfer(p.vaultB, to, p.auth, out)
	b.End()
}

func parse(tx *swapcast.Transaction) *parser.Result {
	var r parser.Result
	parser.New().Parse(tx, &r)
	return &r
}

// want compares the amounts of swaps: in, out, user in, user out of each.
func want(t *testing.T, r *parser.Result, amounts ...[4]uint64) {
	t.Helper()
	got := make([][4]uint64, 0, len(r.Swaps))
	for _, s := range r.Swaps {
		got = append(got, [4]uint64{s.AmountIn, s.AmountOut, s.UserAmountIn, s.UserAmountOut})
	}
	if !slices.Equal(got, amounts) || len(r.Unparsed) > 0 {
		t.Fatalf("got %v, unparsed %v, want %v", got, r.Unparsed, amounts)
	}
}

// wantReason expects no swap and one unread instruction.
func wantReason(t *testing.T, r *parser.Result, reason string) {
	t.Helper()
	if len(r.Swaps) != 0 || len(r.Unparsed) != 1 || r.Unparsed[0].Reason != reason {
		t.Fatalf("swaps %v, unparsed %v, want %s", r.Swaps, r.Unparsed, reason)
	}
}

func TestTransferFees(t *testing.T) {
	taxed := Mint{Key: Key("taxed"), Decimals: 6, Program: solana.Token2022ProgramID, FeeBps: 300}
	t.Run("hidden, in", func(t *testing.T) {
		b := NewBuilder("fee in", user)
		p := newPool(b, "pool", taxed, assetB)
		from, to := b.Account("from", user, taxed, 5_000), b.Account("to", user, assetB, 0)
		swapAB(b, p, user, from, to, 1_001, 500)
		want(t, parse(b.Tx()), [4]uint64{970, 500, 1_001, 500}) // 30.03 rounded up
	})
	t.Run("hidden, out", func(t *testing.T) {
		b := NewBuilder("fee out", user)
		p := newPool(b, "pool", assetA, taxed)
		from, to := b.Account("from", user, assetA, 5_000), b.Born(b.Account("to", user, taxed, 0))
		swapAB(b, p, user, from, to, 1_000, 500)
		want(t, parse(b.Tx()), [4]uint64{1_000, 500, 1_000, 485})
	})
	t.Run("hidden, twice into one vault", func(t *testing.T) {
		b := NewBuilder("fee twice", user)
		p := newPool(b, "pool", taxed, assetB)
		from, to := b.Account("from", user, taxed, 5_000_000), b.Account("to", user, assetB, 0)
		swapAB(b, p, user, from, to, 1_000_000, 500)
		swapAB(b, p, user, from, to, 2_000_001, 900)
		want(t, parse(b.Tx()), [4]uint64{970_000, 500, 1_000_000, 500}, [4]uint64{1_940_000, 900, 2_000_001, 900})
	})
	t.Run("stated", func(t *testing.T) {
		b := NewBuilder("fee stated", user)
		p := newPool(b, "pool", taxed, assetB)
		from, to := b.Account("from", user, taxed, 5_000), b.Account("to", user, assetB, 0)
		f := filler(11)
		f[2], f[4], f[6] = p.key, p.vaultA, p.vaultB
		b.Begin(whirlpoolID, whirlpoolData(), f...)
		b.TransferWithFee(from, p.vaultA, user, 1_000)
		b.Transfer(p.vaultB, to, p.auth, 500)
		b.End()
		want(t, parse(b.Tx()), [4]uint64{970, 500, 1_000, 500})
	})
	t.Run("one rate does not explain it", func(t *testing.T) {
		b := NewBuilder("fee odd", user)
		p := newPool(b, "pool", taxed, assetB)
		from, to := b.Account("from", user, taxed, 5_000_000), b.Account("to", user, assetB, 0)
		swapAB(b, p, user, from, to, 1_000_000, 500)
		swapAB(b, p, user, from, to, 2_000_000, 900)
		tx := b.Tx()
		tx.PostTokens[0].Amount += 7
		r := parse(tx)
		if len(r.Swaps) != 0 || len(r.Unparsed) != 2 || r.Unparsed[1].Reason != "transfer_fee" {
			t.Fatalf("%v, %v", r.Swaps, r.Unparsed)
		}
	})
}

func TestTwoHops(t *testing.T) {
	b := NewBuilder("two hop", user)
	one, two := newPool(b, "one", assetA, assetB), newPool(b, "two", assetB, assetC)
	from, middle, to := b.Account("from", user, assetA, 9_000), b.Account("middle", user, assetB, 5), b.Account("to", user, assetC, 0)
	f := filler(20)
	f[2], f[3], f[5], f[7], f[9], f[11] = one.key, two.key, one.vaultA, one.vaultB, two.vaultA, two.vaultB
	b.Begin(whirlpoolID, Join(Hex("c360ed6c44a2dbe6"), make([]byte, 51)), f...)
	b.Transfer(from, one.vaultA, user, 1_000)
	b.Transfer(one.vaultB, middle, one.auth, 1_990)
	b.Transfer(middle, two.vaultA, user, 1_990)
	b.Transfer(two.vaultB, to, two.auth, 3_900)
	b.End()
	// The second form moves the middle token from vault to vault.
	f = filler(24)
	f[0], f[1], f[9], f[10], f[11], f[12] = one.key, two.key, one.vaultA, one.vaultB, two.vaultA, two.vaultB
	b.Begin(whirlpoolID, Join(Hex("ba8fd11dfe02c275"), make([]byte, 51)), f...)
	b.Transfer(from, one.vaultA, user, 1_000)
	b.Transfer(one.vaultB, two.vaultA, one.auth, 1_980)
	b.Transfer(two.vaultB, to, two.auth, 3_800)
	b.End()
	r := parse(b.Tx())
	want(t, r, [4]uint64{1_000, 1_990, 1_000, 1_990}, [4]uint64{1_990, 3_900, 1_990, 3_900},
		[4]uint64{1_000, 1_980, 1_000, 1_980}, [4]uint64{1_980, 3_800, 1_980, 3_800})
	for i, s := range r.Swaps {
		if s.Trader != user || s.Index != i {
			t.Errorf("swap %d: trader %s, index %d", i, s.Trader, s.Index)
		}
	}
}

func TestCLMMRouter(t *testing.T) {
	b := NewBuilder("clmm router", user)
	one, two := newPool(b, "one", assetA, assetB), newPool(b, "two", assetB, assetC)
	from, middle, to := b.Account("from", user, assetA, 9_000), b.Account("middle", user, assetB, 5), b.Account("to", user, assetC, 0)
	f := filler(26)
	f[0], f[1] = user, from
	// Two tick arrays follow the first hop, three the second.
	f[7], f[8], f[9], f[10] = one.key, middle, one.vaultA, one.vaultB
	f[16], f[17], f[18], f[19] = two.key, to, two.vaultA, two.vaultB
	data := Join(Hex("457d73daf5baf2c4"), U64(1_000), U64(1))
	b.Begin(clmmID, data, f...)
	b.Transfer(from, one.vaultA, user, 1_000)
	b.Transfer(one.vaultB, middle, one.auth, 1_990)
	b.Transfer(middle, two.vaultA, user, 1_990)
	b.Transfer(two.vaultB, to, two.auth, 3_900)
	b.End()
	r := parse(b.Tx())
	want(t, r, [4]uint64{1_000, 1_990, 1_000, 1_990}, [4]uint64{1_990, 3_900, 1_990, 3_900})
	if r.Swaps[0].Pool != one.key || r.Swaps[1].Pool != two.key {
		t.Errorf("pools %s, %s", r.Swaps[0].Pool, r.Swaps[1].Pool)
	}

	// A transfer whose vaults are no hop's is not guessed at.
	b = NewBuilder("clmm router, lost", user)
	one = newPool(b, "one", assetA, assetB)
	from, middle = b.Account("from", user, assetA, 9_000), b.Account("middle", user, assetB, 5)
	b.Begin(clmmID, data, filler(26)...)
	b.Transfer(from, one.vaultA, user, 1_000)
	b.Transfer(one.vaultB, middle, one.auth, 1_990)
	b.End()
	wantReason(t, parse(b.Tx()), "no_transfers")
}

func TestRaydiumForms(t *testing.T) {
	for _, c := range []struct {
		name     string
		disc     byte
		accounts int
		vaults   int
	}{
		{"in, 17", 9, 17, 4},
		{"in, 18", 9, 18, 5},
		{"out, 17", 11, 17, 4},
		{"out, 18", 11, 18, 5},
		{"in v2", 16, 8, 3},
		{"out v2", 17, 8, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder(c.name, user)
			p := newPool(b, "pool", assetA, assetB)
			from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
			f := filler(c.accounts)
			f[1], f[c.vaults], f[c.vaults+1] = p.key, p.vaultA, p.vaultB
			b.Begin(raydiumID, Join([]byte{c.disc}, U64(1_000), U64(1)), f...)
			b.TransferPlain(from, p.vaultA, user, 1_000)
			b.TransferPlain(p.vaultB, to, p.auth, 500)
			b.End()
			r := parse(b.Tx())
			want(t, r, [4]uint64{1_000, 500, 1_000, 500})
			if s := r.Swaps[0]; s.Pool != p.key || s.DecimalsIn != 6 || s.DecimalsOut != 9 || s.ReserveOut != 1_999_999_500 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestSamePoolTwice: each swap has its own amounts, both the reserves of the end.
func TestSamePoolTwice(t *testing.T) {
	b := NewBuilder("twice", user)
	p := newPool(b, "pool", assetA, assetB)
	from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
	swapAB(b, p, user, from, to, 1_000, 500)
	f := filler(11)
	f[2], f[4], f[6] = p.key, p.vaultA, p.vaultB
	b.Begin(whirlpoolID, whirlpoolData(), f...) // and back
	b.Transfer(to, p.vaultB, user, 400)
	b.Transfer(p.vaultA, from, p.auth, 700)
	b.End()
	r := parse(b.Tx())
	want(t, r, [4]uint64{1_000, 500, 1_000, 500}, [4]uint64{400, 700, 400, 700})
	if r.Swaps[0].ReserveIn != 1_000_000_300 || r.Swaps[1].ReserveIn != 1_999_999_900 {
		t.Errorf("reserves %d, %d", r.Swaps[0].ReserveIn, r.Swaps[1].ReserveIn)
	}
}

// flatten takes the stack heights away, as old nodes recorded none.
func flatten(tx *swapcast.Transaction) *swapcast.Transaction {
	for i := range tx.Instructions {
		if tx.Instructions[i].Inner >= 0 {
			tx.Instructions[i].Depth = 0
		}
	}
	return tx
}

// TestRoute: two legs through a router's own accounts, with its fee in between,
// with and without stack heights.
func TestRoute(t *testing.T) {
	build := func() *swapcast.Transaction {
		b := NewBuilder("route", user)
		one, two := newPool(b, "one", assetA, assetB), newPool(b, "two", assetB, assetC)
		auth := Key("router authority")
		mine, out := b.Account("mine", user, assetA, 5_000), b.Account("out", user, assetC, 0)
		ra, rb, rc := b.Account("ra", auth, assetA, 0), b.Account("rb", auth, assetB, 10), b.Account("rc", auth, assetC, 0)
		fees := b.Account("fees", Key("somebody"), assetB, 0)
		b.Begin(Key("router"), []byte{1}, user)
		b.Transfer(mine, ra, user, 1_000)
		b.Begin(Key("another router"), []byte{2})
		swapAB(b, one, auth, ra, rb, 1_000, 1_900)
		b.End()
		b.Call(Key("router"), []byte{3}) // its own event
		b.Transfer(rb, fees, auth, 19)
		b.Call(Key("router"), []byte{3})
		swapAB(b, two, auth, rb, rc, 1_880, 3_700) // one unit stays behind
		b.Call(Key("router"), []byte{3})
		b.Transfer(rc, out, auth, 3_700)
		b.End()
		return b.Tx()
	}
	for name, tx := range map[string]*swapcast.Transaction{"heights": build(), "flat": flatten(build())} {
		t.Run(name, func(t *testing.T) {
			r := parse(tx)
			want(t, r, [4]uint64{1_000, 1_900, 1_000, 1_900}, [4]uint64{1_880, 3_700, 1_880, 3_700})
			for i, s := range r.Swaps {
				if s.Trader != user {
					t.Errorf("trader of %d: %s", i, s.Trader)
				}
			}
		})
	}
}

func TestTrader(t *testing.T) {
	t.Run("a program's own account", func(t *testing.T) {
		b := NewBuilder("own account", user)
		p := newPool(b, "pool", assetA, assetB)
		bot := Key("bot")
		from, to := b.Account("from", bot, assetA, 5_000), b.Account("to", bot, assetB, 0)
		b.Begin(Key("bot program"), []byte{1})
		swapAB(b, p, bot, from, to, 1_000, 500)
		b.End()
		if r := parse(b.Tx()); len(r.Swaps) != 1 || r.Swaps[0].Trader != bot {
			t.Errorf("%+v", r)
		}
	})
	t.Run("wrapped within, second signer", func(t *testing.T) {
		payer := Key("relayer")
		b := NewBuilder("wrapped", payer, user)
		p := newPool(b, "pool", WrappedSOL(), assetB)
		from, to := b.Born(b.Account("from", user, WrappedSOL(), 5_000)), b.Account("to", user, assetB, 0)
		swapAB(b, p, user, from, to, 1_000, 500)
		b.Close(from)
		if r := parse(b.Tx()); len(r.Swaps) != 1 || r.Swaps[0].Trader != user {
			t.Errorf("%+v", r)
		}
	})
	t.Run("nobody can be told", func(t *testing.T) {
		b := NewBuilder("unknown", user)
		p := newPool(b, "pool", WrappedSOL(), assetB)
		auth := Key("somebody's program")
		from, to := b.Born(b.Account("from", auth, WrappedSOL(), 5_000)), b.Account("to", auth, assetB, 0)
		swapAB(b, p, auth, from, to, 1_000, 500)
		b.Close(from)
		if r := parse(b.Tx()); len(r.Swaps) != 1 || r.Swaps[0].Trader != user {
			t.Errorf("%+v", r)
		}
	})
}

func TestNothing(t *testing.T) {
	build := func() (*Builder, *swapcast.Transaction) {
		b := NewBuilder("nothing", user)
		p := newPool(b, "pool", assetA, assetB)
		from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
		swapAB(b, p, user, from, to, 1_000, 500)
		return b, b.Tx()
	}
	for name, change := range map[string]func(*swapcast.Transaction){
		"failed":       func(tx *swapcast.Transaction) { tx.Failed = true },
		"vote":         func(tx *swapcast.Transaction) { tx.Vote = true },
		"another DEX":  func(tx *swapcast.Transaction) { tx.Keys[tx.Instructions[0].Program] = Key("x") },
		"without keys": func(tx *swapcast.Transaction) { tx.Keys = nil },
	} {
		_, tx := build()
		change(tx)
		if r := parse(tx); len(r.Swaps)+len(r.Unparsed) != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestReasons(t *testing.T) {
	type tx = swapcast.Transaction
	for reason, change := range map[string]func(*tx){
		"no_inner_instructions": func(x *tx) { x.InnerKnown, x.Instructions = false, x.Instructions[:1] },
		"no_transfers":          func(x *tx) { x.Instructions = x.Instructions[:1] },
		"short_accounts":        func(x *tx) { x.Instructions[0].Accounts = x.Instructions[0].Accounts[:10] },
		"zero_amount":           func(x *tx) { x.Instructions = x.Instructions[:2] },
		"same_direction":        func(x *tx) { x.Instructions[2] = x.Instructions[1]; swapVault(x) },
		"same_mint":             func(x *tx) { rename(x, assetB.Key, assetA.Key) },
		"overflow":              func(x *tx) { overflowing(x) },
	} {
		b := NewBuilder("reasons", user)
		p := newPool(b, "pool", assetA, assetB)
		from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
		swapAB(b, p, user, from, to, 1_000, 500)
		x := b.Tx()
		change(x)
		t.Run(reason, func(t *testing.T) { wantReason(t, parse(x), reason) })
	}
	t.Run("unknown_mint", func(t *testing.T) {
		b := NewBuilder("reasons", user)
		p := newPool(b, "pool", assetA, assetB)
		from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
		f := filler(11)
		f[2], f[4], f[6] = p.key, p.vaultA, p.vaultB
		b.Begin(whirlpoolID, whirlpoolData(), f...)
		b.TransferPlain(from, p.vaultA, user, 1_000)
		b.TransferPlain(p.vaultB, to, p.auth, 500)
		b.End()
		x := b.Tx()
		x.PreTokens, x.PostTokens = nil, nil
		wantReason(t, parse(x), "unknown_mint")
	})
}

// swapVault makes the second transfer go into the other vault.
func swapVault(x *swapcast.Transaction) {
	d := x.Instructions[2]
	d.Accounts = slices.Clone(d.Accounts)
	d.Accounts[2] = x.Instructions[0].Accounts[6]
	x.Instructions[2] = d
}

func rename(x *swapcast.Transaction, from, to solana.PublicKey) {
	for _, rows := range [][]swapcast.TokenBalance{x.PreTokens, x.PostTokens} {
		for i := range rows {
			if rows[i].Mint == from {
				rows[i].Mint = to
			}
		}
	}
}

// overflowing doubles a transfer of nearly all that 64 bits hold.
func overflowing(x *swapcast.Transaction) {
	d := x.Instructions[1]
	d.Data = Join([]byte{12}, U64(1<<63), []byte{6})
	x.Instructions = append(x.Instructions[:1], d, d, x.Instructions[2])
}

// TestNotSwaps: what moves a pool's vaults without a trade.
func TestNotSwaps(t *testing.T) {
	move := func(program solana.PublicKey, data []byte, opposed bool) *parser.Result {
		b := NewBuilder("moves", user)
		p := newPool(b, "pool", assetA, assetB)
		a, c := b.Account("a", user, assetA, 5_000), b.Account("b", user, assetB, 5_000)
		b.Begin(program, data, p.key)
		b.Transfer(a, p.vaultA, user, 100)
		if opposed {
			b.Transfer(p.vaultB, c, p.auth, 100)
		} else {
			b.Transfer(c, p.vaultB, user, 100)
		}
		b.End()
		return parse(b.Tx())
	}
	if r := move(dlmmID, Hex("0000000000000001"), false); len(r.Swaps)+len(r.Unparsed) != 0 {
		t.Errorf("a deposit: %+v", r)
	}
	if r := move(dlmmID, Hex("5c04b0c177b95309"), true); len(r.Swaps)+len(r.Unparsed) != 0 {
		t.Errorf("a rebalance: %+v", r)
	}
	wantReason(t, move(dlmmID, Hex("0000000000000001"), true), "unknown_instruction")
	wantReason(t, move(raydiumID, []byte{99}, true), "unknown_instruction")
}

// TestReuse: a result that held much holds nothing of it later.
func TestReuse(t *testing.T) {
	p := parser.New()
	var r parser.Result
	for range 2 {
		for _, f := range Fixtures() {
			p.Parse(f.Tx, &r)
			if n := len(r.Swaps) + len(r.Unparsed); n != 1 {
				t.Fatalf("%s: %d", f.Name(), n)
			}
		}
		p.Parse(&swapcast.Transaction{}, &r)
		if len(r.Swaps)+len(r.Unparsed) != 0 {
			t.Fatalf("%+v", r)
		}
	}
}
