package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// standInsForTest are stand-ins with SOL at 150 and USDC at 1.
func standInsForTest(t *testing.T) (*quotetest.Services, string) {
	t.Helper()
	m := &quotetest.Fixed{Tokens: map[solana.PublicKey]quotetest.Token{
		swapcast.NativeMint(): {USD: 150, Decimals: 9, Depth: 37_500},
		swapcast.USDC():       {USD: 1, Decimals: 6},
	}}
	m.Head.Store(371234567)
	services := quotetest.New(m, quote.PythFeeds())
	server := httptest.NewServer(services.Handler())
	t.Cleanup(server.Close)
	return services, server.URL
}

func TestQuoteCommand(t *testing.T) {
	services, url := standInsForTest(t)
	args := []string{"quote", "--in", "SOL", "--out", "usdc", "--amount", "0.1", "--jupiter-url", url + "/jupiter", "--dflow-url", url + "/dflow"}
	code, stdout, stderr := command(t, t.Context(), args...)
	for _, want := range []string{"* jupiter   ok", "dflow     skipped: not_needed", "off: no_url", "jupiter wins: its quote is trusted", "0.100000000 SOL brings 14.98", "price impact 0.04%"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("code %d, no %q in:\n%s%s", code, want, stdout, stderr)
		}
	}

	services.Jupiter.Set(quotetest.SixHops)
	if _, stdout, _ = command(t, t.Context(), args...); !strings.Contains(stdout, "dflow wins: score ") || !strings.Contains(stdout, "many_hops") {
		t.Errorf("a doubtful quote:\n%s", stdout)
	}

	code, stdout, _ = command(t, t.Context(), append(args, "--json")...)
	var got quoteReply
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || got.Source != "dflow" || strings.Count(stdout, "\n") != 1 {
		t.Errorf("code %d, %v: %s", code, err, stdout)
	}

	services.Jupiter.Set(quotetest.Forbidden)
	services.DFlow.Set(quotetest.NoRoute)
	code, stdout, stderr = command(t, t.Context(), args...)
	if code != exitFailure || stderr != "swapcast: no quote\n" || !strings.Contains(stdout, "error: unauthorized") || !strings.Contains(stdout, "no_route: route_not_found") || !strings.Contains(stdout, "No quote after ") {
		t.Errorf("code %d, %q:\n%s", code, stderr, stdout)
	}
}

// A server is asked where none of the sources is named, and what it says is made
// safe for a terminal.
func TestQuoteCommandAsksServer(t *testing.T) {
	mint := strings.Repeat("1", 31) + "2"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/tokens/" + mint:
			fmt.Fprint(w, `{"symbol":"\u001b[31mX","decimals":2}`)
		case "/v1/quote":
			if q := r.URL.Query(); q.Get("inputMint") != mint || q.Get("outputMint") != swapcast.USDC().String() || q.Get("amount") != "150" || q.Get("slippageBps") != "7" {
				t.Errorf("%v", q)
			}
			fmt.Fprint(w, `{"feed":"simulated","source":"onchain","inAmount":"150","outAmount":"5","otherAmountThreshold":"4","executable":true,"score":9,"hops":1,"legs":1,
				"warnings":[{"code":"stale","message":"\u202eold\u0007"}],"sources":[{"source":"onchain","outcome":"ok","outAmount":"5"}]}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	code, stdout, stderr := command(t, t.Context(), "quote", "--in", mint, "--out", "USDC", "--amount", "1.5", "--slippage-bps", "7", "--server", server.URL)
	for _, want := range []string{"1.50 ?[31mX brings 0.000005 USDC, at least 0.000004 USDC", "Warning stale: ?old?.", "THE MARKET IS SIMULATED"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("code %d, no %q in:\n%s%s", code, want, stdout, stderr)
		}
	}
	if strings.ContainsAny(stdout, "\x1b\u202e\a") {
		t.Errorf("%q", stdout)
	}
}

func TestQuoteCommandRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--in", "NOPE", "--out", "USDC", "--amount", "1"}, "neither a mint's address nor one of SOL"},
		{[]string{"--in", "SOL", "--out", "SOL", "--amount", "1", "--jupiter-v1"}, "the same as inputMint"},
		{[]string{"--in", "SOL", "--out", "USDC", "--amount", "x", "--jupiter-v1"}, "--amount"},
		{[]string{"--in", "SOL", "--out", "USDC", "--amount", "0", "--jupiter-v1"}, "above 0"},
		{[]string{"--in", "SOL", "--out", "USDC", "--amount", "0.0000000001", "--jupiter-v1"}, "SOL has 9 decimals"},
		{[]string{"--in", "SOL", "--out", "USDC", "--amount", "99999999999999.0", "--jupiter-v1"}, "too large"},
		{[]string{"--in", "SOL", "--out", "USDC", "--amount", "1", "--slippage-bps", "10001", "--jupiter-v1"}, "0 to 10000"},
		{[]string{"--in", "SOL", "--out", "USDC", "--amount", "1", "--server", "localhost"}, "--server"},
		{[]string{"--in", "SOL", "--amount", "1"}, "--out"},
	} {
		code, _, stderr := command(t, t.Context(), append([]string{"quote"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: code %d, %q", c.args, code, stderr)
		}
	}
}

func TestReadAmount(t *testing.T) {
	sol := swapcast.Token{Symbol: "SOL", Decimals: 9, Known: true}
	for text, want := range map[string]uint64{"100000000": 100_000_000, "0.1": 100_000_000, "5.0": 5e9, ".5": 5e8, "3.": 3e9, "0.000000001": 1, "1.100000000000": 1_100_000_000} {
		if got, err := readAmount(text, &sol); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "-1", "1e9", "1.-1", "1.2.3", "+1.0", "18446744074.0"} {
		if got, err := readAmount(text, &sol); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	if _, err := readAmount("1.0", &swapcast.Token{}); err == nil {
		t.Error("whole tokens of unknown decimals")
	}
}
