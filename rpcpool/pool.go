package rpcpool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go/rpc"
	"github.com/gagliardetto/solana-go/rpc/jsonrpc"
)

// Pool asks several endpoints in turn. See the package comment.
type Pool struct {
	// static after construction
	o         Options
	doer      *doer
	endpoints []*endpoint

	// guarded by mu, together with the state of every endpoint
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when an endpoint may be asked sooner than was thought
}

// endpoint is one URL.
type endpoint struct {
	// static after construction
	index   int
	host    string
	secrets []string
	client  *rpc.Client

	// guarded by Pool.mu
	rate     time.Time // when the bucket is full again (a virtual clock of the rate limit)
	until    time.Time // not to be asked before, after a failure
	failures int       // in a row
	trying   bool      // its breaker is open and a request tries it
}

// New makes a pool. An error says which URL is wrong, by its place in the list.
func New(o Options) (*Pool, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{o: o, doer: newDoer(&o), changed: make(chan struct{})}
	for i, raw := range o.URLs {
		u, err := parseURL(i, raw)
		if err != nil {
			return nil, err
		}
		p.endpoints = append(p.endpoints, &endpoint{
			index: i, host: u.Host, secrets: secretsOf(u),
			client: rpc.NewWithCustomRPCClient(jsonrpc.NewClientWithOpts(raw, &jsonrpc.RPCClientOpts{HTTPClient: p.doer})),
		})
		o.Metrics.setOpen(i, false)
	}
	return p, nil
}

// Hosts names the endpoints, in order, by all of their URLs that may be shown.
func (p *Pool) Hosts() []string {
	hosts := make([]string, len(p.endpoints))
	for i, e := range p.endpoints {
		hosts[i] = e.host
	}
	return hosts
}

// Down reports whether every endpoint's breaker is open: nothing is answered now.
func (p *Pool) Down() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.endpoints {
		if e.failures < p.o.BreakAfter {
			return false
		}
	}
	return true
}

// Close closes idle connections.
func (p *Pool) Close() { p.doer.CloseIdleConnections() }

// Call says what is asked.
type Call struct {
	Method string // of JSON-RPC, for errors and metrics
	// Elsewhere tells the codes of JSON-RPC errors for which every other
	// endpoint is asked too before the caller gets one of them: a block that one
	// node has cleaned up may be kept by another. Nil: none.
	Elsewhere func(code int) bool
	// Spare says that nobody waits for this: it leaves half of the burst to requests
	// that somebody waits for.
	Spare bool
}

// Do runs one request by fn, which is given an endpoint's client and may be
// called several times, one after the other. It waits where no endpoint may be
// asked now. The error is nil, an *Error, solana-go's rpc.ErrNotFound or
// rpc.ErrNotConfirmed (the result was null), one that fn wrapped with Final, or
// that of ctx.
func (p *Pool) Do(ctx context.Context, call Call, fn func(context.Context, *rpc.Client) error) error {
	asked := make([]bool, len(p.endpoints)) // has answered, with a code that others might not
	var answers []int
	var last *Error // failure that was no answer
	var answer *Error
	for range p.o.Attempts {
		e, err := p.take(ctx, asked, call.Spare)
		if err != nil {
			return err
		}
		if e == nil { // all have answered
			answer.Answers = answers
			return answer
		}
		failed, err := p.attempt(ctx, e, call.Method, fn)
		switch {
		case failed == nil:
			return unwrapFinal(err)
		case failed.Outcome == Cancelled:
			return fmt.Errorf("%s: %w", call.Method, context.Cause(ctx))
		case failed.Outcome == Answered && (call.Elsewhere == nil || !call.Elsewhere(failed.Code)):
			return failed
		case failed.Outcome == Answered:
			asked[e.index] = true
			answer, answers = failed, append(answers, failed.Code)
		default:
			last = failed
		}
	}
	if last == nil || len(answers) == len(p.endpoints) {
		answer.Answers = answers
		return answer
	}
	return last // not all have answered: this one might have said something else
}

// Final marks an error of fn's own code: the endpoint answered, and asking again
// would not help. Do gives err back as it is.
func Final(err error) error { return &finalError{err} }

type finalError struct{ err error }

func (f *finalError) Error() string   { return f.err.Error() }
func (f *finalError) Unwrap() []error { return []error{errCaller, f.err} }

func unwrapFinal(err error) error {
	var f *finalError
	if errors.As(err, &f) {
		return f.err
	}
	return err
}

// attempt asks one endpoint once and notes how that went.
func (p *Pool) attempt(ctx context.Context, e *endpoint, method string, fn func(context.Context, *rpc.Client) error) (*Error, error) {
	attempt, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	var broke error
	started := time.Now()
	err := fn(context.WithValue(attempt, brokeKey{}, &broke), e.client)
	failed := e.explain(ctx, attempt, method, broke, err)
	outcome := OK
	if failed != nil {
		outcome = failed.Outcome
	}
	p.o.Metrics.attempt(e.index, method, outcome, time.Since(started).Seconds())
	p.settle(e, outcome, retryAfterOf(err))
	if failed != nil && outcome != Answered && outcome != Cancelled {
		p.o.Logger.Debug("rpc attempt failed", "url", e.index, "error", failed)
	}
	return failed, err
}

func retryAfterOf(err error) time.Duration {
	var status *statusError
	if errors.As(err, &status) {
		return status.retryAfter
	}
	return 0
}

// take waits for an endpoint that may be asked and takes its turn. It gives nil
// where every one of them is in asked.
func (p *Pool) take(ctx context.Context, asked []bool, spare bool) (*endpoint, error) {
	for {
		p.mu.Lock()
		now := time.Now()
		var soonest time.Time
		var left bool
		for _, e := range p.endpoints {
			if asked[e.index] {
				continue
			}
			left = true
			at, ok := p.readyAt(e, spare)
			if ok && !at.After(now) {
				p.use(e, now)
				p.mu.Unlock()
				return e, nil
			}
			if ok && (soonest.IsZero() || at.Before(soonest)) {
				soonest = at
			}
		}
		changed := p.changed
		p.mu.Unlock()
		if !left {
			return nil, nil
		}
		if err := p.pause(ctx, soonest, changed); err != nil {
			return nil, err
		}
	}
}

// pause waits until at (for ever where it is zero), until something changed, or
// until ctx ends.
func (p *Pool) pause(ctx context.Context, at time.Time, changed <-chan struct{}) error {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		timer = t.C
	}
	started := time.Now()
	defer func() { p.o.Metrics.wait(time.Since(started).Seconds()) }()
	select {
	case <-timer:
	case <-changed:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return ctx.Err()
}

// readyAt is when e may be asked next; false where that depends on the request
// that is trying it now.
func (p *Pool) readyAt(e *endpoint, spare bool) (time.Time, bool) {
	if e.trying {
		return time.Time{}, false
	}
	burst := p.o.Burst
	if spare {
		burst -= burst / 2
	}
	at := e.rate.Add(-time.Duration(burst-1) * p.interval())
	if e.until.After(at) {
		at = e.until
	}
	return at, true
}

func (p *Pool) interval() time.Duration {
	return time.Duration(float64(time.Second) / p.o.PerSecond)
}

// use takes e's turn: one request of its rate, and the trial where its breaker
// is open.
func (p *Pool) use(e *endpoint, now time.Time) {
	if e.rate.Before(now) {
		e.rate = now
	}
	e.rate = e.rate.Add(p.interval())
	e.trying = e.failures >= p.o.BreakAfter
}

// settle notes how an attempt at e went.
func (p *Pool) settle(e *endpoint, outcome Outcome, retryAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := e.failures >= p.o.BreakAfter
	e.trying = false
	switch outcome {
	case OK, Answered:
		e.failures, e.until = 0, time.Time{}
	case Cancelled:
	default:
		e.failures++
		e.until = time.Now().Add(p.backoff(e.failures, retryAfter))
	}
	if is := e.failures >= p.o.BreakAfter; is != was {
		p.o.Metrics.setOpen(e.index, is)
		if is {
			p.o.Logger.Warn("rpc endpoint fails and is left alone for a while", "url", e.index, "host", e.host, "outcome", string(outcome), "failures", e.failures)
		} else {
			p.o.Logger.Info("rpc endpoint answers again", "url", e.index, "host", e.host)
		}
	}
	if was { // those who wait for the trial's end
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// backoff is the wait after the nth failure in a row.
func (p *Pool) backoff(n int, retryAfter time.Duration) time.Duration {
	if retryAfter > 0 {
		return min(retryAfter, p.o.BackoffMax)
	}
	ceiling := p.o.BackoffMax
	if n < 20 && p.o.BackoffMin<<(n-1) < ceiling {
		ceiling = p.o.BackoffMin << (n - 1)
	}
	// Not below an eighth: full jitter alone could draw no wait at all.
	return ceiling/8 + rand.N(ceiling-ceiling/8)
}
