package quote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ErrClosed means that the engine has been closed.
var ErrClosed = errors.New("quote engine is closed")

// Why a plan's calls are cut. The first two leave the question of whose fault it
// was to how long the call had run.
var (
	errDeadline = errors.New("the deadline of the request")
	errOutrun   = errors.New("answered without it")
	errLeft     = errors.New("every caller left")
)

// Engine answers quote requests. Make it with New, end it with Close.
type Engine struct {
	// Static after New.
	opts  Options
	uses  []*use // in the order of Answer.Sources
	judge judge
	hedge *hedge
	own   *http.Transport // nil where one was given

	mu      sync.Mutex // guards everything below
	flights map[Request]*flight
	closed  bool
	wg      sync.WaitGroup // flights and their sources; grows under mu only while open
}

// role is a source's place in the plan.
type role uint8

const (
	primary role = iota
	fallback
	lastResort
)

// use is one source as the engine holds it.
type use struct {
	name string
	role role
	off  string // why it is never asked, "" it is
	*guard
}

// flight is one plan that is running, with those who wait for it.
type flight struct {
	done   chan struct{} // closed when answer and err are there
	answer *Answer
	err    error
	cancel context.CancelCauseFunc

	callers int // guarded by Engine.mu
}

// New makes an engine. It asks nobody and starts nothing.
func New(opts Options) (*Engine, error) {
	opts = opts.withDefaults()
	transport := opts.Transport
	var own *http.Transport
	if transport == nil {
		own = newTransport()
		transport = own
	}
	uses, err := opts.sources(transport)
	if err != nil {
		return nil, err
	}
	return newEngine(opts, uses, own), nil
}

func newEngine(opts Options, uses []*use, own *http.Transport) *Engine {
	e := &Engine{
		opts: opts, uses: uses, own: own,
		judge:   judge{ref: opts.Reference, limits: opts.Limits, now: opts.Now},
		hedge:   newHedge(opts.HedgeMin, opts.HedgeMax),
		flights: make(map[Request]*flight),
	}
	for _, u := range uses {
		if u.off != "" {
			continue
		}
		u.check = e.judge.check
		opts.Metrics.watch(u.name, u.state)
		if u.role == primary {
			u.answered = e.hedge.add
		}
	}
	return e
}

// Quote returns the best quote for r within Options.Deadline. Errors: a
// *ParameterError for what no source can answer, a *NoQuoteError when every source
// failed, ErrClosed, or ctx's error when the caller left first.
func (e *Engine) Quote(ctx context.Context, r Request) (*Answer, error) {
	start := e.opts.Now()
	a, err := e.quote(ctx, r)
	e.opts.Metrics.request(outcomeOf(a, err), e.opts.Now().Sub(start))
	return a, err
}

func (e *Engine) quote(ctx context.Context, r Request) (*Answer, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	f, err := e.join(r)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		e.leave(r, f)
		return nil, fmt.Errorf("waiting for a quote: %w", ctx.Err())
	}
}

// join takes part in the flight of an equal request or begins one.
func (e *Engine) join(r Request) (*flight, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if f := e.flights[r]; f != nil {
		f.callers++
		e.opts.Metrics.merge()
		return f, nil
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	f := &flight{done: make(chan struct{}), cancel: cancel, callers: 1}
	e.flights[r] = f
	e.wg.Go(func() { e.fly(ctx, r, f) })
	return f, nil
}

// leave takes one caller out; the last one cancels the flight, which nobody can
// join any more.
func (e *Engine) leave(r Request, f *flight) {
	e.mu.Lock()
	f.callers--
	last := f.callers == 0
	if last && e.flights[r] == f {
		delete(e.flights, r)
	}
	e.mu.Unlock()
	if last {
		f.cancel(errLeft)
	}
}

func (e *Engine) fly(ctx context.Context, r Request, f *flight) {
	f.answer, f.err = e.run(ctx, r)
	e.mu.Lock()
	if e.flights[r] == f {
		delete(e.flights, r)
	}
	e.mu.Unlock()
	close(f.done)
	f.cancel(errOutrun)
}

// Close cancels what runs and waits until nothing of the engine does. Requests that
// run and later ones get ErrClosed.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	for _, f := range e.flights {
		f.cancel(ErrClosed)
	}
	e.mu.Unlock()
	e.wg.Wait()
	if e.own != nil {
		e.own.CloseIdleConnections()
	}
}

// SourceStatus is one source as it stands.
type SourceStatus struct {
	Source  string
	Off     string // why it is never asked, "" it is
	Breaker string // "closed", "half_open", "open"
	// PausedUntil is when it may be asked again after a 429; zero or past: now.
	PausedUntil time.Time
}

// Status returns every source's, in the order of Answer.Sources.
func (e *Engine) Status() []SourceStatus {
	list := make([]SourceStatus, 0, len(e.uses))
	for _, u := range e.uses {
		s := SourceStatus{Source: u.name, Off: u.off, Breaker: "closed"}
		if u.off == "" {
			s.Breaker = [...]string{"closed", "half_open", "open"}[u.state()]
			s.PausedUntil = u.pausedUntil()
		}
		list = append(list, s)
	}
	return list
}

// HedgeDelay is how long Jupiter would now be waited for alone.
func (e *Engine) HedgeDelay() time.Duration { return e.hedge.delay() }

// outcomeOf is the label of swapcast_quote_requests_total.
func outcomeOf(a *Answer, err error) string {
	var none *NoQuoteError
	var param *ParameterError
	switch {
	case err == nil && a.Executable:
		return "ok"
	case err == nil:
		return "indicative"
	case errors.As(err, &param):
		return "bad_request"
	case errors.Is(err, ErrClosed):
		return "closed"
	case errors.As(err, &none) && none.NoRoute:
		return "no_route"
	case errors.As(err, &none) && none.Deadline:
		return "deadline"
	case errors.As(err, &none):
		return "no_quote"
	}
	return "cancelled"
}
