package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// loaded is what a loader returned.
type loaded struct {
	value any // *T
	err   error
}

// load calls the loader on a goroutine of its own, so that one that does not
// heed its context keeps nobody.
func (c *Cache) load(ctx context.Context, f *flight) (any, error) {
	r := f.r
	ctx, cancel := context.WithTimeout(ctx, r.hard)
	defer cancel()
	defer context.AfterFunc(c.stop, cancel)()
	ctx, end := c.trace(ctx, "load", r.key)
	c.metrics.compute(r.label)
	out := make(chan loaded, 1)
	c.flights.wg.Go(func() { out <- c.protect(ctx, r) })
	var l loaded
	select {
	case l = <-out:
		if l.err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			l.err = fmt.Errorf("%w after %v: %w", ErrLoadTimeout, r.hard, l.err)
		}
	case <-ctx.Done():
		l.err = ctx.Err()
		if errors.Is(l.err, context.DeadlineExceeded) {
			l.err = fmt.Errorf("%w after %v", ErrLoadTimeout, r.hard)
		}
	}
	end(l.err)
	c.metrics.request("load", loadOutcome(l.err))
	return l.value, l.err
}

// loadOutcome names what came of a load.
func loadOutcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrNotFound):
		return "not_found"
	case errors.Is(err, ErrLoadTimeout):
		return "timeout"
	}
	return "error"
}

// protect turns a loader's panic into an error: it happens on a goroutine whose
// caller could not recover it.
func (c *Cache) protect(ctx context.Context, r *request) (l loaded) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("a loader panicked", "key", r.key, "panic", p, "stack", string(debug.Stack()))
			l = loaded{err: fmt.Errorf("cache: loader panicked: %v", p)}
		}
	}()
	value, err := r.load(ctx)
	return loaded{value: value, err: err}
}

// outcome stores what a load gave and returns what its callers get.
func (c *Cache) outcome(f *flight, began int64, value any, err error) (*entry, error) {
	r := f.r
	now := c.now()
	e := &entry{key: r.key, value: value, loaded: began, mark: f.mark}
	switch {
	case err == nil:
		e.times(now, c.jittered(r.l1), r.grace, r.early)
	case errors.Is(err, ErrNotFound) && r.negative > 0:
		e.value, e.err = nil, fmt.Errorf("cache: kept answer: %w", ErrNotFound)
		e.times(now, c.jittered(r.negative), 0, 0)
		c.keep(r, e)
		return nil, err
	default:
		c.hold(r, now)
		return nil, err
	}
	c.keep(r, e)
	return e, nil
}

// keep stores an entry in memory, unless it is outdated already: it would not be
// served, and a newer one may be there.
func (c *Cache) keep(r *request, e *entry) {
	if c.stamps.current(&e.mark) {
		c.memory.put(r.hash, e)
	}
}

// times sets an entry's times from its TTL.
func (e *entry) times(now int64, ttl, grace time.Duration, early float64) {
	e.fresh = now + int64(ttl)
	e.grace = e.fresh + int64(grace)
	e.early = e.fresh
	if early > 0 && early < 1 {
		e.early = now + int64(early*float64(ttl))
	}
}

// graceBackoff is how long a value in its grace is served after a failed load
// before the loader is asked again.
const graceBackoff = time.Second

// hold has the older value, where there is one in its grace, served for a while
// without asking the loader again.
func (c *Cache) hold(r *request, now int64) {
	old := c.memory.get(r.hash, r.key)
	if old == nil || now >= old.grace || !c.valid(old, now) || now < old.fresh {
		return
	}
	held := &entry{
		key: old.key, value: old.value, err: old.err, size: old.size, loaded: old.loaded, mark: old.mark,
		fresh: min(now+int64(graceBackoff), old.grace), grace: old.grace,
	}
	held.early = held.fresh
	c.memory.put(r.hash, held)
}

// jittered cuts a TTL at random by up to the cache's jitter.
func (c *Cache) jittered(ttl time.Duration) time.Duration {
	return ttl - time.Duration(c.o.Jitter*rand.Float64()*float64(ttl)) //nolint:gosec // no secret
}

// trace begins a span where somebody wants to know.
func (c *Cache) trace(ctx context.Context, op, key string) (context.Context, func(error)) {
	if c.o.Trace == nil {
		return ctx, func(error) {}
	}
	return c.o.Trace(ctx, op, key)
}
