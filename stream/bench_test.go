package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// BenchmarkPublish is the cost of one published price in all: numbering,
// encoding, queueing, and each subscriber's mailbox and write. With the sink,
// writes end in memory, so that the server's own share is seen; with sockets
// they go to as many TCP connections over loopback, which a few goroutines
// read.
func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{1, 1000, 10_000} {
		b.Run(fmt.Sprintf("sink/%d", subscribers), func(b *testing.B) { benchmarkSink(b, subscribers) })
	}
	for _, subscribers := range []int{1, 1000, 9000} {
		b.Run(fmt.Sprintf("sockets/%d", subscribers), func(b *testing.B) { benchmarkSockets(b, subscribers) })
	}
}

// BenchmarkPublishNobody is the cost of a price that nobody has asked for.
func BenchmarkPublishNobody(b *testing.B) {
	s, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	prices := make([]*swapcast.Price, 1000)
	for i := range prices {
		prices[i] = price(i, 1)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.PublishPrice(prices[i%len(prices)])
	}
}

// BenchmarkPublishTradeNobody is the cost of a trade that nobody has asked for: it
// is kept for clients that resume.
func BenchmarkPublishTradeNobody(b *testing.B) {
	s, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	trades := make([]*swapcast.Trade, 1000)
	for i := range trades {
		trades[i] = trade(i, 1)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.PublishTrade(trades[i%len(trades)])
	}
}

// sinkConn takes every write, as a socket that is never full: its descriptor is
// that of /dev/null.
type sinkConn struct{ net.Conn }

func (sinkConn) Close() error { return nil }

func benchmarkSink(b *testing.B, subscribers int) {
	s, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, sh := range s.shards {
		running.Go(func() { sh.run(ctx) })
	}
	m := mint(1)
	for i := range subscribers {
		c := s.newConn(nil, 0)
		c.shard = s.shards[i%len(s.shards)]
		c.sock.Conn, c.sock.plain, c.sock.fd = sinkConn{}, true, int(null.Fd())
		c.shard.do(item{what: itemJoin, conn: c})
		c.shard.do(item{what: itemRequest, conn: c, request: &request{subscribe: true, channel: chanPrices, topics: []*topic{s.registry.acquire(m, swapcast.Processed)}}})
	}
	delivered := func(n int) {
		for s.sent.Load() < uint64(n) {
			time.Sleep(20 * time.Microsecond)
		}
	}
	delivered(subscribers) // snapshots
	p := price(1, 147.231)
	b.ReportAllocs()
	n := 0
	before := cpuTime()
	for b.Loop() {
		s.PublishPrice(p)
		n++
		delivered(subscribers * (n + 1)) // one at a time: no coalescing flatters the figure
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(n*subscribers), "cpu-ns/delivery")
	cancel()
	running.Wait()
}

// benchmarkSockets reports, beside the time of a publication until all is
// written, the CPU time of a delivery: of the whole process, readers included.
func benchmarkSockets(b *testing.B, subscribers int) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(2*subscribers+100) {
		b.Skipf("%d open files are allowed, %d are needed", files.Cur, 2*subscribers+100)
	}
	r := newRig(b, Options{})
	conns := make([]*rawClient, subscribers)
	for i := range conns {
		c, err := dialRaw(r.http.URL, "", 0)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Conn.Close()
		c.t = b
		c.sendText(`{"action":"subscribe","assets":%q}`, mint(1))
		conns[i] = c
	}
	var readers sync.WaitGroup
	for _, c := range conns {
		readers.Go(func() { io.Copy(io.Discard, c.Conn) })
	}
	delivered := func(n int) {
		for r.sent.Load() < uint64(n) {
			time.Sleep(20 * time.Microsecond)
		}
	}
	delivered(subscribers)
	p := price(1, 147.231)
	n := 0
	before := cpuTime()
	for b.Loop() {
		r.PublishPrice(p)
		n++
		delivered(subscribers * (n + 1))
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(n*subscribers), "cpu-ns/delivery")
	r.stop()
	readers.Wait()
}

// cpuTime is what the process has used, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestThousandConnections is the small load test: a thousand connections of ten
// assets each, every one of which must get every update in order, and what an
// idle connection costs is told.
func TestThousandConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a few seconds")
	}
	r := newRig(t, Options{})
	const connections, assets, each, updates = 1000, 50, 10, 5
	var clients sync.WaitGroup
	ready := make(chan struct{}, connections)
	for i := range connections {
		c, err := dialRaw(r.http.URL, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Conn.Close() })
		c.t = t
		list := ""
		for j := range each {
			list += fmt.Sprintf(",%q", mint((i+j*7)%assets))
		}
		c.sendText(`{"action":"subscribe","assets":[%s]}`, list[1:])
		clients.Go(func() {
			last := map[string]uint64{}
			for n := 0; n < each*(updates+1); n++ {
				f, err := c.frame()
				if err != nil {
					t.Errorf("client %d after %d messages: %v", i, n, err)
					return
				}
				asset, seq := string(between(f.payload, `"assetId":"`, `"`)), between(f.payload, `"seq":`, `,`)
				got, err := strconv.ParseUint(string(seq), 10, 64)
				if err != nil || (got != 0 && got != last[asset]+1) || (got == 0) != bytes.Contains(f.payload, []byte(`"snapshot"`)) {
					t.Errorf("client %d: %s after %d, %v", i, f.payload, last[asset], err)
					return
				}
				last[asset] = got
				if n == each-1 {
					ready <- struct{}{}
				}
			}
		})
	}
	for range connections {
		select {
		case <-ready:
		case <-time.After(timeLimit):
			t.Fatal("not all are subscribed")
		}
	}
	for range updates {
		for a := range assets {
			r.PublishPrice(price(a, 1))
		}
	}
	clients.Wait()
	r.await("the shards to tell", func() bool { return r.Stats().Sent >= connections*each*(updates+1) })
	if s := r.Stats(); s.Sent != connections*each*(updates+1) || s.Conflated != 0 {
		t.Errorf("%+v", s)
	}
}

// between cuts out what stands between two texts.
func between(b []byte, before, after string) []byte {
	_, b, _ = bytes.Cut(b, []byte(before))
	b, _, _ = bytes.Cut(b, []byte(after))
	return b
}

// BenchmarkIdleConnection reports the heap and stacks that a connection with
// one subscription holds on the server's side, its client's share subtracted
// by measuring the same clients without a server's connection behind them.
func BenchmarkIdleConnection(b *testing.B) {
	r := newRig(b, Options{})
	const n = 2000
	var conns []*rawClient
	for range n / 10 { // warm up pools
		c := r.dialRaw("", 0)
		conns = append(conns, c)
	}
	before := memory()
	var mints []solana.PublicKey
	for i := range 100 {
		mints = append(mints, mint(i))
	}
	raw := make([]net.Conn, n)
	for i := range n {
		c, err := dialRaw(r.http.URL, "", 0)
		if err != nil {
			b.Fatal(err)
		}
		c.t = b
		c.sendText(`{"action":"subscribe","assets":%q}`, mints[i%100])
		c.expect(1)
		raw[i] = c.Conn // the reader's buffer goes
		defer c.Conn.Close()
	}
	after := memory()
	for b.Loop() {
	}
	b.ReportMetric(float64(after-before)/n, "bytes/connection")
	runtime.KeepAlive(conns)
	runtime.KeepAlive(raw)
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
