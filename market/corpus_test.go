package market_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// TestCorpusSources prices each swap of the mainnet corpus by itself: where a
// constant-product pool states its price that is believed and fits the vaults,
// and the pools that do not say their curve prove it by the trade.
func TestCorpusSources(t *testing.T) {
	t.Parallel()
	cases := parsertest.Corpus(t)
	reg := prometheus.NewRegistry()
	metrics := market.NewMetrics(reg)
	p := parser.New()
	var (
		result parser.Result
		u      market.Update
		got    = map[string]map[market.Source]int{}
	)
	for _, c := range cases {
		p.Parse(c.Tx, &result)
		for i := range result.Swaps {
			s := &result.Swaps[i]
			if s.Interim {
				continue
			}
			m := newMarket(market.Options{Metrics: metrics})
			m.Apply(s, &u)
			for _, info := range m.Pools(u.Prices[0].Mint) {
				if got[s.DEX] == nil {
					got[s.DEX] = map[market.Source]int{}
				}
				got[s.DEX][info.Source]++
			}
		}
	}
	for dex, want := range map[string]market.Source{
		"raydium-v4": market.SourceSpot, "raydium-cpmm": market.SourceSpot, "pumpswap": market.SourceSpot, "heaven": market.SourceSpot,
		"meteora-damm-v1": market.SourceReserves, "fluxbeam": market.SourceReserves, "saros": market.SourceReserves,
	} {
		t.Logf("%-16s %v", dex, got[dex])
		if got[dex][want] == 0 || len(got[dex]) > 1 {
			t.Errorf("%s: want %s only, got %v", dex, want, got[dex])
		}
	}
	if n := counts(t, reg)["swapcast_market_ignored_total,spot_mismatch"]; n > 0 {
		t.Errorf("%v swaps whose stated price does not fit", n)
	}
}
