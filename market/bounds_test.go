package market_test

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// counts reads a registry: name{labels} to value.
func counts(t testing.TB, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "," + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return got
}

func TestBounds(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := newMarket(market.Options{
		MaxMints: 20, MaxPools: 15, MaxPoolsPerMint: 3, TradesPerMint: 4, MaxTrades: 20, IdleSlots: 5_000,
		Metrics: market.NewMetrics(reg),
	})
	for i := range uint64(50) {
		apply(t, m, tokenPool(i, i, swapcast.USDC(), 2, 1_000).pay(1))
	}
	if _, ok := m.Price(mint(0)); ok {
		t.Error("the least recently used mint is still there")
	}
	if p, ok := m.Price(mint(49)); !ok || !p.Known {
		t.Error("the newest mint is gone")
	}
	// The lightest of a mint's pools goes, be it the newcomer.
	for i := range uint64(6) {
		apply(t, m, tokenPool(100, 200+i, swapcast.USDC(), 2, 1_000*float64(6-i)).pay(1))
	}
	ps := m.Pools(mint(100))
	if len(ps) != 3 || ps[0].Address != pool(200) || ps[2].Address != pool(202) {
		t.Errorf("pools kept: %+v", ps)
	}
	if got := m.Trades(mint(100), 10); len(got) != 4 {
		t.Errorf("%d trades kept", len(got))
	}
	if got := m.Trades(mint(100), 2); len(got) != 2 || got[0].Pool != pool(205) || got[1].Pool != pool(204) {
		t.Errorf("not newest first: %+v", got)
	}
	// Idle mints go one a swap.
	busy := tokenPool(300, 300, swapcast.USDC(), 2, 1_000)
	busy.slot += 6_000
	for range 40 {
		apply(t, m, busy.pay(0.1))
	}
	if st := m.Stats(); st.Mints != 4 || st.Pools != 1 {
		t.Errorf("after a long silence: %+v", st)
	}
	self := busy.pay(1)
	self.MintIn = self.MintOut
	apply(t, m, self)
	got := counts(t, reg)
	for name, want := range map[string]float64{
		"swapcast_market_mints":                               4,
		"swapcast_market_pools":                               1,
		"swapcast_market_ignored_total,self_pool":             1,
		"swapcast_market_evictions_total,mint,limit":          35, // of 50 + 1 + 1 with room for 17 beside the references
		"swapcast_market_evictions_total,mint,idle":           16,
		"swapcast_market_evictions_total,pool,pools_per_mint": 3,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	if got["swapcast_market_evictions_total,trades,limit"] == 0 {
		t.Error("no trade history was forgotten for the bound of all trades")
	}
}

// TestReaders is for the race detector: every reader against the writer.
func TestReaders(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{MaxMints: 40, MaxPools: 40})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := uint64(0); ; i++ {
				select {
				case <-done:
					return
				default:
				}
				k := mint(i % 60)
				if p, ok := m.Price(k); ok {
					checkPrice(t, &p)
				}
				m.Trades(k, 10)
				m.Pools(k)
				m.Token(k)
				m.Top(5)
				m.Stats()
			}
		})
	}
	var u market.Update
	for i := range uint64(2_000) {
		c := tokenPool(i%60, i%90, swapcast.NativeMint(), 2, 1_000)
		c.slot += i
		m.Apply(c.pay(1), &u)
		checkUpdate(t, &u)
		if i%50 == 0 {
			sol := solUSDC(150)
			sol.slot += i
			m.Apply(sol.pay(100), &u)
		}
	}
	close(done)
	wg.Wait()
}

type observations struct{ n int }

func (o *observations) Observe(float64) { o.n++ }

func TestStageIsObserved(t *testing.T) {
	t.Parallel()
	mt := market.NewMetrics(nil)
	o := &observations{}
	mt.StagePrice = o
	m := newMarket(market.Options{Metrics: mt})
	apply(t, m, solUSDC(150).pay(1))
	if o.n != 1 {
		t.Errorf("observed %d times", o.n)
	}
}
