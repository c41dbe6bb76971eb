package api_test

import (
	"math"
	"net/http"
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

// launched has been on two curves; the price is of newMarket's list.
var launched = key(100)

// launch adds what is known of it.
func (m *fakeMarket) launch() {
	m.tokens[launched] = swapcast.Token{
		Mint: launched, Symbol: "<b>X</b>", Name: "\u202eevil\x00", Decimals: 6, Known: true, Supply: 1_000_000_000_000_000, SupplyKnown: true,
	}
	m.pools[launched] = []api.Pool{
		{Address: key(5), DEX: "meteora-dbc", Other: swapcast.NativeMint(), USD: 0.5, USDKnown: true, DepthUSD: 450, LastSlot: 6, Curve: swapcast.CurveAt(1, 2)},
		{Address: key(6), DEX: "pumpfun", LastSlot: 9, Curve: swapcast.CurveAt(2, 2)},
		{Address: key(7), DEX: "orca-whirlpool", LastSlot: 10},
	}
}

// newTokens are three launched tokens, the newest first, over and over.
func newTokens(limit int) []api.NewToken {
	three := [...]api.NewToken{
		{
			Price: swapcast.Price{Mint: launched, USD: 0.00002, Known: true, Confidence: 0.3, LiquidityUSD: 900},
			DEX:   "pumpfun", Pool: key(1), Curve: swapcast.CurveAt(1, 4), FirstSlot: 77, FirstAt: 1_763_999_841_007_999_999, Trades: 12,
		},
		{Price: swapcast.Price{Mint: swapcast.NativeMint()}, DEX: "moonshot", Pool: key(2), Curve: swapcast.Curve{Stage: swapcast.CurveTrading}, FirstSlot: 5, FirstAt: 9},
		{Price: swapcast.Price{Mint: unpriced}, DEX: "meteora-dbc", Pool: key(3), Curve: swapcast.Curve{Stage: swapcast.CurveMigrated, Progress: 1, Known: true}},
	}
	list := make([]api.NewToken, limit)
	for i := range list {
		list[i] = three[i%len(three)]
	}
	return list
}

type curve struct {
	Stage    string
	Progress *float64
}

type newTokenAnswer struct {
	AssetID, Symbol, Name, Source, Pool           string
	Decimals                                      *int
	Curve                                         *curve
	FirstSlot, Trades                             uint64
	FirstSeen                                     int64
	Price, Confidence, LiquidityUSD, MarketCapUSD *float64
	Volume24hUSD, Change24hPct                    *float64
}

func TestNewTokens(t *testing.T) {
	o := options()
	var got struct {
		Feed   string
		Tokens []newTokenAnswer
	}
	get(t, api.New(o), "/v1/tokens?sort=new&limit=3", &got)
	if got.Feed != "simulated" || len(got.Tokens) != 3 {
		t.Fatalf("%+v", got)
	}
	a := got.Tokens[0]
	if a.AssetID != launched.String() || a.Symbol != "<b>X</b>" || a.Name != "\u202eevil\x00" || *a.Decimals != 6 || a.Source != "pumpfun" || a.Pool != key(1).String() ||
		a.Curve.Stage != "trading" || *a.Curve.Progress != 0.25 || a.FirstSlot != 77 || a.FirstSeen != 1_763_999_841_007 || a.Trades != 12 ||
		*a.Price != 0.00002 || *a.Confidence != 0.3 || *a.LiquidityUSD != 900 || math.Abs(*a.MarketCapUSD-20_000) > 1e-6 ||
		a.Volume24hUSD != nil || a.Change24hPct != nil {
		t.Errorf("of which all is known but the day: %+v", a)
	}
	if b := got.Tokens[1]; b.Curve.Stage != "trading" || b.Curve.Progress != nil || b.Price != nil || b.Confidence != nil || b.LiquidityUSD != nil ||
		b.MarketCapUSD != nil || *b.Volume24hUSD != 5_000 || *b.Change24hPct != -2.5 {
		t.Errorf("of which the day is known: %+v", b)
	}
	if c := got.Tokens[2]; c.Curve.Stage != "migrated" || *c.Curve.Progress != 1 || c.Decimals != nil {
		t.Errorf("migrated: %+v", c)
	}
	for target, want := range map[string]int{"/v1/tokens": 50, "/v1/tokens?limit=200": 200, "/v1/tokens?sort=new": 50} {
		if get(t, api.New(o), target, &got); len(got.Tokens) != want {
			t.Errorf("%s: %d tokens, want %d", target, len(got.Tokens), want)
		}
	}
	o.NewTokens = nil
	if get(t, api.New(o), "/v1/tokens", &got); got.Tokens == nil || len(got.Tokens) != 0 {
		t.Errorf("nobody keeps them: %+v", got)
	}
}

func TestNewTokensProblems(t *testing.T) {
	h := api.New(options())
	for target, parameter := range map[string]string{
		"/v1/tokens?limit=0":           "limit",
		"/v1/tokens?limit=201":         "limit",
		"/v1/tokens?limit=1&limit=2":   "limit",
		"/v1/tokens?sort=":             "sort",
		"/v1/tokens?sort=old":          "sort",
		"/v1/tokens?sort=new&sort=new": "sort",
		"/v1/tokens?sort=%3Cb%3E":      "sort",
		"/v1/tokens?%zz":               "",
	} {
		checkProblem(t, h, http.MethodGet, target, http.StatusBadRequest, api.CodeBadParameter, parameter)
	}
}

// TestTokenCurve is what /v1/tokens/{mint} tells beside the price: supply, market
// cap, trusted depth, and the curve of the pool that traded last.
func TestTokenCurve(t *testing.T) {
	var got tokenAnswer
	get(t, api.New(options()), "/v1/tokens/"+launched.String(), &got)
	if *got.Supply != "1000000000000000" || math.Abs(*got.MarketCapUSD-500_000_000) > 1e-3 {
		t.Errorf("supply and market cap: %+v", got)
	}
	if got.Curve == nil || got.Curve.Stage != "complete" || *got.Curve.Progress != 1 {
		t.Errorf("curve: %+v", got.Curve)
	}
	for i, want := range []string{"trading", "complete", ""} {
		p := got.Pools[i]
		if want == "" && p.Curve == nil || want != "" && p.Curve != nil && p.Curve.Stage == want {
			continue
		}
		t.Errorf("pool %d: %+v", i, p.Curve)
	}
	if got.Pools[0].OtherSymbol != "SOL" || got.Pools[1].OtherSymbol != "" {
		t.Errorf("against %q and %q", got.Pools[0].OtherSymbol, got.Pools[1].OtherSymbol)
	}
	if *got.Pools[0].DepthUSD != 450 || got.Pools[1].DepthUSD != nil {
		t.Errorf("depth: %v, %v", got.Pools[0].DepthUSD, got.Pools[1].DepthUSD)
	}
	var sol tokenAnswer
	get(t, api.New(options()), "/v1/tokens/"+swapcast.NativeMintAddress, &sol)
	if sol.Curve != nil || sol.Supply != nil || sol.MarketCapUSD != nil {
		t.Errorf("of SOL nobody knows supply nor curve: %+v", sol)
	}
}
