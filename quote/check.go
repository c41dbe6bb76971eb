package quote

import (
	"math"
	"time"

	"github.com/gagliardetto/solana-go"
)

// maxLegs bounds a route; real ones have fewer than ten.
const maxLegs = 64

// wildFactor is how far a quote may be from a mid that we are not sure of.
const wildFactor = 5

// minJudge is the least confidence of a mid for it to say anything at all.
const minJudge = 0.1

// judge holds answers against the request and against our market.
type judge struct {
	ref    Reference // nil: none
	limits Limits
	now    func() time.Time
}

// check returns nil for an answer that counts: the one that was asked for, and none
// that our market calls absurd.
func (j *judge) check(r Request, q *Quote) *SourceError {
	switch {
	case q.InputMint != r.InputMint || q.OutputMint != r.OutputMint:
		return rejected("other_mint", "the answer is for other mints")
	case q.InAmount != r.Amount:
		return rejected("other_amount", "the answer is for another amount")
	case q.OutAmount == 0:
		return rejected("zero_amount", "the answer brings nothing")
	case q.SlippageBps != r.SlippageBps:
		return rejected("other_slippage", "the answer is for another slippage")
	case q.Threshold > q.OutAmount:
		return rejected("threshold", "the threshold is above the amount")
	case q.Threshold < threshold(q.OutAmount, r.SlippageBps)-min(1, threshold(q.OutAmount, r.SlippageBps)):
		// One unit less is how some round.
		return rejected("threshold", "the threshold allows more slippage than was asked for")
	case q.ImpactKnown && !(math.Abs(q.PriceImpact) <= 1):
		return rejected("price_impact", "the price impact is no fraction")
	}
	if len(q.Route) > 0 {
		if _, ok := longestPath(q.Route, r.InputMint, r.OutputMint); !ok {
			return rejected("route", "the route does not lead from the one mint to the other")
		}
	}
	if !q.ExpiresAt.IsZero() && !q.ExpiresAt.After(j.now()) {
		return rejected("expired", "the answer has expired")
	}
	return j.absurd(r, q)
}

// absurd compares with the mid. Too much is never honest. Too little is where the
// price impact that the answer states does not explain it.
func (j *judge) absurd(r Request, q *Quote) *SourceError {
	want, confidence, ok := j.expected(r)
	if !ok || confidence < minJudge {
		return nil
	}
	gain, keep := 1+j.limits.MaxGain, 1-j.limits.MaxLoss
	if confidence < j.limits.MinConfidence {
		gain, keep = wildFactor, 1.0/wildFactor
	}
	least := want * keep
	if q.ImpactKnown {
		least *= 1 - math.Abs(q.PriceImpact)
	}
	switch out := float64(q.OutAmount); {
	case out > want*gain+1:
		return disbelieved("too_good", "far more than our market says")
	case out < least-1:
		return disbelieved("too_bad", "far less than our market says, and the stated price impact does not explain it")
	}
	return nil
}

// expected is what the mids say that r brings, in raw output units, with the lesser
// of their confidences. False where a mid is not known or our stream is silent.
func (j *judge) expected(r Request) (out, confidence float64, ok bool) {
	if !j.fresh() {
		return 0, 0, false
	}
	in, okIn := j.ref.Mid(r.InputMint)
	to, okOut := j.ref.Mid(r.OutputMint)
	decIn, okDecIn := j.ref.Decimals(r.InputMint)
	decOut, okDecOut := j.ref.Decimals(r.OutputMint)
	if !okIn || !okOut || !okDecIn || !okDecOut || !(in.USD > 0) || !(to.USD > 0) {
		return 0, 0, false
	}
	out = float64(r.Amount) * in.USD / to.USD * math.Pow10(int(decOut)-int(decIn))
	if math.IsInf(out, 0) || math.IsNaN(out) {
		return 0, 0, false
	}
	return out, min(in.Confidence, to.Confidence), true
}

// fresh tells whether our own stream may be judged by.
func (j *judge) fresh() bool {
	if j.ref == nil {
		return false
	}
	_, at := j.ref.Head()
	return !at.IsZero() && j.now().Sub(at) <= j.limits.MaxSilence
}

// hops is the longest path of the quote's route, 1 where it has none.
func hops(q *Quote) int {
	if len(q.Route) == 0 {
		return 1
	}
	n, _ := longestPath(q.Route, q.InputMint, q.OutputMint)
	return n
}

// longestPath is the number of legs on the longest way from one mint to the other.
// A split of one hop is not two hops. False where there is no way, or where legs go
// round in a circle.
func longestPath(legs []Leg, from, to solana.PublicKey) (int, bool) {
	if len(legs) > maxLegs {
		return 0, false
	}
	type node struct {
		mint  solana.PublicKey
		depth int // -1 not reached
	}
	var space [16]node
	nodes := append(space[:0], node{from, 0})
	find := func(mint solana.PublicKey) int {
		for i := range nodes {
			if nodes[i].mint == mint {
				return i
			}
		}
		nodes = append(nodes, node{mint, -1})
		return len(nodes) - 1
	}
	// Without a circle no path is longer than the legs, so that one more round finds
	// nothing to change.
	for round := 0; ; round++ {
		changed := false
		for i := range legs {
			a := find(legs[i].InputMint)
			b := find(legs[i].OutputMint)
			if nodes[a].depth >= 0 && nodes[b].depth < nodes[a].depth+1 {
				nodes[b].depth, changed = nodes[a].depth+1, true
			}
		}
		if !changed {
			break
		}
		if round > len(legs) {
			return 0, false
		}
	}
	depth := nodes[find(to)].depth
	return depth, depth > 0
}
