package quote

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/gagliardetto/solana-go"
)

// DFlow, an aggregator with routes of its own: GET /quote.
//
// Shapes from DFlow's OpenAPI document "DFlow Aggregator" 0.1.0 (2026-08): amounts
// are decimal strings, outAmount is after all fees, priceImpactPct "0.01" is 1%.
// contextSlot is the slot that it answered at and routingSlot that of the prices
// used. x-api-key holds the key. Errors are {"msg","code"}; 503 amm_map_lagging is
// DFlow's own word for being stale.
type dflow struct{ *service }

func newDFlow(o Remote, transport http.RoundTripper, now func() time.Time) (*dflow, error) {
	s, err := newService(o.URL, transport, now)
	if err != nil {
		return nil, err
	}
	if o.Key != "" {
		s.header.Set("X-Api-Key", o.Key)
	}
	return &dflow{s}, nil
}

// Name is Source's.
func (d *dflow) Name() string { return NameDFlow }

// Quote is Source's.
func (d *dflow) Quote(ctx context.Context, r Request) (*Quote, error) {
	rep, err := d.get(ctx, "/quote", r.query())
	if err != nil {
		return nil, err
	}
	if rep.status != http.StatusOK {
		return nil, dflowRefusal(rep, d.now())
	}
	var b dflowBody
	if err := rep.decode(&b); err != nil {
		return nil, err
	}
	return b.quote(rep.body)
}

type dflowBody struct {
	InputMint            key       `json:"inputMint"`
	InAmount             amount    `json:"inAmount"`
	OutputMint           key       `json:"outputMint"`
	OutAmount            amount    `json:"outAmount"`
	OtherAmountThreshold amount    `json:"otherAmountThreshold"`
	SlippageBps          uint16    `json:"slippageBps"`
	PriceImpactPct       *fraction `json:"priceImpactPct"`
	RoutePlan            []struct {
		Venue      string `json:"venue"`
		MarketKey  key    `json:"marketKey"`
		InputMint  key    `json:"inputMint"`
		OutputMint key    `json:"outputMint"`
		InAmount   amount `json:"inAmount"`
		OutAmount  amount `json:"outAmount"`
	} `json:"routePlan"`
	ContextSlot uint64 `json:"contextSlot"`
	RoutingSlot uint64 `json:"routingSlot"`
}

func (b *dflowBody) quote(raw []byte) (*Quote, error) {
	if len(b.RoutePlan) == 0 || len(b.RoutePlan) > maxLegs {
		return nil, rejected("route", "the answer has no route, or too long a one")
	}
	q := &Quote{
		InputMint: solana.PublicKey(b.InputMint), OutputMint: solana.PublicKey(b.OutputMint),
		InAmount: uint64(b.InAmount), OutAmount: uint64(b.OutAmount), Threshold: uint64(b.OtherAmountThreshold),
		SlippageBps: b.SlippageBps, ContextSlot: b.ContextSlot, MarketSlot: b.RoutingSlot,
		Executable: true, Certainty: 1, Raw: json.RawMessage(raw), Route: make([]Leg, len(b.RoutePlan)),
	}
	if q.MarketSlot == 0 {
		q.MarketSlot = q.ContextSlot
	}
	if b.PriceImpactPct != nil {
		q.PriceImpact, q.ImpactKnown = math.Abs(float64(*b.PriceImpactPct)), true
	}
	for i := range b.RoutePlan {
		step := &b.RoutePlan[i]
		q.Route[i] = Leg{
			Pool: solana.PublicKey(step.MarketKey), Label: clean(step.Venue),
			InputMint: solana.PublicKey(step.InputMint), OutputMint: solana.PublicKey(step.OutputMint),
			InAmount: uint64(step.InAmount), OutAmount: uint64(step.OutAmount),
		}
	}
	shares(q.Route)
	return q, nil
}

// shares fills in each leg's part of its own input mint, which DFlow does not
// state, from the amounts.
func shares(legs []Leg) {
	for i := range legs {
		var sum float64
		for k := range legs {
			if legs[k].InputMint == legs[i].InputMint {
				sum += float64(legs[k].InAmount)
			}
		}
		if sum > 0 {
			legs[i].Bps = uint16(math.Round(float64(legs[i].InAmount) / sum * MaxSlippageBps))
		}
	}
}

func dflowRefusal(rep *reply, now time.Time) *SourceError {
	var b struct {
		Msg  string `json:"msg"`
		Code string `json:"code"`
	}
	general := rep.refused(now)
	if decodeJSON(rep.body, &b) != nil || b.Code == "" {
		return general
	}
	switch b.Code {
	case "route_not_found", "price_impact_too_high", "zero_out_amount":
		return noRoute(b.Code, clean(b.Msg))
	}
	if general.Outcome == OutcomeError {
		general.Reason, general.Detail = reasonCode(b.Code), clean(b.Msg)
	}
	return general
}
