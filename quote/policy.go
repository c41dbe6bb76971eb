package quote

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// Reasons that this file gives.
const (
	reasonDeadline = "deadline"
	reasonOutrun   = "outrun"
)

// maxPause bounds how long a source can ask to be left alone: a wrong clock or a
// hostile answer must not switch it off for good.
const maxPause = 60 * time.Second

// errUncounted is a result that says nothing of the source's health.
var errUncounted = errors.New("not counted")

// errTry cuts one try.
var errTry = errors.New("timeout of one try")

// guard treats one source by its policy. Used by any number of goroutines.
type guard struct {
	// Static after newEngine.
	src       Source
	policy    Policy
	slowAfter time.Duration
	now       func() time.Time
	log       *slog.Logger
	metrics   *Metrics
	check     func(Request, *Quote) *SourceError
	answered  func(took time.Duration) // nil: nobody asks

	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	budget  *rate.Limiter
	calls   chan struct{} // one element for each call that runs
	paused  atomic.Int64  // until when nothing is asked, Unix ns
	told    atomic.Int32  // state of the breaker that was logged last
}

func newGuard(src Source, p Policy, o *Options) *guard {
	return &guard{
		src: src, policy: p, slowAfter: o.SlowAfter, now: o.Now, metrics: o.Metrics,
		log: o.Logger.With("source", src.Name()),
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name:        src.Name(),
			MaxRequests: 1,
			Timeout:     p.BreakFor,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(p.BreakAfter) },
			IsExcluded:  func(err error) bool { return errors.Is(err, errUncounted) },
		}),
		budget: rate.NewLimiter(rate.Limit(p.PerSecond), p.Burst),
		calls:  make(chan struct{}, p.MaxCalls),
	}
}

// state is 0 closed, 1 half open, 2 open.
func (g *guard) state() int {
	switch g.breaker.State() {
	case gobreaker.StateOpen:
		return 2
	case gobreaker.StateHalfOpen:
		return 1
	}
	return 0
}

func (g *guard) pausedUntil() time.Time {
	if ns := g.paused.Load(); ns > 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// ask asks the source, again where that may help and the deadline of ctx allows
// it. The first failure is told to stumbled at once, where there is one.
func (g *guard) ask(ctx context.Context, r Request, stumbled chan<- struct{}) Result {
	start := g.now()
	res := Result{Source: g.src.Name()}
	var failed *SourceError
	for {
		q, called, err := g.try(ctx, r, res.Tries > 0)
		if called {
			res.Tries++
		}
		res.Elapsed = g.now().Sub(start)
		if err == nil {
			res.Outcome, res.Quote = OutcomeOK, q
			return res
		}
		if failed == nil || called {
			failed = err // a refusal of our own later on explains less
		}
		if stumbled != nil {
			select {
			case stumbled <- struct{}{}:
			default:
			}
		}
		if !called || !err.Retry || res.Tries >= g.policy.MaxTries || !g.wait(ctx, res.Tries, err.Wait) {
			res.Outcome, res.Reason, res.Detail = failed.Outcome, failed.Reason, failed.Detail
			res.Elapsed = g.now().Sub(start)
			return res
		}
	}
}

// wait sleeps before the next try; false where the time would not suffice.
func (g *guard) wait(ctx context.Context, tries int, asked time.Duration) bool {
	pause := max(g.backoff(tries), asked)
	if deadline, ok := ctx.Deadline(); ok && pause >= time.Until(deadline) {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff is one to two times BackoffMin after the first try, twice as much after
// each further one, BackoffMax at most.
func (g *guard) backoff(tries int) time.Duration {
	base := min(g.policy.BackoffMin<<min(tries-1, 20), g.policy.BackoffMax)
	return min(base+rand.N(base), g.policy.BackoffMax)
}

// try makes one call, if the source may be asked now; called says whether it was.
func (g *guard) try(ctx context.Context, r Request, again bool) (q *Quote, called bool, _ *SourceError) {
	if until := g.paused.Load(); until > g.now().UnixNano() {
		return nil, false, &SourceError{Outcome: OutcomeRateLimited, Reason: "paused", Detail: "the source asked to be left alone for now"}
	}
	select {
	case g.calls <- struct{}{}:
		defer func() { <-g.calls }()
	default:
		return nil, false, &SourceError{Outcome: OutcomeRateLimited, Reason: "busy", Detail: "too many calls at once"}
	}
	done, err := g.breaker.Allow()
	if err != nil {
		return nil, false, &SourceError{Outcome: OutcomeBreakerOpen, Reason: "breaker_open", Detail: "it failed several times in a row"}
	}
	if !g.budget.Allow() {
		done(errUncounted)
		return nil, false, &SourceError{Outcome: OutcomeRateLimited, Reason: "budget", Detail: "our own rate limit for the source"}
	}
	start := g.now()
	q, failure := g.call(ctx, r)
	took := g.now().Sub(start)
	done(g.verdict(ctx, failure, took))
	g.tell(failure)
	g.metrics.call(g.src.Name(), took, again)
	if failure != nil && failure.Wait > 0 {
		g.pause(min(failure.Wait, maxPause))
	}
	if g.answered != nil && (failure == nil || failure.Outcome == OutcomeNoRoute) {
		g.answered(took)
	}
	return q, true, failure
}

// tell logs that the breaker opened or closed, once for each outage: probes that fail
// say nothing new. It runs outside of the breaker's lock.
func (g *guard) tell(failure *SourceError) {
	state := int32(g.state())
	switch was := g.told.Swap(state); {
	case was == state:
	case state == 2:
		reason := ""
		if failure != nil {
			reason = failure.Reason
		}
		g.log.Warn("quote source fails and is left alone", "for", g.policy.BreakFor, "reason", reason)
	case state == 0:
		g.log.Info("quote source answers again")
	}
}

// call is one call with its timeout and the check of what came.
func (g *guard) call(ctx context.Context, r Request) (*Quote, *SourceError) {
	try, cancel := context.WithTimeoutCause(ctx, g.policy.TryTimeout, errTry)
	defer cancel()
	q, err := g.src.Quote(try, r)
	if err == nil {
		if why := g.check(r, q); why != nil {
			return nil, why
		}
		return q, nil
	}
	var known *SourceError
	switch {
	case try.Err() != nil:
		return nil, cutError(context.Cause(try))
	case errors.As(err, &known):
		return nil, known
	}
	return nil, &SourceError{Outcome: OutcomeError, Reason: "unknown", Failure: true, Err: err}
}

// cutError is what a call that did not end by itself is.
func cutError(cause error) *SourceError {
	switch {
	case errors.Is(cause, errTry):
		return &SourceError{
			Outcome: OutcomeTimeout, Reason: "try_timeout", Detail: "no answer in the time of one call", Failure: true, Retry: true, Err: cause,
		}
	case errors.Is(cause, errDeadline):
		return &SourceError{Outcome: OutcomeTimeout, Reason: reasonDeadline, Err: cause}
	}
	return &SourceError{Outcome: OutcomeSkipped, Reason: reasonOutrun, Err: cause}
}

// verdict is what the breaker is told: nil for an answer, errUncounted for what
// says nothing of the source, else the failure.
func (g *guard) verdict(ctx context.Context, failure *SourceError, took time.Duration) error {
	switch {
	case failure == nil:
		return nil
	case failure.Failure:
		return failure
	case ctx.Err() != nil && failure.Err != nil:
		cause := context.Cause(ctx)
		if took >= g.slowAfter && (errors.Is(cause, errDeadline) || errors.Is(cause, errOutrun)) {
			return failure
		}
		return errUncounted
	case failure.Outcome == OutcomeRejected:
		return errUncounted
	}
	return nil
}

// pause leaves the source alone for d, or longer where that was said before.
func (g *guard) pause(d time.Duration) {
	until := g.now().Add(d).UnixNano()
	for {
		old := g.paused.Load()
		if old >= until || g.paused.CompareAndSwap(old, until) {
			return
		}
	}
}
