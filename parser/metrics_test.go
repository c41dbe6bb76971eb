package parser_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// seconds collects what a stage observes.
type seconds []float64

func (s *seconds) Observe(v float64) { *s = append(*s, v) }

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := parser.NewMetrics(reg)
	var stage seconds
	m.Stage = &stage
	p := parser.New()
	var r parser.Result
	for _, f := range parsertest.Fixtures() {
		if f.DEX == "pumpswap" {
			p.Parse(f.Tx, &r)
			m.Count(&r, 3*time.Millisecond)
		}
	}
	(*parser.Metrics)(nil).Count(&r, time.Second)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, x := range f.GetMetric() {
			name := f.GetName()
			for _, l := range x.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			got[name] = x.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"swapcast_swaps_total dex=pumpswap":                          3,
		"swapcast_swaps_total dex=raydium-v4":                        0,
		"swapcast_parse_errors_total dex=pumpswap reason=short_data": 1,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, %v, want %v", name, v, ok, want)
		}
	}
	if want := len(parser.DEXes()) + 1; len(got) != want {
		t.Errorf("%d series, want %d: %v", len(got), want, got)
	}
	if len(stage) != 4 || stage[0] != 0.003 {
		t.Errorf("stage %v", stage)
	}
}
