package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

// fakeMarket answers from fixed lists.
type fakeMarket struct {
	prices []swapcast.Price // best first
	trades map[solana.PublicKey][]swapcast.Trade
	tokens map[solana.PublicKey]swapcast.Token
	pools  map[solana.PublicKey][]api.Pool

	reasons map[solana.PublicKey][]string
}

func (m *fakeMarket) Price(mint solana.PublicKey) (swapcast.Price, bool) {
	for _, p := range m.prices {
		if p.Mint == mint {
			return p, true
		}
	}
	return swapcast.Price{}, false
}

func (m *fakeMarket) Top(limit int) []swapcast.Price {
	return m.prices[:min(limit, len(m.prices))]
}

func (m *fakeMarket) Trades(mint solana.PublicKey, limit int) []swapcast.Trade {
	return m.trades[mint][:min(limit, len(m.trades[mint]))]
}

func (m *fakeMarket) Token(mint solana.PublicKey) (swapcast.Token, bool) {
	t, ok := m.tokens[mint]
	return t, ok
}

func (m *fakeMarket) Reasons(mint solana.PublicKey) []string { return m.reasons[mint] }

// Candles has SOL's candles of every interval.
func (m *fakeMarket) Candles(mint solana.PublicKey, interval swapcast.Interval, limit int) (candles []swapcast.Candle) {
	if mint != swapcast.NativeMint() {
		return nil
	}
	for n := range int64(limit) {
		candles = append(candles, swapcast.Candle{
			Mint: mint, Interval: interval, Start: (n + 1) * interval.Seconds(), Open: 1, High: 3, Low: 0.5, Close: 2,
			VolumeUSD: 8, Trades: 2, Final: n < int64(limit)-1,
		})
	}
	return candles
}

func day(mint solana.PublicKey) (api.Day, bool) {
	if mint != swapcast.NativeMint() {
		return api.Day{}, false
	}
	return api.Day{VolumeUSD: 5_000, ChangePct: -2.5, Since: 1_763_990_000}, true
}

func (m *fakeMarket) Pools(mint solana.PublicKey) []api.Pool { return m.pools[mint] }

var (
	clock    = time.UnixMilli(1764000000123)
	unpriced = key(200) // has traded, has no price
	unseen   = key(201) // valid, never traded
)

func key(n byte) solana.PublicKey {
	return solana.PublicKey{0: 7, 31: n}
}

func newMarket() *fakeMarket {
	m := &fakeMarket{
		trades: map[solana.PublicKey][]swapcast.Trade{},
		tokens: map[solana.PublicKey]swapcast.Token{},
		pools:  map[solana.PublicKey][]api.Pool{},
	}
	sol := swapcast.NativeMint()
	m.prices = append(m.prices, swapcast.Price{
		Mint: sol, USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 81234567.5,
		DEX: "raydium-clmm", Pool: key(1), Slot: 371234567, Signature: solana.Signature{1}, BlockTime: 1764000000,
	})
	for n := range 30 {
		m.prices = append(m.prices, swapcast.Price{Mint: key(byte(100 + n)), USD: 0.5, Known: true, DEX: "pumpswap", Slot: 5})
	}
	m.prices = append(m.prices, swapcast.Price{Mint: unpriced, DEX: "pumpfun", Slot: 9})
	for n := range 1200 {
		m.trades[sol] = append(m.trades[sol], swapcast.Trade{
			Mint: sol, Side: swapcast.Sell, Amount: 1_500_000_000, Decimals: 9, USD: 147.2, AmountUSD: 220.8, Known: true,
			Trader: key(2), DEX: "raydium-clmm", Pool: key(1), Slot: uint64(5000 - n), Signature: solana.Signature{2}, Index: 1,
		})
	}
	m.tokens[sol] = swapcast.Token{Mint: sol, Symbol: "SOL", Name: "Wrapped SOL", Decimals: 9, Known: true}
	m.reasons = map[solana.PublicKey][]string{sol: {"single_pool", "stale"}}
	m.tokens[unpriced] = swapcast.Token{Mint: unpriced}
	m.pools[sol] = []api.Pool{
		{
			Address: key(1), DEX: "raydium-cpmm", Other: swapcast.USDC(), USD: 147.2, USDKnown: true,
			ReserveAsset: 1 << 63, ReserveOther: 5, ReservesKnown: true, LiquidityUSD: 750, Share: 0.75, Agrees: true, LastSlot: 8, Trades: 3,
		},
		{Address: key(4), DEX: "pumpswap", Other: unpriced, LastSlot: 6, Trades: 1},
	}
	m.launch()
	return m
}

func newStatus() api.Status {
	lag := int64(84)
	return api.Status{
		State: api.StateHealthy, Slot: 371234567, LagMS: &lag, Epoch: "k3x9", Version: "v1", Commit: "abc", UptimeMS: 1000,
		Sources: []api.Source{{Endpoint: "grpc://127.0.0.1:10000", Connected: true, Slot: 371234567}},
		Limits:  api.Limits{MaxMessageBytes: 65536, MaxWindowMS: 5000},
	}
}

func options() api.Options {
	m := newMarket()
	return api.Options{Market: m, Pools: m.Pools, Reasons: m.Reasons, Day: day, NewTokens: newTokens, Status: newStatus, Feed: func() swapcast.Feed { return swapcast.FeedSimulated }, Now: func() time.Time { return clock }}
}

// do sends one request to a handler as net/http would and returns the answer.
func do(t *testing.T, h http.Handler, method, target string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// get decodes a JSON answer into v after checking that it is one.
func get(t *testing.T, h http.Handler, target string, v any) {
	t.Helper()
	response, body := do(t, h, http.MethodGet, target)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %s", target, response.Status, body)
	}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("GET %s: content type %q", target, got)
	}
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("GET %s: cache control %q", target, got)
	}
	if err := json.Unmarshal(body, v); err != nil {
		t.Fatalf("GET %s: %v in %s", target, err, body)
	}
}

// message is a price or a trade as a client reads it.
type message struct {
	Type, AssetID, Side, Amount, Source, Feed string
	Price, AmountUSD                          *float64
	Slot                                      uint64
	TS                                        int64
}

type list struct {
	Prices []message
	Trades []message
	Errors []struct{ AssetID, Code string }
}

func TestPrices(t *testing.T) {
	h := api.New(options())

	t.Run("named", func(t *testing.T) {
		var got list
		get(t, h, "/v1/prices?assets="+swapcast.NativeMintAddress+","+unpriced.String()+","+unseen.String(), &got)
		if len(got.Prices) != 3 || len(got.Errors) != 0 {
			t.Fatalf("%+v", got)
		}
		sol := got.Prices[0]
		if sol.Type != "price" || sol.AssetID != swapcast.NativeMintAddress || sol.Price == nil || *sol.Price != 147.231 ||
			sol.Source != "raydium-clmm" || sol.Slot != 371234567 || sol.Feed != "simulated" {
			t.Errorf("SOL: %+v", sol)
		}
		for i, mint := range []solana.PublicKey{unpriced, unseen} {
			if p := got.Prices[i+1]; p.AssetID != mint.String() || p.Price != nil {
				t.Errorf("an asset without a price: %+v", p)
			}
		}
	})
	t.Run("null is written out", func(t *testing.T) {
		_, body := do(t, h, http.MethodGet, "/v1/prices?assets="+unseen.String())
		if !strings.Contains(string(body), `"price":null`) {
			t.Errorf("%s", body)
		}
	})
	t.Run("most liquid ones", func(t *testing.T) {
		var got list
		get(t, h, "/v1/prices", &got)
		if len(got.Prices) != 25 || got.Prices[0].AssetID != swapcast.NativeMintAddress {
			t.Errorf("%d prices, first %+v", len(got.Prices), got.Prices[0])
		}
	})
	t.Run("one bad asset does not spoil the others", func(t *testing.T) {
		var got list
		get(t, h, "/v1/prices?assets=nope,"+swapcast.NativeMintAddress+",,"+strings.Repeat("x", 500), &got)
		if len(got.Prices) != 1 || len(got.Errors) != 3 {
			t.Fatalf("%+v", got)
		}
		for i, want := range []string{"nope", "", strings.Repeat("x", 64) + "..."} {
			if e := got.Errors[i]; e.AssetID != want || e.Code != "invalid_asset" {
				t.Errorf("error %d: %+v; want %q", i, e, want)
			}
		}
	})
	t.Run("repeated parameter and asset", func(t *testing.T) {
		var got list
		get(t, h, "/v1/prices?assets="+swapcast.NativeMintAddress+"&assets="+unseen.String()+","+swapcast.NativeMintAddress, &got)
		if len(got.Prices) != 2 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("exactly 100", func(t *testing.T) {
		var got list
		get(t, h, "/v1/prices?assets="+strings.Repeat(unseen.String()+",", 99)+unpriced.String(), &got)
		if len(got.Prices) != 2 {
			t.Errorf("%d prices", len(got.Prices))
		}
	})
}

func TestTrades(t *testing.T) {
	h := api.New(options())
	for query, want := range map[string]int{"": 100, "?limit=1": 1, "?limit=1000": 1000} {
		var got list
		get(t, h, "/v1/trades/"+swapcast.NativeMintAddress+query, &got)
		if len(got.Trades) != want {
			t.Fatalf("%q: %d trades; want %d", query, len(got.Trades), want)
		}
		first := got.Trades[0]
		if first.Type != "trade" || first.Side != "sell" || first.Amount != "1500000000" || *first.Price != 147.2 ||
			*first.AmountUSD != 220.8 || first.Slot != 5000 || first.Feed != "simulated" {
			t.Errorf("%+v", first)
		}
	}
	var none struct {
		AssetID string
		Trades  []message
	}
	get(t, h, "/v1/trades/"+unseen.String(), &none)
	if none.AssetID != unseen.String() || none.Trades == nil || len(none.Trades) != 0 {
		t.Errorf("a mint that never traded: %+v; want an empty list", none)
	}
}

func TestCandles(t *testing.T) {
	h := api.New(options())
	type answer struct {
		AssetID, Interval string
		Candles           []struct {
			Type, AssetID, Interval, Feed string
			T                             int64
			O, H, L, C, VolumeUSD         float64
			Trades                        uint64
			Final                         bool
			TS                            int64
		}
	}
	for query, want := range map[string]struct {
		interval string
		count    int
		first    int64
	}{
		"": {"1m", 500, 60}, "?interval=1s": {"1s", 500, 1}, "?limit=1000&interval=1d": {"1d", 1000, 86_400}, "?limit=1": {"1m", 1, 60},
	} {
		var got answer
		get(t, h, "/v1/candles/"+swapcast.NativeMintAddress+query, &got)
		if got.AssetID != swapcast.NativeMintAddress || got.Interval != want.interval || len(got.Candles) != want.count {
			t.Fatalf("%q: %s, %d candles", query, got.Interval, len(got.Candles))
		}
		c := got.Candles[0]
		if c.Type != "candle" || c.AssetID != got.AssetID || c.Interval != want.interval || c.T != want.first || c.O != 1 || c.H != 3 || c.L != 0.5 ||
			c.C != 2 || c.VolumeUSD != 8 || c.Trades != 2 || c.Feed != "simulated" || c.TS != 0 || c.Final != (want.count > 1) {
			t.Errorf("%q: %+v", query, c)
		}
		if got.Candles[want.count-1].Final {
			t.Errorf("%q: the last one is final", query)
		}
	}
	var none answer
	get(t, h, "/v1/candles/"+unseen.String(), &none)
	if none.Candles == nil || len(none.Candles) != 0 {
		t.Errorf("a mint that never traded: %+v; want an empty list", none)
	}
}

type tokenAnswer struct {
	AssetID, Symbol, Name, Source, Feed       string
	Reasons                                   []string
	Decimals                                  *int
	Price, PriceSOL, Confidence, LiquidityUSD *float64
	MarketCapUSD, Volume24hUSD, Change24hPct  *float64
	Supply                                    *string
	Curve                                     *curve
	Since24h                                  *int64
	Slot                                      uint64
	Pools                                     []struct {
		Pool, Source, OtherAssetID, OtherSymbol string
		Reserve, OtherReserve                   *string
		Price, LiquidityUSD                     *float64
		DepthUSD                                *float64
		Curve                                   *curve
		Share                                   float64
		Agrees                                  bool
		LastSlot, Trades                        uint64
	}
}

func TestToken(t *testing.T) {
	h := api.New(options())
	var sol tokenAnswer
	get(t, h, "/v1/tokens/"+swapcast.NativeMintAddress, &sol)
	if !slices.Equal(sol.Reasons, []string{"single_pool", "stale"}) {
		t.Errorf("reasons: %q", sol.Reasons)
	}
	if sol.Symbol != "SOL" || *sol.Decimals != 9 || *sol.Price != 147.231 || *sol.PriceSOL != 1 || *sol.Confidence != 0.97 ||
		sol.Source != "raydium-clmm" || sol.Feed != "simulated" || len(sol.Pools) != 2 {
		t.Fatalf("%+v", sol)
	}
	if *sol.Volume24hUSD != 5_000 || *sol.Change24hPct != -2.5 || *sol.Since24h != 1_763_990_000 {
		t.Errorf("the last day: %+v", sol)
	}
	if p := sol.Pools[0]; p.Pool != key(1).String() || p.OtherAssetID != swapcast.USDCAddress || *p.Price != 147.2 || *p.LiquidityUSD != 750 ||
		p.Share != 0.75 || !p.Agrees || *p.Reserve != "9223372036854775808" || *p.OtherReserve != "5" || p.LastSlot != 8 || p.Trades != 3 {
		t.Errorf("first pool: %+v", p)
	}
	if p := sol.Pools[1]; p.Price != nil || p.LiquidityUSD != nil || p.Reserve != nil || p.OtherReserve != nil || p.Agrees {
		t.Errorf("a pool of which little is known: %+v", p)
	}

	var bare tokenAnswer
	get(t, h, "/v1/tokens/"+unpriced.String(), &bare)
	if bare.Reasons == nil || len(bare.Reasons) > 0 {
		t.Errorf("reasons of a mint without a price: %q", bare.Reasons)
	}
	if bare.Price != nil || bare.Decimals != nil || bare.Confidence != nil || bare.LiquidityUSD != nil || bare.Volume24hUSD != nil || bare.Change24hPct != nil || bare.Since24h != nil || bare.Pools == nil {
		t.Errorf("a mint without a price: %+v", bare)
	}
}

func TestStatus(t *testing.T) {
	for feed, want := range map[swapcast.Feed]string{
		swapcast.FeedLive: "live", swapcast.FeedSimulated: "simulated", swapcast.FeedReplay: "replay",
	} {
		o := options()
		o.Feed = func() swapcast.Feed { return feed }
		var got api.Status
		get(t, api.New(o), "/v1/status", &got)
		if got.Feed != want || got.State != "healthy" || *got.LagMS != 84 || got.TS != clock.UnixMilli() || len(got.Sources) != 1 ||
			got.Limits.MaxAssets != 100 || got.Limits.MaxTrades != 1000 || got.Limits.MaxMessageBytes != 65536 {
			t.Errorf("%+v", got)
		}
	}
	o := options()
	o.Status = func() api.Status { return api.Status{State: api.StateDisconnected} }
	_, body := do(t, api.New(o), http.MethodGet, "/v1/status")
	if !strings.Contains(string(body), `"sources":[]`) || !strings.Contains(string(body), `"lagMs":null`) {
		t.Errorf("a server that has seen nothing: %s", body)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	o := options()
	h := api.New(o)
	for _, path := range []string{"/healthz", "/readyz"} {
		var got map[string]string
		get(t, h, path, &got)
	}
	o.Ready = func() error { return errors.New("no update for 31 s") }
	h = api.New(o)
	var alive map[string]string
	get(t, h, "/healthz", &alive)
	checkProblem(t, h, http.MethodGet, "/readyz", 503, api.CodeNotReady, "")
	if _, body := do(t, h, http.MethodGet, "/readyz"); !strings.Contains(string(body), "no update for 31 s") {
		t.Errorf("the reason is missing: %s", body)
	}
}

// checkProblem asserts that a request ends in a problem, whole and well formed.
func checkProblem(t *testing.T, h http.Handler, method, target string, status int, code, param string) *http.Response {
	t.Helper()
	response, body := do(t, h, method, target)
	var got struct {
		Type, Title, Code, Detail, Parameter string
		Status                               int
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%s %s: %v in %q", method, target, err, body)
	}
	if response.Header.Get("Content-Type") != "application/problem+json" || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: headers %v", method, target, response.Header)
	}
	if response.StatusCode != status || got.Status != status || got.Code != code || got.Parameter != param || got.Detail == "" || got.Type != "about:blank" ||
		got.Title != http.StatusText(status) {
		t.Errorf("%s %s: %d %+v; want %d %s parameter %q", method, target, response.StatusCode, got, status, code, param)
	}
	return response
}

func TestProblems(t *testing.T) {
	h := api.New(options())
	sol := swapcast.NativeMintAddress
	for _, c := range []struct {
		target      string
		status      int
		code, param string
	}{
		{"/v1/prices?assets=", 400, api.CodeBadParameter, "assets"},
		{"/v1/prices?assets=%zz", 400, api.CodeBadParameter, ""},
		{"/v1/prices?assets=" + strings.Repeat(",", 100), 400, api.CodeTooManyAssets, "assets"},
		{"/v1/trades/nope", 400, api.CodeInvalidAsset, "mint"},
		{"/v1/trades/" + sol + "?limit=0", 400, api.CodeBadParameter, "limit"},
		{"/v1/trades/" + sol + "?limit=1001", 400, api.CodeBadParameter, "limit"},
		{"/v1/trades/" + sol + "?limit=-1", 400, api.CodeBadParameter, "limit"},
		{"/v1/trades/" + sol + "?limit=ten", 400, api.CodeBadParameter, "limit"},
		{"/v1/trades/" + sol + "?limit=99999999999999999999", 400, api.CodeBadParameter, "limit"},
		{"/v1/trades/" + sol + "?limit=1&limit=2", 400, api.CodeBadParameter, "limit"},
		{"/v1/trades/" + sol + "?limit=1;2", 400, api.CodeBadParameter, ""},
		{"/v1/tokens/" + sol[1:], 400, api.CodeInvalidAsset, "mint"},
		{"/v1/tokens/%00%ff", 400, api.CodeInvalidAsset, "mint"},
		{"/v1/tokens/" + unseen.String(), 404, api.CodeUnknownAsset, "mint"},
		{"/v1/tokens/", 404, api.CodeNotFound, ""},
		{"/v1/nothing", 404, api.CodeNotFound, ""},
		{"/v1/", 404, api.CodeNotFound, ""},
		{"/other", 404, api.CodeNotFound, ""},
		{"/v1/candles/nope", 400, api.CodeInvalidAsset, "mint"},
		{"/v1/candles/" + sol + "?interval=2m", 400, api.CodeBadParameter, "interval"},
		{"/v1/candles/" + sol + "?interval=", 400, api.CodeBadParameter, "interval"},
		{"/v1/candles/" + sol + "?interval=1m&interval=1s", 400, api.CodeBadParameter, "interval"},
		{"/v1/candles/" + sol + "?limit=1001", 400, api.CodeBadParameter, "limit"},
		{"/v1/candles/" + sol + "?limit=1;2", 400, api.CodeBadParameter, ""},
		{"/v1/quote?inputMint=a", 501, api.CodeNotImplemented, ""},
		{"/v1/wallets/" + sol + "/balances", 501, api.CodeNotImplemented, ""},
		{"/v1/wallets/" + sol + "/portfolio", 501, api.CodeNotImplemented, ""},
		{"/v1/wallets/" + sol + "/pnl", 501, api.CodeNotImplemented, ""},
		{"/v1/wallets/" + sol + "/other", 404, api.CodeNotFound, ""},
	} {
		checkProblem(t, h, http.MethodGet, c.target, c.status, c.code, c.param)
	}
}

func TestMethods(t *testing.T) {
	h := api.New(options())
	paths := []string{
		"/v1/prices", "/v1/status", "/v1/tokens/" + swapcast.NativeMintAddress, "/v1/trades/" + swapcast.NativeMintAddress,
		"/v1/candles/" + swapcast.NativeMintAddress,
		"/openapi.json", "/asyncapi.json", "/healthz", "/readyz", "/v1/quote",
	}
	for _, path := range paths {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "BREW"} {
			response := checkProblem(t, h, method, path, 405, api.CodeMethodNotAllowed, "")
			if got := response.Header.Get("Allow"); got != "GET, HEAD, OPTIONS" {
				t.Errorf("%s %s: Allow %q", method, path, got)
			}
		}
		full, body := do(t, h, http.MethodGet, path)
		head, none := do(t, h, http.MethodHead, path)
		if len(none) != 0 || head.StatusCode != full.StatusCode || head.Header.Get("Content-Length") != fmt.Sprint(len(body)) ||
			head.Header.Get("Content-Type") != full.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d, headers %v, %d bytes of body", path, head.StatusCode, head.Header, len(none))
		}
	}
}

func TestDocuments(t *testing.T) {
	h := api.New(options())
	for path, version := range map[string]string{"/openapi.json": "openapi", "/asyncapi.json": "asyncapi"} {
		response, body := do(t, h, http.MethodGet, path)
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _, ok := doc[version].(string); !ok {
			t.Errorf("%s has no %q", path, version)
		}
		tag := response.Header.Get("ETag")
		for header, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200} {
			again, rest := do(t, h, http.MethodGet, path, "If-None-Match", header)
			if again.StatusCode != status || (status == 304) != (len(rest) == 0) || again.Header.Get("ETag") != tag {
				t.Errorf("%s If-None-Match %q: %d, %d bytes", path, header, again.StatusCode, len(rest))
			}
		}
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	for name, spoil := range map[string]func(*api.Options){
		"market": func(o *api.Options) { o.Market = nil },
		"pools":  func(o *api.Options) { o.Pools = nil },
		"status": func(o *api.Options) { o.Status = nil },
		"origin": func(o *api.Options) { o.AllowedOrigins = []string{"[a"} },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			o := options()
			spoil(&o)
			api.New(o)
		})
	}
}
