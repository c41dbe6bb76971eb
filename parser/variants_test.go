package parser_test

import (
	"testing"

	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

// variant is one form of a swap instruction whose transfers are enough, with
// the shortest data and the fewest accounts that it may have.
type variant struct {
	name, program, disc string
	args, accounts      int
	pool, a, b, out     int // positions: pool, vaults, the trader's account for b
}

// test reads the variant, and does not with a byte or an account less.
func (v variant) test(t *testing.T) {
	read := func(args, accounts int) *parser.Result {
		b := NewBuilder(v.name, user)
		p := newPool(b, "pool", assetA, assetB)
		from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
		f := filler(v.accounts)
		f[v.pool], f[v.a], f[v.b], f[v.out] = p.key, p.vaultA, p.vaultB, to
		b.Begin(program(v.program), Join(Hex(v.disc), make([]byte, args)), f[:accounts]...)
		b.Transfer(from, p.vaultA, user, 1_000)
		b.Transfer(p.vaultB, to, p.auth, 500)
		b.End()
		return parse(b.Tx())
	}
	r := read(v.args, v.accounts)
	want(t, r, [4]uint64{1_000, 500, 1_000, 500})
	if r.Swaps[0].Pool != Key("pool") {
		t.Errorf("pool %s", r.Swaps[0].Pool)
	}
	wantReason(t, read(v.args-1, v.accounts), "short_data")
	wantReason(t, read(v.args, v.accounts-1), "short_accounts")
}

// TestVariants reads every swap instruction of every DEX but the bonding curve,
// whose events are needed, with the shortest data and the fewest accounts that
// it may have, and none with a byte or an account less.
func TestVariants(t *testing.T) {
	const (
		cpmm  = "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C"
		clmm  = "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK"
		whirl = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
		dlmm  = "LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo"
		damm  = "cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG"
		pswap = "pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA"
	)
	for _, v := range []variant{
		{"cpmm swap_base_input", cpmm, "8fbe5adac41e33de", 16, 13, 3, 6, 7, 5},
		{"cpmm swap_base_output", cpmm, "37d96256a34ab4ad", 16, 13, 3, 6, 7, 5},
		{"clmm swap", clmm, "f8c69e91e17587c8", 33, 10, 2, 5, 6, 4},
		{"clmm swap_v2", clmm, "2b04ed0b1ac91e62", 33, 13, 2, 5, 6, 4},
		{"whirlpool swap", whirl, "f8c69e91e17587c8", 34, 11, 2, 4, 6, 5},
		{"whirlpool swap_v2", whirl, "2b04ed0b1ac91e62", 34, 15, 4, 8, 10, 9},
		{"dlmm swap", dlmm, "f8c69e91e17587c8", 16, 15, 0, 2, 3, 5},
		{"dlmm swap2", dlmm, "414b3f4ceb5b5b88", 16, 16, 0, 2, 3, 5},
		{"dlmm swap_exact_out", dlmm, "fa49652126cf4bb8", 16, 15, 0, 2, 3, 5},
		{"dlmm swap_exact_out2", dlmm, "2bd7f784893cf351", 16, 16, 0, 2, 3, 5},
		{"dlmm swap_with_price_impact", dlmm, "38ade6d0ade49ccd", 11, 15, 0, 2, 3, 5},
		{"dlmm swap_with_price_impact2", dlmm, "4a62c0d6b1334b33", 11, 16, 0, 2, 3, 5},
		{"damm v2 swap", damm, "f8c69e91e17587c8", 16, 14, 1, 4, 5, 3},
		{"damm v2 swap2", damm, "414b3f4ceb5b5b88", 17, 14, 1, 4, 5, 3},
		{"pumpswap sell", pswap, "33e685a4017f83ad", 16, 17, 0, 7, 8, 6},
	} {
		t.Run(v.name, v.test)
	}
}

// TestPumpVariants: the instructions of both forms that trade against SOL.
func TestPumpVariants(t *testing.T) {
	for _, v := range []struct {
		name, disc                          string
		accounts                            int
		mint, curve, vault, userToken, user int
		buy                                 bool
	}{
		{"buy", "66063d1201daebea", 12, 2, 3, 4, 5, 6, true},
		{"buy_exact_sol_in", "38fc74089edfcd5f", 12, 2, 3, 4, 5, 6, true},
		{"sell", "33e685a4017f83ad", 12, 2, 3, 4, 5, 6, false},
		{"buy_v2", "b817ee6167c5d33d", 26, 1, 10, 11, 14, 13, true},
		{"buy_exact_quote_in_v2", "c2ab1c46684d5b2f", 26, 1, 10, 11, 14, 13, true},
		{"sell_v2", "5df6823ce7e940b2", 26, 1, 10, 11, 14, 13, false},
	} {
		t.Run(v.name, func(t *testing.T) {
			read := func(event bool) *parser.Result {
				b := NewBuilder(v.name, user)
				curve := b.Lamports(Key("curve"), 1_000_000)
				vault, mine := b.Account("vault", curve, assetA, 9_000), b.Account("mine", user, assetA, 9_000)
				f := filler(v.accounts)
				f[v.mint], f[v.curve], f[v.vault], f[v.userToken], f[v.user] = assetA.Key, curve, vault, mine, user
				b.Begin(pumpID, Join(Hex(v.disc), U64(300), U64(1)), f...)
				isBuy := byte(0)
				if v.buy {
					isBuy = 1
					b.Transfer(vault, mine, curve, 300)
					b.Pay(user, curve, 10_100)
					b.Pay(user, Key("fees"), 101)
				} else {
					b.Transfer(mine, vault, user, 300)
					b.Shift(curve, user, 9_999)
					b.Shift(curve, Key("fees"), 101)
				}
				if event { // as it was before fees were stated
					b.Event(Join(Hex("bddb7fd34ee661ee"), assetA.Key[:], U64(10_100), U64(300), []byte{isBuy}, user[:], U64(0),
						U64(20_000), U64(10_000), U64(5_000), U64(8_000)))
				}
				b.End()
				return parse(b.Tx())
			}
			r := read(true)
			if v.buy {
				want(t, r, [4]uint64{10_100, 300, 10_201, 300})
			} else {
				want(t, r, [4]uint64{300, 10_100, 300, 9_999})
			}
			if s := r.Swaps[0]; s.Pool != Key("curve") || s.Trader != user || s.FeeBps != -1 || !s.VirtualKnown {
				t.Errorf("%+v", s)
			}
			wantReason(t, read(false), "no_event")
		})
	}
}
