package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// quoteWorld is the API over a real engine, which asks stand-ins over HTTP.
type quoteWorld struct {
	quote    func(context.Context, quote.Request) (*quote.Answer, error)
	chosen   func(string, json.RawMessage) (*quote.Answer, error)
	handler  http.Handler
	services *quotetest.Services
}

func newQuoteWorld(t *testing.T, change func(*quote.Options)) quoteWorld {
	t.Helper()
	feeds := map[solana.PublicKey]string{}
	for _, token := range []solana.PublicKey{swapcast.NativeMint(), swapcast.USDC()} {
		feeds[token] = quote.PythFeeds()[token]
	}
	m := &quotetest.Fixed{Tokens: map[solana.PublicKey]quotetest.Token{
		swapcast.NativeMint(): {USD: 150, Decimals: 9},
		swapcast.USDC():       {USD: 1, Decimals: 6},
	}}
	m.Head.Store(371234567)
	services := quotetest.New(m, feeds)
	server := httptest.NewServer(services.Handler())
	t.Cleanup(server.Close)
	o := quote.Options{
		Jupiter:  quote.Jupiter{Remote: quote.Remote{URL: server.URL + "/jupiter", Key: "secret-key"}},
		DFlow:    quote.Remote{URL: server.URL + "/dflow"},
		Hashflow: quote.Hashflow{Remote: quote.Remote{URL: server.URL + "/hashflow", Key: "k"}, Source: "swapcast"},
		Pyth:     quote.Pyth{Remote: quote.Remote{URL: server.URL + "/hermes"}},
	}
	if change != nil {
		change(&o)
	}
	engine, err := quote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	apiOptions := options()
	apiOptions.Quote = engine.Quote
	return quoteWorld{engine.Quote, engine.Chosen, api.New(apiOptions), services}
}

// quoteTarget asks for 0.1 SOL in USDC, and for what else extra says.
func quoteTarget(extra string) string {
	return "/v1/quote?inputMint=" + swapcast.NativeMintAddress + "&outputMint=" + swapcast.USDC().String() + "&amount=100000000" + extra
}

type quoteAnswer struct {
	Feed, InputMint, OutputMint, InAmount, OutAmount, OtherAmountThreshold, Source string
	SlippageBps                                                                    int
	PriceImpactPct                                                                 *string
	RoutePlan                                                                      []struct {
		SwapInfo struct{ AmmKey, InputMint, OutputMint string }
		Bps      int
	}
	Executable bool
	Confidence float64
	Score      int
	Warnings   []struct{ Code, Message string }
	Hops, Legs int
	ExpiresAt  int64
	ElapsedMs  *int64
	Sources    []sourceAnswer
}

type sourceAnswer struct {
	Source, Outcome, Reason, OutAmount string
	Score                              *struct{ Confidence, Amount, Reliability, Warnings int }
	ElapsedMs                          *int64
}

func TestQuote(t *testing.T) {
	w := newQuoteWorld(t, nil)
	var got quoteAnswer
	before := time.Now()
	get(t, w.handler, quoteTarget("&slippageBps=100"), &got)
	if got.Feed != "simulated" || got.Source != "jupiter" || !got.Executable || got.InAmount != "100000000" || got.SlippageBps != 100 ||
		got.InputMint != swapcast.NativeMintAddress || got.OutputMint != swapcast.USDC().String() {
		t.Errorf("%+v", got)
	}
	// 15 dollars less the stand-in's spread, and one percent less.
	if out, _ := strconv.ParseFloat(got.OutAmount, 64); out < 14_900_000 || out > 15_000_000 {
		t.Errorf("outAmount %s", got.OutAmount)
	} else if least, _ := strconv.ParseFloat(got.OtherAmountThreshold, 64); least < 0.99*out-2 || least > 0.99*out+2 {
		t.Errorf("otherAmountThreshold %s of %s", got.OtherAmountThreshold, got.OutAmount)
	}
	if got.Hops != 1 || got.Legs != 1 || len(got.RoutePlan) != 1 || got.RoutePlan[0].Bps != 10_000 || got.PriceImpactPct == nil || *got.PriceImpactPct != "0.000001" {
		t.Errorf("route: %+v", got)
	}
	if got.Warnings == nil || len(got.Warnings) != 0 || got.ElapsedMs == nil || got.ExpiresAt < before.UnixMilli() {
		t.Errorf("%+v", got)
	}
	var names []string
	for _, s := range got.Sources {
		names = append(names, s.Source+" "+s.Outcome)
	}
	if text := mustJSON(t, names); text != `["jupiter ok","dflow skipped","hashflow skipped","onchain off","pyth skipped"]` {
		t.Error(text)
	}
	s := got.Sources[0].Score
	if s == nil || s.Amount != 500 || s.Reliability != 100 || s.Confidence+s.Amount+s.Reliability != got.Score || float64(s.Confidence)/1000 != got.Confidence {
		t.Errorf("score %+v of %d", s, got.Score)
	}
	if got.Sources[1].Reason != "not_needed" || got.Sources[1].Score != nil {
		t.Errorf("a source that was not asked: %+v", got.Sources[1])
	}
}

// A fallback's quote says who it is from, and a key is in no answer.
func TestQuoteFallsBack(t *testing.T) {
	w := newQuoteWorld(t, nil)
	w.services.Jupiter.Set(quotetest.Unauthorized)
	response, body := do(t, w.handler, http.MethodGet, quoteTarget(""))
	var got quoteAnswer
	if err := json.Unmarshal(body, &got); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %s", response.Status, err, body)
	}
	if got.Source == "jupiter" || got.SlippageBps != 50 || got.Sources[0].Outcome != "error" || got.Sources[0].Reason == "" {
		t.Errorf("%s", body)
	}
	o := options()
	o.Quote, o.Feed = w.quote, func() swapcast.Feed { return swapcast.FeedLive }
	if _, live := do(t, api.New(o), http.MethodGet, quoteTarget("")); bytes.Contains(live, []byte(`"feed"`)) {
		t.Errorf("of a live chain: %s", live)
	}
	if w.services.Jupiter.LastKey() != "secret-key" || bytes.Contains(body, []byte("secret-key")) {
		t.Errorf("the key was not sent, or it is told: %s", body)
	}
}

func TestQuoteProblems(t *testing.T) {
	w := newQuoteWorld(t, nil)
	sol, usdc := swapcast.NativeMintAddress, swapcast.USDC().String()
	for target, want := range map[string][2]string{
		"/v1/quote": {api.CodeBadParameter, "inputMint"},
		"/v1/quote?inputMint=nope&outputMint=" + usdc + "&amount=1":                             {api.CodeInvalidAsset, "inputMint"},
		"/v1/quote?inputMint=" + sol:                                                            {api.CodeBadParameter, "outputMint"},
		"/v1/quote?inputMint=" + sol + "&outputMint=x&amount=1":                                 {api.CodeInvalidAsset, "outputMint"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + sol + "&amount=1":                       {api.CodeBadParameter, "outputMint"},
		"/v1/quote?inputMint=" + sol + "&inputMint=" + sol + "&outputMint=" + usdc:              {api.CodeBadParameter, "inputMint"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + usdc:                                    {api.CodeBadParameter, "amount"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + usdc + "&amount=":                       {api.CodeBadParameter, "amount"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + usdc + "&amount=0":                      {api.CodeBadParameter, "amount"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + usdc + "&amount=-1":                     {api.CodeBadParameter, "amount"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + usdc + "&amount=1.5":                    {api.CodeBadParameter, "amount"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + usdc + "&amount=1e9":                    {api.CodeBadParameter, "amount"},
		"/v1/quote?inputMint=" + sol + "&outputMint=" + usdc + "&amount=1844674407370955161600": {api.CodeBadParameter, "amount"},
		quoteTarget("&slippageBps="):                                                            {api.CodeBadParameter, "slippageBps"},
		quoteTarget("&slippageBps=-1"):                                                          {api.CodeBadParameter, "slippageBps"},
		quoteTarget("&slippageBps=10001"):                                                       {api.CodeBadParameter, "slippageBps"},
		quoteTarget("&slippageBps=70000"):                                                       {api.CodeBadParameter, "slippageBps"},
		quoteTarget("&slippageBps=auto"):                                                        {api.CodeBadParameter, "slippageBps"},
		quoteTarget("&slippageBps=1&slippageBps=2"):                                             {api.CodeBadParameter, "slippageBps"},
		quoteTarget("&swapMode=ExactOut"):                                                       {api.CodeBadParameter, "swapMode"},
		quoteTarget("&%zz"):                                                                     {api.CodeBadParameter, ""},
	} {
		checkProblem(t, w.handler, http.MethodGet, target, http.StatusBadRequest, want[0], want[1])
	}
	for _, s := range w.services.All() {
		if s.Calls() != 0 {
			t.Errorf("%s was asked for a bad request", s.Name)
		}
	}
}

// What is said where there is no quote, and of whom.
func TestNoQuote(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      func(*quotetest.Services)
		status   int
		code     string
		outcomes string
	}{
		{"no route anywhere", func(s *quotetest.Services) {
			s.Jupiter.Set(quotetest.NoRoute)
			s.DFlow.Set(quotetest.NoRoute)
			s.Hashflow.Set(quotetest.NoRoute)
			s.Hermes.Set(quotetest.UnknownFeed)
		}, http.StatusNotFound, api.CodeNoRoute, `["no_route","no_route","no_route","off","no_route"]`},
		{"all broken", func(s *quotetest.Services) {
			s.Jupiter.Set(quotetest.Unauthorized)
			s.DFlow.Set(quotetest.NotJSON)
			s.Hashflow.Set(quotetest.OtherMint)
			s.Hermes.Set(quotetest.Forbidden)
		}, http.StatusBadGateway, api.CodeNoQuote, `["error","error","rejected","off","error"]`},
		{"all silent", func(s *quotetest.Services) {
			for _, one := range s.All() {
				one.Set(quotetest.Silent)
			}
		}, http.StatusGatewayTimeout, api.CodeNoQuote, `["timeout","timeout","timeout","off","timeout"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newQuoteWorld(t, func(o *quote.Options) { o.Deadline = 400 * time.Millisecond })
			c.set(w.services)
			response, body := do(t, w.handler, http.MethodGet, quoteTarget(""))
			var p struct {
				Status    int
				Code      string
				Title     string
				ElapsedMs *int64
				Sources   []sourceAnswer
			}
			if err := json.Unmarshal(body, &p); err != nil {
				t.Fatal(err)
			}
			var outcomes []string
			for _, s := range p.Sources {
				outcomes = append(outcomes, s.Outcome)
			}
			if response.StatusCode != c.status || p.Status != c.status || p.Code != c.code || p.Title != http.StatusText(c.status) ||
				response.Header.Get("Content-Type") != "application/problem+json" || p.ElapsedMs == nil || mustJSON(t, outcomes) != c.outcomes {
				t.Errorf("%s: %s", response.Status, body)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
