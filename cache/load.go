package cache

import (
	"context"
	"encoding/json"
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
func (c *Cache) load(ctx context.Context, f *flight, held *lease) (any, error) {
	r := f.r
	ctx, cancel := context.WithTimeout(ctx, r.hard)
	defer cancel()
	defer context.AfterFunc(c.stop, cancel)()
	ctx, end := c.trace(ctx, "load", r.key)
	c.metrics.compute(r.label)
	out := make(chan loaded, 1)
	c.flights.wg.Go(func() { out <- c.protect(ctx, r) })
	l := c.await(ctx, out, held)
	if l.err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		l.err = fmt.Errorf("%w after %v: %w", ErrLoadTimeout, r.hard, l.err)
	}
	end(l.err)
	c.metrics.request("load", loadOutcome(l.err))
	return l.value, l.err
}

// await waits for a loader, and keeps the lease alive meanwhile.
func (c *Cache) await(ctx context.Context, out <-chan loaded, held *lease) loaded {
	var renew <-chan time.Time
	if held != nil {
		ticker := time.NewTicker(renewEvery)
		defer ticker.Stop()
		renew = ticker.C
	}
	for {
		select {
		case l := <-out:
			return l
		case <-ctx.Done():
			return loaded{err: ctx.Err()}
		case <-renew:
			// Nobody waits for this, and whoever takes a lost lease over has a later
			// fence: the load goes on, for its callers here.
			if ok, err := held.renew(ctx, renewEvery); err == nil && !ok {
				c.metrics.request("l2", "lease_lost")
				renew = nil
			}
		}
	}
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

// outcome keeps what a load gave in memory, and returns what its callers get and
// what is to be stored in Redis, if anything.
func (c *Cache) outcome(f *flight, began int64, value any, err error, leased bool) (*entry, *stored, error) {
	r := f.r
	now := c.now()
	e := &entry{key: r.key, value: value, loaded: began, mark: f.mark}
	s := &stored{}
	l1, l2, grace, early := r.l1, r.l2, r.grace, r.early
	switch {
	case err == nil:
		s.value = c.encode(r, value)
		if s.value == nil {
			return e, nil, nil
		}
		e.size = len(s.value)
	case errors.Is(err, ErrNotFound) && r.negative > 0:
		e.value, e.err = nil, errKept
		s.negative = true
		l1, l2, grace, early = min(r.l1, r.negative), r.negative, 0, 0
	default:
		c.hold(r, now)
		return nil, nil, err
	}
	if !leased {
		l2 = l1 // Redis has it not: it ends with its time in memory
	}
	fresh := c.jittered(l2)
	e.times(now, min(c.jittered(l1), fresh), fresh, grace, early)
	c.keep(r, e)
	if e.err != nil {
		e = nil
	}
	age := time.Duration(now - began)
	s.fresh, s.life = age+fresh, age+fresh+grace
	return e, s, err
}

// errKept is what a negative entry answers with.
var errKept = fmt.Errorf("cache: kept answer: %w", ErrNotFound)

// encode returns the encoding of a value, or nil where it cannot be kept.
func (c *Cache) encode(r *request, value any) []byte {
	raw, err := json.Marshal(value)
	switch {
	case err != nil:
		c.metrics.request("load", "unencodable")
		c.log.Error("a value cannot be cached", "key", r.key, "error", err)
		return nil
	case len(raw) > r.maxBytes:
		c.metrics.request("load", "too_large")
		return nil
	}
	return raw
}

// times sets an entry's times: it is served for ttl, it is good for fresh, and
// if it may be served in its grace, then for grace more.
func (e *entry) times(now int64, ttl, fresh, grace time.Duration, early float64) {
	e.fresh = now + int64(ttl)
	e.early, e.grace = e.fresh, e.fresh
	if grace > 0 {
		e.grace = now + int64(fresh) + int64(grace)
	}
	if early > 0 && early < 1 {
		e.early = now + int64(early*float64(ttl))
	}
}

// keep stores an entry in memory, unless it is outdated already: it would not be
// served, and a newer one may be there.
func (c *Cache) keep(r *request, e *entry) {
	if c.stamps.current(&e.mark) {
		c.memory.put(r.hash, e)
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
