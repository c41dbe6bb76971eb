package market_test

import (
	"math"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// reserveSwap is a sale into a pool of 1,000,000 tokens and 10,000 SOL, with what the
// case changes.
func reserveSwap(dex string, change func(*swapcast.Swap)) *swapcast.Swap {
	s := &swapcast.Swap{
		DEX: dex, Pool: pool(1), Slot: 100, Trader: key('t', 1), FeeBps: -1, ReceivedAt: fixedNow().UnixNano(),
		MintIn: mint(1), DecimalsIn: 6, AmountIn: 1_000_000, UserAmountIn: 1_000_000,
		MintOut: swapcast.NativeMint(), DecimalsOut: 9, AmountOut: 9_900_000, UserAmountOut: 9_900_000,
		ReservesKnown: true, ReserveIn: 1e12, ReserveOut: 1e13,
	}
	if change != nil {
		change(s)
	}
	return s
}

func TestReserves(t *testing.T) {
	for name, c := range map[string]struct {
		dex    string
		change func(*swapcast.Swap)
		fee    int32 // -1: the pool is not told
		quoted bool
	}{
		"raydium v4, its standard fee":      {"raydium-v4", nil, 25, false},
		"cpmm without a shown fee":          {"raydium-cpmm", nil, -1, false},
		"cpmm of the 1% tier":               {"raydium-cpmm", func(s *swapcast.Swap) { s.FeeBps = 100 }, 100, false},
		"transfer fee on the way in":        {"raydium-cpmm", func(s *swapcast.Swap) { s.FeeBps, s.UserAmountIn = 25, 1_010_000 }, -1, false},
		"transfer fee on the way out":       {"raydium-cpmm", func(s *swapcast.Swap) { s.FeeBps, s.UserAmountOut = 25, 9_800_000 }, -1, false},
		"pumpswap takes its fee of the SOL": {"pumpswap", func(s *swapcast.Swap) { s.FeeBps, s.UserAmountOut = 30, 9_890_100 }, 30, true},
		"pumpswap with a taxed token":       {"pumpswap", func(s *swapcast.Swap) { s.FeeBps, s.UserAmountIn = 30, 1_010_000 }, -1, false},
		"no reserves":                       {"raydium-v4", func(s *swapcast.Swap) { s.ReservesKnown = false }, -1, false},
		"empty":                             {"raydium-v4", func(s *swapcast.Swap) { s.ReserveOut = 0 }, -1, false},
		"the pool states its vaults' ratio": {"raydium-v4", func(s *swapcast.Swap) { s.SpotKnown, s.Spot = true, 10.005 }, 25, false},
		"the pool states another price":     {"raydium-v4", func(s *swapcast.Swap) { s.SpotKnown, s.Spot = true, 10.2 }, -1, false},
		"another program":                   {"orca-whirlpool", func(s *swapcast.Swap) { s.FeeBps = 30 }, -1, false},
		"a constant product of heaven":      {"heaven", func(s *swapcast.Swap) { s.FeeBps = 100 }, -1, false},
	} {
		m := newMarket(market.Options{})
		var out market.Update
		m.Apply(reserveSwap(c.dex, c.change), &out)
		got := m.Reserves(nil, mint(1))
		if c.fee < 0 {
			if len(got) != 0 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		want := market.Reserves{
			Address: pool(1), DEX: c.dex, Base: mint(1), Quote: swapcast.NativeMint(),
			ReserveBase: 1e12, ReserveQuote: 1e13, FeeBps: c.fee, FeeOnQuote: c.quoted, Slot: 100,
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if fee := m.Pools(mint(1))[0].FeeBps; c.dex != "raydium-v4" && fee != c.fee {
			t.Errorf("%s: PoolInfo has %d", name, fee)
		}
	}
}

// TestReservesKeepTheFee: a trade that does not show the fee leaves the one that is
// known.
func TestReservesKeepTheFee(t *testing.T) {
	m := newMarket(market.Options{JournalSwaps: 100})
	var out market.Update
	fee := func() int32 {
		got := m.Reserves(nil, mint(1))
		if len(got) != 1 {
			return -1
		}
		return got[0].FeeBps
	}
	first := reserveSwap("raydium-cpmm", func(s *swapcast.Swap) { s.FeeBps = 25; s.Signature[0] = 1 })
	m.Apply(first, &out)
	m.Apply(reserveSwap("raydium-cpmm", func(s *swapcast.Swap) { s.Slot, s.Signature[0] = 101, 2 }), &out)
	if fee() != 25 {
		t.Errorf("fee %d after a trade that shows none", fee())
	}
	m.Apply(reserveSwap("raydium-cpmm", func(s *swapcast.Swap) { s.FeeBps, s.Slot, s.Signature[0] = 100, 102, 3 }), &out)
	if fee() != 100 {
		t.Errorf("fee %d", fee())
	}
}

func TestHeadDecimalsLiquidity(t *testing.T) {
	m := newMarket(market.Options{})
	if slot, at := m.Head(); slot != 0 || !at.IsZero() {
		t.Errorf("%d, %v before the first swap", slot, at)
	}
	var out market.Update
	m.Apply(reserveSwap("raydium-v4", nil), &out)
	if _, ok := m.PoolLiquidity(pool(1)); ok {
		t.Error("dollars without a price of SOL")
	}
	m.Apply(&swapcast.Swap{ // SOL at 150 dollars
		DEX: "raydium-v4", Pool: pool(2), Slot: 101, Trader: key('t', 1), FeeBps: -1, ReceivedAt: fixedNow().UnixNano() + 5,
		MintIn: swapcast.NativeMint(), DecimalsIn: 9, AmountIn: 1e9, UserAmountIn: 1e9,
		MintOut: swapcast.USDC(), DecimalsOut: 6, AmountOut: 149e6, UserAmountOut: 149e6,
		ReservesKnown: true, ReserveIn: 1e15, ReserveOut: 150e12,
	}, &out)
	if slot, at := m.Head(); slot != 101 || !at.Equal(fixedNow().Add(5*time.Nanosecond)) {
		t.Errorf("%d, %v", slot, at)
	}
	if d, ok := m.Decimals(mint(1)); !ok || d != 6 {
		t.Errorf("%d, %v", d, ok)
	}
	if _, ok := m.Decimals(mint(9)); ok {
		t.Error("decimals of a mint that was never seen")
	}
	// 10,000 SOL on each side.
	if usd, ok := m.PoolLiquidity(pool(1)); !ok || math.Abs(usd-2*10_000*150) > 1 {
		t.Errorf("%v, %v", usd, ok)
	}
	if _, ok := m.PoolLiquidity(solana.PublicKey{1}); ok {
		t.Error("liquidity of a pool that was never seen")
	}
}
