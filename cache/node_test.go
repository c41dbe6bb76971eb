package cache_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast/cache"
)

// The drills run server processes: this test binary, started again with
// nodeVariable set, serves HTTP with a cache of its own. What is true, and
// since when, is in memory that all of them map.

// nodeVariable has the configuration of a node, in JSON.
const nodeVariable = "SWAPCAST_CACHE_NODE"

// nodeConfig is what a node is told.
type nodeConfig struct {
	Truth     string
	Redis     []string // addresses; several are a cluster
	L1TTL     time.Duration
	L2Timeout time.Duration
	Takes     time.Duration // of a load; 0: a random time up to a millisecond
}

const (
	drillKeys     = 8
	drillVersions = 1 << 15 // of each key
)

// truth is the mapped memory.
type truth struct {
	loads    uint64 // calls of loaders in all processes
	newest   [drillKeys]uint64
	made     [drillKeys][drillVersions]int64 // when a version became true, in Unix nanoseconds
	dropped  [drillKeys][drillVersions]int64 // when the invalidation of what was before was done; 0 never, or deferred
	_padding uint64
}

// mapTruth maps the file.
func mapTruth(path string) (*truth, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := int(unsafe.Sizeof(truth{}))
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	raw, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*truth)(unsafe.Pointer(&raw[0])), nil
}

// node is one server process.
type node struct {
	cache *cache.Cache
	truth *truth
	takes time.Duration

	floor [drillKeys]atomic.Uint64 // nothing older may be read here any more

	mu      sync.Mutex
	stop    context.CancelFunc
	readers sync.WaitGroup
	readings
}

// readings are what readers saw.
type readings struct {
	Reads    int64
	Errors   int64
	Error    string  // one of them
	Stale    int64   // older than the floor
	OldestMS float64 // longest time after which an outdated value was served
	GoneUS   []int64 // from an event's receipt elsewhere to the value gone from here, microseconds
}

// runNode is the program of a node.
func runNode(text string) error {
	var config nodeConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	truth, err := mapTruth(config.Truth)
	if err != nil {
		return err
	}
	var client redis.UniversalClient = redis.NewUniversalClient(&redis.UniversalOptions{Addrs: config.Redis, ContextTimeoutEnabled: true})
	defer client.Close()
	redis.SetLogger(quiet{})
	c, err := cache.New(cache.Options{
		Redis: client, L1TTL: config.L1TTL, L2TTL: max(time.Minute, config.L1TTL), L2Timeout: config.L2Timeout,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	n := &node{cache: c, truth: truth, takes: config.Takes}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/get", n.serveGet)
	mux.HandleFunc("/write", n.serveWrite)
	mux.HandleFunc("/read", n.serveRead)
	mux.HandleFunc("/stop", n.serveStop)
	mux.HandleFunc("/sure", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.Sure() && c.Pending() == 0) })
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	go func() { // the parent's end is this one's
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(l.Addr())
	err = c.Run(ctx)
	server.Close()
	return err
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// load counts, and says what is true.
func (n *node) load(key int) func(context.Context) (uint64, error) {
	return func(ctx context.Context) (uint64, error) {
		atomic.AddUint64(&n.truth.loads, 1)
		v := atomic.LoadUint64(&n.truth.newest[key%drillKeys])
		takes := n.takes
		if takes == 0 {
			takes = rand.N(time.Millisecond)
		}
		select {
		case <-time.After(takes):
			return v, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (n *node) get(ctx context.Context, key int) (uint64, error) {
	return cache.Get(ctx, n.cache, "drill:"+strconv.Itoa(key), n.load(key), cache.Tags("drill:"+strconv.Itoa(key)))
}

// serveGet answers with a value and how long it was waited for.
func (n *node) serveGet(w http.ResponseWriter, r *http.Request) {
	key, _ := strconv.Atoi(r.FormValue("key"))
	start := time.Now()
	v, err := n.get(r.Context(), key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%d %d", v, time.Since(start).Microseconds())
}

// written is what a writer did.
type written struct {
	Rounds   int64
	Deferred int64
	Stale    int64 // reads here after an invalidation here that were older
	TookUS   []int64
}

// serveWrite makes new versions and invalidates the old ones, rounds times or
// until seconds are over.
func (n *node) serveWrite(w http.ResponseWriter, r *http.Request) {
	rounds, _ := strconv.Atoi(r.FormValue("rounds"))
	seconds, _ := strconv.ParseFloat(r.FormValue("seconds"), 64)
	pause, _ := time.ParseDuration(r.FormValue("pause"))
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var out written
	for i := 0; i < rounds || (rounds == 0 && time.Now().Before(end)); i++ {
		key := i % drillKeys
		v := atomic.LoadUint64(&n.truth.newest[key]) + 1
		if v >= drillVersions {
			break
		}
		start := time.Now()
		atomic.StoreInt64(&n.truth.made[key][v], start.UnixNano())
		atomic.StoreUint64(&n.truth.newest[key], v)
		err := n.cache.InvalidateTag(r.Context(), "drill:"+strconv.Itoa(key))
		n.floor[key].Store(v) // also where it is deferred
		if err == nil {
			atomic.StoreInt64(&n.truth.dropped[key][v], time.Now().UnixNano())
		} else {
			out.Deferred++
		}
		out.TookUS = append(out.TookUS, time.Since(start).Microseconds())
		if got, err := n.get(r.Context(), key); err != nil || got < v {
			out.Stale++
		}
		out.Rounds++
		if pause > 0 {
			time.Sleep(pause)
		}
	}
	json.NewEncoder(w).Encode(out)
}

// serveRead starts readers, one for each key.
func (n *node) serveRead(http.ResponseWriter, *http.Request) {
	ctx, cancel := context.WithCancel(context.Background())
	n.mu.Lock()
	n.stop, n.readings = cancel, readings{}
	n.mu.Unlock()
	for key := range drillKeys {
		n.readers.Go(func() { n.read(ctx, key) })
	}
}

// serveStop stops them and tells what they saw.
func (n *node) serveStop(w http.ResponseWriter, _ *http.Request) {
	n.stop()
	n.readers.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	json.NewEncoder(w).Encode(n.readings)
}

// read reads one key again and again and holds what it gets against the truth.
func (n *node) read(ctx context.Context, key int) {
	var mine readings
	var oldest time.Duration
	last := atomic.LoadUint64(&n.truth.newest[key])
	for ctx.Err() == nil {
		floor := n.floor[key].Load()
		before := time.Now()
		got, err := n.get(context.Background(), key)
		mine.Reads++
		if err != nil {
			mine.Errors++
			mine.Error = err.Error()
			continue
		}
		if got < floor {
			mine.Stale++
		}
		if made := atomic.LoadInt64(&n.truth.made[key][got+1]); made != 0 {
			oldest = max(oldest, time.Duration(before.UnixNano()-made))
		}
		for v := last + 1; v <= got; v++ {
			mine.GoneUS = append(mine.GoneUS, max(0, before.UnixNano()-atomic.LoadInt64(&n.truth.made[key][v]))/1000)
		}
		last = max(last, got)
		// Once the old one is invalidated in Redis and this process has the new one,
		// the old one must not come back.
		if at := atomic.LoadInt64(&n.truth.dropped[key][got]); at != 0 && at < before.UnixNano() {
			for old := n.floor[key].Load(); old < got && !n.floor[key].CompareAndSwap(old, got); {
				old = n.floor[key].Load()
			}
		}
		time.Sleep(100 * time.Microsecond)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Reads += mine.Reads
	n.Errors += mine.Errors
	n.Stale += mine.Stale
	n.OldestMS = max(n.OldestMS, float64(oldest.Microseconds())/1000)
	n.GoneUS = append(n.GoneUS, mine.GoneUS...)
	if mine.Error != "" {
		n.Error = mine.Error
	}
}

// fleet is three nodes, as the test sees them.
type fleet struct {
	t     *testing.T
	truth *truth
	addrs []string
	http  http.Client
}

// startFleet starts nodes, the i-th with the Redis addresses of the i-th list.
func startFleet(t *testing.T, config nodeConfig, redis ...[]string) *fleet {
	t.Helper()
	config.Truth = filepath.Join(t.TempDir(), "truth")
	shared, err := mapTruth(config.Truth)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, truth: shared, http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20_000, MaxIdleConns: 20_000}}}
	t.Cleanup(f.http.CloseIdleConnections)
	for _, addrs := range redis {
		config.Redis = addrs
		text, _ := json.Marshal(config)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), nodeVariable+"="+string(text))
		cmd.Stderr = t.Output()
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("a node ended with %v", err)
			}
		})
		line := make([]byte, 64)
		n, err := out.Read(line)
		if err != nil {
			t.Fatal(err)
		}
		f.addrs = append(f.addrs, strings.TrimSpace(string(line[:n])))
	}
	f.sure()
	return f
}

// sure waits until no node is in doubt.
func (f *fleet) sure() {
	f.t.Helper()
	for i := range f.addrs {
		eventually(f.t, "a node out of doubt", func() bool { return string(f.call(i, "/sure", nil)) == "true" })
	}
}

// call asks a node.
func (f *fleet) call(i int, path string, query url.Values) []byte {
	f.t.Helper()
	body, err := f.try(i, path, query)
	if err != nil {
		f.t.Error(err)
	}
	return body
}

func (f *fleet) try(i int, path string, query url.Values) ([]byte, error) {
	response, err := f.http.Get("http://" + f.addrs[i] + path + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", path, response.StatusCode, body)
	}
	return body, err
}

// quantile of a list of microseconds.
func quantile(us []int64, q float64) time.Duration {
	if len(us) == 0 {
		return 0
	}
	slices.Sort(us)
	return time.Duration(us[min(len(us)-1, int(q*float64(len(us))))]) * time.Microsecond
}
