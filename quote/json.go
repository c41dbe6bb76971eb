package quote

import (
	"encoding/json"
	"strconv"
	"time"
)

// The wire's shapes: the contract's "The quote", with Jupiter's field names and
// units.
type (
	answerJSON struct {
		InputMint            string       `json:"inputMint"`
		OutputMint           string       `json:"outputMint"`
		InAmount             string       `json:"inAmount"`
		OutAmount            string       `json:"outAmount"`
		OtherAmountThreshold string       `json:"otherAmountThreshold"`
		SwapMode             string       `json:"swapMode"`
		SlippageBps          uint16       `json:"slippageBps"`
		PriceImpactPct       *string      `json:"priceImpactPct"` // a fraction, as Jupiter's; null unknown
		RoutePlan            []stepJSON   `json:"routePlan"`
		Source               string       `json:"source"`
		Executable           bool         `json:"executable"`
		Confidence           float64      `json:"confidence"`
		Score                int          `json:"score"`
		Warnings             []Warning    `json:"warnings"`
		Hops                 int          `json:"hops"`
		Legs                 int          `json:"legs"`
		ContextSlot          *uint64      `json:"contextSlot"` // null unknown
		ExpiresAt            int64        `json:"expiresAt"`
		ElapsedMs            int64        `json:"elapsedMs"`
		Sources              []resultJSON `json:"sources"`
	}
	stepJSON struct {
		SwapInfo swapInfoJSON `json:"swapInfo"`
		Percent  float64      `json:"percent"`
		Bps      uint16       `json:"bps"`
	}
	swapInfoJSON struct {
		AmmKey     string `json:"ammKey,omitempty"`
		Label      string `json:"label"`
		InputMint  string `json:"inputMint"`
		OutputMint string `json:"outputMint"`
		InAmount   string `json:"inAmount,omitempty"`
		OutAmount  string `json:"outAmount,omitempty"`
	}
	resultJSON struct {
		Source    string     `json:"source"`
		Outcome   Outcome    `json:"outcome"`
		Reason    string     `json:"reason,omitempty"`
		Detail    string     `json:"detail,omitempty"`
		OutAmount string     `json:"outAmount,omitempty"`
		Score     *scoreJSON `json:"score,omitempty"`
		Warnings  []Warning  `json:"warnings,omitempty"`
		Tries     int        `json:"tries,omitempty"`
		ElapsedMs *int64     `json:"elapsedMs,omitempty"`
	}
	scoreJSON struct {
		Confidence  int `json:"confidence"`
		Amount      int `json:"amount"`
		Reliability int `json:"reliability"`
		Warnings    int `json:"warnings"`
		Total       int `json:"total"`
	}
)

// MarshalJSON gives the contract's answer of GET /v1/quote.
func (a *Answer) MarshalJSON() ([]byte, error) {
	v := answerJSON{
		InputMint: a.InputMint.String(), OutputMint: a.OutputMint.String(),
		InAmount: decimal(a.InAmount), OutAmount: decimal(a.OutAmount),
		OtherAmountThreshold: decimal(a.Threshold), SwapMode: swapMode, SlippageBps: a.SlippageBps,
		RoutePlan: make([]stepJSON, 0, len(a.Route)),
		Source:    a.Source, Executable: a.Executable,
		Confidence: float64(a.Score.Confidence) / 1_000, Score: a.Score.Total(),
		Warnings: a.Warnings, Hops: a.Hops, Legs: a.Legs,
		ExpiresAt: a.ExpiresAt.UnixMilli(), ElapsedMs: a.Elapsed.Milliseconds(),
		Sources: make([]resultJSON, 0, len(a.Sources)),
	}
	if v.Warnings == nil {
		v.Warnings = []Warning{}
	}
	if a.ImpactKnown {
		s := strconv.FormatFloat(a.PriceImpact, 'f', -1, 64)
		v.PriceImpactPct = &s
	}
	if a.ContextSlot > 0 {
		v.ContextSlot = &a.ContextSlot
	}
	for i := range a.Route {
		v.RoutePlan = append(v.RoutePlan, a.Route[i].json())
	}
	for i := range a.Sources {
		v.Sources = append(v.Sources, a.Sources[i].json())
	}
	return json.Marshal(v)
}

// MarshalJSON gives one entry of the contract's "sources", which the problem of a
// *NoQuoteError lists too.
func (r *Result) MarshalJSON() ([]byte, error) { return json.Marshal(r.json()) }

func (l *Leg) json() stepJSON {
	s := stepJSON{
		SwapInfo: swapInfoJSON{Label: l.Label, InputMint: l.InputMint.String(), OutputMint: l.OutputMint.String()},
		Percent:  float64(l.Bps) / 100, Bps: l.Bps,
	}
	if !l.Pool.IsZero() {
		s.SwapInfo.AmmKey = l.Pool.String()
	}
	if l.InAmount > 0 {
		s.SwapInfo.InAmount = decimal(l.InAmount)
	}
	if l.OutAmount > 0 {
		s.SwapInfo.OutAmount = decimal(l.OutAmount)
	}
	return s
}

func (r *Result) json() resultJSON {
	v := resultJSON{
		Source: r.Source, Outcome: r.Outcome, Reason: r.Reason, Detail: r.Detail,
		Warnings: r.Warnings, Tries: r.Tries,
	}
	if r.Quote != nil {
		v.OutAmount = decimal(r.Quote.OutAmount)
		v.Score = &scoreJSON{r.Score.Confidence, r.Score.Amount, r.Score.Reliability, r.Score.Warnings, r.Score.Total()}
	}
	if r.Elapsed > 0 || r.Tries > 0 {
		ms := int64(r.Elapsed / time.Millisecond)
		v.ElapsedMs = &ms
	}
	return v
}

// swapMode is the only one that is asked for: amount is what goes in.
const swapMode = "ExactIn"

func decimal(v uint64) string { return strconv.FormatUint(v, 10) }
