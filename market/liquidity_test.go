package market_test

import (
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// TestQuoteLiquidity expects of the mints that quote others what their pools
// hold, both sides, also after pools have been forgotten.
func TestQuoteLiquidity(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{MaxPools: 4})
	liquidity := func(k solana.PublicKey) float64 { return priceOf(t, m, k).LiquidityUSD }
	if got := liquidity(swapcast.USDC()); got != 0 {
		t.Errorf("USDC at the start: %v", got)
	}
	sol := solUSDC(150)
	apply(t, m, sol.pay(1))
	near(t, "USDC with one pool", liquidity(swapcast.USDC()), 2*15_000_000, 1e-3)
	near(t, "SOL with one pool", liquidity(swapcast.NativeMint()), 2*15_000_000, 1e-3)
	apply(t, m, tokenPool(1, 1, swapcast.NativeMint(), 0.02, 1_000).pay(1))
	near(t, "SOL", liquidity(swapcast.NativeMint()), 2*15_000_000+2*150_000, 1e-3)
	near(t, "USDC", liquidity(swapcast.USDC()), 2*15_000_000, 1e-3)
	apply(t, m, tokenPool(2, 2, swapcast.USDT(), 1, 70_000).pay(1))
	near(t, "USDT", liquidity(swapcast.USDT()), 140_000, 1e-3)
	// Tokens that nobody has paid for are no liquidity.
	worthless := tokenPool(3, 3, swapcast.USDT(), 1, 5_000)
	worthless.dex, worthless.spot, worthless.vaultB = "meteora-dlmm", true, 1e9
	s := worthless.pay(1)
	s.SpotKnown, s.Spot = true, 1
	s.AmountOut = s.AmountIn
	apply(t, m, s)
	near(t, "USDT with tokens on top", liquidity(swapcast.USDT()), 140_000+10_000, 1e-3)
	// SOL's pool is the least recently used and goes, then the token's.
	for i := range uint64(3) {
		apply(t, m, tokenPool(10+i, 10+i, swapcast.USDC(), 1, 100).pay(1))
	}
	near(t, "USDC after the pools are forgotten", liquidity(swapcast.USDC()), 3*200, 0.02)
}
