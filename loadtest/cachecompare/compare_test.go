package cachecompare

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/viccon/sturdyc"

	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/cache/cachetest"
)

// portfolio is what is cached: 20 holdings, about 1.5 kB in JSON. node/bench.mjs
// has the same.
type portfolio struct {
	Owner    string    `json:"owner"`
	Value    float64   `json:"value"`
	Holdings []holding `json:"holdings"`
}

type holding struct {
	Mint   string  `json:"mint"`
	Amount string  `json:"amount"`
	Price  float64 `json:"price"`
}

func newPortfolio() portfolio {
	p := portfolio{Owner: "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU", Value: 1234.5}
	for i := range 20 {
		p.Holdings = append(p.Holdings, holding{fmt.Sprintf("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt%02d", i), "1500000000", 1.5})
	}
	return p
}

const (
	sharedKeys = 5000   // read once each from Redis
	callers    = 10_000 // at once for one cold key
	takes      = 100 * time.Millisecond
)

// line is one figure.
type line struct {
	Group string  `json:"group"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Note  string  `json:"note"`
}

// TestCompare prints the table. Run it with -v; it is not part of any other test run.
func TestCompare(t *testing.T) {
	server := cachetest.StartRedis(t)
	var lines []line
	lines = append(lines, memoryHits(t, server)...)
	lines = append(lines, redisHits(t, server)...)
	lines = append(lines, stampedes(t, server)...)
	lines = append(lines, bento(t, server)...)
	for _, group := range []string{"L1 hit", "L2 hit", "stampede"} {
		t.Logf("%s", group)
		for _, l := range lines {
			if l.Group == group {
				t.Logf("    %-34s %12.1f %-8s %s", l.Name, l.Value, l.Unit, l.Note)
			}
		}
	}
}

func options(client redis.UniversalClient) cache.Options {
	return cache.Options{Redis: client, L1TTL: time.Hour, L2TTL: time.Hour, L2Timeout: 10 * time.Second, Jitter: -1}
}

// start runs an instance until the test ends.
func start(t *testing.T, server *cachetest.Server) *cache.Cache {
	t.Helper()
	c, err := cache.New(options(server.Client(t)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

// must ends the program: benchmarks run on goroutines of their own.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// memoryHits is the same key again and again.
func memoryHits(t *testing.T, server *cachetest.Server) []line {
	ctx := context.Background()
	const key = "portfolio:7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU:value"
	p := newPortfolio()
	load := func(context.Context) (portfolio, error) { return p, nil }
	c := start(t, server)
	alone := must(cache.New(options(nil)))
	defer alone.Close()
	wrapped := cache.Func(c, cache.Spec{Name: "portfolio:{0}:value", Tags: []string{"portfolio:{0}"}},
		func(context.Context, string) (portfolio, error) { return p, nil })
	o := must(otter.New(&otter.Options[string, *portfolio]{MaximumSize: 10_000}))
	o.Set(key, &p)
	r := must(ristretto.NewCache(&ristretto.Config[string, *portfolio]{NumCounters: 1e5, MaxCost: 1 << 20, BufferItems: 64}))
	defer r.Close()
	r.SetWithTTL(key, &p, 1, time.Hour)
	r.Wait()
	s := sturdyc.New[portfolio](10_000, 10, time.Hour, 10)
	csc := must(rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}}))
	defer csc.Close()
	must(0, csc.Do(ctx, csc.B().Set().Key(key).Value(string(must(json.Marshal(p)))).Build()).Error())

	// The best of many batches: what else runs on the machine only ever adds.
	bench := func(name, note string, f func()) line {
		const batches, calls = 60, 5000
		best := time.Hour
		for range batches {
			start := time.Now()
			for range calls {
				f()
			}
			best = min(best, time.Since(start))
		}
		return line{"L1 hit", name, float64(best.Nanoseconds()) / calls, "ns", fmt.Sprintf("%.0f allocations %s", testing.AllocsPerRun(1000, f), note)}
	}
	return []line{
		bench("swapcast cache.Get, memory alone", "", func() { must(cache.Get(ctx, alone, key, load)) }),
		bench("swapcast cache.Get, two tiers", "", func() { must(cache.Get(ctx, c, key, load)) }),
		bench("swapcast cache.Func", "(makes the key)", func() { must(wrapped(ctx, p.Owner)) }),
		bench("otter v2.4.0 alone", "(no expiry: what the cache builds on)", func() { o.GetIfPresent(key) }),
		bench("ristretto v2.4.2 alone", "(with a TTL)", func() { r.Get(key) }),
		bench("sturdyc v1.1.5 GetOrFetch", "", func() { must(s.GetOrFetch(ctx, key, load)) }),
		bench("rueidis v1.0.79 DoCache", "(the text; not decoded)", func() {
			must(csc.DoCache(ctx, csc.B().Get().Key(key).Cache(), time.Hour).ToString())
		}),
	}
}

// redisHits reads keys that another instance has stored, each once.
func redisHits(t *testing.T, server *cachetest.Server) []line {
	ctx := context.Background()
	p := newPortfolio()
	a, b := start(t, server), start(t, server)
	tag := cache.Tags("all")
	loads := 0
	load := func(context.Context) (portfolio, error) { loads++; return p, nil }
	raw := must(json.Marshal(p))
	client := server.Client(t)
	for i := range sharedKeys {
		must(cache.Get(ctx, a, fmt.Sprint("k", i), load, tag))
		must(0, client.Set(ctx, fmt.Sprint("plain", i), raw, time.Hour).Err())
	}
	time.Sleep(200 * time.Millisecond) // the last are being stored
	loads = 0
	measure := func(name, note string, f func(i int)) line {
		took := make([]int64, sharedKeys)
		for i := range took {
			start := time.Now()
			f(i)
			took[i] = time.Since(start).Nanoseconds()
		}
		slices.Sort(took)
		return line{"L2 hit", name, float64(took[len(took)/2]) / 1000, "us p50", fmt.Sprintf("p99 %.1f us %s", float64(took[len(took)*99/100])/1000, note)}
	}
	lines := []line{
		measure("go-redis GET and json.Unmarshal", "", func(i int) {
			var got portfolio
			must(0, json.Unmarshal(must(client.Get(ctx, fmt.Sprint("plain", i)).Bytes()), &got))
		}),
		measure("go-redis GET", "(not decoded)", func(i int) { must(client.Get(ctx, fmt.Sprint("plain", i)).Bytes()) }),
		measure("swapcast cache.Get, one tag", "", func(i int) { must(cache.Get(ctx, b, fmt.Sprint("k", i), load, tag)) }),
	}
	if loads > 0 {
		t.Errorf("%d of the keys were not in Redis", loads)
	}
	return lines
}

// stampedes has callers ask at once for a key that nobody has: of one instance,
// and of three that share a Redis.
func stampedes(t *testing.T, server *cachetest.Server) []line {
	ctx := context.Background()
	p := newPortfolio()
	var loads atomic.Int64
	load := func(context.Context) (portfolio, error) {
		loads.Add(1)
		time.Sleep(takes)
		return p, nil
	}
	measure := func(name, note string, get func(i int)) line {
		loads.Store(0)
		waits := make([]int64, callers)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i := range callers {
			wg.Go(func() {
				<-begin
				start := time.Now()
				get(i)
				waits[i] = time.Since(start).Microseconds()
			})
		}
		close(begin)
		wg.Wait()
		slices.Sort(waits)
		return line{"stampede", name, float64(waits[callers*99/100]) / 1000, "ms p99", fmt.Sprintf("%d loads %s", loads.Load(), note)}
	}
	alone := must(cache.New(options(nil)))
	defer alone.Close()
	three := []*cache.Cache{start(t, server), start(t, server), start(t, server)}
	s := sturdyc.New[portfolio](10_000, 10, time.Hour, 10)
	var s3 []*sturdyc.Client[portfolio]
	for range 3 {
		s3 = append(s3, sturdyc.New[portfolio](10_000, 10, time.Hour, 10))
	}
	return []line{
		measure("swapcast, 1 instance", "", func(int) { must(cache.Get(ctx, alone, "cold", load)) }),
		measure("swapcast, 3 instances over Redis", "", func(i int) { must(cache.Get(ctx, three[i%3], "cold", load, cache.Tags("t"))) }),
		measure("sturdyc v1.1.5, 1 instance", "", func(int) { must(s.GetOrFetch(ctx, "cold", load)) }),
		measure("sturdyc v1.1.5, 3 instances", "(it has no second tier of its own)", func(i int) { must(s3[i%3].GetOrFetch(ctx, "cold", load)) }),
	}
}

// bento runs the same on Node.js.
func bento(t *testing.T, server *cachetest.Server) []line {
	if _, err := os.Stat("node/node_modules/bentocache"); err != nil {
		t.Fatal("BentoCache is not installed: make bench-cache does")
	}
	cmd := exec.Command("node", "--expose-gc", "node/bench.mjs")
	cmd.Env = append(os.Environ(), "REDIS="+server.Addr)
	cmd.Stderr = t.Output()
	out := must(cmd.StdoutPipe())
	must(0, cmd.Start())
	var lines []line
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var l line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Errorf("%s: %v", scan.Bytes(), err)
			continue
		}
		lines = append(lines, l)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("BentoCache: %v", err)
	}
	return lines
}
