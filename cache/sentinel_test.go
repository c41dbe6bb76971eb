package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/cache/cachetest"
)

// TestSentinelFailover: the master dies under load and sentinels make its replica
// the new one. No caller gets an error, nobody reads what was outdated longer than
// an L1TTL ago, and who invalidates never reads the old value again. Afterwards
// invalidations reach the others by the new master.
func TestSentinelFailover(t *testing.T) {
	const ttl = 2 * time.Second
	servers := cachetest.StartGuarded(t)
	short := func(o *cache.Options) { o.L1TTL = ttl; o.L2TTL = time.Hour; o.L2Timeout = 100 * time.Millisecond }
	a, b := instance(t, servers.Client(t), short), instance(t, servers.Client(t), short)

	load := newChanging(t)
	end := load.run(a, b)
	defer end()
	eventually(t, "reads under load", func() bool { return load.reads.Load() > 500 && load.delivered.Load() > 50 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	took, err := servers.FailOver(ctx)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the doubt at the new master", func() bool { return a.Sure() && b.Sure() && a.Pending() == 0 })
	delivered, reads := load.delivered.Load(), load.reads.Load()
	eventually(t, "reads and invalidations by the new master", func() bool {
		return load.delivered.Load() > delivered+50 && load.reads.Load() > reads+500
	})
	end()
	t.Logf("a new master after %v; %d reads, %d invalidations, %d of them deferred, oldest read %v (L1 TTL %v)",
		took, load.reads.Load(), load.delivered.Load(), load.deferred.Load(), load.oldest, ttl)
	if load.deferred.Load() == 0 {
		t.Error("no invalidation failed while there was no master: this test shows nothing")
	}
	// A value's age counts from the end of its load, which a busy machine may hold up.
	if load.oldest > ttl+ttl/4 {
		t.Errorf("a value was served %v after it was outdated", load.oldest)
	}

	// Values that are good for an hour: only the bus drops them.
	eventually(t, "no doubt", func() bool { return a.Sure() && b.Sure() })
	long := []cache.Option{cache.Tags("after"), cache.TTL(time.Hour, time.Hour)}
	l := &counter{}
	computed := func() bool {
		before := l.calls.Load()
		if _, err := cache.Get(t.Context(), b, "after", l.load, long...); err != nil {
			t.Errorf("a caller got %v", err)
		}
		return l.calls.Load() > before
	}
	for range 20 {
		eventually(t, "an answer from memory", func() bool { return !computed() })
		eventually(t, "an invalidation that Redis takes", func() bool { return a.InvalidateTag(t.Context(), "after") == nil })
		eventually(t, "the value gone from the other instance", computed)
	}
}

// changing is a value that changes all the time, written on one instance and read
// on all.
type changing struct {
	t    *testing.T
	stop chan struct{}
	done sync.WaitGroup

	reads, delivered, deferred atomic.Int64

	mu     sync.Mutex
	made   []time.Time   // guarded by mu: when each version became true
	oldest time.Duration // guarded by mu: the longest time after which an outdated one was read
}

func newChanging(t *testing.T) *changing {
	return &changing{t: t, stop: make(chan struct{}), made: []time.Time{time.Now()}}
}

// newest is the version that is true now.
func (c *changing) newest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.made) - 1
}

// get reads by way of an instance, and notes how old it is.
func (c *changing) get(from *cache.Cache) int {
	before := time.Now()
	got, err := cache.Get(c.t.Context(), from, "changing", func(context.Context) (int, error) { return c.newest(), nil }, cache.Tags("changing"))
	if err != nil {
		c.t.Errorf("a caller got %v", err)
	}
	c.reads.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if got+1 < len(c.made) {
		c.oldest = max(c.oldest, before.Sub(c.made[got+1]))
	}
	return got
}

// run writes on the first instance and reads on all until end is called.
func (c *changing) run(writer *cache.Cache, others ...*cache.Cache) (end func()) {
	c.done.Go(func() {
		c.often(func() {
			c.mu.Lock()
			c.made = append(c.made, time.Now())
			now := len(c.made) - 1
			c.mu.Unlock()
			switch err := writer.InvalidateTag(c.t.Context(), "changing"); {
			case err == nil:
				c.delivered.Add(1)
			case errors.Is(err, cache.ErrDeferred):
				c.deferred.Add(1)
			default:
				c.t.Errorf("InvalidateTag: %v", err)
			}
			if got := c.get(writer); got < now {
				c.t.Errorf("the writer read version %d after it had invalidated all before %d", got, now)
			}
		})
	})
	for _, from := range append(others, writer) {
		c.done.Go(func() { c.often(func() { c.get(from) }) })
	}
	return sync.OnceFunc(func() {
		close(c.stop)
		c.done.Wait()
	})
}

// often does something until the end.
func (c *changing) often(do func()) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
			do()
		}
	}
}
