package quote

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"
)

// Jupiter, asked for Metis quotes alone: GET /swap/v2/quote, or v1's
// /swap/v1/quote. /swap/v2/order asks DFlow too and would make the fallback none.
//
// Shapes from jup-ag/docs, openapi-spec/swap (2026-08-21): amounts are decimal
// strings, priceImpactPct is a fraction (0.01 is 1%), percent may be null and may
// have decimals, routePlan is a topologically sorted graph. x-api-key holds the key.
// Errors are {"error","errorCode"} under 400; a 429 has x-ratelimit-reset (Unix
// seconds) and no Retry-After.
type jupiter struct {
	*service
	path string
}

func newJupiter(o Jupiter, transport http.RoundTripper, now func() time.Time) (*jupiter, error) {
	s, err := newService(o.URL, transport, now)
	if err != nil {
		return nil, err
	}
	if o.Key != "" {
		s.header.Set("X-Api-Key", o.Key)
	}
	path := "/swap/v2/quote"
	if o.V1 {
		path = "/swap/v1/quote"
	}
	return &jupiter{s, path}, nil
}

// Name is Source's.
func (j *jupiter) Name() string { return NameJupiter }

// Quote is Source's.
func (j *jupiter) Quote(ctx context.Context, r Request) (*Quote, error) {
	rep, err := j.get(ctx, j.path, r.query())
	if err != nil {
		return nil, err
	}
	if rep.status != http.StatusOK {
		return nil, jupiterRefusal(rep, j.now())
	}
	var b jupiterBody
	if err := rep.decode(&b); err != nil {
		return nil, err
	}
	return b.quote(rep.body)
}

// query is the parameters that Jupiter and DFlow share.
func (r Request) query() string {
	return "inputMint=" + r.InputMint.String() + "&outputMint=" + r.OutputMint.String() +
		"&amount=" + decimal(r.Amount) + "&slippageBps=" + strconv.Itoa(int(r.SlippageBps))
}

type jupiterBody struct {
	InputMint            key       `json:"inputMint"`
	InAmount             amount    `json:"inAmount"`
	OutputMint           key       `json:"outputMint"`
	OutAmount            amount    `json:"outAmount"`
	OtherAmountThreshold amount    `json:"otherAmountThreshold"`
	SwapMode             string    `json:"swapMode"`
	SlippageBps          uint16    `json:"slippageBps"`
	PriceImpactPct       *fraction `json:"priceImpactPct"`
	RoutePlan            []struct {
		SwapInfo struct {
			AmmKey     key    `json:"ammKey"`
			Label      string `json:"label"`
			InputMint  key    `json:"inputMint"`
			OutputMint key    `json:"outputMint"`
			InAmount   amount `json:"inAmount"`
			OutAmount  amount `json:"outAmount"`
		} `json:"swapInfo"`
		Percent *float64 `json:"percent"`
		Bps     *uint16  `json:"bps"`
	} `json:"routePlan"`
	ContextSlot uint64 `json:"contextSlot"`
}

func (b *jupiterBody) quote(raw []byte) (*Quote, error) {
	if b.SwapMode != "" && b.SwapMode != swapMode {
		return nil, rejected("swap_mode", "the answer is for another swap mode")
	}
	if len(b.RoutePlan) == 0 || len(b.RoutePlan) > maxLegs {
		return nil, rejected("route", "the answer has no route, or too long a one")
	}
	q := &Quote{
		InputMint: solana.PublicKey(b.InputMint), OutputMint: solana.PublicKey(b.OutputMint),
		InAmount: uint64(b.InAmount), OutAmount: uint64(b.OutAmount), Threshold: uint64(b.OtherAmountThreshold),
		SlippageBps: b.SlippageBps, ContextSlot: b.ContextSlot, MarketSlot: b.ContextSlot,
		Executable: true, Certainty: 1, Raw: json.RawMessage(raw), Route: make([]Leg, len(b.RoutePlan)),
	}
	if b.PriceImpactPct != nil {
		q.PriceImpact, q.ImpactKnown = math.Abs(float64(*b.PriceImpactPct)), true
	}
	for i := range b.RoutePlan {
		step := &b.RoutePlan[i]
		leg := &q.Route[i]
		*leg = Leg{
			Pool: solana.PublicKey(step.SwapInfo.AmmKey), Label: clean(step.SwapInfo.Label),
			InputMint: solana.PublicKey(step.SwapInfo.InputMint), OutputMint: solana.PublicKey(step.SwapInfo.OutputMint),
			InAmount: uint64(step.SwapInfo.InAmount), OutAmount: uint64(step.SwapInfo.OutAmount),
		}
		switch {
		case step.Bps != nil && *step.Bps <= MaxSlippageBps:
			leg.Bps = *step.Bps
		case step.Percent != nil && *step.Percent >= 0 && *step.Percent <= 100:
			leg.Bps = uint16(math.Round(100 * *step.Percent))
		}
	}
	return q, nil
}

// jupiterRefusal reads what is no quote. The codes are v1's; v2 documents the text
// alone.
func jupiterRefusal(rep *reply, now time.Time) *SourceError {
	if rep.status != http.StatusBadRequest && rep.status != http.StatusNotFound {
		return rep.refused(now)
	}
	var b struct {
		Error     json.RawMessage `json:"error"`
		ErrorCode string          `json:"errorCode"`
		Code      int             `json:"code"`
	}
	if decodeJSON(rep.body, &b) != nil {
		return rep.refused(now)
	}
	if b.Code == http.StatusTooManyRequests {
		return rep.limited(now)
	}
	var text string
	_ = json.Unmarshal(b.Error, &text) // an object says nothing that we show
	text = clean(text)
	switch b.ErrorCode {
	case "NO_ROUTES_FOUND", "COULD_NOT_FIND_ANY_ROUTE", "ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT",
		"MARKET_NOT_FOUND", "TOKEN_NOT_TRADABLE", "CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD":
		return noRoute(strings.ToLower(b.ErrorCode), text)
	case "":
		low := strings.ToLower(text)
		for _, word := range []string{"route", "tradable", "liquidity"} {
			if strings.Contains(low, word) {
				return noRoute("no_route", text)
			}
		}
		return refusal("http_"+strconv.Itoa(rep.status), text)
	}
	return refusal(reasonCode(b.ErrorCode), text)
}

// reasonCode makes a server's code fit to be one of ours.
func reasonCode(s string) string {
	if len(s) > 48 {
		return "other"
	}
	for _, c := range s {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "other"
		}
	}
	return strings.ToLower(s)
}

// official tells whether a URL is that of the service itself.
func official(base, own string) bool {
	a, errA := url.Parse(base)
	b, errB := url.Parse(own)
	return errA == nil && errB == nil && strings.EqualFold(a.Hostname(), b.Hostname())
}
