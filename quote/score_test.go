package quote_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// situation is one of the score table's.
type situation struct {
	what   string
	faults map[string]quotetest.Fault
	market func(*testMarket)
}

func situations() []situation {
	type faults = map[string]quotetest.Fault
	return []situation{
		{"all is well: Jupiter is believed and nobody else is asked", nil, nil},
		{"Jupiter is 4% under our market", faults{"jupiter": quotetest.BelowMarket}, nil},
		{"Jupiter goes six hops", faults{"jupiter": quotetest.SixHops}, nil},
		{"Jupiter moves the price by 12%", faults{"jupiter": quotetest.Impact}, nil},
		{"Jupiter's market is 500 slots old", faults{"jupiter": quotetest.OldSlot}, nil},
		{"every known pool is thin; Hashflow names none", nil, func(m *testMarket) { m.thin.Store(true) }},
		{"Jupiter is down", faults{"jupiter": quotetest.Forbidden}, nil},
		{
			"Jupiter is down and Hashflow has no maker: DFlow offers more than our pools",
			faults{"jupiter": quotetest.Forbidden, "hashflow": quotetest.NoRoute},
			nil,
		},
		{"Jupiter says ten times as much", faults{"jupiter": quotetest.TooGood}, nil},
		{
			"we have no price of our own: nothing to hold Jupiter's six hops against",
			faults{"jupiter": quotetest.SixHops},
			func(m *testMarket) { m.noMid.Store(true) },
		},
		{
			"everybody is doubtful: the least of evils",
			faults{"jupiter": quotetest.BelowMarket, "dflow": quotetest.OldSlot, "hashflow": quotetest.NoRoute},
			func(m *testMarket) { m.noPools.Store(true) },
		},
		{
			"only Pyth is left",
			faults{"jupiter": quotetest.Forbidden, "dflow": quotetest.MapLagging, "hashflow": quotetest.FailString},
			func(m *testMarket) { m.noPools.Store(true) },
		},
	}
}

// TestScoreTable is the score as a person reads it: testdata/scores.golden.
func TestScoreTable(t *testing.T) {
	var text strings.Builder
	fmt.Fprintln(&text, "One SOL for USDC at 150 dollars. Total = confidence + amount + reliability - 50 for each warning.")
	for i, s := range situations() {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, oneTry)
			for _, service := range r.services.All() {
				name := service.Name
				if name == "hermes" {
					name = quote.NamePyth
				}
				service.Set(s.faults[name])
			}
			if s.market != nil {
				s.market(r.market)
			}
			a, _, err := r.quote(oneSOL())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&text, "\n%d. %s\n", i+1, s.what)
			fmt.Fprintf(&text, "   %-9s %-12s %12s %11s %7s %12s %9s %6s\n", "source", "outcome", "out", "confidence", "amount", "reliability", "warnings", "total")
			for _, one := range a.Sources {
				if one.Quote == nil {
					fmt.Fprintf(&text, "   %-9s %-12s %s\n", one.Source, one.Outcome, one.Reason)
					continue
				}
				won := ""
				if one.Source == a.Source {
					won = "  <- wins"
				}
				var codes []string
				for _, w := range one.Warnings {
					codes = append(codes, w.Code)
				}
				n := one.Score
				fmt.Fprintf(&text, "   %-9s %-12s %12d %11d %7d %12d %9d %6d%s  %s\n", one.Source, one.Outcome, one.Quote.OutAmount,
					n.Confidence, n.Amount, n.Reliability, n.Warnings, n.Total(), won, strings.Join(codes, " "))
			}
		})
	}
	lines := strings.Split(text.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	golden(t, "scores.golden", strings.Join(lines, "\n"))
}

// TestAnswerJSON is the contract's answer and the sources of an error.
func TestAnswerJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.services.Jupiter.Set(quotetest.SixHops)
		r.services.Jupiter.Latency = 212 * time.Millisecond
		r.services.DFlow.Latency = 30 * time.Millisecond
		r.services.Hashflow.Set(quotetest.FailString)
		a, _, err := r.quote(oneSOL())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(a, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "answer.golden.json", string(text)+"\n")

		for _, s := range r.services.All() {
			s.Set(quotetest.Forbidden)
		}
		r.market.noPools.Store(true)
		_, _, err = r.quote(oneSOL())
		var none *quote.NoQuoteError
		if !errors.As(err, &none) {
			t.Fatal(err)
		}
		list := make([]*quote.Result, len(none.Sources))
		for i := range none.Sources {
			list[i] = &none.Sources[i]
		}
		text, err = json.MarshalIndent(list, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "noquote.golden.json", string(text)+"\n")
	})
}
