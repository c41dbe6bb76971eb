package market_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// checkUpdate holds for every update whatever the swap was.
func checkUpdate(t interface{ Fatalf(string, ...any) }, u *market.Update) {
	for i := range u.Prices {
		checkPrice(t, &u.Prices[i])
	}
	for _, tr := range u.Trades {
		if tr.Known {
			if !positive(tr.USD) || !positive(tr.AmountUSD) {
				t.Fatalf("trade is no number: %+v", tr)
			}
		} else if tr.USD != 0 || tr.AmountUSD != 0 {
			t.Fatalf("unknown trade price with a figure: %+v", tr)
		}
		if tr.Amount == 0 || tr.Mint.IsZero() {
			t.Fatalf("trade of nothing: %+v", tr)
		}
	}
}

func checkPrice(t interface{ Fatalf(string, ...any) }, p *swapcast.Price) {
	if p.Known && !positive(p.USD) || !p.Known && p.USD != 0 {
		t.Fatalf("usd %v, known %v", p.USD, p.Known)
	}
	if p.SOLKnown && !positive(p.SOL) || !p.SOLKnown && p.SOL != 0 {
		t.Fatalf("sol %v, known %v", p.SOL, p.SOLKnown)
	}
	if !(p.Confidence >= 0 && p.Confidence <= 1) || !p.Known && p.Confidence != 0 {
		t.Fatalf("confidence %v, known %v", p.Confidence, p.Known)
	}
	if !(p.LiquidityUSD >= 0) || math.IsInf(p.LiquidityUSD, 1) {
		t.Fatalf("liquidity %v", p.LiquidityUSD)
	}
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

func checkMarket(t interface{ Fatalf(string, ...any) }, m *market.Market, o market.Options, mints []solana.PublicKey) {
	if st := m.Stats(); st.Pools > o.MaxPools || st.Mints > o.MaxMints || st.Trades > o.MaxTrades {
		t.Fatalf("bounds: %+v", st)
	}
	for _, k := range mints {
		if p, ok := m.Price(k); ok {
			checkPrice(t, &p)
		}
		share := 0.0
		ps := m.Pools(k)
		if len(ps) > o.MaxPoolsPerMint {
			t.Fatalf("%d pools", len(ps))
		}
		for _, i := range ps {
			share += i.Share
			if !(i.Share >= 0 && i.Share <= 1.000001) || i.PriceKnown != positive(i.Price) ||
				i.USDKnown != positive(i.USD) || !(i.LiquidityUSD >= 0) {
				t.Fatalf("pool %+v", i)
			}
		}
		if share > 1.000001 {
			t.Fatalf("shares add up to %v", share)
		}
		if n := len(m.Trades(k, 1<<20)); n > o.TradesPerMint {
			t.Fatalf("%d trades", n)
		}
	}
	for _, p := range m.Top(3) {
		checkPrice(t, &p)
	}
}

func smallBounds() market.Options {
	return market.Options{
		Now: fixedNow, MaxMints: 9, MaxPools: 12, MaxPoolsPerMint: 4, TradesPerMint: 5, MaxTrades: 20,
		IdleSlots: 1_000,
	}
}

// TestAnySwaps feeds arbitrary swaps, absurd ones among them, into a market
// with bounds so tight that it forgets all the time.
func TestAnySwaps(t *testing.T) {
	t.Parallel()
	mints := []solana.PublicKey{swapcast.NativeMint(), swapcast.USDC(), swapcast.USDT()}
	for i := range uint64(9) {
		mints = append(mints, mint(i))
	}
	rapid.Check(t, func(t *rapid.T) {
		o := smallBounds()
		m := market.New(o)
		amount := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 3), rapid.Uint64Range(1e6, 1e12),
			rapid.Just(uint64(math.MaxUint64)))
		slot := rapid.OneOf(rapid.Uint64Range(1_000, 3_000), rapid.Uint64())
		spot := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)), rapid.Just(0.0))
		dexes := rapid.SampledFrom([]string{"raydium-v4", "pumpfun", "meteora-dlmm", ""})
		decimals := rapid.OneOf(rapid.Uint8Range(0, 12), rapid.Uint8())
		var u market.Update
		for range rapid.IntRange(1, 60).Draw(t, "swaps") {
			s := swapcast.Swap{
				DEX: dexes.Draw(t, "dex"), Pool: pool(rapid.Uint64Range(0, 20).Draw(t, "pool")),
				Slot: slot.Draw(t, "slot"), TxIndex: rapid.Uint64Range(0, 3).Draw(t, "tx"),
				MintIn:   rapid.SampledFrom(mints).Draw(t, "in"),
				MintOut:  rapid.SampledFrom(mints).Draw(t, "out"),
				AmountIn: amount.Draw(t, "amount in"), AmountOut: amount.Draw(t, "amount out"),
				DecimalsIn: decimals.Draw(t, "decimals in"), DecimalsOut: decimals.Draw(t, "decimals out"),
				ReservesKnown: rapid.Bool().Draw(t, "reserves"),
				ReserveIn:     amount.Draw(t, "reserve in"), ReserveOut: amount.Draw(t, "reserve out"),
				VirtualKnown: rapid.Bool().Draw(t, "virtual"),
				VirtualIn:    amount.Draw(t, "virtual in"), VirtualOut: amount.Draw(t, "virtual out"),
				SpotKnown: rapid.Bool().Draw(t, "spot known"), Spot: spot.Draw(t, "spot"),
				FeeBps: rapid.Int32().Draw(t, "fee"),
			}
			m.Apply(&s, &u)
			checkUpdate(t, &u)
		}
		checkMarket(t, m, o, mints)
	})
}

// FuzzApply reads swaps from bytes: 64 bytes each.
func FuzzApply(f *testing.F) {
	f.Add(make([]byte, 64))
	seed := make([]byte, 192)
	for i := range seed {
		seed[i] = byte(i * 37)
	}
	f.Add(seed)
	mints := []solana.PublicKey{swapcast.NativeMint(), swapcast.USDC(), swapcast.USDT(), mint(0), mint(1), mint(2), mint(3), {}}
	f.Fuzz(func(t *testing.T, b []byte) {
		o := smallBounds()
		m := market.New(o)
		var u market.Update
		for ; len(b) >= 64; b = b[64:] {
			n := func(i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }
			s := swapcast.Swap{
				MintIn: mints[b[0]&7], MintOut: mints[b[1]&7], DecimalsIn: b[2] & 15, DecimalsOut: b[3] & 15,
				DEX: []string{"raydium-v4", "pumpfun", "orca-whirlpool", "pumpswap"}[b[4]&3], Pool: pool(uint64(b[5] & 31)),
				ReservesKnown: b[6]&1 > 0, VirtualKnown: b[6]&2 > 0, SpotKnown: b[6]&4 > 0, TxIndex: uint64(b[7] & 7),
				AmountIn: n(8) >> (b[6] >> 3), AmountOut: n(16) >> (b[7] >> 3),
				ReserveIn: n(24), ReserveOut: n(32), VirtualIn: n(32), VirtualOut: n(24),
				Spot: math.Float64frombits(n(40)), FeeBps: int32(n(48)), Slot: n(56) >> (b[4] >> 2),
			}
			m.Apply(&s, &u)
			checkUpdate(t, &u)
		}
		checkMarket(t, m, o, mints)
	})
}
