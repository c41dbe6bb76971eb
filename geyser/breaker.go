package geyser

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// BreakerState is whether an endpoint is tried at all.
type BreakerState uint8

// The states of an endpoint's breaker; the numbers are those of the metric.
const (
	BreakerClosed   BreakerState = iota // it is
	BreakerHalfOpen                     // one stream tries it
	BreakerOpen                         // not before some time has passed
)

// String returns the lower-case name that status pages use.
func (s BreakerState) String() string {
	switch s {
	case BreakerClosed:
		return "closed"
	case BreakerHalfOpen:
		return "half_open"
	case BreakerOpen:
		return "open"
	default:
		return "unknown"
	}
}

// breaker keeps an endpoint that brings no data from being tried again and
// again. After Backoff.OpenAfter failures in a row it opens; then one try at a
// time is let through, each after a longer pause, until one brings data.
type breaker struct {
	backoff Backoff
	show    func(BreakerState) // called under mu; must not call back

	mu       sync.Mutex
	state    BreakerState
	failures int           // in a row
	opened   int           // how often in a row
	until    time.Time     // BreakerOpen: when the next try may go
	probing  bool          // BreakerHalfOpen: it is under way
	changed  chan struct{} // closed and replaced when a waiter should look again
}

func newBreaker(b Backoff, show func(BreakerState)) *breaker {
	return &breaker{backoff: b, show: show, changed: make(chan struct{})}
}

// admit waits until the endpoint may be tried, and reports whether ctx has not
// ended before. Whoever was admitted calls success, failure or abandon.
func (b *breaker) admit(ctx context.Context) bool {
	for {
		b.mu.Lock()
		wait := time.Duration(-1) // for a change
		switch {
		case b.state == BreakerClosed:
			b.mu.Unlock()
			return ctx.Err() == nil
		case b.state == BreakerOpen:
			if wait = max(0, time.Until(b.until)); wait == 0 {
				b.to(BreakerHalfOpen)
			}
		}
		if b.state == BreakerHalfOpen && !b.probing {
			b.probing = true
			b.mu.Unlock()
			return ctx.Err() == nil
		}
		changed := b.changed
		b.mu.Unlock()
		if !waitFor(ctx, wait, changed) {
			return false
		}
	}
}

// waitFor waits for d (below 0: for ever) or until changed is closed, and
// reports whether ctx goes on.
func waitFor(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	var after <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-after:
	case <-changed:
	}
	return true
}

// success says that the endpoint has brought data.
func (b *breaker) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.opened, b.probing = 0, 0, false
	b.to(BreakerClosed)
}

// failure says that a try brought none.
func (b *breaker) failure() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	b.probing = false
	if b.failures < b.backoff.OpenAfter {
		return
	}
	pause := b.backoff.OpenFor << min(b.opened, 8)
	if pause <= 0 || pause > b.backoff.OpenCap {
		pause = b.backoff.OpenCap
	}
	b.opened++
	b.until = time.Now().Add(pause/2 + rand.N(pause/2+1))
	b.to(BreakerOpen)
}

// abandon says that a try was given up before it showed anything.
func (b *breaker) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	b.wake()
}

// urge lets the next try go now: somebody asked for it.
func (b *breaker) urge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = time.Time{}
	b.wake()
}

func (b *breaker) current() BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// to needs mu.
func (b *breaker) to(s BreakerState) {
	b.state = s
	b.show(s)
	b.wake()
}

// wake needs mu.
func (b *breaker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}
