package market_test

import (
	"math"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// TestWashRanksNothing has a trader turn around in his pool all day long: the
// token stays behind one with a tenth of the trade by many.
func TestWashRanksNothing(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := newMarket(market.Options{Metrics: market.NewMetrics(reg)})
	washed, honest := tokenPool(1, 1, swapcast.USDC(), 1, 50_000), tokenPool(2, 2, swapcast.USDC(), 1, 50_000)
	for i := range uint64(50) {
		for _, c := range []*cp{washed, honest} {
			c.slot++
			usd := 1_000.0
			if c == washed {
				usd = 10_000
			}
			if i%2 > 0 {
				usd = -usd
			}
			s := c.pay(usd)
			if c == honest {
				s.Trader = key('t', 100+i)
			}
			u := apply(t, m, s)
			if !u.Trades[0].Known {
				t.Errorf("a trade that washes is a trade all the same: %+v", u.Trades[0])
			}
		}
	}
	if top := m.Top(2); len(top) != 2 || top[0].Mint != mint(2) {
		t.Errorf("top: %+v", top)
	}
	if got := counts(t, reg)["swapcast_market_ignored_total,wash_trade"]; got != 49 {
		t.Errorf("%v wash trades counted", got)
	}
}

// TestEmptied expects a reason where the price is gone, until the pool trades
// again.
func TestEmptied(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	c := tokenPool(1, 1, swapcast.USDC(), 3, 50_000)
	apply(t, m, c.pay(100))
	s := c.pay(-100)
	s.ReserveOut = 0
	apply(t, m, s)
	if p, why, _ := m.Assess(mint(1)); p.Known || p.Confidence != 0 || why != market.ReasonPulled {
		t.Errorf("emptied: %+v %v", p, why.Codes())
	}
	apply(t, m, c.pay(100))
	if p, why, _ := m.Assess(mint(1)); !p.Known || why&market.ReasonPulled != 0 {
		t.Errorf("filled again: %+v %v", p, why.Codes())
	}
}

// TestAnyQuotes feeds arbitrary swaps among mints that quote each other, whatever
// the order in which they get their prices.
func TestAnyQuotes(t *testing.T) {
	t.Parallel()
	mints := []solana.PublicKey{swapcast.NativeMint(), swapcast.USDC(), swapcast.USDT(), mSOL(), usd1(), mint(1), mint(2)}
	rapid.Check(t, func(t *rapid.T) {
		m := market.New(market.Options{Now: fixedNow, MaxMints: 1, MaxPools: 9})
		amount := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(1, 1e12), rapid.Just(uint64(math.MaxUint64)))
		var u market.Update
		for range rapid.IntRange(1, 60).Draw(t, "swaps") {
			s := swapcast.Swap{
				DEX: "raydium-v4", Pool: pool(rapid.Uint64Range(0, 12).Draw(t, "pool")),
				Slot: rapid.Uint64Range(1_000, 4_000).Draw(t, "slot"), Trader: key('t', rapid.Uint64Range(0, 2).Draw(t, "trader")),
				MintIn: rapid.SampledFrom(mints).Draw(t, "in"), MintOut: rapid.SampledFrom(mints).Draw(t, "out"),
				AmountIn: amount.Draw(t, "amount in"), AmountOut: amount.Draw(t, "amount out"), DecimalsIn: 6, DecimalsOut: 9,
				ReservesKnown: rapid.Bool().Draw(t, "reserves"),
				ReserveIn:     amount.Draw(t, "reserve in"), ReserveOut: amount.Draw(t, "reserve out"),
			}
			m.Apply(&s, &u)
			checkUpdate(t, &u)
			for _, k := range mints {
				if p, ok := m.Price(k); ok {
					checkPrice(t, &p)
				}
			}
		}
		if st := m.Stats(); st.Pools > 9 || st.Mints > 8 {
			t.Fatalf("bounds: %+v", st)
		}
	})
}
