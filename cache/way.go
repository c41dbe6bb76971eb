package cache

import (
	"context"
	"math/rand/v2"
	"time"
)

// way is a flight's way through Redis.
type way struct {
	c    *Cache
	f    *flight
	key  string
	left time.Duration // how long Redis may still hold up the callers

	waits bool // another process loads: what time passes is not Redis's fault

	seen  reading // the last
	lease *lease  // the right to load; nil: none
	maybe *lease  // one that Redis may have given without our hearing of it
}

// A waiting process asks again after a while that grows, so that what takes
// long is not asked for often.
const (
	firstPoll   = 4 * time.Millisecond
	longestPoll = 50 * time.Millisecond
)

// find looks for the value in Redis, waits while another process loads it, or
// gets the lease. It returns nothing where the caller has to load: with w.lease
// where it has one, and without where Redis failed or took too long. due is
// whether the value that was found should be refreshed before its time.
func (w *way) find(ctx context.Context) (e *entry, due bool) {
	c, r := w.c, w.f.r
	if c.outbox.concerns(r.tags) {
		c.metrics.request("l2", "unbelieved")
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, r.hard) // who waits longer than a load may take loads itself
	defer cancel()
	defer context.AfterFunc(c.stop, cancel)()
	w.key = c.tier.keyOf(r)
	endWait := func(error) {}
	defer func() { endWait(nil) }()
	for poll := firstPoll; ; poll = min(poll*3/2, longestPoll) {
		e, due, ok := w.read(ctx)
		if e != nil || !ok {
			return e, due
		}
		answer, ok := w.lock(ctx)
		switch {
		case w.lease != nil || !ok:
			return nil, false
		case answer == lockChanged:
			continue
		}
		if !w.waits {
			w.waits = true
			c.metrics.request("l2", "wait")
			_, endWait = c.trace(ctx, "l2_wait", r.key)
		}
		select {
		case <-time.After(poll/2 + rand.N(poll)): //nolint:gosec // no secret
		case <-ctx.Done():
			c.metrics.request("l2", "wait_timeout")
			return nil, false
		}
	}
}

// claim asks once for the lease of what was found, for a refresh.
func (w *way) claim(ctx context.Context) bool {
	if w.seen.missing() {
		return false
	}
	w.left = w.c.o.L2Timeout // nobody waits
	_, ok := w.lock(ctx)
	return ok && w.lease != nil
}

// exchange runs f with what is left of the time-out and takes off what it took.
func (w *way) exchange(ctx context.Context, op string, f func(ctx context.Context, left time.Duration) error) bool {
	ctx, end := w.c.trace(ctx, op, w.f.r.key)
	start := w.c.now()
	err := f(ctx, w.left)
	end(err)
	if err != nil {
		w.c.metrics.request("l2", outcome(err))
		return false
	}
	if !w.waits {
		w.left -= time.Duration(w.c.now() - start)
	}
	return true
}

// read reads the value; nil where there is none that is good. ok is false where
// Redis does not answer.
func (w *way) read(ctx context.Context) (e *entry, due, ok bool) {
	c, r := w.c, w.f.r
	before := c.now()
	ok = w.exchange(ctx, "l2_read", func(ctx context.Context, left time.Duration) (err error) {
		w.seen, err = c.tier.read(ctx, left, r, w.key)
		return err
	})
	if !ok {
		return nil, false, false
	}
	if w.seen.missing() {
		c.metrics.request("l2", "miss")
		ok = w.exchange(ctx, "l2_read", func(ctx context.Context, left time.Duration) (err error) {
			if err := c.tier.start(ctx, left, r, &w.seen); err != nil {
				return err
			}
			w.seen, err = c.tier.read(ctx, left, r, w.key)
			return err
		})
		if !ok || w.seen.missing() {
			return nil, false, false
		}
	}
	e, due, outcome := w.judge(before)
	c.metrics.request("l2", outcome)
	if outcome == "stale" {
		w.offer(e)
		return nil, false, true
	}
	return e, due, true
}

// judge makes an entry of what was read, with what it is good for.
func (w *way) judge(before int64) (e *entry, due bool, outcome string) {
	c, r, g := w.c, w.f.r, &w.seen
	if g.raw == nil {
		return nil, false, "miss"
	}
	s, err := parseStored(g.raw, r.maxBytes)
	if err != nil {
		return nil, false, "unreadable"
	}
	if len(s.versions) != len(g.versions) {
		return nil, false, "invalid"
	}
	for i, v := range s.versions {
		if v != g.versions[i] {
			return nil, false, "invalid"
		}
	}
	age := s.life - g.left
	if g.left <= 0 || age < 0 {
		return nil, false, "miss"
	}
	e = &entry{key: r.key, size: len(s.value), loaded: before - int64(age), mark: w.f.mark}
	if now := c.now(); !c.valid(e, now) && c.stamps.current(&e.mark) {
		return nil, false, "doubt"
	}
	if s.negative {
		e.err = errKept
	} else if e.value, err = r.decode(s.value); err != nil {
		return nil, false, "unreadable"
	}
	left := s.fresh - age
	if left <= 0 {
		if r.grace <= 0 {
			return nil, false, "miss"
		}
		e.times(before, 0, 0, g.left, 0)
		return e, false, "stale"
	}
	e.times(before, min(c.jittered(r.l1), left), left, r.grace, r.early)
	due = r.early > 0 && r.early < 1 && float64(age) >= r.early*float64(s.fresh)
	return e, due, "hit"
}

// offer gives a value in its grace to callers who cannot wait.
func (w *way) offer(e *entry) {
	if w.f.stale == nil {
		w.f.stale = e
		if old := w.c.memory.get(w.f.r.hash, w.f.r.key); old == nil || !w.c.usable(old) {
			w.c.keep(w.f.r, e) // for who comes while the loader fails
		}
		close(w.f.offered)
	}
}

// lock asks for the lease; ok is false where Redis does not answer.
func (w *way) lock(ctx context.Context) (answer int64, ok bool) {
	ok = w.exchange(ctx, "l2_lock", func(ctx context.Context, left time.Duration) error {
		l, got, err := w.c.tier.acquire(ctx, left, w.key, w.seen)
		if err != nil {
			w.maybe = l
			return err
		}
		if answer = got; l.granted {
			w.lease = l
		}
		return nil
	})
	return answer, ok
}

// finish stores what was loaded and gives the lease back. Nobody waits for it.
func (w *way) finish(ctx context.Context, s *stored) {
	c := w.c
	if l := w.maybe; l != nil {
		_ = l.release(ctx, c.o.L2Timeout) // it expires by itself
	}
	if w.lease == nil {
		return
	}
	if s == nil {
		if err := w.lease.release(ctx, c.o.L2Timeout); err != nil {
			c.metrics.request("l2_store", outcome(err))
		}
		return
	}
	ctx, end := c.trace(ctx, "l2_store", w.f.r.key)
	done, err := w.lease.store(ctx, c.o.L2Timeout, s, w.f.r.compressOver)
	end(err)
	switch {
	case err != nil:
		c.metrics.request("l2_store", outcome(err))
	case done:
		c.metrics.request("l2_store", "ok")
	default:
		c.metrics.request("l2_store", "fenced")
	}
}
