package quote

import "encoding/json"

// Chosen takes a quote that its caller has from Jupiter or DFlow, verbatim, and holds
// it against our market as one that the engine asked for itself. The Answer has that
// one source. Nobody is asked. Errors: a *ParameterError for what can be no quote of
// that source, a *SourceError for one that does not count.
func (e *Engine) Chosen(source string, raw json.RawMessage) (*Answer, error) {
	if len(raw) > maxBody {
		return nil, &ParameterError{"quoteResponse", "larger than any quote"}
	}
	q, err := readChosen(source, raw)
	if err != nil {
		return nil, err
	}
	r := Request{InputMint: q.InputMint, OutputMint: q.OutputMint, Amount: q.InAmount, SlippageBps: q.SlippageBps}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if why := e.judge.check(r, q); why != nil {
		return nil, why
	}
	v := e.judge.judge(q)
	list := []Result{{Source: source, Outcome: OutcomeOK, Quote: q, Warnings: v.warnings, Score: Score{Confidence: v.confidence}}}
	rank(list)
	return e.answer(&list[0], list, 0), nil
}

func readChosen(source string, raw json.RawMessage) (*Quote, error) {
	var q *Quote
	var err error
	switch source {
	case NameJupiter:
		var b jupiterBody
		if err = decodeJSON(raw, &b); err == nil {
			q, err = b.quote(raw)
		}
	case NameDFlow:
		var b dflowBody
		if err = decodeJSON(raw, &b); err == nil {
			q, err = b.quote(raw)
		}
	default:
		return nil, &ParameterError{"source", "quotes of jupiter and dflow alone make transactions"}
	}
	if err != nil {
		return nil, &ParameterError{"quoteResponse", "no quote of " + source + " as it came from there"}
	}
	return q, nil
}

// Of is the same answer with another source's quote for its winner: what a client is
// told who trades at that one. a itself where that source has none.
func (a *Answer) Of(source string) *Answer {
	for i := range a.Sources {
		r := &a.Sources[i]
		if r.Source != source || r.Quote == nil || source == a.Source {
			continue
		}
		b := *a
		b.Quote, b.Source, b.Score, b.Warnings = r.Quote, r.Source, r.Score, r.Warnings
		b.Hops, b.Legs = hops(r.Quote), max(1, len(r.Quote.Route))
		if at := r.Quote.ExpiresAt; !at.IsZero() && at.Before(b.ExpiresAt) {
			b.ExpiresAt = at
		}
		return &b
	}
	return a
}
