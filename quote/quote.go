package quote

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"
)

// MaxSlippageBps is all of an amount, in basis points.
const MaxSlippageBps = 10_000

// Request is one question: what does Amount of InputMint bring in OutputMint?
// Equal requests are merged while in flight.
type Request struct {
	InputMint, OutputMint solana.PublicKey
	Amount                uint64 // raw units of InputMint, above 0
	SlippageBps           uint16 // 0 to MaxSlippageBps
}

// ParameterError is a request that no source can answer.
type ParameterError struct {
	Parameter string // as the contract names it, such as "amount"
	Reason    string // one sentence for a person
}

// Error is the sentence with the parameter's name.
func (e *ParameterError) Error() string { return fmt.Sprintf("%s: %s", e.Parameter, e.Reason) }

// Validate returns nil or a *ParameterError.
func (r Request) Validate() error {
	switch {
	case r.InputMint.IsZero():
		return &ParameterError{"inputMint", "missing"}
	case r.OutputMint.IsZero():
		return &ParameterError{"outputMint", "missing"}
	case r.InputMint == r.OutputMint:
		return &ParameterError{"outputMint", "the same as inputMint"}
	case r.Amount == 0:
		return &ParameterError{"amount", "must be above 0"}
	case r.SlippageBps > MaxSlippageBps:
		return &ParameterError{"slippageBps", "must be 0 to 10000"}
	}
	return nil
}

// threshold is the least that the slippage allows, rounded down as Jupiter does.
func threshold(out uint64, slippageBps uint16) uint64 {
	return mulDiv(out, uint64(MaxSlippageBps-slippageBps), MaxSlippageBps)
}

// Quote is what one source answered.
type Quote struct {
	InputMint, OutputMint solana.PublicKey
	InAmount, OutAmount   uint64 // raw units
	// Threshold is the least that the swap may bring, else it fails.
	Threshold   uint64
	SlippageBps uint16
	// PriceImpact is how much the trade moves its price, a fraction, 0.01 for 1%;
	// valid where ImpactKnown.
	PriceImpact float64
	ImpactKnown bool
	// Route is what the source says of its way, in topological order; empty where it
	// has none (an RFQ, an oracle).
	Route []Leg
	// ContextSlot is the slot that the source answered at and MarketSlot that of the
	// prices it used; 0 unknown.
	ContextSlot, MarketSlot uint64
	// ExpiresAt is when the source's promise ends; zero where it makes none.
	ExpiresAt time.Time
	// Executable is false for an indication that nobody can trade at.
	Executable bool
	// Certainty is how sure the source itself is, 0 to 1.
	Certainty float64
	// Raw is the source's own answer, verbatim: swap endpoints want it back. nil
	// where there is none.
	Raw json.RawMessage
}

// Leg is one step of a route.
type Leg struct {
	Pool                  solana.PublicKey // zero unknown
	Label                 string           // the venue's name in the source's words
	InputMint, OutputMint solana.PublicKey
	InAmount, OutAmount   uint64 // 0 unknown
	// Bps is the step's share of its own input mint, not of the whole trade.
	Bps uint16
}

// Outcome is what became of a source in one request. The strings are the
// contract's.
type Outcome string

// The outcomes.
const (
	OutcomeOK          Outcome = "ok"
	OutcomeNoRoute     Outcome = "no_route"
	OutcomeTimeout     Outcome = "timeout"
	OutcomeError       Outcome = "error"
	OutcomeRejected    Outcome = "rejected" // answered, but not believed
	OutcomeRateLimited Outcome = "rate_limited"
	OutcomeBreakerOpen Outcome = "breaker_open"
	OutcomeSkipped     Outcome = "skipped"
	OutcomeOff         Outcome = "off"
)

// Result is what became of one source.
type Result struct {
	Source   string
	Outcome  Outcome
	Reason   string // stable code where Outcome is not ok; "" unknown
	Detail   string // a sentence for a person, in our words; "" none
	Quote    *Quote // nil but for ok
	Score    Score
	Warnings []Warning
	Began    time.Duration // when it was asked, since the plan began
	Elapsed  time.Duration
	Tries    int // calls made
}

// Answer is the best quote of a request and what every source said. It is shared
// between callers: nobody may change it.
type Answer struct {
	*Quote            // the winner's
	Source     string // the winner
	Score      Score
	Warnings   []Warning
	Hops, Legs int
	// ExpiresAt is the source's promise, or QuoteLife after the answer.
	ExpiresAt time.Time
	Elapsed   time.Duration
	Sources   []Result // in a fixed order: jupiter, dflow, hashflow, onchain, pyth
}

// NoQuoteError says that no source had a quote, and why, source by source.
type NoQuoteError struct {
	// NoRoute: every source that was asked says that there is no route.
	NoRoute bool
	// Deadline: the time was up before all had answered.
	Deadline bool
	Elapsed  time.Duration
	Sources  []Result
}

// Error lists the sources.
func (e *NoQuoteError) Error() string {
	var text strings.Builder
	text.WriteString("no quote")
	for i := range e.Sources {
		r := &e.Sources[i]
		fmt.Fprintf(&text, ", %s %s", r.Source, r.Outcome)
		if r.Reason != "" {
			fmt.Fprintf(&text, " (%s)", r.Reason)
		}
	}
	return text.String()
}
