package quote

import (
	"slices"
)

// The codes of warnings. Clients branch on them: they may be added to, never
// renamed. All but indicative_only make a quote doubtful.
const (
	WarnHighPriceImpact = "high_price_impact"
	WarnManyHops        = "many_hops"
	WarnThinPool        = "thin_pool"
	WarnStale           = "stale"
	WarnBelowMarket     = "below_market"
	WarnAboveMarket     = "above_market"
	WarnIndicativeOnly  = "indicative_only"
)

// Warning is something that a person should know of a quote.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Score is how good a quote is beside the others of its request.
type Score struct {
	Confidence  int // 0 to 1,000
	Amount      int // 0 to 500
	Reliability int // 0 to 100, of the source
	Warnings    int // number of them
}

// warningCost is what each warning takes.
const warningCost = 50

// Total is what decides.
func (s Score) Total() int {
	return s.Confidence + s.Amount + s.Reliability - warningCost*s.Warnings
}

// amountSlope is how many parts of the 500 a whole less in output takes: 50
// points a percent, so that one percent weighs as much as one warning.
const amountSlope = 10

// amountScore is 500 for the best output and 0 for a tenth less.
func amountScore(out, best uint64) int {
	if best == 0 || out > best {
		return 500
	}
	missing := float64(best-out) / float64(best) * amountSlope
	return int(500*max(0, 1-missing) + 0.5)
}

// reliability is what a source's quotes are worth for who gives them.
func reliability(source string) int {
	switch source {
	case NameJupiter:
		return 100
	case NameHashflow:
		return 80
	case NameOnChain:
		return 70
	case NameDFlow:
		return 60
	case NamePyth:
		return 20
	}
	return 0
}

// The sources' names.
const (
	NameJupiter  = "jupiter"
	NameDFlow    = "dflow"
	NameHashflow = "hashflow"
	NameOnChain  = "onchain"
	NamePyth     = "pyth"
)

// rank fills in the scores of all quotes in results, relative to each other, and
// returns the index of the best, -1 where there is none. What can be executed comes
// before what cannot; then the total decides, and where that is equal confidence
// before amount before reliability.
func rank(results []Result) int {
	var best, indicated uint64
	for i := range results {
		switch q := results[i].Quote; {
		case q == nil:
		case q.Executable:
			best = max(best, q.OutAmount)
		default:
			indicated = max(indicated, q.OutAmount)
		}
	}
	if best == 0 {
		best = indicated
	}
	winner := -1
	for i := range results {
		r := &results[i]
		if r.Quote == nil {
			continue
		}
		r.Score.Amount = amountScore(r.Quote.OutAmount, best)
		r.Score.Reliability = reliability(r.Source)
		r.Score.Warnings = len(r.Warnings)
		if winner < 0 || better(r, &results[winner]) {
			winner = i
		}
	}
	return winner
}

func better(a, b *Result) bool {
	if a.Quote.Executable != b.Quote.Executable {
		return a.Quote.Executable
	}
	return slices.Compare(a.Score.order(), b.Score.order()) > 0
}

func (s Score) order() []int { return []int{s.Total(), s.Confidence, s.Amount, s.Reliability} }
