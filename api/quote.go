package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
)

// defaultSlippageBps is the slippage of a request without one, as Jupiter's.
const defaultSlippageBps = 50

// quote answers with the best quote that the engine has within its deadline.
func (h *handler) quote(w http.ResponseWriter, r *http.Request) {
	if h.Quote == nil {
		notImplemented(w, r)
		return
	}
	values, p := readQuery(r.URL.RawQuery)
	if p != nil {
		writeProblem(w, p)
		return
	}
	request, p := readQuote(values)
	if p != nil {
		writeProblem(w, p)
		return
	}
	answer, err := h.Quote(r.Context(), request)
	if err != nil {
		writeProblem(w, quoteProblem(err))
		return
	}
	writeJSON(w, http.StatusOK, "application/json", withFeed{h.QuoteFeed(), answer, h.Swap != nil})
}

// readQuote reads the parameters of a quote.
func readQuote(values url.Values) (q quote.Request, p *problem) {
	if q.InputMint, p = readQuoteMint(values, "inputMint"); p != nil {
		return q, p
	}
	if q.OutputMint, p = readQuoteMint(values, "outputMint"); p != nil {
		return q, p
	}
	text, p := readOnce(values, "amount")
	if p != nil {
		return q, p
	}
	var err error
	if q.Amount, err = strconv.ParseUint(text, 10, 64); err != nil {
		return q, newProblem(CodeBadParameter, "amount", fmt.Sprintf("amount %q is not a whole number of raw units from 1 to 18446744073709551615", echo(text)))
	}
	q.SlippageBps = defaultSlippageBps
	if values.Has("slippageBps") {
		if text, p = readOnce(values, "slippageBps"); p != nil {
			return q, p
		}
		bps, err := strconv.ParseUint(text, 10, 16)
		if err != nil || bps > quote.MaxSlippageBps {
			return q, newProblem(CodeBadParameter, "slippageBps", fmt.Sprintf("slippageBps %q is not a whole number from 0 to %d", echo(text), quote.MaxSlippageBps))
		}
		q.SlippageBps = uint16(bps)
	}
	// Jupiter's other mode would be answered wrongly if it were passed over.
	if mode := values.Get("swapMode"); mode != "" && mode != "ExactIn" {
		return q, newProblem(CodeBadParameter, "swapMode", fmt.Sprintf("swapMode %q is not served: amount is what goes in (ExactIn)", echo(mode)))
	}
	if err := q.Validate(); err != nil {
		return q, quoteProblem(err)
	}
	return q, nil
}

func readQuoteMint(values url.Values, name string) (solana.PublicKey, *problem) {
	text, p := readOnce(values, name)
	if p != nil {
		return solana.PublicKey{}, p
	}
	mint, err := swapcast.ParseKey(text)
	if err != nil {
		return mint, newProblem(CodeInvalidAsset, name, fmt.Sprintf("%q is not the base58 address of a mint", echo(text)))
	}
	return mint, nil
}

// readOnce reads a parameter that must be there, once.
func readOnce(values url.Values, name string) (string, *problem) {
	switch texts := values[name]; {
	case len(texts) == 0 || texts[0] == "":
		return "", newProblem(CodeBadParameter, name, name+" is missing")
	case len(texts) > 1:
		return "", newProblem(CodeBadParameter, name, name+" is given more than once")
	default:
		return texts[0], nil
	}
}

// quoteProblem says why there is no quote.
func quoteProblem(err error) *problem {
	var param *quote.ParameterError
	var none *quote.NoQuoteError
	switch {
	case errors.As(err, &param):
		return newProblem(CodeBadParameter, param.Parameter, param.Error())
	case errors.As(err, &none):
		p := newProblem(CodeNoQuote, "", "no source has a quote; sources says why, one by one")
		switch {
		case none.NoRoute:
			p = newProblem(CodeNoRoute, "", "every source that was asked says that there is no route between these mints for this amount")
		case none.Deadline:
			p.Status, p.Title = http.StatusGatewayTimeout, http.StatusText(http.StatusGatewayTimeout)
			p.Detail = "no source had a quote in time; sources says why, one by one"
		}
		elapsed := none.Elapsed.Milliseconds()
		p.Sources, p.ElapsedMS = none.Sources, &elapsed
		return p
	case errors.Is(err, quote.ErrClosed):
		return newProblem(CodeNotReady, "", "the server is stopping")
	}
	// The caller has left; nobody reads this.
	return newProblem(CodeNotReady, "", "the request was given up")
}

// withFeed is a quote that says what it was made from, and carries what POST /v1/swap
// wants to make a transaction of this very quote.
type withFeed struct {
	feed   swapcast.Feed
	answer *quote.Answer
	raw    bool // with the source's own quote, where one makes transactions of it
}

// MarshalJSON puts "feed" before the answer's own members, and "quoteResponse" behind
// them; a live chain's has no feed.
func (q withFeed) MarshalJSON() ([]byte, error) {
	body, err := json.Marshal(q.answer)
	if err != nil {
		return nil, err
	}
	if q.feed != swapcast.FeedLive {
		feed, err := json.Marshal(q.feed)
		if err != nil {
			return nil, err
		}
		body = append(append(append([]byte(`{"feed":`), feed...), ','), body[1:]...)
	}
	if a := q.answer; q.raw && len(a.Raw) > 0 && (a.Source == quote.NameJupiter || a.Source == quote.NameDFlow) {
		body = append(append(append(body[:len(body)-1], `,"quoteResponse":`...), a.Raw...), '}')
	}
	return body, nil
}
