package quote

import (
	"math"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// fixedMarket has SOL at 150 dollars and USDC at 1.
type fixedMarket struct {
	confidence float64
	silence    time.Duration
	liquidity  float64
}

func (f fixedMarket) Head() (uint64, time.Time) { return 1_000, checkNow().Add(-f.silence) }

func (f fixedMarket) Mid(mint solana.PublicKey) (Mid, bool) {
	if mint == swapcast.NativeMint() {
		return Mid{USD: 150, Confidence: f.confidence}, true
	}
	return Mid{USD: 1, Confidence: 1}, mint == swapcast.USDC()
}

func (f fixedMarket) Decimals(mint solana.PublicKey) (uint8, bool) {
	if mint == swapcast.NativeMint() {
		return 9, true
	}
	return 6, true
}

func (f fixedMarket) Liquidity(solana.PublicKey) (float64, bool) { return f.liquidity, f.liquidity > 0 }

func checkNow() time.Time { return time.Unix(1_795_500_000, 0) }

// fairQuote is what nobody can find fault with.
func fairQuote() *Quote {
	r := asked()
	return &Quote{
		InputMint: r.InputMint, OutputMint: r.OutputMint, InAmount: r.Amount, OutAmount: 149_925_000, Threshold: 149_175_375,
		SlippageBps: 50, PriceImpact: 0.0004, ImpactKnown: true, ContextSlot: 1_000, MarketSlot: 1_000, Executable: true, Certainty: 1,
		Route: []Leg{{Pool: solana.PublicKey{5}, InputMint: r.InputMint, OutputMint: r.OutputMint, Bps: MaxSlippageBps}},
	}
}

// TestCheck has each reason not to believe an answer, and what is next to it and
// fine. failure is whether the breaker counts it.
func TestCheck(t *testing.T) {
	sure := fixedMarket{confidence: 0.9}
	for name, c := range map[string]struct {
		market  fixedMarket
		change  func(*Quote)
		reason  string
		failure bool
	}{
		"fair":                    {sure, func(*Quote) {}, "", false},
		"other input":             {sure, func(q *Quote) { q.InputMint[0]++ }, "other_mint", true},
		"other output":            {sure, func(q *Quote) { q.OutputMint[0]++ }, "other_mint", true},
		"other amount":            {sure, func(q *Quote) { q.InAmount-- }, "other_amount", true},
		"nothing":                 {sure, func(q *Quote) { q.OutAmount, q.Threshold = 0, 0 }, "zero_amount", true},
		"other slippage":          {sure, func(q *Quote) { q.SlippageBps = 51 }, "other_slippage", true},
		"threshold above":         {sure, func(q *Quote) { q.Threshold = q.OutAmount + 1 }, "threshold", true},
		"threshold a unit lower":  {sure, func(q *Quote) { q.Threshold-- }, "", false},
		"threshold lower":         {sure, func(q *Quote) { q.Threshold -= 2 }, "threshold", true},
		"no threshold":            {sure, func(q *Quote) { q.Threshold = 0 }, "threshold", true},
		"a firm one":              {sure, func(q *Quote) { q.Threshold = q.OutAmount }, "", false},
		"impact over 1":           {sure, func(q *Quote) { q.PriceImpact = 1.5 }, "price_impact", true},
		"impact NaN":              {sure, func(q *Quote) { q.PriceImpact = math.NaN() }, "price_impact", true},
		"route elsewhere":         {sure, func(q *Quote) { q.Route[0].OutputMint[0]++ }, "route", true},
		"expired":                 {sure, func(q *Quote) { q.ExpiresAt = checkNow() }, "expired", true},
		"about to expire":         {sure, func(q *Quote) { q.ExpiresAt = checkNow().Add(time.Second) }, "", false},
		"9% over":                 {sure, func(q *Quote) { q.OutAmount, q.Threshold = 163_500_000, 163_500_000 }, "", false},
		"11% over":                {sure, func(q *Quote) { q.OutAmount, q.Threshold = 166_500_000, 166_500_000 }, "too_good", false},
		"11% over an unsure mid":  {fixedMarket{confidence: 0.3}, func(q *Quote) { q.OutAmount, q.Threshold = 166_500_000, 166_500_000 }, "", false},
		"ten times an unsure mid": {fixedMarket{confidence: 0.3}, func(q *Quote) { q.OutAmount, q.Threshold = 1_500_000_000, 1_500_000_000 }, "too_good", false},
		"ten times a guess":       {fixedMarket{confidence: 0.05}, func(q *Quote) { q.OutAmount, q.Threshold = 1_500_000_000, 1_500_000_000 }, "", false},
		"ten times a silent mid":  {fixedMarket{confidence: 0.9, silence: time.Minute}, func(q *Quote) { q.OutAmount, q.Threshold = 1_500_000_000, 1_500_000_000 }, "", false},
		"half":                    {sure, func(q *Quote) { q.OutAmount, q.Threshold = 74_000_000, 74_000_000 }, "too_bad", false},
		"half, as it says itself": {sure, func(q *Quote) { q.OutAmount, q.Threshold, q.PriceImpact = 74_000_000, 74_000_000, 0.5 }, "", false},
	} {
		j := judge{ref: c.market, limits: Limits{}.withDefaults(), now: checkNow}
		q := fairQuote()
		c.change(q)
		err := j.check(asked(), q)
		switch {
		case c.reason == "" && err != nil, c.reason != "" && err == nil:
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		case err != nil && (err.Reason != c.reason || err.Outcome != OutcomeRejected || err.Failure != c.failure || err.Retry):
			t.Errorf("%s: %+v, want %q", name, err, c.reason)
		}
	}
}

// TestDoubts has each limit from both sides.
func TestDoubts(t *testing.T) {
	for name, c := range map[string]struct {
		market fixedMarket
		change func(*Quote)
		want   string // "" none
	}{
		"fair":                         {fixedMarket{confidence: 0.9}, func(*Quote) {}, ""},
		"1.4% under":                   {fixedMarket{confidence: 0.9}, func(q *Quote) { q.OutAmount = 147_900_000 }, ""},
		"1.6% under":                   {fixedMarket{confidence: 0.9}, func(q *Quote) { q.OutAmount = 147_600_000 }, WarnBelowMarket},
		"1.6% under with 1% slippage":  {fixedMarket{confidence: 0.9}, func(q *Quote) { q.OutAmount, q.SlippageBps = 147_600_000, 100 }, ""},
		"1.6% under a mid of no worth": {fixedMarket{confidence: 0.4}, func(q *Quote) { q.OutAmount = 147_600_000 }, ""},
		"1.6% over":                    {fixedMarket{confidence: 0.9}, func(q *Quote) { q.OutAmount = 152_400_000 }, WarnAboveMarket},
		"3% impact":                    {fixedMarket{confidence: 0.9}, func(q *Quote) { q.PriceImpact = 0.03 }, ""},
		"3.1% impact":                  {fixedMarket{confidence: 0.9}, func(q *Quote) { q.PriceImpact = 0.031 }, WarnHighPriceImpact},
		"unknown impact":               {fixedMarket{confidence: 0.9}, func(q *Quote) { q.PriceImpact, q.ImpactKnown = 0.5, false }, ""},
		"40 slots behind":              {fixedMarket{confidence: 0.9}, func(q *Quote) { q.MarketSlot, q.ContextSlot = 960, 960 }, ""},
		"41 slots behind":              {fixedMarket{confidence: 0.9}, func(q *Quote) { q.MarketSlot, q.ContextSlot = 959, 959 }, WarnStale},
		"ahead of us":                  {fixedMarket{confidence: 0.9}, func(q *Quote) { q.MarketSlot, q.ContextSlot = 1_100, 1_100 }, ""},
		"behind its own head":          {fixedMarket{confidence: 0.9}, func(q *Quote) { q.MarketSlot, q.ContextSlot = 1_000, 1_050 }, WarnStale},
		"behind, and we are silent":    {fixedMarket{confidence: 0.9, silence: time.Hour}, func(q *Quote) { q.MarketSlot, q.ContextSlot = 1_000, 1_050 }, WarnStale},
		"a pool of 9,999 dollars":      {fixedMarket{confidence: 0.9, liquidity: 9_999}, func(*Quote) {}, WarnThinPool},
		"a pool of 10,000 dollars":     {fixedMarket{confidence: 0.9, liquidity: 10_000}, func(*Quote) {}, ""},
		"an indication":                {fixedMarket{confidence: 0.9}, func(q *Quote) { q.Executable = false }, WarnIndicativeOnly},
		"four hops":                    {fixedMarket{confidence: 0.9}, func(q *Quote) { q.Route = chain(4) }, ""},
		"five hops":                    {fixedMarket{confidence: 0.9}, func(q *Quote) { q.Route = chain(5) }, WarnManyHops},
	} {
		j := judge{ref: c.market, limits: Limits{}.withDefaults(), now: checkNow}
		q := fairQuote()
		c.change(q)
		v := j.judge(q)
		switch {
		case c.want == "" && len(v.warnings) > 0, c.want != "" && (len(v.warnings) != 1 || v.warnings[0].Code != c.want):
			t.Errorf("%s: %+v, want %q", name, v.warnings, c.want)
		}
		if v.confidence <= 0 || v.confidence > 1_000 {
			t.Errorf("%s: confidence %d", name, v.confidence)
		}
	}
}

// chain is a route of n hops.
func chain(n int) (legs []Leg) {
	r := asked()
	from := r.InputMint
	for i := range n {
		to := solana.PublicKey{9, byte(i)}
		if i == n-1 {
			to = r.OutputMint
		}
		legs = append(legs, Leg{InputMint: from, OutputMint: to})
		from = to
	}
	return legs
}
