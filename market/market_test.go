package market_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// TestPoolPrice gives one swap and expects the price that its source implies.
func TestPoolPrice(t *testing.T) {
	t.Parallel()
	base := func() swapcast.Swap {
		// 2 whole tokens (6 decimals) for 10 USDC.
		return swapcast.Swap{
			DEX: "obric-v2", Pool: pool(1), Slot: 5, FeeBps: -1,
			MintIn: swapcast.USDC(), AmountIn: 10_000_000, DecimalsIn: 6,
			MintOut: mint(1), AmountOut: 2_000_000, DecimalsOut: 6,
		}
	}
	tests := map[string]struct {
		change func(*swapcast.Swap)
		known  bool
		usd    float64
	}{
		"execution, fee unknown": {func(*swapcast.Swap) {}, true, 5},
		"execution, a buyer's fee taken out": {
			func(s *swapcast.Swap) { s.FeeBps = 100 }, true, 4.95,
		},
		"execution, a seller's fee taken out": {
			func(s *swapcast.Swap) {
				*s = reversed(*s)
				s.FeeBps = 100
			}, true, 5 / 0.99,
		},
		"event spot": {
			func(s *swapcast.Swap) { s.SpotKnown, s.Spot = true, 1/5.1 }, true, 5.1,
		},
		"event spot of a sale": {
			func(s *swapcast.Swap) {
				*s = reversed(*s)
				s.SpotKnown, s.Spot = true, 4.9
			}, true, 4.9,
		},
		"event spot that is not this pool's": {
			func(s *swapcast.Swap) { s.SpotKnown, s.Spot = true, 1e9 }, false, 0,
		},
		"event spot NaN falls back to the trade": {
			func(s *swapcast.Swap) { s.SpotKnown, s.Spot = true, math.NaN() }, true, 5,
		},
		"vault ratio of a constant product": {
			func(s *swapcast.Swap) {
				s.DEX, s.ReservesKnown, s.ReserveIn, s.ReserveOut = "pumpswap", true, 520_000_000, 100_000_000
			}, true, 5.2,
		},
		"vault ratio of a concentrated pool says nothing": {
			func(s *swapcast.Swap) { s.ReservesKnown, s.ReserveIn, s.ReserveOut = true, 520_000_000, 7 }, true, 5,
		},
		"emptied constant product": {
			func(s *swapcast.Swap) { s.DEX, s.ReservesKnown, s.ReserveIn = "raydium-v4", true, 520_000_000 }, false, 0,
		},
		"virtual reserves go before all": {
			func(s *swapcast.Swap) {
				s.DEX, s.ReservesKnown, s.ReserveIn, s.ReserveOut = "pumpfun", true, 1, 1_000
				s.VirtualKnown, s.VirtualIn, s.VirtualOut = true, 530_000_000, 100_000_000
				s.SpotKnown, s.Spot = true, 1
			}, true, 5.3,
		},
		"dust states no price": {
			func(s *swapcast.Swap) { s.AmountIn, s.AmountOut = 10, 2 }, false, 0,
		},
		"decimals not known": {
			func(s *swapcast.Swap) { s.DecimalsOut = 0 }, false, 0,
		},
		"no pool": {
			func(s *swapcast.Swap) { s.Pool = [32]byte{} }, false, 0,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := base()
			tc.change(&s)
			u := apply(t, newMarket(market.Options{}), &s)
			if len(u.Prices) == 0 || u.Prices[0].Mint != mint(1) {
				t.Fatalf("no price for the base mint: %+v", u.Prices)
			}
			p := u.Prices[0]
			if p.Known != tc.known {
				t.Fatalf("known = %v, want %v (%+v)", p.Known, tc.known, p)
			}
			if p.Known {
				near(t, "price", p.USD, tc.usd, 1e-9)
			} else if p.USD != 0 || p.Confidence != 0 {
				t.Errorf("an unknown price carries a figure: %+v", p)
			}
			if p.Pool != s.Pool || p.DEX != s.DEX || p.Slot != s.Slot {
				t.Errorf("cause = %+v", p)
			}
		})
	}
}

func reversed(s swapcast.Swap) swapcast.Swap {
	s.MintIn, s.MintOut = s.MintOut, s.MintIn
	s.AmountIn, s.AmountOut = s.AmountOut, s.AmountIn
	s.DecimalsIn, s.DecimalsOut = s.DecimalsOut, s.DecimalsIn
	s.ReserveIn, s.ReserveOut = s.ReserveOut, s.ReserveIn
	return s
}

// TestRefused expects neither prices nor trades nor pools.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*swapcast.Swap){
		"self pool":   func(s *swapcast.Swap) { s.MintIn = s.MintOut },
		"zero in":     func(s *swapcast.Swap) { s.AmountIn = 0 },
		"zero out":    func(s *swapcast.Swap) { s.AmountOut = 0 },
		"no mint in":  func(s *swapcast.Swap) { s.MintIn = [32]byte{} },
		"no mint out": func(s *swapcast.Swap) { s.MintOut = [32]byte{} },
	} {
		m := newMarket(market.Options{})
		s := tokenPool(1, 1, swapcast.USDC(), 5, 1_000).pay(10)
		change(s)
		if u := apply(t, m, s); len(u.Prices)+len(u.Trades) > 0 {
			t.Errorf("%s: %+v", name, u)
		}
		if st := m.Stats(); st.Pools != 0 || st.Mints != 3 {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

func TestTwoHopsThroughSOL(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	token := tokenPool(1, 1, swapcast.NativeMint(), 0.02, 5_000)

	// Before SOL has a price in dollars: SOL only.
	u := apply(t, m, token.pay(1))
	p := u.Prices[0]
	if p.Known || !p.SOLKnown || p.Confidence != 0 || len(u.Prices) != 1 {
		t.Fatalf("before SOL/USD: %+v", u.Prices)
	}
	near(t, "priceSol", p.SOL, token.mid(), 1e-6)
	if u.Trades[0].Known || u.Trades[1].Known {
		t.Errorf("trades valued without SOL/USD: %+v", u.Trades)
	}
	if _, why, _ := m.Assess(mint(1)); why&market.ReasonNoDollar == 0 {
		t.Errorf("reasons = %v", why.Codes())
	}

	sol := solUSDC(150)
	u = apply(t, m, sol.pay(1_000))
	if u.Prices[0].Mint != swapcast.NativeMint() || u.Prices[0].SOL != 1 {
		t.Fatalf("SOL/USDC: %+v", u.Prices)
	}
	near(t, "SOL", u.Prices[0].USD, sol.mid(), 1e-6)
	// The token's price follows for readers at once, with its next trade for
	// subscribers.
	near(t, "token, read", priceOf(t, m, mint(1)).USD, token.mid()*sol.mid(), 1e-6)
	token.slot++
	u = apply(t, m, token.pay(-3))
	near(t, "token", u.Prices[0].USD, token.mid()*sol.mid(), 1e-6)
	near(t, "token in SOL", u.Prices[0].SOL, token.mid(), 1e-6)
	if len(u.Prices) != 2 || u.Prices[1].Mint != swapcast.NativeMint() {
		t.Errorf("SOL is told once in the new slot: %+v", u.Prices)
	}
	if u = apply(t, m, token.pay(1)); len(u.Prices) != 1 {
		t.Errorf("SOL told twice in one slot: %+v", u.Prices)
	}

	// Both trades carry the swap's dollars; SOL's own is at SOL's price.
	buy, sell := u.Trades[1], u.Trades[0]
	if sell.Mint != swapcast.NativeMint() || sell.Side != swapcast.Sell || buy.Mint != mint(1) || buy.Side != swapcast.Buy {
		t.Fatalf("sides: %+v", u.Trades)
	}
	near(t, "SOL trade", sell.USD, sol.mid(), 1e-6)
	near(t, "value", buy.AmountUSD, sol.mid(), 1e-6)
	if sell.AmountUSD != buy.AmountUSD {
		t.Errorf("values differ: %v, %v", sell.AmountUSD, buy.AmountUSD)
	}
	near(t, "token trade", buy.USD*float64(buy.Amount)/1e6, sol.mid(), 1e-6)
}

func TestTokenAgainstToken(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	known := tokenPool(1, 1, swapcast.USDC(), 4, 100_000)
	apply(t, m, known.pay(10))
	pair := &cp{
		dex: "raydium-v4", address: pool(2), base: mint(2), quote: mint(1),
		decB: 6, decQ: 6, vaultB: 1_000, vaultQ: 1_000, feeBps: 25, slot: 1_000,
	}
	u := apply(t, m, pair.pay(10)) // 10 of mint 1, about 40 dollars
	if len(u.Prices) != 2 {
		t.Fatalf("prices: %+v", u.Prices)
	}
	for _, p := range u.Prices {
		if p.Mint == mint(2) && (p.Known || p.SOLKnown) {
			t.Errorf("three hops: %+v", p)
		}
		if p.Mint == mint(1) {
			near(t, "the known one", p.USD, known.mid(), 1e-6)
		}
	}
	for _, tr := range u.Trades {
		if !tr.Known {
			t.Fatalf("trade not valued: %+v", tr)
		}
		near(t, "value", tr.AmountUSD, 10*known.mid(), 1e-6)
	}
	if ps := m.Pools(mint(1)); len(ps) != 2 || ps[0].Share != 1 || ps[1].Share != 0 || ps[1].Other != mint(2) {
		t.Errorf("pools: %+v", ps)
	}
}

func TestStables(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	for _, k := range []struct {
		name string
		mint [32]byte
		why  market.Reasons
	}{{"USDC", swapcast.USDC(), market.ReasonReference}, {"USDT", swapcast.USDT(), market.ReasonAssumed}} {
		p, why, ok := m.Assess(k.mint)
		if !ok || !p.Known || p.USD != 1 || why != k.why {
			t.Errorf("%s at the start: %+v %v", k.name, p, why.Codes())
		}
	}
	if _, ok := m.Price(swapcast.NativeMint()); ok {
		t.Error("SOL has a price before any trade")
	}
	peg := &cp{
		dex: "raydium-v4", address: pool(1), base: swapcast.USDT(), quote: swapcast.USDC(),
		decB: 6, decQ: 6, vaultB: 1_000, vaultQ: 980, feeBps: 1, slot: 7,
	}
	apply(t, m, peg.pay(10))
	if p := priceOf(t, m, swapcast.USDT()); p.USD != 1 {
		t.Errorf("a thin pool moved USDT to %v", p.USD)
	}
	peg.address, peg.vaultB, peg.vaultQ, peg.slot = pool(2), 1_000_000, 980_000, 8
	u := apply(t, m, peg.pay(10))
	near(t, "USDT", u.Prices[0].USD, peg.mid(), 1e-6)
	if len(u.Prices) != 2 || u.Prices[1].Mint != swapcast.USDC() || u.Prices[1].USD != 1 {
		t.Errorf("USDC is told once a slot: %+v", u.Prices)
	}
}

func TestOrderOfSwaps(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	c := tokenPool(1, 1, swapcast.USDC(), 5, 50_000)
	first := c.pay(-500)
	second := c.pay(2_000)
	want := c.mid()
	apply(t, m, second)
	u := apply(t, m, first)
	near(t, "an earlier transaction of the slot", u.Prices[0].USD, want, 1e-6)
	if len(u.Trades) != 2 {
		t.Errorf("a late trade is still a trade: %+v", u.Trades)
	}
}

// TestOldSwaps has swaps from long before the present: some stragglers, and a
// capture that begins again.
func TestOldSwaps(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := newMarket(market.Options{Metrics: market.NewMetrics(reg)})
	c, other := tokenPool(1, 1, swapcast.USDC(), 5, 50_000), tokenPool(2, 2, swapcast.USDC(), 1, 50_000)
	c.slot, other.slot = 10_000, 10_000
	apply(t, m, c.pay(100))
	want := c.mid()
	old := tokenPool(1, 1, swapcast.USDC(), 3, 50_000)
	old.slot = 9_400
	for range 100 { // never more than a few in a row
		for range 31 {
			near(t, "after stragglers", apply(t, m, old.pay(1)).Prices[0].USD, want, 1e-6)
		}
		apply(t, m, other.pay(1))
	}
	// One transaction with many swaps is one straggler.
	for range 100 {
		s := old.pay(1)
		s.TxIndex = 7
		near(t, "after a long transaction", apply(t, m, s).Prices[0].USD, want, 1e-6)
	}
	apply(t, m, other.pay(1))
	if st := m.Stats(); st.Slot != 10_000 {
		t.Errorf("slot = %d", st.Slot)
	}
	// The capture begins again: 32 transactions without one of the present.
	before := counts(t, reg)["swapcast_market_ignored_total,timeline_restart"]
	old.tx = 1_000
	for range 31 {
		near(t, "before the restart is believed", apply(t, m, old.pay(1)).Prices[0].USD, want, 1e-6)
	}
	u := apply(t, m, old.pay(1))
	near(t, "after the timeline began again", u.Prices[0].USD, old.mid(), 1e-6)
	other.slot, other.vaultQ = 9_401, 2*other.vaultQ
	near(t, "other pools follow at once", apply(t, m, other.pay(1)).Prices[0].USD, other.mid(), 1e-6)
	if st := m.Stats(); st.Slot != 9_401 {
		t.Errorf("slot = %d", st.Slot)
	}
	if got := counts(t, reg)["swapcast_market_ignored_total,timeline_restart"] - before; got != 1 {
		t.Errorf("%v restarts counted", got)
	}
}

func TestOnePoolAddressTwice(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	c := tokenPool(1, 1, swapcast.USDC(), 5, 50_000)
	apply(t, m, c.pay(100))
	want := c.mid()
	other := tokenPool(1, 1, swapcast.USDC(), 500, 50_000_000)
	other.dex = "pumpswap"
	u := apply(t, m, other.pay(100))
	near(t, "another DEX at the address", u.Prices[0].USD, want, 1e-9)
	if st := m.Stats(); st.Pools != 1 {
		t.Errorf("pools = %d", st.Pools)
	}
	// One address with three mints is one pool for each pair.
	pair := tokenPool(2, 1, swapcast.USDC(), 7, 50_000)
	u = apply(t, m, pair.pay(100))
	near(t, "a second pair at the address", u.Prices[0].USD, pair.mid(), 1e-6)
	near(t, "the first pair", priceOf(t, m, mint(1)).USD, want, 1e-9)
	if st := m.Stats(); st.Pools != 2 {
		t.Errorf("pools = %d", st.Pools)
	}
}

func TestCurveAndMigration(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	apply(t, m, solUSDC(150).pay(1_000))
	// A Pump.fun curve at its start: 30 SOL and 1.073e9 tokens virtual, one
	// hundredth of a SOL real.
	s := &swapcast.Swap{
		DEX: "pumpfun", Pool: pool(1), Slot: 1_001,
		MintIn: swapcast.NativeMint(), AmountIn: 10_000_000, DecimalsIn: 9,
		MintOut: mint(1), AmountOut: 357_000_000_000, DecimalsOut: 6,
		ReservesKnown: true, ReserveIn: 10_000_000, ReserveOut: 792_743_000_000_000,
		VirtualKnown: true, VirtualIn: 30_010_000_000, VirtualOut: 1_072_643_000_000_000,
		FeeBps: 100, ReceivedAt: fixedNow().UnixNano(),
	}
	u := apply(t, m, s)
	near(t, "curve", u.Prices[0].SOL, 30.01/1_072_643_000, 1e-9)
	if _, why, _ := m.Assess(mint(1)); why&market.ReasonCurve == 0 || why&market.ReasonThin == 0 {
		t.Errorf("reasons = %v", why.Codes())
	}
	// The last token is sold: the price stands, the depth is gone.
	s.Slot, s.ReserveIn, s.ReserveOut = 1_100, 85_000_000_000, 0
	s.VirtualIn, s.VirtualOut = 115_000_000_000, 279_900_000_000_000
	u = apply(t, m, s)
	near(t, "closed curve", u.Prices[0].SOL, 115.0/279_900_000, 1e-9)
	if u.Prices[0].Confidence > 1e-3 {
		t.Errorf("confidence of a closed curve = %v", u.Prices[0].Confidence)
	}
	amm := tokenPool(1, 2, swapcast.NativeMint(), 5e-7, 85)
	amm.dex, amm.slot = "pumpswap", 1_110
	u = apply(t, m, amm.pay(1))
	near(t, "after migration", u.Prices[0].SOL, amm.mid(), 1e-6)
	if ps := m.Pools(mint(1)); len(ps) != 2 || ps[0].DEX != "pumpswap" || ps[0].Share < 0.999 {
		t.Errorf("pools: %+v", ps)
	}
}

func TestConfidence(t *testing.T) {
	t.Parallel()
	deep := newMarket(market.Options{})
	for i := range uint64(4) {
		apply(t, deep, tokenPool(1, i, swapcast.USDC(), 5, 1_000_000).pay(10))
	}
	thin := newMarket(market.Options{})
	apply(t, thin, tokenPool(1, 1, swapcast.USDC(), 5, 300).pay(1))
	split := newMarket(market.Options{})
	apply(t, split, tokenPool(1, 1, swapcast.USDC(), 5, 1_000_000).pay(1))
	apply(t, split, tokenPool(1, 2, swapcast.USDC(), 7, 900_000).pay(1))
	late := tokenPool(2, 3, swapcast.USDC(), 1, 1_000_000)
	late.slot += 20_000
	old := newMarket(market.Options{})
	apply(t, old, tokenPool(1, 1, swapcast.USDC(), 5, 1_000_000).pay(1))
	apply(t, old, late.pay(1))
	silent := newMarket(market.Options{Now: func() time.Time { return fixedNow().Add(2 * time.Minute) }})
	apply(t, silent, tokenPool(1, 1, swapcast.USDC(), 5, 1_000_000).pay(1))

	for _, tc := range []struct {
		name      string
		m         *market.Market
		low, high float64
		has, not  market.Reasons
	}{
		{"four deep pools", deep, 0.94, 1, 0, market.ReasonThin | market.ReasonSinglePool | market.ReasonStale},
		{"one thin pool", thin, 0, 0.06, market.ReasonThin | market.ReasonSinglePool, market.ReasonDisagreement},
		{"two that disagree", split, 0.3, 0.5, market.ReasonDisagreement, market.ReasonThin},
		{"no trade for 20,000 slots", old, 0, 0.1, market.ReasonStale, market.ReasonNew},
		{"nothing received for two minutes", silent, 0.3, 0.41, market.ReasonStale, 0},
	} {
		p, why, _ := tc.m.Assess(mint(1))
		if p.Confidence < tc.low || p.Confidence > tc.high {
			t.Errorf("%s: confidence %v not in [%v, %v]", tc.name, p.Confidence, tc.low, tc.high)
		}
		if why&tc.has != tc.has || why&tc.not != 0 {
			t.Errorf("%s: reasons %v", tc.name, why.Codes())
		}
	}
	// A mint that appears later is new for a while.
	if _, why, _ := old.Assess(mint(2)); why&market.ReasonNew == 0 {
		t.Errorf("reasons of a newcomer: %v", why.Codes())
	}
}

func TestTopAndPools(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	apply(t, m, solUSDC(150).pay(5_000))
	for i := range uint64(3_000) {
		depth := 1_000 + float64(i)
		apply(t, m, tokenPool(i, i, swapcast.USDC(), 2, depth).pay(1))
	}
	top := m.Top(5)
	if len(top) != 5 || top[0].Mint != swapcast.NativeMint() {
		t.Fatalf("top: %+v", top)
	}
	for i, want := range []uint64{2_999, 2_998, 2_997, 2_996} {
		if top[i+1].Mint != mint(want) {
			t.Errorf("place %d: %s", i+2, top[i+1].Mint)
		}
	}
	if m.Top(0) != nil || m.Pools(mint(77_777)) != nil || m.Trades(mint(77_777), 5) != nil {
		t.Error("something from nothing")
	}
	ps := m.Pools(mint(10))
	if len(ps) != 1 || ps[0].Share != 1 || !ps[0].Agrees || ps[0].Source != market.SourceReserves ||
		ps[0].Other != swapcast.USDC() || ps[0].Trades != 1 {
		t.Fatalf("pools: %+v", ps)
	}
	near(t, "liquidity", ps[0].LiquidityUSD, 2*1_010, 0.01)
	near(t, "price", ps[0].Price, 2, 0.01)
	near(t, "execution", ps[0].Execution, 2, 0.01)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	if tk, ok := m.Token(swapcast.NativeMint()); !ok || tk.Symbol != "SOL" || tk.Decimals != 9 || !tk.Known {
		t.Errorf("SOL: %+v", tk)
	}
	if _, ok := m.Token(mint(1)); ok {
		t.Error("an unseen mint is known")
	}
	apply(t, m, tokenPool(1, 1, swapcast.USDC(), 5, 1_000).pay(1))
	if tk, ok := m.Token(mint(1)); !ok || tk.Decimals != 6 || !tk.Known || tk.Mint != mint(1) || tk.Symbol != "" {
		t.Errorf("learned: %+v", tk)
	}
	m.AddTokens([]swapcast.Token{{Mint: mint(1), Symbol: "ONE", Name: "One", Decimals: 6, Known: true}})
	if tk, _ := m.Token(mint(1)); tk.Symbol != "ONE" {
		t.Errorf("added: %+v", tk)
	}
	// A swap with other decimals than those known changes no price.
	before := priceOf(t, m, mint(1)).USD
	s := tokenPool(1, 1, swapcast.USDC(), 5, 1_000).pay(1)
	s.Slot, s.DecimalsOut = 1_001, 9
	apply(t, m, s)
	near(t, "price", priceOf(t, m, mint(1)).USD, before, 1e-6)
}

// TestCodes holds the names, which are part of the public face.
func TestCodes(t *testing.T) {
	t.Parallel()
	all := market.ReasonThin | market.ReasonSinglePool | market.ReasonStale | market.ReasonDisagreement |
		market.ReasonNew | market.ReasonDepthUnknown | market.ReasonExecution | market.ReasonCurve |
		market.ReasonReference | market.ReasonAssumed | market.ReasonNoDollar
	want := "thin single_pool stale disagreement new depth_unknown execution curve reference assumed no_dollar"
	if got := strings.Join(all.Codes(), " "); got != want {
		t.Errorf("codes: %s", got)
	}
	if got := (market.ReasonStale | market.ReasonCurve).Codes(); !slices.Equal(got, []string{"stale", "curve"}) {
		t.Errorf("codes: %v", got)
	}
}
