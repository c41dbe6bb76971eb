package quote

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"
)

// Hashflow, firm quotes of market makers: POST /rfq of the Taker API v3.
//
// Shapes from @hashflow/taker-js 0.3.7 and docs.hashflow.com: chainType "solana",
// chainId 1000001; amounts are decimal strings; quoteExpiry is Unix seconds. The
// key is the whole Authorization header, and "source" is the name that goes with
// it. A failure often has status 200 and "status":"fail", and its error is an
// object or a string. There is no route, no price impact and no slot: a maker
// fills the whole amount at that price or not at all.
//
// That anybody makes markets on Solana there is not confirmed, which is why it is
// off unless it is given a key.
type hashflow struct {
	*service
	source string
	trader solana.PublicKey
}

// hashflowChain is Solana's mainnet in Hashflow's numbering.
const hashflowChain = 1_000_001

func newHashflow(o Hashflow, transport http.RoundTripper, now func() time.Time) (*hashflow, error) {
	s, err := newService(o.URL, transport, now)
	if err != nil {
		return nil, err
	}
	s.header.Set("Authorization", o.Key)
	return &hashflow{s, o.Source, o.Trader}, nil
}

// Name is Source's.
func (h *hashflow) Name() string { return NameHashflow }

type (
	hashflowChainJSON struct {
		ChainType string `json:"chainType"`
		ChainID   int    `json:"chainId"`
	}
	hashflowAsk struct {
		Source     string            `json:"source"`
		BaseChain  hashflowChainJSON `json:"baseChain"`
		QuoteChain hashflowChainJSON `json:"quoteChain"`
		RFQs       []hashflowRFQ     `json:"rfqs"`
	}
	hashflowRFQ struct {
		BaseToken       string `json:"baseToken"`
		QuoteToken      string `json:"quoteToken"`
		BaseTokenAmount string `json:"baseTokenAmount"`
		Trader          string `json:"trader"`
		EffectiveTrader string `json:"effectiveTrader"`
		FeesBps         int    `json:"feesBps"`
	}
	hashflowBody struct {
		Status string          `json:"status"`
		Error  json.RawMessage `json:"error"`
		Quotes []struct {
			QuoteData struct {
				BaseToken        key    `json:"baseToken"`
				QuoteToken       key    `json:"quoteToken"`
				BaseTokenAmount  amount `json:"baseTokenAmount"`
				QuoteTokenAmount amount `json:"quoteTokenAmount"`
				QuoteExpiry      int64  `json:"quoteExpiry"`
			} `json:"quoteData"`
		} `json:"quotes"`
	}
)

// Quote is Source's.
func (h *hashflow) Quote(ctx context.Context, r Request) (*Quote, error) {
	chain := hashflowChainJSON{"solana", hashflowChain}
	ask, err := json.Marshal(hashflowAsk{h.source, chain, chain, []hashflowRFQ{{
		BaseToken: r.InputMint.String(), QuoteToken: r.OutputMint.String(), BaseTokenAmount: decimal(r.Amount),
		Trader: h.trader.String(), EffectiveTrader: h.trader.String(),
	}}})
	if err != nil {
		return nil, bad("request", "the request could not be made")
	}
	rep, err := h.post(ctx, "/rfq", ask)
	if err != nil {
		return nil, err
	}
	if rep.status != http.StatusOK && rep.status != http.StatusBadRequest {
		return nil, rep.refused(h.now())
	}
	var b hashflowBody
	if err := rep.decode(&b); err != nil {
		return nil, err
	}
	if b.Status != "success" {
		return nil, hashflowRefusal(b.Error)
	}
	return b.quote(r, rep.body)
}

func (b *hashflowBody) quote(r Request, raw []byte) (*Quote, error) {
	if len(b.Quotes) == 0 {
		return nil, noRoute("no_maker", "no market maker answered")
	}
	d := &b.Quotes[0].QuoteData
	if d.QuoteExpiry <= 0 || d.QuoteExpiry > 1<<40 {
		return nil, rejected("expired", "the answer says no time until which it holds")
	}
	out := uint64(d.QuoteTokenAmount)
	return &Quote{
		InputMint: solana.PublicKey(d.BaseToken), OutputMint: solana.PublicKey(d.QuoteToken),
		InAmount: uint64(d.BaseTokenAmount), OutAmount: out,
		// A firm quote does not slip: what is asked for is more than kept.
		Threshold: out, SlippageBps: r.SlippageBps,
		ExpiresAt: time.Unix(d.QuoteExpiry, 0), Executable: true, Certainty: 1, Raw: json.RawMessage(raw),
	}, nil
}

// hashflowRefusal reads the error of a "fail", an object or a string.
func hashflowRefusal(raw json.RawMessage) *SourceError {
	var text string
	var object struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &text) != nil {
		if err := json.Unmarshal(raw, &object); err != nil {
			return bad("bad_json", "a failure without a reason")
		}
		text = object.Message
	}
	text = clean(text)
	low := strings.ToLower(text)
	switch {
	case object.Code == 82 || strings.Contains(low, "no maker") || strings.Contains(low, "no market maker"):
		return noRoute("no_maker", text)
	case strings.Contains(low, "rate limit"):
		return &SourceError{
			Outcome: OutcomeRateLimited, Reason: "rate_limit", Detail: text, Failure: true, Wait: time.Second,
		}
	}
	return refusal("refused", text)
}

var errNoSourceName = errors.New("hashflow: a key needs the source name that goes with it")
