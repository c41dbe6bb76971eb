package quote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// oneTry has each request make one call a source, so that calls can be counted by
// requests.
func oneTry(o *quote.Options) {
	for _, p := range []*quote.Policy{&o.Jupiter.Policy, &o.DFlow.Policy, &o.Hashflow.Policy, &o.Pyth.Policy} {
		p.MaxTries = 1
	}
}

func breaker(r *rig, name string) string {
	for _, s := range r.engine.Status() {
		if s.Source == name {
			return s.Breaker
		}
	}
	return ""
}

// TestBreaker walks one breaker through all its states.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		var logged bytes.Buffer
		r := newRig(t, func(o *quote.Options) {
			oneTry(o)
			o.Metrics = quote.NewMetrics(reg)
			o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		})
		j := r.services.Jupiter
		gauge := func() float64 { return value(t, reg, "swapcast_breaker_state", quote.NameJupiter) }
		ask := func(want quote.Outcome) {
			t.Helper()
			a, _, err := r.quote(oneSOL())
			if err != nil {
				t.Fatal(err)
			}
			if got := result(a.Sources, quote.NameJupiter); got.Outcome != want {
				t.Fatalf("got %+v, want %s", got, want)
			}
		}
		j.Set(quotetest.Status500)
		ask(quote.OutcomeError)
		ask(quote.OutcomeError)
		if s := breaker(r, quote.NameJupiter); s != "closed" {
			t.Errorf("%s after two failures", s)
		}
		j.Script(quotetest.None)
		ask(quote.OutcomeOK) // in a row, not in all
		ask(quote.OutcomeError)
		ask(quote.OutcomeError)
		if s := breaker(r, quote.NameJupiter); s != "closed" {
			t.Errorf("%s after two failures in a row", s)
		}
		ask(quote.OutcomeError)
		if s := breaker(r, quote.NameJupiter); s != "open" || gauge() != 2 {
			t.Errorf("%s, %v after three failures in a row", s, gauge())
		}

		calls := j.Calls()
		for range 49 { // 4.9 s
			ask(quote.OutcomeBreakerOpen)
			time.Sleep(100 * time.Millisecond)
		}
		if n := j.Calls() - calls; n != 0 {
			t.Errorf("%d calls while open", n)
		}
		time.Sleep(101 * time.Millisecond)
		if s := breaker(r, quote.NameJupiter); s != "half_open" || gauge() != 1 {
			t.Errorf("%s, %v after five seconds", s, gauge())
		}
		ask(quote.OutcomeError) // the probe fails: open again at once
		if s := breaker(r, quote.NameJupiter); s != "open" || j.Calls() != calls+1 {
			t.Errorf("%s after a bad probe, %d calls", s, j.Calls()-calls)
		}
		time.Sleep(5001 * time.Millisecond)

		// One probe at a time: while it runs, others are not let through.
		j.Set(quotetest.None)
		j.Latency = 50 * time.Millisecond
		done := make(chan *quote.Answer)
		go func() {
			a, _, _ := r.quote(oneSOL())
			done <- a
		}()
		synctest.Wait()
		other := oneSOL()
		other.Amount *= 2
		a, _, err := r.quote(other)
		if err != nil || result(a.Sources, quote.NameJupiter).Outcome != quote.OutcomeBreakerOpen {
			t.Errorf("%+v, %v during a probe", a, err)
		}
		if a := <-done; a.Source != quote.NameJupiter {
			t.Errorf("the probe's own request got %s", a.Source)
		}
		if s := breaker(r, quote.NameJupiter); s != "closed" || gauge() != 0 {
			t.Errorf("%s, %v after a good probe", s, gauge())
		}
		r.engine.Close()
		if n := strings.Count(logged.String(), "left alone"); n != 1 {
			t.Errorf("%d lines for one outage:\n%s", n, logged.String())
		}
		if n := strings.Count(logged.String(), "answers again"); n != 1 {
			t.Errorf("%d lines for one closing:\n%s", n, logged.String())
		}
	})
}

// TestBreakerOfEveryFailure: three failures of each kind open a breaker, and what is
// none does not.
func TestBreakerOfEveryFailure(t *testing.T) {
	for fault, opens := range map[quotetest.Fault]bool{
		quotetest.Silent: true, quotetest.Late: true, quotetest.HeadersOnly: true, quotetest.Drip: true,
		quotetest.Status500: true, quotetest.Status503: true, quotetest.Unauthorized: true, quotetest.NotJSON: true,
		quotetest.HTML: true, quotetest.CutOff: true, quotetest.OtherMint: true, quotetest.OtherAmount: true,
		quotetest.Zero: true, quotetest.Negative: true, quotetest.Huge: true, quotetest.Deep: true,
		quotetest.RedirectLoop: true, quotetest.RedirectAway: true, quotetest.HangUp: true,
		quotetest.NoRoute: false, quotetest.NotTradable: false, quotetest.SixHops: false, quotetest.Impact: false,
		// Only our market disbelieves these.
		quotetest.TooGood: false, quotetest.TooBad: false,
	} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, oneTry)
				r.services.Jupiter.Set(fault)
				for i := range 3 {
					if s := breaker(r, quote.NameJupiter); s != "closed" {
						t.Fatalf("%s after %d", s, i)
					}
					if _, _, err := r.quote(oneSOL()); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if s := breaker(r, quote.NameJupiter); (s == "open") != opens {
					t.Errorf("%s after three", s)
				}
			})
		})
	}
}

// TestImpatientCallers: who leaves says nothing of a source's health, even in the
// place of a probe.
func TestImpatientCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, oneTry)
		j := r.services.Jupiter
		leave := func(after time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			if _, err := r.engine.Quote(ctx, oneSOL()); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		j.Set(quotetest.Silent)
		for range 10 {
			leave(140 * time.Millisecond)
		}
		if s := breaker(r, quote.NameJupiter); s != "closed" {
			t.Errorf("%s although only callers left", s)
		}
		j.Set(quotetest.Status500)
		for range 3 {
			_, _, _ = r.quote(oneSOL())
		}
		time.Sleep(5001 * time.Millisecond)
		j.Set(quotetest.Silent)
		leave(100 * time.Millisecond) // the probe's caller leaves
		j.Set(quotetest.None)
		a, _, err := r.quote(oneSOL())
		if err != nil || a.Source != quote.NameJupiter {
			t.Errorf("the probe's place was not given back: %+v, %v", a, err)
		}
	})
}

// TestRetryAfter has each way of saying when to come back. Nothing is asked until
// then, and nothing more is waited for than the deadline allows.
func TestRetryAfter(t *testing.T) {
	for _, f := range []quotetest.Fault{quotetest.Limited, quotetest.LimitedAfter, quotetest.LimitedReset, quotetest.LimitedAs400} {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				j := r.services.Jupiter
				j.Script(f)
				a, _, err := r.quote(oneSOL()) // the others answer meanwhile
				if err != nil || a.Source == quote.NameJupiter || j.Calls() != 1 {
					t.Fatalf("%+v, %v, %d calls", a, err, j.Calls())
				}
				time.Sleep(600 * time.Millisecond)
				a, _, err = r.quote(oneSOL())
				if err != nil || j.Calls() != 1 {
					t.Fatalf("asked before its time: %d calls, %v", j.Calls(), err)
				}
				if s := result(a.Sources, quote.NameJupiter); s.Outcome != quote.OutcomeRateLimited || s.Reason != "paused" {
					t.Errorf("%+v", s)
				}
				time.Sleep(401 * time.Millisecond)
				if a, _, err = r.quote(oneSOL()); err != nil || a.Source != quote.NameJupiter {
					t.Errorf("%+v, %v after its time", a, err)
				}
			})
		})
	}
	t.Run("within one request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(o *quote.Options) {
				o.DFlow.URL, o.Hashflow.Key, o.Pyth.URL, o.OnChain.Reserves = "", "", "", nil
			})
			r.services.Jupiter.Script(quotetest.LimitedAfter)
			a, took, err := r.quote(oneSOL())
			if err != nil || took != time.Second || result(a.Sources, quote.NameJupiter).Tries != 2 {
				t.Errorf("%+v after %v, %v", a, took, err)
			}
		})
	})
}

// TestRetries: only what may succeed is tried again, with growing waits, and never
// beyond the deadline.
func TestRetries(t *testing.T) {
	alone := func(o *quote.Options) {
		o.DFlow.URL, o.Hashflow.Key, o.Pyth.URL, o.OnChain.Reserves = "", "", "", nil
		o.Jupiter.BreakAfter = 100
		o.Jupiter.MaxTries = 10
	}
	for fault, tries := range map[quotetest.Fault]int{
		quotetest.Status503: 0, quotetest.Status500: 0, quotetest.HangUp: 0, quotetest.CutOff: 0,
		quotetest.Unauthorized: 1, quotetest.NoRoute: 1, quotetest.NotJSON: 1, quotetest.OtherMint: 1, quotetest.TooGood: 1,
		quotetest.Silent: 2,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, alone)
			r.services.Jupiter.Set(fault)
			_, took, err := r.quote(oneSOL())
			var none *quote.NoQuoteError
			if !errors.As(err, &none) || took > 1800*time.Millisecond {
				t.Fatalf("%s: after %v, %v", fault, took, err)
			}
			got := result(none.Sources, quote.NameJupiter).Tries
			if fault == quotetest.Silent {
				got = r.services.Jupiter.Calls() // the last one is cut by the deadline
			}
			switch {
			case tries > 0 && got != tries:
				t.Errorf("%s: %d tries, want %d", fault, got, tries)
			case tries == 0 && (got < 3 || got > 6): // waits of 100-200, 200-400, 400-800, 800-1000 ms
				t.Errorf("%s: %d tries in 1.8 s", fault, got)
			}
		})
	}
}

// TestBudget: our own limits come before the service's.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *quote.Options) { o.Jupiter.PerSecond, o.Jupiter.Burst = 2, 2 })
		for i, want := range []quote.Outcome{quote.OutcomeOK, quote.OutcomeOK, quote.OutcomeRateLimited} {
			a, _, err := r.quote(oneSOL())
			if err != nil || result(a.Sources, quote.NameJupiter).Outcome != want {
				t.Errorf("%d: %+v, %v", i, a, err)
			}
		}
		time.Sleep(500 * time.Millisecond)
		if a, _, _ := r.quote(oneSOL()); a.Source != quote.NameJupiter {
			t.Errorf("%+v", a)
		}
		if s := breaker(r, quote.NameJupiter); s != "closed" {
			t.Error(s)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *quote.Options) { o.Jupiter.MaxCalls = 1 })
		r.services.Jupiter.Latency = 100 * time.Millisecond
		go func() { _, _, _ = r.quote(oneSOL()) }()
		synctest.Wait()
		other := oneSOL()
		other.Amount++
		a, _, err := r.quote(other)
		if err != nil || result(a.Sources, quote.NameJupiter).Reason != "busy" {
			t.Errorf("%+v, %v", a, err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
	})
}

// TestKeysStaySecret looks for the keys in all that comes out.
func TestKeysStaySecret(t *testing.T) {
	const secret = "s3cr3t-k3y"
	for _, f := range append(quotetest.Common(), quotetest.NoRoute) {
		synctest.Test(t, func(t *testing.T) {
			var logged bytes.Buffer
			r := newRig(t, func(o *quote.Options) {
				o.Jupiter.Key, o.DFlow.Key, o.Hashflow.Key, o.Pyth.Key = secret, secret, secret, secret
				o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
			})
			for _, s := range r.services.All() {
				s.Set(f)
			}
			r.market.noPools.Store(true)
			a, _, err := r.quote(oneSOL())
			var text bytes.Buffer
			enc := json.NewEncoder(&text)
			if err != nil {
				text.WriteString(err.Error())
				var none *quote.NoQuoteError
				if errors.As(err, &none) {
					for i := range none.Sources {
						_ = enc.Encode(&none.Sources[i])
					}
				}
			} else {
				_ = enc.Encode(a)
			}
			if strings.Contains(text.String()+logged.String(), secret) {
				t.Errorf("%s: the key is in %s", f, text.String())
			}
			if k := r.services.Jupiter.LastKey(); k != secret {
				t.Errorf("the key did not arrive: %q", k)
			}
		})
	}
}
