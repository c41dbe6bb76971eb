package market_test

import (
	"math"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// major is a market with a deep token and SOL, the victims below.
func major(t testing.TB) (*market.Market, []*cp) {
	m := newMarket(market.Options{})
	apply(t, m, solUSDC(150).pay(1_000))
	pools := []*cp{
		tokenPool(1, 1, swapcast.USDC(), 3, 2_000_000),
		tokenPool(1, 2, swapcast.NativeMint(), 0.02, 8_000),
		tokenPool(1, 3, swapcast.USDC(), 3, 500_000),
	}
	for _, p := range pools {
		apply(t, m, p.pay(1))
	}
	return m, pools
}

// TestManipulation does what an attacker can do with one trade or with cheap
// pools, and expects the major's price to stay within 1%.
func TestManipulation(t *testing.T) {
	t.Parallel()
	thin := func(depth, price float64) func(testing.TB, *market.Market) {
		return func(t testing.TB, m *market.Market) {
			p := tokenPool(1, 500, swapcast.USDC(), price, depth)
			p.slot++
			apply(t, m, p.pay(p.vaultQ/100))
		}
	}
	attacks := map[string]func(testing.TB, *market.Market){
		"thin pool at 10x":             thin(500, 30),
		"pool of 5% at 10x":            thin(120_000, 30),
		"thin pool at a tenth":         thin(500, 0.3),
		"pool of 20% at 1.5% too much": thin(500_000, 3.045),
		"hundred dust pools at 100x": func(t testing.TB, m *market.Market) {
			for i := range uint64(100) {
				p := tokenPool(1, 600+i, swapcast.USDC(), 300, 10)
				p.slot++
				apply(t, m, p.pay(1))
			}
		},
		"dust in a deep pool, rounded to nothing": func(t testing.TB, m *market.Market) {
			s := tokenPool(1, 1, swapcast.USDC(), 3, 2_000_000).pay(1)
			s.Slot, s.DEX, s.ReservesKnown = 1_001, "raydium-cpmm", false
			s.AmountIn, s.AmountOut = 9, 1
			apply(t, m, s)
		},
		"a million through a pool that hides its vaults": func(t testing.TB, m *market.Market) {
			p := tokenPool(1, 700, swapcast.USDC(), 30, 10_000_000)
			p.dex, p.hideReserves, p.slot = "obric-v2", true, 1_001
			for range 50 {
				apply(t, m, p.pay(1_000_000))
				apply(t, m, p.pay(-1_000_000))
			}
		},
		"a false event spot": func(t testing.TB, m *market.Market) {
			p := tokenPool(1, 701, swapcast.USDC(), 3, 50_000)
			p.dex, p.slot = "orca-whirlpool", 1_001
			s := p.pay(100)
			s.SpotKnown, s.Spot = true, 1e-3
			apply(t, m, s)
		},
		"a base side worth nothing, claimed to be deep": func(t testing.TB, m *market.Market) {
			p := tokenPool(1, 702, swapcast.USDC(), 30, 100)
			p.dex, p.spot, p.slot = "meteora-dlmm", true, 1_001
			s := p.pay(1)
			s.ReserveOut = math.MaxUint64
			apply(t, m, s)
		},
		"a worthless token pretends to quote": func(t testing.TB, m *market.Market) {
			p := tokenPool(1, 703, mint(66), 1e9, 1e9)
			p.decQ, p.slot = 6, 1_001
			apply(t, m, p.pay(1_000))
		},
		"thin SOL pool at 10x": func(t testing.TB, m *market.Market) {
			p := solUSDC(1_500)
			p.address, p.vaultB, p.vaultQ, p.slot = pool(800), 10, 15_000, 1_001
			apply(t, m, p.pay(100))
		},
		"a swap that comes late": func(t testing.TB, m *market.Market) {
			p := tokenPool(1, 1, swapcast.USDC(), 30, 2_000_000)
			p.slot = 900
			apply(t, m, p.pay(100))
		},
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := major(t)
			for _, k := range []solana.PublicKey{mint(1), swapcast.NativeMint()} {
				before := priceOf(t, m, k).USD
				attack(t, m)
				after := priceOf(t, m, k)
				if moved := math.Abs(after.USD/before - 1); moved > 0.01 {
					t.Errorf("price of %s moved %.2f%%: %v -> %v", k, moved*100, before, after.USD)
				}
			}
		})
	}
}

// TestTrueMoves expects that what the deep pools agree on arrives with their
// trades: the rules above must not freeze a price.
func TestTrueMoves(t *testing.T) {
	t.Parallel()
	t.Run("5% up in every pool within one slot", func(t *testing.T) {
		t.Parallel()
		m, pools := major(t)
		var u market.Update
		for _, p := range pools {
			p.slot++
			target := p.mid() * 1.05
			// In a constant product the quote side grows with the price's root.
			u = apply(t, m, p.pay(p.vaultQ*(math.Sqrt(target/p.mid())-1)))
		}
		near(t, "price", u.Prices[0].USD, 3*1.05, 0.005)
	})
	t.Run("the pool that holds most of the depth leads", func(t *testing.T) {
		t.Parallel()
		m := newMarket(market.Options{})
		big := tokenPool(1, 1, swapcast.USDC(), 3, 1_000_000)
		apply(t, m, big.pay(1))
		apply(t, m, tokenPool(1, 2, swapcast.USDC(), 3, 100_000).pay(1))
		big.slot++
		u := apply(t, m, big.pay(big.vaultQ*0.1))
		near(t, "price", u.Prices[0].USD, big.mid(), 1e-6)
	})
	t.Run("SOL moves what is quoted in it", func(t *testing.T) {
		t.Parallel()
		m := newMarket(market.Options{})
		sol := solUSDC(150)
		apply(t, m, sol.pay(1))
		token := tokenPool(1, 1, swapcast.NativeMint(), 0.02, 1_000)
		apply(t, m, token.pay(1))
		sol.slot++
		apply(t, m, sol.pay(sol.vaultQ*0.05))
		near(t, "read", priceOf(t, m, mint(1)).USD, token.mid()*sol.mid(), 1e-6)
	})
	t.Run("a dead pool gives way to a live one", func(t *testing.T) {
		t.Parallel()
		m := newMarket(market.Options{})
		apply(t, m, tokenPool(1, 1, swapcast.USDC(), 3, 1_000_000).pay(1))
		live := tokenPool(1, 2, swapcast.USDC(), 1, 100_000)
		live.slot += 9_000 // six half lives
		u := apply(t, m, live.pay(1))
		near(t, "price", u.Prices[0].USD, live.mid(), 1e-6)
	})
	t.Run("a rug takes the depth with it", func(t *testing.T) {
		t.Parallel()
		m := newMarket(market.Options{})
		c := tokenPool(1, 1, swapcast.USDC(), 3, 200_000)
		u := apply(t, m, c.pay(1))
		sound := u.Prices[0]
		c.slot, c.vaultB, c.vaultQ = c.slot+1, c.vaultB/1_000, c.vaultQ/1_000
		u = apply(t, m, c.pay(1))
		if p := u.Prices[0]; p.Confidence > sound.Confidence/10 || p.LiquidityUSD > 500 {
			t.Errorf("after the rug: %+v", p)
		}
	})
}
