package stream

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSlowReaders is what the others notice of clients that read one message a
// second: each iteration measures the same load without them and with 5% of them,
// in turns, and p99-ratio is the median of the pairs. Run it with -benchtime 5x or
// so: an iteration takes about five seconds.
func BenchmarkSlowReaders(b *testing.B) {
	const connections, slow = 400, 20
	var without, with, ratios []float64
	for b.Loop() {
		p := [2]float64{slowReaders(b, connections, 0), slowReaders(b, connections, slow)}
		without, with, ratios = append(without, p[0]), append(with, p[1]), append(ratios, p[1]/p[0])
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	b.ReportMetric(median(without), "p99-ms-without")
	b.ReportMetric(median(with), "p99-ms-with")
	b.ReportMetric(median(ratios), "p99-ratio")
}

// slowReaders returns the 99th percentile, in milliseconds, of the time from
// publishing a price to its being read by a client that reads as it comes. The last
// of the connections read one message a second.
func slowReaders(b *testing.B, connections, slow int) float64 {
	r := newRig(b, Options{Timing: Timing{SendBuffer: 16 << 10}})
	defer r.stop()
	var times [][]float64
	var mu sync.Mutex
	var heard atomic.Int64
	var readers sync.WaitGroup
	done := make(chan struct{})
	for i := range connections {
		receive, lazy := 0, i >= connections-slow
		if lazy {
			receive = 4096
		}
		c := r.dialRaw("", receive)
		c.sendText(`{"action":"subscribe","assets":%q}`, mint(1))
		c.expect(1)
		if lazy {
			readers.Go(func() { c.readOnceASecond(done) })
			continue
		}
		readers.Go(func() {
			mine := c.latencies(&heard)
			mu.Lock()
			times = append(times, mine)
			mu.Unlock()
		})
	}
	const updates = 200
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range updates {
		<-tick.C
		p := *price(1, float64(i+1))
		p.BlockTime = time.Now().UnixNano()
		r.PublishPrice(&p)
	}
	want := int64(updates * (connections - slow))
	r.await("the others to hear everything", func() bool { return heard.Load() == want })
	close(done)
	r.stop()
	readers.Wait()
	all := slices.Concat(times...)
	slices.Sort(all)
	return all[len(all)*99/100]
}

// readOnceASecond reads a frame's worth of bytes a second.
func (c *rawClient) readOnceASecond(done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		var header [4]byte
		if _, err := c.br.Read(header[:]); err != nil {
			return
		}
		if _, err := c.br.Discard(int(binary.BigEndian.Uint16(header[2:]))); err != nil {
			return
		}
	}
}

// latencies reads to the end, and returns how old each price was in milliseconds.
func (c *rawClient) latencies(heard *atomic.Int64) []float64 {
	var times []float64
	for {
		f, err := c.frame()
		if err != nil || f.op != 1 {
			return times
		}
		now := time.Now().UnixNano()
		published, err := strconv.ParseInt(string(between(f.payload, `"blockTime":`, `,`)), 10, 64)
		if err != nil {
			return times
		}
		times = append(times, float64(now-published)/1e6)
		heard.Add(1)
	}
}

// Slow readers delay nobody: while a twentieth of the clients reads nothing at all,
// and their sockets are full, every other one gets every update.
func TestOthersHearEverythingBesideSlowReaders(t *testing.T) {
	t.Parallel()
	const connections, slow, updates = 60, 3, 1000
	r := newRig(t, Options{Timing: Timing{SendBuffer: 4096}})
	var readers sync.WaitGroup
	var heard, gone atomic.Int64
	for i := range connections {
		lazy := i%(connections/slow) == 0 // on every shard
		receive := 0
		if lazy {
			receive = 4096
		}
		c := r.dialRaw("", receive)
		c.sendText(`{"action":"subscribe","assets":%q}`, mint(1))
		c.expect(1)
		if lazy {
			continue
		}
		readers.Go(func() {
			defer gone.Add(1)
			for want := 1; want <= updates; {
				f, err := c.frame()
				if err != nil {
					t.Errorf("client %d, before seq %d: %v", i, want, err)
					return
				}
				if f.op != 1 {
					continue
				}
				if !bytes.Contains(f.payload, []byte(`"seq":`+strconv.Itoa(want)+`,`)) {
					t.Errorf("client %d: %s, and not seq %d", i, f.payload, want)
					return
				}
				want++
				heard.Add(1)
			}
		})
	}
	for i := range updates {
		r.PublishPrice(price(1, float64(i+1)))
		if i%10 == 9 { // as fast as the others read, however busy the machine is
			want := int64((i + 1) * (connections - slow))
			r.await("the others to hear it", func() bool { return heard.Load() >= want || gone.Load() > 0 })
		}
	}
	readers.Wait()
	if s := r.Stats(); s.Conflated == 0 || s.Connections != connections {
		t.Errorf("the slow ones were not slow, or did not stay: %+v", s)
	}
}
