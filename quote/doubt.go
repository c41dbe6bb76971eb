package quote

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// verdict is what a quote that counts is worth.
type verdict struct {
	warnings   []Warning
	confidence int // 0 to 1,000
}

// judge looks for doubts. The confidence is the product of the source's own
// certainty and three more, each at most 1:
//
//	market: 1 at our mid, less 0.25 where the quote is as far off it as slippage and
//	        tolerance allow, less 0.5 at twice that and beyond; 0.9 where we have
//	        no mid to hold it against
//	age:    1 at our newest slot, 0.5 at MaxLag slots behind it and beyond; a firm
//	        quote's likewise by what is left of its last 5 s; 0.9 where neither is known
//	route:  less 0.02 for each hop after the first: each can fail
func (j *judge) judge(q *Quote) verdict {
	var v verdict
	market := j.market(q, &v)
	age := j.age(q, &v)
	route := j.route(q, &v)
	if !q.Executable {
		v.warn(WarnIndicativeOnly, "nobody trades at this price: it is an oracle's indication")
	}
	c := min(max(q.Certainty, 0), 1) * market * age * route
	v.confidence = int(math.Round(1_000 * c))
	return v
}

func (v *verdict) warn(code, format string, args ...any) {
	v.warnings = append(v.warnings, Warning{code, fmt.Sprintf(format, args...)})
}

// market compares the amount with our mid.
func (j *judge) market(q *Quote, v *verdict) float64 {
	want, confidence, ok := j.expected(Request{InputMint: q.InputMint, OutputMint: q.OutputMint, Amount: q.InAmount})
	if !ok || confidence < j.limits.MinConfidence {
		return 0.9
	}
	off := float64(q.OutAmount)/want - 1
	allowed := float64(q.SlippageBps)/MaxSlippageBps + j.limits.Tolerance
	switch {
	case off < -allowed:
		v.warn(WarnBelowMarket, "%s less than our market price", percent(-off))
	case off > allowed:
		v.warn(WarnAboveMarket, "%s more than our market price", percent(off))
	}
	return 1 - 0.5*min(1, math.Abs(off)/(2*allowed))
}

// age looks at the slot of the quote's market or at how long a promise still holds.
func (j *judge) age(q *Quote, v *verdict) float64 {
	if q.MarketSlot == 0 || !j.fresh() {
		if q.ContextSlot > q.MarketSlot+j.limits.MaxLag && q.MarketSlot > 0 {
			v.warn(WarnStale, "made of prices %d slots old, as the source says itself", q.ContextSlot-q.MarketSlot)
			return 0.5
		}
		if q.ExpiresAt.IsZero() {
			return 0.9
		}
		left := q.ExpiresAt.Sub(j.now())
		return 0.5 + 0.5*min(1, max(0, left.Seconds()/(5*time.Second).Seconds()))
	}
	head, _ := j.ref.Head()
	head = max(head, q.ContextSlot)
	lag := head - min(head, q.MarketSlot)
	if lag > j.limits.MaxLag {
		v.warn(WarnStale, "made of prices %d slots old", lag)
	}
	return 1 - 0.5*min(1, float64(lag)/float64(j.limits.MaxLag))
}

// route looks at the way and at the price that it moves.
func (j *judge) route(q *Quote, v *verdict) float64 {
	n := hops(q)
	if n > j.limits.MaxHops {
		v.warn(WarnManyHops, "%d hops one after the other", n)
	}
	if q.ImpactKnown && math.Abs(q.PriceImpact) > j.limits.MaxImpact {
		v.warn(WarnHighPriceImpact, "moves the price by %s", percent(math.Abs(q.PriceImpact)))
	}
	if j.ref != nil {
		for i := range q.Route {
			pool := q.Route[i].Pool
			if pool.IsZero() {
				continue
			}
			if usd, ok := j.ref.Liquidity(pool); ok && usd < j.limits.MinLiquidity {
				v.warn(WarnThinPool, "through a pool of %s dollars", strconv.FormatFloat(math.Round(usd), 'f', -1, 64))
				break
			}
		}
	}
	return max(0, 1-0.02*float64(n-1))
}

// percent is a fraction for a person.
func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 2, 64) + "%" }
