package market_test

import (
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/parser"
)

// onCurve is a buy of mint(n) on a curve, at a slot, with what it shows.
func onCurve(n, address, slot uint64, dex string, c swapcast.Curve) *swapcast.Swap {
	s := tokenPool(n, address, swapcast.NativeMint(), 0.00001, 100)
	s.dex, s.slot = dex, slot
	swap := s.pay(1)
	swap.Curve = c
	swap.ReceivedAt = fixedNow().UnixNano() + int64(slot)*int64(time.Second)
	return swap
}

func sold(progress float64) swapcast.Curve {
	return swapcast.CurveAt(progress, 1)
}

// TestCurveStages follows tokens from the curve to the AMM.
func TestCurveStages(t *testing.T) {
	none := swapcast.Curve{}
	unknown := swapcast.Curve{Stage: swapcast.CurveTrading}
	migrated := swapcast.Curve{Stage: swapcast.CurveMigrated, Progress: 1, Known: true}
	type step struct {
		dex   string
		pool  uint64
		slot  uint64
		shown swapcast.Curve
		want  swapcast.Curve // afterwards
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"to the end", []step{
			{"pumpfun", 1, 1_000, sold(0.25), sold(0.25)},
			{"pumpfun", 1, 1_001, sold(0.20), sold(0.20)}, // a sale takes it back
			{"pumpfun", 1, 1_002, sold(1), sold(1)},
			{"pumpswap", 2, 1_003, none, migrated},
			{"pumpswap", 2, 1_004, none, migrated},
		}},
		{"in one slot", []step{
			{"pumpfun", 1, 1_000, sold(1), sold(1)},
			{"pumpswap", 2, 1_000, none, migrated},
		}},
		{"another's pool beside the curve", []step{
			{"meteora-dlmm", 3, 1_000, none, none},
			{"pumpfun", 1, 1_001, sold(0.25), sold(0.25)},
			{"meteora-dlmm", 3, 1_002, none, sold(0.25)},
			{"orca-whirlpool", 4, 1_003, none, sold(0.25)},
			{"pumpfun", 1, 1_004, sold(1), sold(1)},
			{"meteora-dlmm", 3, 1_005, none, migrated},
		}},
		{"the last swap was not seen", []step{
			{"pumpfun", 1, 1_000, sold(0.9), sold(0.9)},
			{"pumpswap", 2, 1_003, none, sold(0.9)},
			{"pumpswap", 2, 1_149, none, sold(0.9)}, // not silent for long enough
			{"pumpswap", 2, 1_150, none, migrated},
		}},
		{"a pool of the destination's kind while the curve lives", []step{
			{"pumpfun", 1, 1_000, sold(0.95), sold(0.95)},
			{"pumpswap", 2, 1_001, none, sold(0.95)},
			{"pumpfun", 1, 1_002, sold(0.96), sold(0.96)},
			{"pumpswap", 2, 9_000, none, sold(0.96)}, // opened before the curve's last swap
		}},
		{"silence that ends", []step{
			{"pumpfun", 1, 1_000, sold(0.95), sold(0.95)},
			{"pumpswap", 2, 1_200, none, migrated}, // as far as one can tell, until
			{"pumpfun", 1, 1_201, sold(0.96), sold(0.96)},
		}},
		{"a pool of the destination's kind beside a curve that nobody buys", []step{
			{"pumpfun", 1, 1_000, sold(0.3), sold(0.3)},
			{"pumpswap", 2, 1_001, none, sold(0.3)},
			{"pumpswap", 2, 9_000, none, sold(0.3)},
			{"pumpfun", 1, 9_001, sold(0.89), sold(0.89)},
			{"pumpswap", 3, 20_000, none, sold(0.89)},
		}},
		{"progress unknown", []step{
			{"moonshot", 1, 1_000, unknown, unknown},
			{"raydium-v4", 2, 1_001, none, unknown},
			{"raydium-v4", 2, 1_150, none, migrated},
		}},
		{"other launch pads", []step{
			{"raydium-launchlab", 1, 1_000, sold(0.95), sold(0.95)},
			{"pumpswap", 2, 1_200, none, sold(0.95)},
			{"raydium-cpmm", 3, 1_300, none, migrated},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMarket(market.Options{})
			for i, s := range c.steps {
				apply(t, m, onCurve(1, s.pool, s.slot, s.dex, s.shown))
				var got swapcast.Curve
				for _, p := range m.Pools(mint(1)) {
					if p.Curve.Stage != swapcast.CurveNone {
						got = p.Curve
					}
				}
				if got != s.want {
					t.Fatalf("step %d: %+v, want %+v", i, got, s.want)
				}
				newest := m.Newest(9)
				if s.want == none {
					if len(newest) != 0 {
						t.Fatalf("step %d: %+v", i, newest)
					}
					continue
				}
				if len(newest) != 1 || newest[0].Curve != s.want || newest[0].Price.Mint != mint(1) ||
					newest[0].Pool != pool(1) || newest[0].Trades != uint64(i+1) {
					t.Fatalf("step %d: %+v", i, newest)
				}
			}
			for _, p := range m.Pools(swapcast.NativeMint()) {
				if p.Curve != none {
					t.Errorf("SOL is on a curve: %+v", p)
				}
			}
		})
	}
}

// TestNewest lists launched tokens by when they were first seen, as many as asked.
func TestNewest(t *testing.T) {
	m := newMarket(market.Options{})
	apply(t, m, solUSDC(150).pay(10))
	const n = 3_000 // more than one step
	for i := range uint64(n) {
		apply(t, m, onCurve(i, i, 1_000+i, "pumpfun", sold(0.1)))
	}
	apply(t, m, onCurve(n, n, 9_000, "raydium-cpmm", swapcast.Curve{})) // not launched
	apply(t, m, onCurve(5, 5, 9_001, "pumpfun", sold(0.2)))             // not newer for it
	token := onCurve(n+1, n+1, 9_002, "meteora-dbc", sold(0.2))         // against a token like any other
	token.MintIn = mint(7)
	apply(t, m, token)
	got := m.Newest(20)
	if len(got) != 20 {
		t.Fatalf("%d tokens", len(got))
	}
	for i, l := range got {
		want := uint64(n - 1 - i)
		if l.Price.Mint != mint(want) || l.FirstSlot != 1_000+want || l.DEX != "pumpfun" || l.Curve != sold(0.1) || !l.Price.Known ||
			l.FirstAt != fixedNow().UnixNano()+int64(1_000+want)*int64(time.Second) {
			t.Fatalf("%d: %+v", i, l)
		}
	}
	if all := m.Newest(9_999); len(all) != n {
		t.Errorf("%d of %d", len(all), n)
	}
	if m.Newest(0) != nil {
		t.Error("none asked for, some given")
	}
}

// TestCurveRetracted: when the slots die that completed a curve and migrated it,
// it is where it was.
func TestCurveRetracted(t *testing.T) {
	m := newMarket(market.Options{JournalSwaps: 10})
	var dead []swapcast.TxRef
	do := func(s *swapcast.Swap) {
		s.Signature[0] = byte(len(dead) + 1)
		dead = append(dead, swapcast.TxRef{Slot: s.Slot, Signature: s.Signature})
		apply(t, m, s)
	}
	do(onCurve(1, 1, 1_000, "pumpfun", sold(0.25)))
	do(onCurve(1, 1, 1_001, "pumpfun", sold(1)))
	do(onCurve(1, 2, 1_002, "pumpswap", swapcast.Curve{}))
	for _, want := range []swapcast.Curve{{Stage: swapcast.CurveMigrated, Progress: 1, Known: true}, sold(1), sold(0.25)} {
		if got := m.Newest(1); len(got) != 1 || got[0].Curve != want || got[0].FirstSlot != 1_000 {
			t.Fatalf("%+v, want %+v", got, want)
		}
		var r market.Retraction
		m.Retract(dead[len(dead)-1:], &r)
		if dead = dead[:len(dead)-1]; len(r.Unknown) > 0 {
			t.Fatalf("unknown: %v", r.Unknown)
		}
	}
	if got := m.Newest(1); len(got) != 0 {
		t.Errorf("the launch was taken back: %+v", got)
	}
}

// TestLaunchesOfTheBuiltInMarket follows every curve of a simulated minute to its
// end, and holds what the market says against what the generator did: a curve is
// migrated in the market only when all of it had been sold.
func TestLaunchesOfTheBuiltInMarket(t *testing.T) {
	t.Parallel()
	const tps = 500
	complete := map[solana.PublicKey]bool{}
	source, err := sim.New(sim.Options{Seed: 1, TPS: tps, OnSwap: func(s *swapcast.Swap) {
		if s.Curve.Stage == swapcast.CurveComplete {
			complete[s.MintOut] = true
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, decoder, p := newMarket(market.Options{}), geyser.NewDecoder(), parser.New()
	var (
		tx       swapcast.Transaction
		result   parser.Result
		u        market.Update
		migrated int
		seen     = map[swapcast.CurveStage]bool{}
	)
	for n := range 60 * tps {
		next, err := source.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if next.GetTransaction() == nil {
			continue
		}
		if err := decoder.Transaction(next.GetTransaction(), &tx); err != nil {
			t.Fatal(err)
		}
		p.Parse(&tx, &result)
		for i := range result.Swaps {
			m.Apply(&result.Swaps[i], &u)
		}
		if n%50 != 0 {
			continue
		}
		migrated = 0
		for _, l := range m.Newest(100) {
			seen[l.Curve.Stage] = true
			if l.Curve.Stage == swapcast.CurveMigrated {
				migrated++
			}
			if done := l.Curve.Stage != swapcast.CurveTrading; done != complete[l.Price.Mint] || done != (l.Curve.Progress == 1) || !l.Curve.Known {
				t.Fatalf("update %d: %+v, sold out %v", n, l, complete[l.Price.Mint])
			}
		}
	}
	if len(seen) != 3 || migrated == 0 {
		t.Errorf("stages %v, %d migrated", seen, migrated)
	}
}
