package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swapcast/swapcast/cache"
)

// bubble runs a test under virtual time, with a cache that has no jitter.
func bubble(t *testing.T, o cache.Options, test func(t *testing.T, c *cache.Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Jitter = -1
		c, err := cache.New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		test(t, c)
	})
}

// counter is a loader that counts its calls and says how many there were.
type counter struct {
	calls atomic.Int64
	takes time.Duration
	err   error // returned instead, where set
}

func (l *counter) load(ctx context.Context) (int64, error) {
	n := l.calls.Add(1)
	if l.takes > 0 {
		select {
		case <-time.After(l.takes):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if l.err != nil {
		return 0, l.err
	}
	return n, nil
}

// want gets a key and fails unless the answer is that.
func want(t *testing.T, c *cache.Cache, key string, l *counter, value int64, opts ...cache.Option) {
	t.Helper()
	got, err := cache.Get(t.Context(), c, key, l.load, opts...)
	if err != nil || got != value {
		t.Errorf("got %d and %v, want %d", got, err, value)
	}
}

func TestTTL(t *testing.T) {
	bubble(t, cache.Options{L1TTL: 5 * time.Second}, func(t *testing.T, c *cache.Cache) {
		l := &counter{}
		want(t, c, "a", l, 1)
		time.Sleep(5*time.Second - 1)
		want(t, c, "a", l, 1)
		want(t, c, "b", l, 2)
		time.Sleep(time.Nanosecond)
		want(t, c, "a", l, 3)
		want(t, c, "short", l, 4, cache.TTL(time.Second, 0))
		time.Sleep(time.Second)
		want(t, c, "short", l, 5, cache.TTL(time.Second, 0))
		want(t, c, "a", l, 3)
	})
}

func TestStampede(t *testing.T) {
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{takes: time.Second}
		var wg sync.WaitGroup
		for range 10_000 {
			wg.Go(func() { want(t, c, "a", l, 1) })
		}
		wg.Wait()
		if n := l.calls.Load(); n != 1 {
			t.Errorf("%d loads for 10,000 callers", n)
		}
	})
}

func TestLeavingCallerDisturbsNobody(t *testing.T) {
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{takes: time.Second}
		ctx, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			if _, err := cache.Get(ctx, c, "a", l.load); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the caller's deadline", err)
			}
			if took := time.Since(start); took != time.Millisecond {
				t.Errorf("waited %v, a millisecond was allowed", took)
			}
		})
		synctest.Wait()
		wg.Go(func() { want(t, c, "a", l, 1) })
		wg.Wait()
		want(t, c, "a", l, 1)
	})
}

func TestInvalidation(t *testing.T) {
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{}
		want(t, c, "a", l, 1, cache.Tags("x", "y"))
		want(t, c, "b", l, 2, cache.Tags("z"))
		if err := c.InvalidateTag(t.Context(), "y"); err != nil {
			t.Fatal(err)
		}
		want(t, c, "a", l, 3, cache.Tags("x", "y"))
		want(t, c, "b", l, 2, cache.Tags("z"))
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, c, "a", l, 4, cache.Tags("x", "y"))
		want(t, c, "b", l, 5, cache.Tags("z"))
	})
}

// TestStaleLoad: what a load gives that began before an invalidation reaches
// those who asked before it, and nobody else.
func TestStaleLoad(t *testing.T) {
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{takes: time.Second}
		var wg sync.WaitGroup
		wg.Go(func() { want(t, c, "a", l, 1, cache.Tags("x")) })
		synctest.Wait()
		c.InvalidateTag(t.Context(), "x")
		wg.Go(func() { want(t, c, "a", l, 2, cache.Tags("x")) })
		synctest.Wait()
		wg.Go(func() { want(t, c, "a", l, 2, cache.Tags("x")) })
		wg.Wait()
		want(t, c, "a", l, 2, cache.Tags("x"))
	})
}

func TestGraceWhileRefreshing(t *testing.T) {
	grace := []cache.Option{cache.Grace(time.Minute)}
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{}
		want(t, c, "a", l, 1, grace...)
		l.takes = time.Second
		time.Sleep(6 * time.Second)
		start := time.Now()
		want(t, c, "a", l, 1, grace...)
		want(t, c, "a", l, 1, grace...)
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v for a value in its grace", took)
		}
		time.Sleep(2 * time.Second)
		want(t, c, "a", l, 2, grace...)
		time.Sleep(66 * time.Second) // past the grace: the caller waits
		want(t, c, "a", l, 3, grace...)

		// Invalidated: no grace.
		c2 := append([]cache.Option{cache.Tags("x")}, grace...)
		want(t, c, "b", l, 4, c2...)
		c.InvalidateTag(t.Context(), "x")
		want(t, c, "b", l, 5, c2...)
	})
}

func TestSoftTimeout(t *testing.T) {
	opts := []cache.Option{cache.Grace(time.Minute), cache.Timeouts(500*time.Millisecond, 10*time.Second)}
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{}
		want(t, c, "a", l, 1, opts...)
		l.takes = 400 * time.Millisecond
		time.Sleep(6 * time.Second)
		want(t, c, "a", l, 2, opts...) // in time
		l.takes = 600 * time.Millisecond
		time.Sleep(6 * time.Second)
		start := time.Now()
		want(t, c, "a", l, 2, opts...) // too slow: the older one
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("waited %v, the soft time-out is 500ms", took)
		}
		time.Sleep(time.Second)
		want(t, c, "a", l, 3, opts...) // the load went on
	})
}

func TestGraceWhenLoadFails(t *testing.T) {
	opts := []cache.Option{cache.Grace(time.Minute), cache.Timeouts(time.Hour, 0)}
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{}
		want(t, c, "a", l, 1, opts...)
		time.Sleep(6 * time.Second)
		l.err = errors.New("down")
		want(t, c, "a", l, 1, opts...)
		want(t, c, "a", l, 1, opts...)
		if n := l.calls.Load(); n != 2 {
			t.Errorf("the loader was asked %d times; it is left alone for a second after a failure", n)
		}
		time.Sleep(time.Second)
		want(t, c, "a", l, 1, opts...)
		if n := l.calls.Load(); n != 3 {
			t.Errorf("the loader was asked %d times, want 3", n)
		}
		time.Sleep(time.Minute)
		if _, err := cache.Get(t.Context(), c, "a", l.load, opts...); !errors.Is(err, l.err) {
			t.Errorf("got %v past the grace, want the loader's error", err)
		}
	})
}

func TestHardTimeout(t *testing.T) {
	hard := cache.Timeouts(0, time.Second)
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		release := make(chan struct{})
		deaf := func(context.Context) (int, error) { <-release; return 1, nil }
		start := time.Now()
		if _, err := cache.Get(t.Context(), c, "a", deaf, hard); !errors.Is(err, cache.ErrLoadTimeout) {
			t.Errorf("got %v, want ErrLoadTimeout", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("waited %v, the hard time-out is 1s", took)
		}
		l := &counter{takes: time.Minute}
		if _, err := cache.Get(t.Context(), c, "b", l.load, hard); !errors.Is(err, cache.ErrLoadTimeout) {
			t.Errorf("got %v, want ErrLoadTimeout", err)
		}
		close(release)
	})
}

func TestEarlyRefresh(t *testing.T) {
	early := cache.EarlyRefresh(0.8)
	bubble(t, cache.Options{L1TTL: 10 * time.Second}, func(t *testing.T, c *cache.Cache) {
		l := &counter{}
		want(t, c, "a", l, 1, early)
		l.takes = time.Second
		time.Sleep(7 * time.Second)
		want(t, c, "a", l, 1, early)
		synctest.Wait()
		if n := l.calls.Load(); n != 1 {
			t.Errorf("refreshed at 0.7 of the TTL")
		}
		time.Sleep(time.Second)
		for range 100 {
			want(t, c, "a", l, 1, early)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want(t, c, "a", l, 2, early) // before the first would have expired, and nobody waited
		if n := l.calls.Load(); n != 2 {
			t.Errorf("%d loads, want one early refresh for 100 hits", n-1)
		}
	})
}

func TestNegative(t *testing.T) {
	opt := cache.Negative(time.Second)
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{err: fmt.Errorf("wallet 7xK: %w", cache.ErrNotFound)}
		for range 3 {
			if _, err := cache.Get(t.Context(), c, "a", l.load, opt); !errors.Is(err, cache.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
		}
		if n := l.calls.Load(); n != 1 {
			t.Errorf("%d loads, want one", n)
		}
		time.Sleep(time.Second)
		l.err = nil
		want(t, c, "a", l, 2, opt)

		failing := &counter{err: errors.New("down")}
		for range 3 {
			cache.Get(t.Context(), c, "b", failing.load, opt)
		}
		if n := failing.calls.Load(); n != 3 {
			t.Errorf("%d loads: an error that is not ErrNotFound must not be kept", n)
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		_, err := cache.Get(t.Context(), c, "a", func(context.Context) (int, error) { panic("at the disco") })
		if err == nil || err.Error() != "cache: loader panicked: at the disco" {
			t.Errorf("got %v", err)
		}
	})
}

func TestClosedAndNil(t *testing.T) {
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		l := &counter{takes: time.Second}
		var wg sync.WaitGroup
		wg.Go(func() { want(t, c, "a", l, 2) }) // its load is cancelled, then it loads by itself
		synctest.Wait()
		c.Close()
		c.Close()
		wg.Wait()
		want(t, c, "a", l, 3)
		want(t, c, "a", l, 4)
		want(t, nil, "a", l, 5)
	})
}

func TestRun(t *testing.T) {
	bubble(t, cache.Options{}, func(t *testing.T, c *cache.Cache) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		l := &counter{}
		want(t, c, "a", l, 1)
		time.Sleep(time.Minute)
		if err := c.Run(ctx); err == nil {
			t.Error("a second Run was allowed")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]cache.Options{
		"short L1TTL":   {L1TTL: time.Millisecond},
		"L2 below L1":   {L1TTL: time.Minute, L2TTL: time.Second},
		"negative size": {MaxBytes: -1},
		"jitter":        {Jitter: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cache.New(o); err == nil {
				t.Error("no error")
			}
		})
	}
}
