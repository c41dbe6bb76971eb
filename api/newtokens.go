package api

import (
	"math"
	"net/http"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// NewToken is a token that this run saw trading on a bonding curve.
type NewToken struct {
	Price swapcast.Price // with its mint
	// DEX and Pool are of the curve.
	DEX       string
	Pool      solana.PublicKey
	Curve     swapcast.Curve
	FirstSlot uint64
	FirstAt   int64 // when this run first saw it, Unix nanoseconds
	Trades    uint64
}

// tokensAnswer is the answer of /v1/tokens.
type tokensAnswer struct {
	Feed   swapcast.Feed    `json:"feed,omitempty"`
	Tokens []newTokenAnswer `json:"tokens"` // the newest first
}

// newTokenAnswer is one of them. What is not known is null.
type newTokenAnswer struct {
	AssetID      string       `json:"assetId"`
	Symbol       string       `json:"symbol"` // "" unknown
	Name         string       `json:"name"`   // "" unknown
	Decimals     *uint8       `json:"decimals"`
	Source       string       `json:"source"` // DEX of the curve
	Pool         string       `json:"pool"`   // the curve
	Curve        *curveAnswer `json:"curve"`
	FirstSlot    uint64       `json:"firstSlot"`
	FirstSeen    int64        `json:"firstSeen"` // Unix milliseconds
	Price        *float64     `json:"price"`     // US dollars per whole token
	Confidence   *float64     `json:"confidence"`
	LiquidityUSD *float64     `json:"liquidityUsd"`
	MarketCapUSD *float64     `json:"marketCapUsd"`
	Volume24hUSD *float64     `json:"volume24hUsd"`
	Change24hPct *float64     `json:"change24hPct"`
	Trades       uint64       `json:"trades"`
}

// curveAnswer is how far a bonding curve has come.
type curveAnswer struct {
	Stage    string   `json:"stage"`
	Progress *float64 `json:"progress"` // 0 to 1
}

func newCurve(c swapcast.Curve) *curveAnswer {
	if c.Stage == swapcast.CurveNone {
		return nil
	}
	answer := &curveAnswer{Stage: c.Stage.String()}
	if c.Known {
		answer.Progress = &c.Progress
	}
	return answer
}

// tokens lists tokens; the new ones are all that there is to list so far.
func (h *handler) tokens(w http.ResponseWriter, r *http.Request) {
	values, p := readQuery(r.URL.RawQuery)
	if p != nil {
		writeProblem(w, p)
		return
	}
	if p := readSort(values); p != nil {
		writeProblem(w, p)
		return
	}
	limit, p := readLimit(values, MaxTokens, defaultTokens)
	if p != nil {
		writeProblem(w, p)
		return
	}
	answer := tokensAnswer{Feed: h.Feed(), Tokens: []newTokenAnswer{}}
	if h.NewTokens != nil {
		for _, token := range h.NewTokens(limit) {
			answer.Tokens = append(answer.Tokens, h.newToken(&token))
		}
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
}

func (h *handler) newToken(t *NewToken) newTokenAnswer {
	token, _ := h.Market.Token(t.Price.Mint)
	a := newTokenAnswer{
		AssetID: t.Price.Mint.String(), Symbol: token.Symbol, Name: token.Name,
		Source: t.DEX, Pool: address(t.Pool), Curve: newCurve(t.Curve),
		FirstSlot: t.FirstSlot, FirstSeen: t.FirstAt / int64(time.Millisecond), Trades: t.Trades,
		MarketCapUSD: marketCap(&token, &t.Price),
	}
	if token.Known {
		a.Decimals = &token.Decimals
	}
	if t.Price.Known {
		a.Price, a.Confidence, a.LiquidityUSD = &t.Price.USD, &t.Price.Confidence, &t.Price.LiquidityUSD
	}
	if h.Day != nil {
		if day, ok := h.Day(t.Price.Mint); ok {
			a.Volume24hUSD, a.Change24hPct = &day.VolumeUSD, &day.ChangePct
		}
	}
	return a
}

// marketCap is what all of a token is worth at its price, US dollars; nil where
// supply or price is not known.
func marketCap(t *swapcast.Token, p *swapcast.Price) *float64 {
	if !t.Known || !t.SupplyKnown || !p.Known {
		return nil
	}
	v := float64(t.Supply) / math.Pow10(int(t.Decimals)) * p.USD
	if math.IsInf(v, 0) {
		return nil
	}
	return &v
}
