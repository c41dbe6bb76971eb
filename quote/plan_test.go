package quote_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

func TestTrustedJupiterIsReturnedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.services.Jupiter.Latency = 80 * time.Millisecond
		a, took, err := r.quote(oneSOL())
		if err != nil || a.Source != quote.NameJupiter || took != 80*time.Millisecond || len(a.Warnings) != 0 {
			t.Fatalf("%+v after %v, %v", a, took, err)
		}
		for _, s := range a.Sources[1:] {
			if s.Outcome != quote.OutcomeSkipped || s.Reason != "not_needed" {
				t.Errorf("%+v", s)
			}
		}
		if n := r.services.DFlow.Calls() + r.services.Hashflow.Calls() + r.services.Hermes.Calls(); n != 0 {
			t.Errorf("%d calls that nobody needed", n)
		}
		if k := r.services.Jupiter.LastKey(); k != "k-jupiter" {
			t.Errorf("key %q", k)
		}
	})
}

// TestDoubtfulJupiterAsksTheOthers has each doubt once. The others are asked at
// once, not after the hedge delay.
func TestDoubtfulJupiterAsksTheOthers(t *testing.T) {
	for _, c := range []struct {
		fault quotetest.Fault
		warn  string
	}{
		{quotetest.BelowMarket, quote.WarnBelowMarket},
		{quotetest.SixHops, quote.WarnManyHops},
		{quotetest.Impact, quote.WarnHighPriceImpact},
		{quotetest.OldSlot, quote.WarnStale},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.services.Jupiter.Set(c.fault)
				r.services.Hashflow.Latency = 30 * time.Millisecond
				a, took, err := r.quote(oneSOL())
				if err != nil {
					t.Fatal(err)
				}
				j := result(a.Sources, quote.NameJupiter)
				if len(j.Warnings) != 1 || j.Warnings[0].Code != c.warn {
					t.Errorf("warnings %+v", j.Warnings)
				}
				if a.Source == quote.NameJupiter || took != 30*time.Millisecond {
					t.Errorf("%s after %v", a.Source, took)
				}
				if r.services.Hermes.Calls() != 0 {
					t.Error("Pyth was asked although others are trusted")
				}
			})
		})
	}
	t.Run("thin pool", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.market.thin.Store(true)
			a, _, err := r.quote(oneSOL())
			if err != nil || a.Source != quote.NameHashflow { // which names no pool
				t.Fatalf("%+v, %v", a, err)
			}
			if j := result(a.Sources, quote.NameJupiter); len(j.Warnings) != 1 || j.Warnings[0].Code != quote.WarnThinPool {
				t.Errorf("warnings %+v", j.Warnings)
			}
		})
	})
}

// TestNoDoubt has what looks odd and is not.
func TestNoDoubt(t *testing.T) {
	for _, f := range []quotetest.Fault{quotetest.Split, quotetest.NullPercent, quotetest.ExtraFields} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.services.Jupiter.Set(f)
			a, _, err := r.quote(oneSOL())
			if err != nil || a.Source != quote.NameJupiter || len(a.Warnings) > 0 || a.Hops != 1 {
				t.Fatalf("%s: %+v, %v", f, a, err)
			}
			if f == quotetest.Split && a.Legs != 3 {
				t.Errorf("%d legs", a.Legs)
			}
			if f == quotetest.NullPercent && a.Route[0].Bps != 10_000 {
				t.Errorf("share %d", a.Route[0].Bps)
			}
		})
	}
}

// TestHedge lets Jupiter be slow: the others start at the hedge delay, which
// follows Jupiter's own recent times within its bounds.
func TestHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		if d := r.engine.HedgeDelay(); d != 375*time.Millisecond {
			t.Errorf("with no answer yet %v", d)
		}
		r.services.Jupiter.Latency = 200 * time.Millisecond
		for range 20 {
			if a, _, err := r.quote(oneSOL()); err != nil || a.Source != quote.NameJupiter {
				t.Fatal(a, err)
			}
		}
		if d := r.engine.HedgeDelay(); d != 200*time.Millisecond {
			t.Errorf("after answers of 200 ms: %v", d)
		}
		r.services.Jupiter.Latency = 10 * time.Millisecond
		for range 80 {
			_, _, _ = r.quote(oneSOL())
		}
		if d := r.engine.HedgeDelay(); d != 150*time.Millisecond {
			t.Errorf("after answers of 10 ms: %v", d)
		}
		// Hanging now: the others are asked after 150 ms, answer 40 ms later, and get
		// 250 ms to be bettered by Jupiter or each other.
		r.services.Jupiter.Set(quotetest.Silent)
		r.services.DFlow.Latency, r.services.Hashflow.Latency = 40*time.Millisecond, 40*time.Millisecond
		a, took, err := r.quote(oneSOL())
		if err != nil || a.Source != quote.NameHashflow || took != 400*time.Millisecond {
			t.Fatalf("%+v after %v, %v", a, took, err)
		}
		if j := result(a.Sources, quote.NameJupiter); j.Outcome != quote.OutcomeSkipped || j.Reason != "outrun" {
			t.Errorf("%+v", j)
		}
	})
}

// TestStumbleStartsFallbacks: Jupiter's first failure starts the others; its own
// second try may still win.
func TestStumbleStartsFallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.services.Jupiter.Script(quotetest.Status503)
		r.services.Hashflow.Latency = 500 * time.Millisecond
		a, took, err := r.quote(oneSOL())
		if err != nil || a.Source != quote.NameJupiter || result(a.Sources, quote.NameJupiter).Tries != 2 {
			t.Fatalf("%+v, %v", a, err)
		}
		if took < 100*time.Millisecond || took > 200*time.Millisecond {
			t.Errorf("backoff of %v", took)
		}
		if r.services.DFlow.Calls() != 1 {
			t.Error("DFlow was not asked at the first failure")
		}
	})
}

// TestDeadline has everybody silent: the error comes in time and says why.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		for _, s := range r.services.All() {
			s.Set(quotetest.Silent)
		}
		r.market.noPools.Store(true)
		_, took, err := r.quote(oneSOL())
		var none *quote.NoQuoteError
		if !errors.As(err, &none) || !none.Deadline || none.NoRoute {
			t.Fatalf("%v", err)
		}
		if took != 1800*time.Millisecond {
			t.Errorf("after %v", took)
		}
		for _, s := range none.Sources {
			if want := quote.OutcomeTimeout; s.Source != quote.NameOnChain && s.Outcome != want {
				t.Errorf("%+v", s)
			}
		}
	})
}

// TestPythIsTheLast: it is asked when the rest has failed, and in time although the
// rest hangs; what it says is no offer.
func TestPythIsTheLast(t *testing.T) {
	for _, f := range []quotetest.Fault{quotetest.Forbidden, quotetest.Silent} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			for _, s := range []*quotetest.Service{r.services.Jupiter, r.services.DFlow, r.services.Hashflow} {
				s.Set(f)
			}
			r.market.noPools.Store(true)
			a, took, err := r.quote(oneSOL())
			if err != nil || a.Source != quote.NamePyth || a.Executable || a.OutAmount != solUSD*1e6 {
				t.Fatalf("%s: %+v, %v", f, a, err)
			}
			if len(a.Warnings) != 1 || a.Warnings[0].Code != quote.WarnIndicativeOnly {
				t.Errorf("%+v", a.Warnings)
			}
			if f == quotetest.Forbidden && took != 0 || took > 1800*time.Millisecond {
				t.Errorf("%s: after %v", f, took)
			}
		})
	}
}

func TestNoRouteAnywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		_, _, err := r.quote(quote.Request{InputMint: key(7), OutputMint: key(8), Amount: 5})
		var none *quote.NoQuoteError
		if !errors.As(err, &none) || !none.NoRoute {
			t.Fatalf("%v", err)
		}
		for _, s := range r.engine.Status() {
			if s.Breaker != "closed" {
				t.Errorf("%+v", s)
			}
		}
	})
}

// TestMerging: equal requests share calls; one that leaves takes nobody with it,
// and the last one to leave ends the calls.
func TestMerging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		r := newRig(t, func(o *quote.Options) { o.Metrics = quote.NewMetrics(reg) })
		r.services.Jupiter.Latency = 100 * time.Millisecond
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.engine.Quote(ctx, oneSOL()); !errors.Is(err, context.Canceled) {
				t.Errorf("who left got %v", err)
			}
		})
		synctest.Wait()
		for range 9 {
			wg.Go(func() {
				if a, err := r.engine.Quote(t.Context(), oneSOL()); err != nil || a.Source != quote.NameJupiter {
					t.Errorf("%+v, %v", a, err)
				}
			})
		}
		wg.Go(func() {
			other := oneSOL()
			other.Amount++
			if _, err := r.engine.Quote(t.Context(), other); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		leave()
		wg.Wait()
		if n := r.services.Jupiter.Calls(); n != 2 {
			t.Errorf("%d calls for two questions", n)
		}
		if v := value(t, reg, "swapcast_quote_merged_total", ""); v != 9 {
			t.Errorf("%v merged", v)
		}
		if v := value(t, reg, "swapcast_quote_requests_total", "ok"); v != 10 {
			t.Errorf("%v ok", v)
		}
		if v := value(t, reg, "swapcast_quote_requests_total", "cancelled"); v != 1 {
			t.Errorf("%v cancelled", v)
		}

		// The last one leaves: nothing of the request runs on.
		ctx, leave = context.WithCancel(t.Context())
		r.services.Jupiter.Set(quotetest.Silent)
		gone := make(chan error)
		go func() {
			_, err := r.engine.Quote(ctx, oneSOL())
			gone <- err
		}()
		synctest.Wait()
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		start := time.Now()
		r.engine.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("calls ran on for %v", took)
		}
		if _, err := r.engine.Quote(t.Context(), oneSOL()); !errors.Is(err, quote.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestBadRequests(t *testing.T) {
	r := newRig(t, nil)
	good := oneSOL()
	for want, change := range map[string]func(*quote.Request){
		"inputMint":   func(q *quote.Request) { q.InputMint = key(0) },
		"outputMint":  func(q *quote.Request) { q.OutputMint = q.InputMint },
		"amount":      func(q *quote.Request) { q.Amount = 0 },
		"slippageBps": func(q *quote.Request) { q.SlippageBps = 10_001 },
	} {
		bad := good
		change(&bad)
		_, _, err := r.quote(bad)
		var param *quote.ParameterError
		if !errors.As(err, &param) || param.Parameter != want {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestOff: a source without a key says so, and the rest goes on.
func TestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *quote.Options) {
			o.Jupiter.URL, o.Jupiter.Key = quote.JupiterURL, ""
			o.DFlow.URL = ""
			o.Hashflow.Key = ""
			o.Pyth.URL, o.Pyth.Key = quote.PythURL, ""
		})
		a, _, err := r.quote(oneSOL())
		if err != nil || a.Source != quote.NameOnChain {
			t.Fatalf("%+v, %v", a, err)
		}
		want := map[string]string{
			quote.NameJupiter: "no_key", quote.NameDFlow: "no_url", quote.NameHashflow: "no_key", quote.NamePyth: "no_key", quote.NameOnChain: "",
		}
		for _, s := range a.Sources {
			if s.Reason != want[s.Source] || (want[s.Source] != "") != (s.Outcome == quote.OutcomeOff) {
				t.Errorf("%+v", s)
			}
		}
	})
	for _, o := range []quote.Options{
		{Jupiter: quote.Jupiter{Remote: quote.Remote{URL: "ftp://x"}}},
		{DFlow: quote.Remote{URL: "http://user:pass@x/"}},
		{Hashflow: quote.Hashflow{Remote: quote.Remote{URL: "http://x", Key: "k"}}},
	} {
		if _, err := quote.New(o); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// value is a metric's, of the series that has a label of this value ("" none).
func value(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := label == ""
			for _, l := range m.GetLabel() {
				has = has || l.GetValue() == label
			}
			if has {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
