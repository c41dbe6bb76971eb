package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrDeferred says that Redis did not take an invalidation: it holds for this
// instance, and the others will hear of it as soon as Redis can be reached and
// while Run is running. They serve nothing older than L1TTL in the meantime.
var ErrDeferred = errors.New("cache: invalidated here, elsewhere once Redis can be reached")

// InvalidateTag drops every value that has one of the tags: from this
// instance's memory and from Redis before it returns, from the others' memory
// as soon as they hear of it. A load that is under way is not disturbed, but
// what it gives reaches only callers who asked before, on every instance.
//
// It waits for twice L2Timeout at most, and ctx does not shorten that: calls
// at the same time share one exchange. The only error is ErrDeferred, wrapped.
func (c *Cache) InvalidateTag(ctx context.Context, tags ...string) error {
	if c == nil || len(tags) == 0 {
		return nil
	}
	c.metrics.invalidated("local", len(tags))
	c.stamps.invalidate(tags)
	if c.tier == nil {
		return nil
	}
	// Once more when Redis knows: who read it in between may have got the old
	// value under the new mark.
	defer c.stamps.invalidate(tags)
	return c.outbox.send(ctx, tags, false)
}

// Flush drops everything, as InvalidateTag does for a tag that everything has.
func (c *Cache) Flush(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.metrics.invalidated("flush", 1)
	c.stamps.invalidateAll()
	if c.tier == nil {
		return nil
	}
	defer c.stamps.invalidateAll()
	return c.outbox.send(ctx, nil, true)
}

const (
	// batchTags is how many tags one exchange with Redis takes.
	batchTags = 512

	// maxPending is how many tags may wait for Redis to be reached. Beyond that
	// everything is invalidated once it is, which is counted.
	maxPending = 1 << 16
)

// outbox takes invalidations to Redis: at most one exchange at a time, each
// with all that was asked for during the one before. What Redis did not take
// is kept until it does.
type outbox struct {
	// static after construction
	c       *Cache
	timeout time.Duration

	waiting atomic.Int64 // how many are pending; everything counts as one

	mu      sync.Mutex        // guards the rest
	next    *batch            // being filled; nil: none
	under   *batch            // on its way; nil: none
	busy    bool              // an exchange is under way
	kept    uint64            // counts what was kept
	pending map[string]uint64 // tags, with kept at that time
	all     uint64            // everything is pending since that; 0: it is not
}

// batch is what one exchange takes.
type batch struct {
	began int64 // when the first was asked for
	tags  []string
	all   bool
	lead  chan struct{} // receives once: one of its senders has to take it
	done  chan struct{} // closed when err is set
	err   error
}

// send adds tags to the next exchange and waits for it, or carries it out.
func (o *outbox) send(ctx context.Context, tags []string, all bool) error {
	o.mu.Lock()
	if o.next == nil {
		o.next = &batch{began: o.c.now(), lead: make(chan struct{}, 1), done: make(chan struct{})}
	}
	b := o.next
	b.tags = append(b.tags, tags...)
	b.all = b.all || all
	if !o.busy {
		o.busy = true
		b.lead <- struct{}{}
	}
	o.mu.Unlock()
	select {
	case <-b.done:
	case <-b.lead:
		o.mu.Lock()
		o.next, o.under = nil, b
		o.mu.Unlock()
		b.err = o.exchange(context.WithoutCancel(ctx), b)
		close(b.done)
		o.mu.Lock()
		o.under = nil
		if o.busy = o.next != nil; o.busy {
			o.next.lead <- struct{}{}
		}
		o.mu.Unlock()
	}
	return b.err
}

// behind is for how long an invalidation has been on its way.
func (o *outbox) behind() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range []*batch{o.under, o.next} {
		if b != nil {
			return time.Duration(o.c.now() - b.began)
		}
	}
	return 0
}

// exchange takes a batch to Redis, or has it wait.
func (o *outbox) exchange(ctx context.Context, b *batch) error {
	ctx, end := o.c.trace(ctx, "invalidate", "")
	err := o.bump(ctx, b.tags, b.all, false)
	end(err)
	if err == nil {
		return nil
	}
	o.keep(b.tags, b.all)
	return fmt.Errorf("%w: %w", ErrDeferred, err)
}

// bump does it in as many exchanges as it takes, within one time-out.
func (o *outbox) bump(ctx context.Context, tags []string, all, urgent bool) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if all {
		return o.c.tier.bump(ctx, o.timeout, nil, true, urgent) // everything: the tags are in it
	}
	for len(tags) > 0 {
		n := min(len(tags), batchTags)
		if err := o.c.tier.bump(ctx, o.timeout, tags[:n], false, urgent); err != nil {
			return err
		}
		tags = tags[n:]
	}
	return nil
}

// keep remembers what Redis did not take.
func (o *outbox) keep(tags []string, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending == nil {
		o.pending = make(map[string]uint64)
	}
	o.kept++
	for _, tag := range tags {
		o.pending[tag] = o.kept
	}
	if len(o.pending) > maxPending {
		o.c.metrics.invalidated("overflow", len(o.pending))
		all = true
	}
	if all {
		o.all = o.kept
		clear(o.pending)
	}
	o.count()
}

// count is called with the lock held.
func (o *outbox) count() {
	n := len(o.pending)
	if o.all > 0 {
		n++
	}
	o.waiting.Store(int64(n))
}

// concerns reports whether one of the tags waits to be invalidated in Redis:
// what is there must not be believed.
func (o *outbox) concerns(tags []string) bool {
	if o.waiting.Load() == 0 {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all > 0 {
		return true
	}
	for _, tag := range tags {
		if _, ok := o.pending[tag]; ok {
			return true
		}
	}
	return false
}

// deliver tries again with what waits; nil once nothing does.
func (o *outbox) deliver(ctx context.Context) error {
	if o.waiting.Load() == 0 {
		return nil
	}
	o.mu.Lock()
	now, all := o.kept, o.all > 0
	tags := make([]string, 0, len(o.pending))
	for tag := range o.pending {
		tags = append(tags, tag)
	}
	o.mu.Unlock()
	if err := o.bump(ctx, tags, all, true); err != nil {
		return err
	}
	o.mu.Lock()
	// What was kept meanwhile stays, also where it is of the same tags.
	if o.all <= now {
		o.all = 0
	}
	for _, tag := range tags {
		if o.pending[tag] <= now {
			delete(o.pending, tag)
		}
	}
	o.count()
	o.mu.Unlock()
	o.c.metrics.invalidated("deferred", max(len(tags), 1))
	o.c.stamps.invalidate(tags)
	if all {
		o.c.stamps.invalidateAll()
	}
	return nil
}
