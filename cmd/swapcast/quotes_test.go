package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
)

// askQuote asks a server for 0.1 SOL in USDC until it has a quote: the market must
// have traded both first.
func askQuote(t *testing.T, base string) (answer quoteReply) {
	t.Helper()
	return awaitQuote(t, base, func(*quoteReply) bool { return true })
}

// trustedQuote is askQuote until the first source, Jupiter, has a quote that is
// believed: a market that has just begun has no route for it yet, and its prices gain
// confidence with the first swaps.
func trustedQuote(t *testing.T, base string) quoteReply {
	t.Helper()
	return awaitQuote(t, base, func(q *quoteReply) bool { return q.Source == "jupiter" && q.Executable && len(q.Warnings) == 0 })
}

// awaitQuote asks until a quote is as it should be.
func awaitQuote(t *testing.T, base string, good func(*quoteReply) bool) (answer quoteReply) {
	t.Helper()
	url := base + "/v1/quote?inputMint=" + swapcast.NativeMintAddress + "&outputMint=" + swapcast.USDC().String() + "&amount=100000000"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for last := ""; ; {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := fetch(request)
		if err != nil {
			t.Fatal(err)
		}
		last = string(body)
		if status == http.StatusOK {
			answer = quoteReply{}
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
			if good(&answer) {
				return answer
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no such quote: %s", last)
		case <-again.C:
		}
	}
}

// Without a flag the built-in market has quotes of every source, and says that they
// are made up.
func TestServeQuotes(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=5&tps=200")
	base := "http://" + s.public.Addr().String()
	got := trustedQuote(t, base)
	if got.Feed != "simulated" {
		t.Errorf("%+v", got)
	}
	for _, source := range got.Sources {
		if source.Outcome == "off" {
			t.Errorf("off: %+v", source)
		}
	}
	if text := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK); !strings.Contains(text, `swapcast_quote_requests_total{outcome="ok"} `) || !strings.Contains(text, `swapcast_breaker_state{source="jupiter"} 0`) {
		t.Error("metrics say nothing of the quote")
	}
	// Our own figures agree with the stand-ins', which take the market's price.
	request := quote.Request{InputMint: swapcast.NativeMint(), OutputMint: swapcast.USDC(), Amount: 100_000_000, SlippageBps: 50}
	seen := quotedMarket{s.processed.market, s.feed}
	if slot, at := seen.Head(); at.IsZero() || slot == 0 {
		t.Error("the adapter has no head")
	}
	within(t, "the adapter shows a pool", func() bool { return len(seen.Pools(nil, request.InputMint)) > 0 })
	ours, err := quote.New(quote.Options{OnChain: quote.OnChain{Reserves: seen}, Reference: seen})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	answer, err := ours.Quote(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	stated, err := strconv.ParseFloat(got.OutAmount, 64)
	if off := float64(answer.OutAmount)/stated - 1; err != nil || answer.Source != "onchain" || off < -0.05 || off > 0.05 {
		t.Errorf("%s: %d, the stand-in says %s", answer.Source, answer.OutAmount, got.OutAmount)
	}
}

// Whoever is named is asked, and nobody else outside; what has no key says so; our
// own figures are there all the same.
func TestServeQuotesFallBack(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=5&tps=200", "--jupiter-url", "http://127.0.0.1:1", "--pyth-url", "off")
	if s.quotes.standIns != nil {
		t.Error("stand-ins beside a named source")
	}
	got := askQuote(t, "http://"+s.public.Addr().String())
	if got.Source != "onchain" || got.Feed != "simulated" {
		t.Errorf("%+v", got)
	}
	var text []string
	for _, source := range got.Sources {
		text = append(text, source.Source+" "+source.Outcome)
	}
	switch list := strings.Join(text, ", "); list {
	case "jupiter error, dflow off, hashflow off, onchain ok, pyth off", "jupiter breaker_open, dflow off, hashflow off, onchain ok, pyth off":
	default:
		t.Error(list)
	}
}

func TestQuoteFlags(t *testing.T) {
	type want struct {
		url  string
		rate float64
	}
	for _, c := range []struct {
		name      string
		args      []string
		elsewhere bool
		jupiter   want
		dflow     want
		given     bool
	}{
		{name: "the real chain", jupiter: want{quote.JupiterURL, 0}, dflow: want{quote.DFlowURL, 0}},
		{name: "a recording", elsewhere: true, jupiter: want{"", noRate}, dflow: want{"", noRate}},
		{
			name: "a recording, a key", elsewhere: true, args: []string{"--jupiter-key", "k"}, given: true,
			jupiter: want{quote.JupiterURL, 0}, dflow: want{"", noRate},
		},
		{
			name: "own servers", elsewhere: true, args: []string{"--jupiter-url", "http://a", "--dflow-url", "http://b", "--dflow-rate", "3"}, given: true,
			jupiter: want{"http://a", noRate}, dflow: want{"http://b", 3},
		},
		{
			name: "off", args: []string{"--jupiter-url", "off", "--jupiter-key", "k"}, given: true,
			jupiter: want{"", noRate}, dflow: want{quote.DFlowURL, 0},
		},
		{
			name: "v1", elsewhere: true, args: []string{"--jupiter-v1"}, given: true,
			jupiter: want{quote.JupiterURL, 0}, dflow: want{"", noRate},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			flags := parseServe(t, c.args...).quoteFlags
			o := flags.options(c.elsewhere)
			if got := (want{o.Jupiter.URL, o.Jupiter.PerSecond}); got != c.jupiter {
				t.Errorf("jupiter %+v, want %+v", got, c.jupiter)
			}
			if got := (want{o.DFlow.URL, o.DFlow.PerSecond}); got != c.dflow {
				t.Errorf("dflow %+v, want %+v", got, c.dflow)
			}
			if with := parseServe(t, append(c.args, "--jupiter-timeout", "300ms", "--pyth-timeout", "1s")...).options(c.elsewhere); with.Jupiter.TryTimeout != 300*time.Millisecond || with.Pyth.TryTimeout != time.Second || with.DFlow.TryTimeout != 0 {
				t.Errorf("timeouts %s and %s", with.Jupiter.TryTimeout, with.Pyth.TryTimeout)
			}
			if flags.given() != c.given || o.Deadline != 2*time.Second {
				t.Errorf("given %v, deadline %s", flags.given(), o.Deadline)
			}
		})
	}
}

func TestWrongQuoteFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--quote-deadline", "0s"},
		{"--quote-deadline", "1m"},
		{"--jupiter-rate", "-1"},
		{"--dflow-timeout", "-1s"},
		{"--pyth-timeout", "21s"},
		{"--jupiter-url", "ftp://x"},
		{"--dflow-url", "http://user@host"},
		{"--hashflow-key", "k"},
		{"--quote-max-hops", "0"},
		{"--quote-max-impact", "3"},
		{"--quote-min-liquidity", "0"},
	} {
		code, _, stderr := command(t, t.Context(), append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "error"}, args...)...)
		if code != exitUsage || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: code %d, %q", args, code, stderr)
		}
	}
}
