package quote_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// TestFaultTable says what becomes of each source in each fault, alone and with one
// try: testdata/faults.golden.
func TestFaultTable(t *testing.T) {
	var text strings.Builder
	fmt.Fprintf(&text, "%-9s %-22s %-13s %-26s %8s  %s\n", "source", "fault", "outcome", "reason", "ms", "warnings")
	all := faultsOf()
	for _, name := range sourceNames() {
		for _, f := range append([]quotetest.Fault{quotetest.None}, all[name]...) {
			synctest.Test(t, func(t *testing.T) {
				r := newRigWith(t, func(o *quote.Options, m *testMarket, s *quotetest.Services) {
					oneTry(o)
					cell{{name, f}}.wounded(o, m, s, "http://"+refusedHost)
					alone(o, name)
				})
				a, took, err := r.quote(oneSOL())
				var got quote.Result
				var none *quote.NoQuoteError
				switch {
				case err == nil:
					got = result(a.Sources, name)
				case errors.As(err, &none):
					got = result(none.Sources, name)
				default:
					t.Fatal(err)
				}
				var codes []string
				for _, w := range got.Warnings {
					codes = append(codes, w.Code)
				}
				line := fmt.Sprintf("%-9s %-22s %-13s %-26s %8d  %s", name, f, got.Outcome, got.Reason, took/time.Millisecond, strings.Join(codes, " "))
				fmt.Fprintln(&text, strings.TrimRight(line, " "))
			})
		}
	}
	golden(t, "faults.golden", text.String())
}

// alone turns off every source but one.
func alone(o *quote.Options, name string) {
	for one, url := range map[string]*string{
		quote.NameJupiter: &o.Jupiter.URL, quote.NameDFlow: &o.DFlow.URL, quote.NameHashflow: &o.Hashflow.URL, quote.NamePyth: &o.Pyth.URL,
	} {
		if one != name {
			*url = ""
		}
	}
	if name != quote.NameOnChain {
		o.OnChain.Reserves = nil
	}
}

// TestHedgePercentile: one slow answer in twenty does not move the delay, two in
// ten do.
func TestHedgePercentile(t *testing.T) {
	for _, c := range []struct {
		slowEvery int
		want      time.Duration
	}{{20, 200 * time.Millisecond}, {5, 340 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(o *quote.Options) { alone(o, quote.NameJupiter) })
			for i := range 60 {
				r.services.Jupiter.Latency = 200 * time.Millisecond
				if i%c.slowEvery == 0 {
					r.services.Jupiter.Latency = 340 * time.Millisecond
				}
				_, _, _ = r.quote(oneSOL())
			}
			if d := r.engine.HedgeDelay(); d != c.want {
				t.Errorf("one in %d slow: %v", c.slowEvery, d)
			}
		})
	}
}
