package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// TestBreakerOfRunningServer: over sockets and in real time, Jupiter's breaker opens
// after exactly three failures, no call is made while it is open, one probe is after
// five seconds, which keeps it open where it fails and closes it where it is good. The
// caller gets a quote all the while. Calls are counted where they arrive.
func TestBreakerOfRunningServer(t *testing.T) {
	// A long deadline, of which hedge and settling are parts: a busy machine must not cut
	// a call off, which would count for nothing.
	s := serveForTest(t, "--source", "market:?seed=5&tps=200", "--quote-deadline", "10s")
	base := "http://" + s.public.Addr().String()
	trustedQuote(t, base)
	jupiter := s.quotes.standIns.services.Jupiter
	amount := 100_000_000
	// ask makes a request that is like no other, so that it is merged with none.
	ask := func() (outcome string, calls int) {
		t.Helper()
		amount++
		before := jupiter.Calls()
		body := getBody(t, fmt.Sprintf("%s/v1/quote?inputMint=%s&outputMint=%s&amount=%d", base, swapcast.NativeMintAddress, swapcast.USDC(), amount), http.StatusOK)
		var answer quoteReply
		if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Sources) == 0 || !answer.Executable {
			t.Fatalf("%v %s", err, body)
		}
		return answer.Sources[0].Outcome, jupiter.Calls() - before
	}
	// last is when the last of them began: what it did came after that.
	until := func(what string, done func(outcome string) bool) (calls, asked int, last time.Time) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
			last = time.Now()
			outcome, n := ask()
			calls, asked = calls+n, asked+1
			if done(outcome) {
				return calls, asked, last
			}
			if outcome == "breaker_open" {
				if n != 0 {
					t.Fatalf("%d calls while the breaker is open", n)
				}
				time.Sleep(5 * time.Millisecond) // not to burn a core for five seconds
			}
		}
		t.Fatalf("never: %s", what)
		return 0, 0, last
	}
	state := func(want string) {
		t.Helper()
		if text := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK); !strings.Contains(text, `swapcast_breaker_state{source="jupiter"} `+want+"\n") {
			t.Errorf("the metrics do not say %s", want)
		}
	}
	state("0")

	jupiter.Set(quotetest.Status503)
	start := time.Now()
	calls, asked, _ := until("open", func(outcome string) bool { return outcome == "breaker_open" })
	if calls != 3 {
		t.Errorf("open after %d calls", calls)
	}
	state("2")
	t.Logf("open after %d failed calls (%d requests)", calls, asked-1)

	// The first probe fails.
	calls, asked, failed := until("probe", func(outcome string) bool { return outcome != "breaker_open" })
	if calls != 1 || time.Since(start) < 5*time.Second {
		t.Errorf("a probe of %d calls %s after the first failure", calls, time.Since(start))
	}
	t.Logf("0 calls in %d requests while it was open, then one probe, %.2f s after the first failure, which failed", asked-1, failed.Sub(start).Seconds())
	state("2")

	jupiter.Set(quotetest.None)
	calls, asked, good := until("closed", func(outcome string) bool { return outcome != "breaker_open" })
	if calls != 1 || time.Since(failed) < 5*time.Second {
		t.Errorf("a probe of %d calls %s after the last", calls, time.Since(failed))
	}
	state("0")
	t.Logf("0 calls in %d more, then one probe, %.2f s after the last, which was good", asked-1, good.Sub(failed).Seconds())
	for range 5 {
		if outcome, n := ask(); outcome == "breaker_open" || n != 1 {
			t.Errorf("closed again: %s with %d calls", outcome, n)
		}
	}
}
