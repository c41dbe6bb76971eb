package quote

import (
	"context"
	"fmt"
	"time"
)

// Source answers one request, once: no retry, no waiting, no counting. Errors are
// *SourceError, or what ctx ended with. Used by many goroutines at once.
type Source interface {
	Name() string
	Quote(ctx context.Context, r Request) (*Quote, error)
}

// SourceError is why a source has no quote.
type SourceError struct {
	Outcome Outcome
	Reason  string // stable code, such as "http_503"
	Detail  string // a sentence; the server's own text is cut and cleaned, "" none
	// Failure counts for the breaker; Retry says that a second try may succeed.
	Failure, Retry bool
	// Wait is how long the source asks to be left alone, 0 not said.
	Wait time.Duration
	// Err is the cause, nil where there is none.
	Err error
}

// Error is the reason with the detail.
func (e *SourceError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%s: %s", e.Outcome, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", e.Outcome, e.Reason, e.Detail)
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// noRoute is the answer that there is no way to make this trade here.
func noRoute(reason, detail string) *SourceError {
	return &SourceError{Outcome: OutcomeNoRoute, Reason: reason, Detail: detail}
}

// refusal is an answer that is no quote and no failure of the source either.
func refusal(reason, detail string) *SourceError {
	return &SourceError{Outcome: OutcomeError, Reason: reason, Detail: detail}
}

// bad is an answer that cannot be read: the source is unwell, and asking again
// brings the same.
func bad(reason, detail string) *SourceError {
	return &SourceError{Outcome: OutcomeError, Reason: reason, Detail: detail, Failure: true}
}

// rejected is an answer to another question.
func rejected(reason, detail string) *SourceError {
	return &SourceError{Outcome: OutcomeRejected, Reason: reason, Detail: detail, Failure: true}
}

// disbelieved is an answer that our market contradicts. Which of the two is wrong
// is not known, so the breaker does not count it: one token with a false price of
// ours must not close a source for all others.
func disbelieved(reason, detail string) *SourceError {
	return &SourceError{Outcome: OutcomeRejected, Reason: reason, Detail: detail}
}
