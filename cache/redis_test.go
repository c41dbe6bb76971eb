package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/cache/cachetest"
)

// patient is how long a test waits for what has to come: a busy machine may
// take its time.
const patient = 30 * time.Second

// eventually waits until ok says so.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// testLog is a logger to the test's log.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// instance starts a cache with its Run, and waits until it is out of doubt. It
// ends with the test.
func instance(t testing.TB, client redis.UniversalClient, change ...func(o *cache.Options)) *cache.Cache {
	t.Helper()
	// L2Timeout: nothing may fail because the machine is busy.
	o := cache.Options{Redis: client, L2Timeout: 5 * time.Second, Logger: testLog(t)}
	for _, f := range change {
		f(&o)
	}
	c, err := cache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	eventually(t, "an end of the doubt at the start", c.Sure)
	return c
}

// everywhere runs a test on a single Redis and on a cluster.
func everywhere(t *testing.T, test func(t *testing.T, client func() redis.UniversalClient)) {
	t.Run("single", func(t *testing.T) {
		server := cachetest.StartRedis(t)
		test(t, func() redis.UniversalClient { return server.Client(t) })
	})
	t.Run("cluster", func(t *testing.T) {
		cluster := cachetest.StartCluster(t)
		test(t, func() redis.UniversalClient { return cluster.Client(t) })
	})
}

func TestShared(t *testing.T) {
	everywhere(t, func(t *testing.T, client func() redis.UniversalClient) {
		a, b := instance(t, client()), instance(t, client())
		opts := []cache.Option{cache.Tags("x", "y"), cache.Negative(time.Minute)}
		l := &counter{}
		want(t, a, "k", l, 1, opts...)
		eventually(t, "the value of the other instance", func() bool {
			got, err := cache.Get(t.Context(), b, "k", l.load, opts...)
			return err == nil && got == 1
		})
		if n := l.calls.Load(); n != 1 {
			t.Errorf("%d loads", n)
		}

		// What does not exist is shared too.
		none := &counter{err: cache.ErrNotFound}
		for _, c := range []*cache.Cache{a, b, a, b} {
			if _, err := cache.Get(t.Context(), c, "none", none.load, opts...); !errors.Is(err, cache.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
		}
		if n := none.calls.Load(); n != 1 {
			t.Errorf("%d loads of what does not exist", n)
		}

		// Large ones are compressed.
		long := strings.Repeat("all the same ", 1000)
		for _, c := range []*cache.Cache{a, b} {
			got, err := cache.Get(t.Context(), c, "long", func(context.Context) (string, error) { return long, nil }, opts...)
			if err != nil || got != long {
				t.Errorf("got %d bytes and %v, want %d", len(got), err, len(long))
			}
		}

		// A tag of either kind drops it on both, and in Redis at once.
		for i, tag := range []string{"x", "y"} {
			if err := a.InvalidateTag(t.Context(), tag); err != nil {
				t.Fatal(err)
			}
			want(t, a, "k", l, int64(i)+2, opts...)
			eventually(t, "the new value on the other instance", func() bool {
				got, err := cache.Get(t.Context(), b, "k", l.load, opts...)
				return err == nil && got == int64(i)+2
			})
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, b, "k", l, 4, opts...)
		eventually(t, "the new value after the flush", func() bool {
			got, err := cache.Get(t.Context(), a, "k", l.load, opts...)
			return err == nil && got == 4
		})
	})
}

// TestOneLoad: three instances, one load, however many ask.
func TestOneLoad(t *testing.T) {
	everywhere(t, func(t *testing.T, client func() redis.UniversalClient) {
		var caches []*cache.Cache
		for range 3 {
			caches = append(caches, instance(t, client()))
		}
		for round := range 20 {
			l := &counter{takes: time.Duration(round) * time.Millisecond}
			var wg sync.WaitGroup
			for i := range 300 {
				wg.Go(func() { want(t, caches[i%3], fmt.Sprint("k", round), l, 1, cache.Tags(fmt.Sprint("t", round))) })
			}
			wg.Wait()
			if n := l.calls.Load(); n != 1 {
				t.Errorf("round %d: %d loads", round, n)
			}
		}
	})
}

// TestFailedLoad: a failure is each caller's, the lease is given back, and the
// next one loads.
func TestFailedLoad(t *testing.T) {
	server := cachetest.StartRedis(t)
	a, b := instance(t, server.Client(t)), instance(t, server.Client(t))
	l := &counter{err: errors.New("down")}
	for _, c := range []*cache.Cache{a, b, a} {
		if _, err := cache.Get(t.Context(), c, "k", l.load); !errors.Is(err, l.err) {
			t.Errorf("got %v, want the loader's error", err)
		}
	}
	l.err = nil
	start := time.Now()
	want(t, b, "k", l, 4)
	if took := time.Since(start); took > cache.LeaseLife {
		t.Errorf("waited %v: a lease was not given back", took)
	}
}

// TestHolderDies: others wait for the lease of a dead holder, and no longer.
func TestHolderDies(t *testing.T) {
	server := cachetest.StartRedis(t)
	proxy := cachetest.NewProxy(t, server)
	a, b := instance(t, proxy.Client(t)), instance(t, server.Client(t))
	loading, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		got, err := cache.Get(t.Context(), a, "k", func(context.Context) (int64, error) {
			close(loading)
			<-release
			return 0, nil
		})
		if got != 0 || err != nil {
			t.Errorf("the cut off holder's own caller got %d and %v", got, err)
		}
	})
	<-loading
	proxy.Cut()
	l := &counter{}
	start := time.Now()
	want(t, b, "k", l, 1)
	if took := time.Since(start); took < cache.LeaseLife/3 {
		t.Errorf("waited only %v for a lease of %v", took, cache.LeaseLife)
	}
	// The dead holder comes back: what it loaded is not stored over the newer one.
	proxy.Mend()
	close(release)
	wg.Wait()
	c := instance(t, server.Client(t))
	want(t, c, "k", l, 1)
}

// TestNobodyWaitsForRedis: dead or standing still, Redis costs a caller its
// time-out at most, and causes no error.
func TestNobodyWaitsForRedis(t *testing.T) {
	server := cachetest.StartRedis(t)
	const timeout = 200 * time.Millisecond
	c := instance(t, server.Client(t), func(o *cache.Options) { o.L2Timeout = timeout })
	longest := func(what string) {
		t.Helper()
		l := &counter{}
		var worst atomic.Int64
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				start := time.Now()
				if _, err := cache.Get(t.Context(), c, fmt.Sprint(what, i), l.load, cache.Tags("x")); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				for took := int64(time.Since(start)); ; {
					old := worst.Load()
					if took <= old || worst.CompareAndSwap(old, took) {
						break
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%s: nobody waited longer than %v", what, time.Duration(worst.Load()))
		// The bound is the time-out; what is added is for the machine.
		if w := time.Duration(worst.Load()); w > timeout+2*time.Second {
			t.Errorf("%s: somebody waited %v", what, w)
		}
	}
	longest("well")
	server.Pause(4 * time.Second)
	longest("paused")
	server.Stop()
	longest("dead")
	if err := c.InvalidateTag(t.Context(), "x"); !errors.Is(err, cache.ErrDeferred) {
		t.Errorf("got %v, want ErrDeferred", err)
	}
	server.Start()
	eventually(t, "the invalidation in Redis", func() bool { return c.Pending() == 0 })
	eventually(t, "the end of the doubt", c.Sure)
	longest("back")
}

// TestDeferred: an instance that is cut off has its invalidations delivered
// when it is back, and meanwhile the others serve nothing older than L1TTL.
func TestDeferred(t *testing.T) {
	const ttl = time.Second
	server := cachetest.StartRedis(t)
	proxy := cachetest.NewProxy(t, server)
	short := func(o *cache.Options) { o.L1TTL = ttl; o.L2TTL = time.Hour; o.L2Timeout = 300 * time.Millisecond }
	a, b := instance(t, proxy.Client(t), short), instance(t, server.Client(t), short)
	tagged := cache.Tags("x")
	l := &counter{}
	want(t, b, "k", l, 1, tagged)
	proxy.Cut()
	cut := time.Now()
	if err := a.InvalidateTag(t.Context(), "x"); !errors.Is(err, cache.ErrDeferred) {
		t.Errorf("got %v, want ErrDeferred", err)
	}
	want(t, a, "k", l, 2, tagged) // not from Redis, which has the old one
	for {
		asked := time.Now()
		got, err := cache.Get(t.Context(), b, "k", l.load, tagged)
		if err != nil {
			t.Fatal(err)
		}
		if got > 1 {
			break
		}
		if age := asked.Sub(cut); age > ttl {
			t.Fatalf("the old value was served %v after it was invalidated; L1TTL is %v", age, ttl)
		}
	}
	t.Logf("the other instance served the old value for %v", time.Since(cut))
	proxy.Mend()
	eventually(t, "the invalidation in Redis", func() bool { return a.Pending() == 0 })
	eventually(t, "the end of the doubt here", a.Sure)
	eventually(t, "the end of the doubt there", b.Sure)
}

// TestBackInTime: a Redis that comes back with an old snapshot does not bring
// back what had been invalidated.
func TestBackInTime(t *testing.T) {
	server := cachetest.StartRedis(t, "--save", "3600 1000000")
	client := server.Client(t)
	a, b := instance(t, client), instance(t, server.Client(t))
	tagged := cache.Tags("x")
	l := &counter{}
	want(t, a, "k", l, 1, tagged)
	eventually(t, "the value in Redis", func() bool {
		got, err := cache.Get(t.Context(), b, "k", l.load, tagged)
		return err == nil && got == 1
	})
	if err := client.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := a.InvalidateTag(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	want(t, a, "k", l, 2, tagged)
	server.Restart() // the snapshot: value 1, and a version that makes it good
	if keys := client.Keys(t.Context(), "swapcast:1:{x}:e:k").Val(); len(keys) != 1 {
		t.Fatal("the snapshot was not loaded: this test shows nothing")
	}
	eventually(t, "the end of the doubt", func() bool { return a.Sure() && b.Sure() })
	c := instance(t, server.Client(t))
	for _, c := range []*cache.Cache{c, b, a} { // the one with a new connection first: others may load because theirs broke
		if got, err := cache.Get(t.Context(), c, "k", l.load, tagged); err != nil || got < 2 {
			t.Errorf("got %d and %v after the invalidation", got, err)
		}
	}
}

// TestMissedMessages: what was in memory when the subscription was lost is
// outdated when it is back, however young it is.
func TestMissedMessages(t *testing.T) {
	server := cachetest.StartRedis(t)
	proxy := cachetest.NewProxy(t, server)
	long := func(o *cache.Options) { o.L1TTL = time.Hour; o.L2TTL = time.Hour }
	a, b := instance(t, server.Client(t), long), instance(t, proxy.Client(t), long)
	tagged := cache.Tags("x")
	l := &counter{}
	want(t, b, "k", l, 1, tagged)
	proxy.Cut()
	if err := a.InvalidateTag(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	want(t, b, "k", l, 1, tagged) // it cannot know
	proxy.Mend()
	eventually(t, "the new value", func() bool {
		got, err := cache.Get(t.Context(), b, "k", l.load, tagged)
		return err == nil && got == 2
	})
}

// TestUndelivered: while an invalidation has not reached Redis, what Redis has
// is not believed by who knows of it.
func TestUndelivered(t *testing.T) {
	server := cachetest.StartRedis(t)
	a := instance(t, server.Client(t))
	tagged := cache.Tags("x")
	l := &counter{}
	want(t, a, "k", l, 1, tagged)
	eventually(t, "the value in Redis", func() bool { return server.Client(t).Exists(t.Context(), "swapcast:1:{x}:e:k").Val() == 1 })
	for _, test := range []struct {
		pending string
		value   int64
	}{{"y", 1}, {"x", 2}} {
		// Without a Run: nobody delivers.
		b, err := cache.New(cache.Options{Redis: server.Client(t), L2Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		b.Defer(test.pending)
		want(t, b, "k", l, test.value, tagged)
		b.Close()
	}
}

// TestGraceFromRedis: the older value may come from Redis too.
func TestGraceFromRedis(t *testing.T) {
	server := cachetest.StartRedis(t)
	brief := func(o *cache.Options) {
		o.L1TTL = 200 * time.Millisecond
		o.L2TTL = 200 * time.Millisecond
		o.Jitter = -1
	}
	opts := []cache.Option{cache.Grace(time.Hour), cache.Timeouts(time.Hour, 0)}
	a := instance(t, server.Client(t), brief)
	l := &counter{}
	want(t, a, "k", l, 1, opts...)
	b := instance(t, server.Client(t), brief) // it has nothing in memory
	time.Sleep(300 * time.Millisecond)
	failing := &counter{err: errors.New("down")}
	eventually(t, "the older value, in doubt it is not served", func() bool {
		got, err := cache.Get(t.Context(), b, "k", failing.load, opts...)
		return err == nil && got == 1
	})
}

// TestEarlyRefreshFromRedis: a value that is due by its time in Redis is loaded
// anew once, behind its callers.
func TestEarlyRefreshFromRedis(t *testing.T) {
	server := cachetest.StartRedis(t)
	brief := func(o *cache.Options) { o.L1TTL = 100 * time.Millisecond; o.L2TTL = time.Hour; o.Jitter = -1 }
	early := []cache.Option{cache.EarlyRefresh(0.00001)} // due after 36 ms
	a, b := instance(t, server.Client(t), brief), instance(t, server.Client(t), brief)
	l := &counter{}
	want(t, a, "k", l, 1, early...)
	time.Sleep(150 * time.Millisecond)
	eventually(t, "a newer value", func() bool {
		got, err := cache.Get(t.Context(), b, "k", l.load, early...)
		if err != nil {
			t.Fatal(err)
		}
		return got > 1
	})
}

func TestForeignBytes(t *testing.T) {
	server := cachetest.StartRedis(t)
	client := server.Client(t)
	a := instance(t, client)
	l := &counter{}
	want(t, a, "k", l, 1)
	var keys []string
	eventually(t, "the value in Redis", func() bool {
		keys = client.Keys(t.Context(), "swapcast:*:e:k").Val()
		return len(keys) == 1
	})
	for i, junk := range []string{"", "x", "12345678901234567890123456789012345678901234567890", "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if err := client.Set(t.Context(), keys[0], junk, 0).Err(); err != nil {
			t.Fatal(err)
		}
		b := instance(t, server.Client(t))
		want(t, b, "k", l, int64(i)+2)
		eventually(t, "a good value in the place of the junk", func() bool {
			return client.Get(t.Context(), keys[0]).Val() != junk
		})
	}
}

// TestSentinelClient: the client of a master that sentinels name will do.
func TestSentinelClient(t *testing.T) {
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: "prices", SentinelAddrs: []string{"127.0.0.1:1"}, ContextTimeoutEnabled: true,
	})
	defer client.Close()
	if _, err := cache.New(cache.Options{Redis: client}); err != nil {
		t.Error(err)
	}
}

func TestClientsAreChecked(t *testing.T) {
	for name, client := range map[string]redis.UniversalClient{
		"no context time-outs":            redis.NewClient(&redis.Options{}),
		"no context time-outs, a cluster": redis.NewClusterClient(&redis.ClusterOptions{}),
		"reads from replicas":             redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, ReadOnly: true}),
		"a ring":                          redis.NewRing(&redis.RingOptions{ContextTimeoutEnabled: true}),
	} {
		t.Run(name, func(t *testing.T) {
			defer client.Close()
			if _, err := cache.New(cache.Options{Redis: client}); err == nil {
				t.Error("no error")
			}
		})
	}
}
