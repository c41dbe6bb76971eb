package geyser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// part keeps one share of an endpoint's keys subscribed: by one stream, by two
// while one takes over from the other.
type part struct {
	*Subscriber
	index      int
	division   uint64          // plan's, by which its keys are given
	outer      context.Context // Run's
	sink       sink
	stop       context.CancelCauseFunc
	again      chan struct{} // one slot: Reconnect
	moved      chan struct{} // one slot: a stream has got further
	done       chan struct{} // closed when run has returned
	goroutines sync.WaitGroup
	fed        atomic.Int32 // streams that have brought data

	// owned by run
	failures int
	silent   int // streams in a row that stayed open and brought nothing

	// guarded by mu
	mu       sync.Mutex
	sessions []*session
}

func (p *part) enter(ss *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = append(p.sessions, ss)
	if p.Resting() { // Rest may have been before this one
		ss.cancel(errFailover)
	}
}

func (p *part) leave(ss *session) {
	p.mu.Lock()
	for i, other := range p.sessions {
		if other == ss {
			p.sessions = append(p.sessions[:i], p.sessions[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	if !ss.firstData.IsZero() {
		p.down(p)
	}
}

// widen tells the streams to look whether their keys have changed.
func (p *part) widen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ss := range p.sessions {
		poke(ss.widen)
	}
}

func (p *part) progress() { poke(p.moved) }

// poke leaves a word in a channel of one slot.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run keeps the part subscribed until ctx ends. Its error is one that a new
// connection cannot help.
func (p *part) run(ctx context.Context) error {
	defer p.goroutines.Wait()
	for p.rested(ctx) && p.breaker.admit(ctx) {
		end := p.serve(ctx)
		if ctx.Err() != nil {
			p.breaker.abandon()
			return nil
		}
		delay, err := p.ended(ctx, end)
		if err != nil {
			return err
		}
		if !p.sleep(ctx, delay) {
			return nil
		}
	}
	return nil
}

// sleep waits for d, or less if Reconnect asks, and reports whether ctx goes on.
func (p *part) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-p.again:
	}
	return true
}

// handoverLimit bounds how long two streams run side by side.
const handoverLimit = 30 * time.Second

// serve opens a stream, and another one whenever Reconnect asks, and returns
// how the last of them ended.
func (p *part) serve(ctx context.Context) ending {
	select {
	case <-p.again: // this is it
	default:
	}
	cur := p.open(ctx)
	var next *session
	limit := time.NewTimer(handoverLimit)
	defer limit.Stop()
	for {
		var nextDone <-chan struct{}
		if next != nil {
			nextDone = next.done
		}
		select {
		case <-cur.done:
			if next == nil {
				return cur.end
			}
			if ctx.Err() != nil || p.Resting() { // both end
				<-next.done
				return cur.end
			}
			p.replaced(cur.end)
			cur, next = next, nil
		case <-nextDone:
			p.log.Warn("the new stream ended before it could take over; the old one stays", "error", next.end.text())
			next = nil
		case <-p.again:
			if next == nil {
				next = p.open(ctx)
				limit.Reset(handoverLimit)
			}
		case <-p.moved:
			if next != nil && next.takesOver(cur) {
				cur.cancel(errPlanned)
			}
		case <-limit.C:
			p.handoverOver(cur, next)
		}
	}
}

// takesOver reports whether nothing is lost if old ends now: all slots before
// those that the new stream is complete for are confirmed on the old one, and
// the new one is as far.
func (ss *session) takesOver(old *session) bool {
	from := ss.from.Load()
	return from != 0 && old.confirmed.Load()+1 >= from && ss.newest.Load() >= old.newest.Load()
}

// handoverOver ends a handover that takes too long: whichever stream brings
// data stays, the new one if both do.
func (p *part) handoverOver(cur, next *session) {
	switch {
	case next == nil:
	case next.from.Load() != 0:
		p.log.Warn("the new stream takes over although it is behind", "slot", next.newest.Load(), "old_slot", cur.newest.Load())
		cur.cancel(errPlanned)
	default:
		next.cancel(fmt.Errorf("no data for %v: %w", handoverLimit, errPlanned))
	}
}

// replaced notes the end of a stream that another one has taken over from.
func (p *part) replaced(end ending) {
	reason, _ := classify(end.err, end.cause)
	p.metrics.reconnect(reason)
	p.reconnects.Add(1)
	p.log.Info("stream was replaced", "reason", string(reason))
}

// ended decides what the end of the part's only stream means: how long to wait
// before the next one.
func (p *part) ended(ctx context.Context, end ending) (time.Duration, error) {
	var failed sinkError
	if errors.As(end.cause, &failed) {
		return 0, failed.error
	}
	brought := !end.firstData.IsZero()
	if errors.Is(end.cause, errFailover) {
		return 0, p.left(ctx, end)
	}
	p.failures++
	if brought && time.Since(end.firstData) >= p.opts.Backoff.HealthyAfter {
		p.failures = 1
	}
	reason, act := classify(end.err, end.cause)
	p.reason.Store(&reason)
	learned := false
	if reason == ReasonBadFilter {
		how, ok := p.plan.learn(end.text())
		if learned = ok; ok {
			act = retryAlarm
			p.log.Warn("the endpoint refuses the filters; they are asked for otherwise", "error", end.text(), "now", how)
		}
	}
	if act == giveUp && !p.served.Load() {
		p.breaker.abandon()
		return 0, fmt.Errorf("geyser endpoint %s refuses the subscription: %w", p.opts.Name, end.err)
	}
	if p.suspicious(reason, brought) {
		act = retryAlarm
	}
	p.metrics.reconnect(reason)
	p.reconnects.Add(1)
	switch {
	case brought: // the breaker has been told
	case learned, reason.aboutReplay(), p.live.Load() > 0:
		p.breaker.abandon() // it answers
	default:
		p.breaker.failure()
	}
	delay := p.delay(reason, act)
	if learned && p.failures <= learnedAtOnce {
		delay = 0 // the other parts begin now, and no slot is complete before this one does
	}
	level := slog.LevelWarn
	if act != retry {
		level = slog.LevelError
	}
	p.log.Log(ctx, level, "stream ended; reconnecting", "reason", string(reason), "error", end.text(),
		"failures", p.failures, "delay", delay.Round(time.Millisecond), "breaker", p.breaker.current().String())
	return delay, nil
}

// left notes the end of a stream whose work another endpoint does: no failure.
func (p *part) left(ctx context.Context, end ending) error {
	if end.firstData.IsZero() {
		p.breaker.abandon()
	}
	reason, _ := classify(end.err, end.cause)
	p.reason.Store(&reason)
	p.metrics.reconnect(reason)
	p.reconnects.Add(1)
	p.log.InfoContext(ctx, "stream ended: another endpoint takes over, this one is left alone for a while")
	return nil
}

// learnedAtOnce is how many refusals in a row are answered at once with another
// request: a server tells of each kind of limit once, or is halved towards it.
const learnedAtOnce = 4

// silentStreams is how many streams in a row may stay open without any data
// until the filters are suspected: the plugin has been seen to refuse some so.
const silentStreams = 2

// suspicious reports whether the filters may be why nothing comes.
func (p *part) suspicious(reason Reason, brought bool) bool {
	if brought || reason != ReasonStale {
		p.silent = 0
		return false
	}
	if p.silent++; p.silent < silentStreams {
		return false
	}
	p.log.Error("streams stay open and bring nothing: the endpoint is stuck, or refuses the filters without a word",
		"streams", p.silent, "wallets_left_out", p.plan.suspect())
	return true
}

// delay is the wait before the next try; the breaker's comes on top.
func (p *part) delay(reason Reason, act action) time.Duration {
	failures := p.failures
	if reason == ReasonLimit {
		failures += 3 // it says that we ask too often
	}
	if p.breaker.current() == BreakerOpen {
		return 0 // it spaces the tries now
	}
	return p.opts.Backoff.delay(failures, act >= retrySlow)
}
