package parser_test

import (
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

// TestLogs: log lines count only where the program itself wrote them, and are
// never needed.
func TestLogs(t *testing.T) {
	traded := func(p pool, sqrt uint64) []byte {
		return Join(Hex("e1ca49af932ba096"), p.key[:], []byte{1}, U128(0, 1), U128(0, sqrt), U64(1_000), U64(500), U64(0), U64(0), U64(3), U64(1))
	}
	build := func(inside func(b *Builder, p pool)) *parser.Result {
		b := NewBuilder("logs", user)
		p := newPool(b, "pool", assetA, assetB)
		from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
		b.Begin(Key("liar"), []byte{1})
		b.LogData(traded(p, 9))
		b.Log("Program whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc invoke [2]")
		b.LogData(traded(p, 9))
		f := filler(11)
		f[2], f[4], f[6] = p.key, p.vaultA, p.vaultB
		b.Begin(whirlpoolID, whirlpoolData(), f...)
		b.Transfer(from, p.vaultA, user, 1_000)
		b.Transfer(p.vaultB, to, p.auth, 500)
		inside(b, p)
		b.End()
		b.LogData(traded(p, 9))
		b.End()
		return parse(b.Tx())
	}
	r := build(func(b *Builder, p pool) { b.LogData(traded(p, 2)) })
	want(t, r, [4]uint64{1_000, 500, 1_000, 500})
	if s := r.Swaps[0]; !s.SpotKnown || s.Spot != 4 || s.FeeBps != 40 {
		t.Errorf("%+v", s)
	}
	for name, inside := range map[string]func(*Builder, pool){
		"none":          func(*Builder, pool) {},
		"another pool":  func(b *Builder, p pool) { p.key = Key("x"); b.LogData(traded(p, 2)) },
		"no base64":     func(b *Builder, _ pool) { b.Log("Program data: ???") },
		"empty":         func(b *Builder, _ pool) { b.LogData(nil) },
		"price of zero": func(b *Builder, p pool) { b.LogData(traded(p, 0)) },
	} {
		r := build(inside)
		want(t, r, [4]uint64{1_000, 500, 1_000, 500})
		if s := r.Swaps[0]; s.SpotKnown {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// Behind the cut nothing can be placed.
	b := NewBuilder("cut", user)
	p := newPool(b, "pool", assetA, assetB)
	from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
	swapAB(b, p, user, from, to, 1_000, 500)
	tx := b.Tx()
	tx.Logs = append([]string{"Log truncated"}, tx.Logs...)
	want(t, parse(tx), [4]uint64{1_000, 500, 1_000, 500})
}

// TestEventMismatch: an event that the transfers contradict stops the swap.
func TestEventMismatch(t *testing.T) {
	for _, f := range Fixtures() {
		if f.Kind != Buy || !slices.Contains([]string{"meteora-dlmm", "meteora-damm-v2", "pumpfun", "pumpswap"}, f.DEX) {
			continue
		}
		t.Run(f.DEX, func(t *testing.T) {
			for i := range f.Tx.Instructions {
				ix := &f.Tx.Instructions[i]
				if k := f.Tx.Keys[ix.Program]; k == solana.TokenProgramID && ix.Data[0] == 12 && f.Tx.Keys[ix.Accounts[0]] == Key(f.DEX+" vault asset") {
					ix.Data = Join([]byte{12}, U64(24_630_541_870), []byte{6})
				}
			}
			wantReason(t, parse(f.Tx), "event_mismatch")
		})
	}
}

// TestHostFee: a part of the fee leaves the vault that received it.
func TestHostFee(t *testing.T) {
	b := NewBuilder("host fee", user)
	p := newPool(b, "pool", assetA, assetB)
	from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
	host := b.Account("host", Key("host"), assetA, 0)
	f := filler(15)
	f[0], f[2], f[3], f[4], f[5], f[10] = p.key, p.vaultA, p.vaultB, from, to, user
	b.Begin(dlmmID, Join(Hex("f8c69e91e17587c8"), U64(1_000), U64(1)), f...)
	b.Transfer(from, p.vaultA, user, 1_000)
	b.Transfer(p.vaultB, to, p.auth, 500)
	b.Transfer(p.vaultA, host, p.auth, 2)
	b.Event(Join(Hex("516ce3becdd00ac4"), p.key[:], user[:], make([]byte, 8), U64(1_000), U64(500), []byte{1},
		U64(10), U64(3), U128(0, 0), U64(2)))
	b.End()
	r := parse(b.Tx())
	want(t, r, [4]uint64{998, 500, 1_000, 500})
	if r.Swaps[0].FeeBps != 100 {
		t.Errorf("fee %d", r.Swaps[0].FeeBps)
	}
}

// TestDAMMReferral: the referrer's part leaves the vault of the output, stated by
// the event of before late 2025.
func TestDAMMReferral(t *testing.T) {
	dammID := solana.MustPublicKeyFromBase58("cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG")
	b := NewBuilder("referral", user)
	p := newPool(b, "pool", assetA, assetB)
	from, to := b.Account("from", user, assetA, 5_000), b.Account("to", user, assetB, 0)
	referrer := b.Account("referrer", Key("referrer"), assetB, 0)
	f := filler(14)
	f[1], f[2], f[3], f[4], f[5], f[8] = p.key, from, to, p.vaultA, p.vaultB, user
	b.Begin(dammID, Join(Hex("f8c69e91e17587c8"), U64(1_000), U64(1)), f...)
	b.Transfer(from, p.vaultA, user, 1_000)
	b.Transfer(p.vaultB, to, p.auth, 500)
	b.Transfer(p.vaultB, referrer, p.auth, 3)
	b.Event(Join(Hex("1b3c15d58aaabb93"), p.key[:], []byte{0, 1}, U64(1_000), U64(1), U64(500), U128(0, 3),
		U64(10), U64(2), U64(0), U64(3), U64(1_000), U64(0)))
	b.End()
	r := parse(b.Tx())
	want(t, r, [4]uint64{1_000, 503, 1_000, 500})
	if s := r.Swaps[0]; s.Spot != 9 || s.FeeBps != -1 {
		t.Errorf("%+v", s)
	}
}

// TestPumpTokenQuote: a coin that trades against a token, by the second form.
func TestPumpTokenQuote(t *testing.T) {
	for _, buy := range []bool{true, false} {
		b := NewBuilder("pump token", user)
		p := newPool(b, "curve", assetA, USDC())
		mine, cash := b.Account("mine", user, assetA, 5_000), b.Account("cash", user, USDC(), 5_000)
		fees := b.Account("fees", Key("fees"), USDC(), 0)
		f := filler(27)
		f[1], f[2], f[10], f[11], f[12], f[13], f[14], f[15] = assetA.Key, swapcast.USDC(), p.key, p.vaultA, p.vaultB, user, mine, cash
		disc, isBuy := "b817ee6167c5d33d", byte(1)
		if !buy {
			disc, isBuy = "5df6823ce7e940b2", 0
		}
		b.Begin(pumpID, Join(Hex(disc), U64(300), U64(1)), f...)
		if buy {
			b.Transfer(p.vaultA, mine, p.auth, 300)
			b.Transfer(cash, p.vaultB, user, 1_000)
			b.Transfer(cash, fees, user, 10)
		} else {
			b.Transfer(mine, p.vaultA, user, 300)
			b.Transfer(p.vaultB, cash, p.auth, 990)
			b.Transfer(p.vaultB, fees, p.auth, 10)
		}
		b.Event(Join(Hex("bddb7fd34ee661ee"), assetA.Key[:], U64(0), U64(300), []byte{isBuy}, user[:], U64(0),
			U64(0), U64(7_000), U64(0), U64(6_000), user[:], U64(95), U64(9), user[:], U64(5), U64(1),
			make([]byte, 33), []byte{6, 0, 0, 0}, []byte("buy_v2"), make([]byte, 33), []byte{1, 0, 0, 0}, make([]byte, 34),
			swapKey(swapcast.USDC()), U64(1_000), U64(14_000), U64(5_000)))
		b.End()
		r := parse(b.Tx())
		if buy {
			want(t, r, [4]uint64{1_000, 300, 1_010, 300})
		} else {
			want(t, r, [4]uint64{300, 1_000, 300, 990})
		}
		s := r.Swaps[0]
		wantSpot := 0.5
		if !buy {
			wantSpot = 2
		}
		if s.Spot != wantSpot || s.FeeBps != 100 || !s.VirtualKnown || s.Pool != p.key {
			t.Errorf("%+v", s)
		}
	}
}

func swapKey(k solana.PublicKey) []byte { return k[:] }
