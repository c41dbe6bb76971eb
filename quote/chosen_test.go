package quote_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// TestChosen: a source's own quote, brought back, is scored as the engine's own; one
// that was bent is refused with the reason; nobody is asked.
func TestChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		a, _, err := r.quote(oneSOL())
		if err != nil {
			t.Fatal(err)
		}
		calls := r.services.Jupiter.Calls()
		got, err := r.engine.Chosen(quote.NameJupiter, a.Raw)
		if err != nil || got.OutAmount != a.OutAmount || got.Score != a.Score || got.Source != a.Source || len(got.Sources) != 1 || got.Hops != a.Hops {
			t.Errorf("%+v, %v", got, err)
		}
		for what, c := range map[string]struct{ old, bent, reason string }{
			"far more":    {`"outAmount":"149924100"`, `"outAmount":"1499241000"`, "too_good"},
			"far less":    {`"outAmount":"149924100"`, `"outAmount":"14992410"`, "threshold"},
			"all slips":   {`"otherAmountThreshold":"149174480"`, `"otherAmountThreshold":"1"`, "threshold"},
			"another way": {`"routePlan":[{"bps":10000`, `"routePlan":[{"bps":10000,"x":1`, ""},
		} {
			text := strings.Replace(string(a.Raw), c.old, c.bent, 1)
			if what == "far more" {
				text = strings.Replace(text, `"otherAmountThreshold":"149174480"`, `"otherAmountThreshold":"1491744800"`, 1)
			}
			if text == string(a.Raw) {
				t.Fatalf("%s: nothing to bend in %s", what, a.Raw)
			}
			_, err := r.engine.Chosen(quote.NameJupiter, []byte(text))
			var refused *quote.SourceError
			switch {
			case c.reason == "" && err != nil:
				t.Errorf("%s: %v", what, err)
			case c.reason != "" && (!errors.As(err, &refused) || refused.Reason != c.reason):
				t.Errorf("%s: %v, want %s", what, err, c.reason)
			}
		}
		var param *quote.ParameterError
		for source, text := range map[string]string{quote.NameJupiter: "{}", quote.NamePyth: string(a.Raw), quote.NameDFlow: strings.Repeat(" ", 1<<20)} {
			if _, err := r.engine.Chosen(source, []byte(text)); !errors.As(err, &param) {
				t.Errorf("%s: %v", source, err)
			}
		}
		if n := r.services.Jupiter.Calls(); n != calls {
			t.Errorf("%d calls", n-calls)
		}
	})
}

// TestAnswerOf: the same answer by another source's quote.
func TestAnswerOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.services.Jupiter.Set(quotetest.SixHops)
		a, _, err := r.quote(oneSOL())
		if err != nil || a.Source != quote.NameHashflow {
			t.Fatal(a, err)
		}
		b := a.Of(quote.NameJupiter)
		if b.Source != quote.NameJupiter || b.Hops != 6 || b.Legs != 6 || len(b.Warnings) != 1 || b.OutAmount == a.OutAmount || a.Source != quote.NameHashflow || len(b.Sources) != 5 {
			t.Errorf("%+v", b)
		}
		if a.Of(quote.NamePyth) != a || a.Of(quote.NameHashflow) != a {
			t.Error("another answer of a source that has no quote, or of the winner")
		}
	})
}
