package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast/cache"
)

// TestStaleLoadCannotBeStored races loads against invalidations: what a load
// has read before an invalidation is never served to who asks after it, by the
// instance that invalidated, or by others, who have it from Redis if at all.
// Each round has a key of its own.
func TestStaleLoadCannotBeStored(t *testing.T) {
	rounds, alone := 800, 5000
	if full() {
		rounds, alone = 100_000, 100_000
	}
	t.Run("memory", func(t *testing.T) {
		race(t, alone, newCache(t), nil, nil)
	})
	everywhere(t, func(t *testing.T, client func() redis.UniversalClient) {
		shared := client()
		race(t, rounds, instance(t, client()), instance(t, client()), func() *cache.Cache {
			// Not of the bus, and never too old for what the test stores.
			c, err := cache.New(cache.Options{Redis: shared, L1TTL: time.Hour, L2TTL: time.Hour, L2Timeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			return c
		})
	})
}

// race has b, or a where b is nil, load while a invalidates. reader makes
// instances that know nothing but what is in Redis.
func race(t *testing.T, rounds int, a, b *cache.Cache, reader func() *cache.Cache) {
	if b == nil {
		b = a
	}
	const batch = 100
	var raced, wrong atomic.Int64
	var wg sync.WaitGroup
	work := make(chan int)
	for range 4 {
		wg.Go(func() {
			for first := range work {
				for round := first; round < first+batch; round++ {
					if raceOnce(t, a, b, round) {
						raced.Add(1)
					}
				}
				if reader == nil {
					continue
				}
				// Whatever was stored late is there now.
				c := reader()
				for round := first; round < first+batch; round++ {
					v, err := cache.Get(t.Context(), c, fmt.Sprint("race", round), func(context.Context) (int, error) { return 2, nil },
						cache.Tags(fmt.Sprint("tag", round)))
					if err != nil || v != 2 {
						wrong.Add(1)
					}
				}
				c.Close()
			}
		})
	}
	for first := 0; first < rounds; first += batch {
		work <- first
	}
	close(work)
	wg.Wait()
	t.Logf("%d rounds; in %d of them the load had read the old value and ended after the invalidation began", rounds, raced.Load())
	if raced.Load() < int64(rounds/10) {
		t.Errorf("only %d of %d rounds were a race: this test shows nothing", raced.Load(), rounds)
	}
	if wrong.Load() > 0 {
		t.Errorf("%d stale values were found in Redis", wrong.Load())
	}
}

// raceOnce is one round. It returns whether the load was stale when it ended.
func raceOnce(t *testing.T, a, b *cache.Cache, round int) bool {
	key, tags := fmt.Sprint("race", round), cache.Tags(fmt.Sprint("tag", round))
	var truth atomic.Int64
	truth.Store(1)
	read := make(chan struct{})
	var once sync.Once
	load := func(context.Context) (int, error) {
		v := int(truth.Load())
		once.Do(func() { close(read) })
		for range rand.N(50) {
			runtime.Gosched()
		}
		return v, nil
	}
	loaded := make(chan int, 1)
	go func() {
		v, err := cache.Get(t.Context(), b, key, load, tags)
		if err != nil {
			t.Error(err)
		}
		loaded <- v
	}()
	<-read
	truth.Store(2)
	// Who asks while it is being invalidated may get either, and must leave nothing behind.
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if _, err := cache.Get(t.Context(), a, key, load, tags); err != nil {
			t.Error(err)
		}
	}()
	if err := a.InvalidateTag(t.Context(), fmt.Sprint("tag", round)); err != nil {
		t.Error(err)
	}
	if v, err := cache.Get(t.Context(), a, key, load, tags); err != nil || v != 2 {
		t.Errorf("round %d: got %d and %v after the invalidation", round, v, err)
	}
	v := <-loaded
	<-asked
	if v2, err := cache.Get(t.Context(), a, key, load, tags); err != nil || v2 != 2 {
		t.Errorf("round %d: got %d and %v after the stale load ended", round, v2, err)
	}
	return v == 1
}
