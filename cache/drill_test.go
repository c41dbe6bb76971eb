package cache_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swapcast/swapcast/cache/cachetest"
)

// full reports whether the drills are to run at their full length, which
// `make cache-drill` asks for.
func full() bool { return os.Getenv("SWAPCAST_DRILL") == "1" }

// TestDrillStampede: three processes, 10,000 requests at once for one cold key:
// one load. For 1,000 keys: 1,000.
func TestDrillStampede(t *testing.T) {
	requests := 1500
	if full() {
		requests = 10_000
	}
	drill := func(t *testing.T, redis []string) {
		f := startFleet(t, nodeConfig{L1TTL: time.Minute, L2Timeout: 10 * time.Second, Takes: 300 * time.Millisecond}, redis, redis, redis)
		f.stampede(requests, 0, 1)
		f.stampede(requests, 1000, requests/10)
	}
	t.Run("single", func(t *testing.T) { drill(t, []string{cachetest.StartRedis(t).Addr}) })
	t.Run("cluster", func(t *testing.T) { drill(t, cachetest.StartCluster(t).Addrs()) })
}

// stampede has requests for keys from first on, spread over the nodes, made at once.
func (f *fleet) stampede(requests, first, keys int) {
	f.t.Helper()
	before := atomic.LoadUint64(&f.truth.loads)
	waits := make([]int64, requests)
	all := make([]int64, requests)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range requests {
		wg.Go(func() {
			<-start
			began := time.Now()
			body, err := f.try(i%3, "/get", url.Values{"key": {strconv.Itoa(first + i%keys)}})
			all[i] = time.Since(began).Microseconds()
			var v int64
			if _, errScan := fmt.Sscan(string(body), &v, &waits[i]); err != nil || errScan != nil {
				f.t.Errorf("request %d: %v %v", i, err, errScan)
			}
		})
	}
	close(start)
	wg.Wait()
	loads := atomic.LoadUint64(&f.truth.loads) - before
	f.t.Logf("%d requests at once over 3 processes, %d cold keys, a load takes 300ms: %d loads; a caller waits for the cache p50 %v p99 %v, for the HTTP answer p99 %v",
		requests, keys, loads, quantile(waits, .5), quantile(waits, .99), quantile(all, .99))
	if loads != uint64(keys) {
		f.t.Errorf("%d loads for %d keys", loads, keys)
	}
}

// TestDrillInvalidation: one instance invalidates again and again, all three
// read all the time. No read is older than an invalidation that its process has
// seen the effect of.
func TestDrillInvalidation(t *testing.T) {
	rounds := 400
	if full() {
		rounds = 100_000
	}
	drill := func(t *testing.T, redis []string) {
		f := startFleet(t, nodeConfig{L1TTL: 5 * time.Second, L2Timeout: 10 * time.Second}, redis, redis, redis)
		w, seen := f.readWhile(func() []byte { return f.call(0, "/write", url.Values{"rounds": {strconv.Itoa(rounds)}}) })
		gone := append(seen[1].GoneUS, seen[2].GoneUS...)
		f.t.Logf("%d rounds: InvalidateTag p50 %v p99 %v; from receipt on one instance to gone from the other two p50 %v p99 %v (%d seen)",
			w.Rounds, quantile(w.TookUS, .5), quantile(w.TookUS, .99), quantile(gone, .5), quantile(gone, .99), len(gone))
		if w.Deferred > 0 || w.Stale > 0 || w.Rounds != int64(rounds) {
			t.Errorf("%d of %d rounds, %d deferred, %d stale reads by the writer", w.Rounds, rounds, w.Deferred, w.Stale)
		}
		for i, r := range seen {
			f.t.Logf("instance %d: %d reads, %d stale, %d errors, oldest %.1f ms", i, r.Reads, r.Stale, r.Errors, r.OldestMS)
			if r.Stale > 0 || r.Errors > 0 || r.Reads == 0 {
				t.Errorf("instance %d: %d reads, %d stale, %d errors (%s)", i, r.Reads, r.Stale, r.Errors, r.Error)
			}
		}
	}
	t.Run("single", func(t *testing.T) { drill(t, []string{cachetest.StartRedis(t).Addr}) })
	t.Run("cluster", func(t *testing.T) { drill(t, cachetest.StartCluster(t).Addrs()) })
}

// readWhile has all nodes read while f runs, and returns what the writer and
// the readers tell.
func (f *fleet) readWhile(write func() []byte) (w written, seen [3]readings) {
	f.t.Helper()
	for i := range f.addrs {
		f.call(i, "/read", nil)
	}
	raw := write()
	time.Sleep(50 * time.Millisecond) // the last is to be seen too
	if err := json.Unmarshal(raw, &w); err != nil {
		f.t.Errorf("%s: %v", raw, err)
	}
	for i := range f.addrs {
		if err := json.Unmarshal(f.call(i, "/stop", nil), &seen[i]); err != nil {
			f.t.Error(err)
		}
	}
	return w, seen
}

// fault is something that happens to Redis.
type fault struct {
	name string
	do   func()
}

// TestDrillFaults: the same while Redis is restarted, connections are cut, the
// subscribers killed and Redis paused. Nobody reads what was outdated longer
// than an L1TTL ago, nobody gets an error, and who invalidates never reads the
// old value again.
func TestDrillFaults(t *testing.T) {
	ttl, lasts := 400*time.Millisecond, 400*time.Millisecond // each fault once, the short ones more often
	if full() {
		ttl, lasts = 2*time.Second, 20*time.Second
	}
	long := ttl + ttl/2
	away := func(s *cachetest.Server) { s.Stop(); time.Sleep(long); s.Start() }
	config := nodeConfig{L1TTL: ttl, L2Timeout: 100 * time.Millisecond}
	beside := func(t *testing.T) {
		if !full() {
			t.Parallel() // what takes time is waiting
		}
	}
	t.Run("single", func(t *testing.T) {
		beside(t)
		server := cachetest.StartRedis(t)
		proxies := [3]*cachetest.Proxy{}
		var addrs [][]string
		for i := range proxies {
			proxies[i] = cachetest.NewProxy(t, server)
			addrs = append(addrs, []string{proxies[i].Addr})
		}
		cut := func(i int) func() {
			return func() {
				proxies[i].Cut()
				time.Sleep(long)
				proxies[i].Mend()
			}
		}
		startFleet(t, config, addrs...).suffer(ttl, lasts, []fault{
			{"Redis restarted", server.Restart},
			{"Redis away for longer than an L1TTL", func() { away(server) }},
			{"the writer's connections cut, as long", cut(0)},
			{"a reader's connections cut, as long", cut(1)},
			{"all connections killed", func() { server.KillClients() }},
			{"subscribers killed", func() { server.KillPubSub() }},
			{"CLIENT PAUSE, as long", func() { server.Pause(long) }},
		})
	})
	t.Run("cluster", func(t *testing.T) {
		beside(t)
		cluster := cachetest.StartCluster(t)
		addrs := cluster.Addrs()
		turn := 0
		next := func() *cachetest.Server { // one of them has the bus, all have values
			turn++
			return cluster.Servers[turn%len(cluster.Servers)]
		}
		startFleet(t, config, addrs, addrs, addrs).suffer(ttl, lasts, []fault{
			{"masters restarted in turn", func() { next().Restart(); cluster.WaitUntilWell(t) }},
			{"masters restarted before the last one is well", func() { next().Restart() }},
			{"masters away for longer than an L1TTL, in turn", func() { away(next()); cluster.WaitUntilWell(t) }},
		})
	})
}

// suffer has one node write and all read while each fault happens again and again.
func (f *fleet) suffer(ttl, lasts time.Duration, faults []fault) {
	f.t.Helper()
	all := f.t
	defer func() { f.t = all }()
	for _, fault := range faults {
		all.Run(fault.name, func(t *testing.T) {
			f.t = t
			var times int
			w, seen := f.readWhile(func() []byte {
				var raw []byte
				var wg sync.WaitGroup
				wg.Go(func() {
					raw = f.call(0, "/write", url.Values{"seconds": {fmt.Sprint((lasts + ttl).Seconds())}, "pause": {"2ms"}})
				})
				for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(ttl / 4) {
					fault.do()
					times++
				}
				wg.Wait()
				return raw
			})
			t.Logf("%d times in %v, %d rounds, %d invalidations deferred", times, lasts, w.Rounds, w.Deferred)
			if w.Stale > 0 {
				t.Errorf("%d reads by the writer that are older than its own invalidations", w.Stale)
			}
			for i, r := range seen {
				t.Logf("instance %d: %d reads, %d errors, oldest %.1f ms", i, r.Reads, r.Errors, r.OldestMS)
				if r.Errors > 0 || r.OldestMS > float64(ttl.Milliseconds()) || r.Reads == 0 {
					t.Errorf("instance %d: %d reads, %d errors (%s), oldest %.1f ms; the L1 TTL is %v", i, r.Reads, r.Errors, r.Error, r.OldestMS, ttl)
				}
			}
			f.sure()
		})
	}
}
