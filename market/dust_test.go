package market_test

import (
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// TestDustTrades has trades of which one side is a handful of raw units.
func TestDustTrades(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, out uint64
		known   bool
	}{{1, 1_000_000, false}, {1_000_000, 1, false}, {99, 1_000_000, false}, {300, 99, false}, {300, 100, true}, {100, 300, true}} {
		m := newMarket(market.Options{})
		apply(t, m, tokenPool(1, 1, swapcast.USDC(), 3, 50_000).pay(10))
		before := priceOf(t, m, mint(1)).USD
		s := tokenPool(1, 1, swapcast.USDC(), 3, 50_000).pay(10)
		s.Slot, s.ReservesKnown, s.AmountIn, s.AmountOut = 1_001, false, tc.in, tc.out
		u := apply(t, m, s)
		near(t, "price", u.Prices[0].USD, before, 1e-9)
		if len(u.Trades) != 2 {
			t.Fatalf("trades: %+v", u.Trades)
		}
		for _, tr := range append(u.Trades, m.Trades(mint(1), 1)...) {
			if tr.Known != tc.known || !tr.Known && (tr.USD != 0 || tr.AmountUSD != 0) {
				t.Errorf("%d for %d: %+v", tc.in, tc.out, tr)
			}
		}
	}
}
