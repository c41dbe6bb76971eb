package cache

import (
	"context"
	"hash/maphash"
	"sync"
)

// flight is one way to a value that all its callers share: from Redis, or by
// loading it.
type flight struct {
	// static after construction
	r    *request
	mark mark
	done chan struct{} // closed when result and err are set

	// set before done is closed
	result *entry
	err    error

	// A value in its grace that was found on the way; set before offered is closed.
	offered chan struct{}
	stale   *entry
}

// flightShards divides the lock of the table.
const flightShards = 64

// flights are the flights under way, by key.
type flights struct {
	seed   maphash.Seed
	wg     sync.WaitGroup // goroutines of flights and their loaders
	shards [flightShards]struct {
		mu     sync.Mutex
		byKey  map[string]*flight
		closed bool
	}
}

func newFlights(seed maphash.Seed) *flights {
	t := &flights{seed: seed}
	for i := range t.shards {
		t.shards[i].byKey = make(map[string]*flight)
	}
	return t
}

// close lets no flight begin any more, ends those under way and waits.
func (t *flights) close(cancel context.CancelFunc) {
	for i := range t.shards {
		shard := &t.shards[i]
		shard.mu.Lock()
		shard.closed = true
		shard.mu.Unlock()
	}
	cancel()
	t.wg.Wait()
}

// join returns the flight of r's key, a new one where there is none that a
// caller of now may share: what began before an invalidation is of no use to
// who came after it. It returns the entry instead where one was stored
// meanwhile, and neither once the cache is closed.
func (c *Cache) join(ctx context.Context, r *request) (*flight, *entry) {
	shard := &c.flights.shards[r.hash%flightShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.closed {
		return nil, nil
	}
	if f := shard.byKey[r.key]; f != nil && c.stamps.current(&f.mark) {
		c.metrics.joined()
		return f, nil
	}
	if !r.behind {
		if e := c.memory.get(r.hash, r.key); e != nil {
			if now := c.now(); now < e.fresh && c.valid(e, now) {
				return nil, e
			}
		}
	}
	f := &flight{r: r, mark: c.stamps.take(r.tags), done: make(chan struct{}), offered: make(chan struct{})}
	shard.byKey[r.key] = f
	ctx = context.WithoutCancel(ctx)
	c.flights.wg.Go(func() { c.fly(ctx, f) })
	return f, nil
}

// land gives a flight's callers their answer and takes it off the table. What
// is to be kept has been stored before, so that who comes now finds one or the other.
func (c *Cache) land(f *flight, result *entry, err error) {
	f.result, f.err = result, err
	shard := &c.flights.shards[f.r.hash%flightShards]
	shard.mu.Lock()
	if shard.byKey[f.r.key] == f {
		delete(shard.byKey, f.r.key)
	}
	shard.mu.Unlock()
	close(f.done)
}

// fly brings a flight to its end: from Redis, or by loading, with a lease where
// Redis gives one.
func (c *Cache) fly(ctx context.Context, f *flight) {
	w := &way{c: c, f: f, left: c.o.L2Timeout}
	landed := false
	if c.tier != nil {
		found, due := w.find(ctx)
		if found != nil {
			c.keep(f.r, found)
			c.land(f, found, nil)
			if !due || !w.claim(ctx) {
				return
			}
			landed = true // goes on behind its callers
		}
	}
	began := c.now()
	value, err := c.load(ctx, f, w.lease)
	e, s, err := c.outcome(f, began, value, err, w.lease != nil)
	if !landed {
		c.land(f, e, err)
	}
	w.finish(ctx, s)
}
