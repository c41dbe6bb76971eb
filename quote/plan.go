package quote

import (
	"context"
	"errors"
	"time"
)

// plan is one request on its way; all of it belongs to the goroutine of run.
type plan struct {
	e     *Engine
	r     Request
	start time.Time
	ctx   context.Context // of the sources

	results  []Result // as e.uses; Outcome "" not asked or still running
	began    []time.Time
	came     chan arrival
	stumbled chan struct{} // Jupiter's first try failed; it may try again
	running  int
	trusted  bool
}

type arrival struct {
	index  int
	result Result
}

// run carries out the plan that doc.go describes.
func (e *Engine) run(ctx context.Context, r Request) (*Answer, error) {
	start := e.opts.Now()
	ctx, stop := context.WithTimeoutCause(ctx, e.opts.Deadline-e.opts.Deadline/10, errDeadline)
	defer stop()
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(errOutrun)
	p := &plan{
		e: e, r: r, start: start, ctx: ctx,
		results:  make([]Result, len(e.uses)),
		began:    make([]time.Time, len(e.uses)),
		came:     make(chan arrival, len(e.uses)), // never blocks a source that outlives the plan
		stumbled: make(chan struct{}, 1),
	}
	for i, u := range e.uses {
		p.results[i].Source = u.name
		if u.off != "" {
			p.results[i].Outcome, p.results[i].Reason = OutcomeOff, u.off
		}
	}
	p.follow()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, errDeadline) {
		return nil, err
	}
	return p.finish()
}

// follow asks and listens until there is nothing to wait for.
func (p *plan) follow() {
	hedge := time.NewTimer(p.e.hedge.delay())
	defer hedge.Stop()
	last := time.NewTimer(p.e.opts.LastAfter)
	defer last.Stop()
	settle := time.NewTimer(time.Hour)
	settle.Stop()
	defer settle.Stop()

	p.ask(primary)
	for {
		if p.running == 0 {
			// Whoever was to be asked next is asked now.
			p.ask(fallback)
			if p.running == 0 && !p.trusted {
				p.ask(lastResort)
			}
			if p.running == 0 {
				return
			}
		}
		select {
		case a := <-p.came:
			first := !p.trusted
			p.take(a)
			switch main := p.e.uses[a.index].role == primary; {
			case main && p.doubts(a.index) == 0:
				return
			case main:
				p.ask(fallback)
			}
			if p.trusted && p.running == 0 {
				return
			}
			if p.trusted && first {
				settle.Reset(p.e.opts.Settle)
			}
		case <-p.stumbled:
			p.ask(fallback)
		case <-hedge.C:
			p.ask(fallback)
		case <-last.C:
			if !p.trusted {
				p.ask(fallback)
				p.ask(lastResort)
			}
		case <-settle.C:
			return
		case <-p.ctx.Done():
			return
		}
	}
}

// ask starts the sources of a role that have not been asked yet.
func (p *plan) ask(which role) {
	for i, u := range p.e.uses {
		if u.role != which || u.off != "" || !p.began[i].IsZero() {
			continue
		}
		p.began[i] = p.e.opts.Now()
		p.running++
		var stumbled chan<- struct{}
		if which == primary {
			stumbled = p.stumbled
		}
		// The plan's own count is held, so Close cannot have begun to wait at 0.
		p.e.wg.Go(func() { p.came <- arrival{i, u.ask(p.ctx, p.r, stumbled)} })
	}
}

// take keeps what a source brought and judges it.
func (p *plan) take(a arrival) {
	p.running--
	r := a.result
	if r.Quote != nil {
		v := p.e.judge.judge(r.Quote)
		r.Warnings, r.Score.Confidence = v.warnings, v.confidence
	}
	p.results[a.index] = r
	if p.doubts(a.index) == 0 {
		p.trusted = true
	}
}

// doubts is 0 for a quote that is trusted, and not 0 for one that is not or that
// is none.
func (p *plan) doubts(index int) int {
	r := &p.results[index]
	if r.Quote == nil || !r.Quote.Executable {
		return 1
	}
	return len(r.Warnings)
}

// finish picks the winner among what has come.
func (p *plan) finish() (*Answer, error) {
	for p.running > 0 {
		select {
		case a := <-p.came:
			p.take(a)
			continue
		default:
		}
		break
	}
	deadline := p.settleRest()
	winner := rank(p.results)
	for i := range p.results {
		if !p.began[i].IsZero() {
			p.results[i].Began = p.began[i].Sub(p.start)
		}
		p.e.opts.Metrics.source(p.results[i].Source, p.results[i].Outcome)
	}
	elapsed := p.e.opts.Now().Sub(p.start)
	if winner < 0 {
		return nil, &NoQuoteError{
			NoRoute: noRouteAnywhere(p.results), Deadline: deadline, Elapsed: elapsed, Sources: p.results,
		}
	}
	return p.e.answer(&p.results[winner], p.results, elapsed), nil
}

// answer is what the winner makes of a request.
func (e *Engine) answer(w *Result, all []Result, elapsed time.Duration) *Answer {
	a := &Answer{
		Quote: w.Quote, Source: w.Source, Score: w.Score, Warnings: w.Warnings,
		Hops: hops(w.Quote), Legs: max(1, len(w.Quote.Route)),
		ExpiresAt: w.Quote.ExpiresAt, Elapsed: elapsed, Sources: all,
	}
	if a.ExpiresAt.IsZero() {
		a.ExpiresAt = e.opts.Now().Add(e.opts.QuoteLife)
	}
	return a
}

// settleRest says what became of the sources that brought nothing, and whether the
// time was up for one of them.
func (p *plan) settleRest() (deadline bool) {
	up := p.ctx.Err() != nil
	for i := range p.results {
		r := &p.results[i]
		switch {
		case r.Outcome != "":
			deadline = deadline || r.Outcome == OutcomeTimeout && r.Reason == reasonDeadline
		case p.began[i].IsZero():
			r.Outcome, r.Reason = OutcomeSkipped, "not_needed"
		case up:
			r.Outcome, r.Reason, deadline = OutcomeTimeout, reasonDeadline, true
			r.Elapsed, r.Tries = p.e.opts.Now().Sub(p.began[i]), 1
		default:
			r.Outcome, r.Reason = OutcomeSkipped, reasonOutrun
			r.Elapsed, r.Tries = p.e.opts.Now().Sub(p.began[i]), 1
		}
	}
	return deadline
}

// noRouteAnywhere tells whether every source that said anything said that there
// is no route.
func noRouteAnywhere(results []Result) bool {
	said := false
	for i := range results {
		switch results[i].Outcome {
		case OutcomeNoRoute:
			said = true
		case OutcomeOff, OutcomeSkipped:
		default:
			return false
		}
	}
	return said
}
