package stream

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// candle is one of mint(n) that has had some trades.
func candle(n int, i swapcast.Interval, start int64, trades uint64) *swapcast.Candle {
	return &swapcast.Candle{
		Mint: mint(n), Interval: i, Start: start, Open: 1, High: float64(trades), Low: 1, Close: float64(trades),
		VolumeUSD: 10 * float64(trades), Trades: trades, ReceivedAt: time.Now().UnixNano(),
	}
}

// show is what matters of a candle message.
func (m message) show() string {
	text := fmt.Sprintf("%s %d:%d #%d", m.Interval, m.T, m.Trades, m.Seq)
	if m.Final {
		text += " final"
	}
	if m.Snapshot {
		text += " snapshot"
	}
	if m.Type != "candle" {
		text = m.raw
	}
	return text
}

func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.next(); got.show() != w {
			c.t.Fatalf("%s, want %s (%s)", got.show(), w, got.raw)
		}
	}
}

func (c *client) candles(action, interval string, n int) {
	c.t.Helper()
	c.send(`{"action":%q,"channel":"candles","assets":%q,"interval":%q,"id":"c"}`, action, mint(n), interval)
	m := c.next()
	if m.ID != "c" || m.Type != action+"d" || m.Type == "subscribed" && (m.Interval != interval || m.Channel != "candles") {
		c.t.Fatalf("no acknowledgement: %s", m.raw)
	}
}

func TestCandleChannel(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Feed: swapcast.FeedSimulated})
	c := r.dial("")
	c.candles("subscribe", "5s", 1)
	r.PublishCandle(candle(1, swapcast.Interval5s, 100, 1))
	c.expect("5s 100:1 #1")
	r.PublishCandle(candle(1, swapcast.Interval5s, 100, 1)) // says nothing new
	r.PublishCandle(candle(1, swapcast.Interval1s, 100, 1)) // nobody listens
	r.PublishCandle(candle(2, swapcast.Interval5s, 100, 1))
	r.PublishCandle(candle(1, swapcast.Interval5s, 100, 2))
	got := c.next()
	if got.show() != "5s 100:2 #2" || got.AssetID != mint(1).String() || got.Feed != "simulated" || got.TS == 0 {
		t.Errorf("%s", got.raw)
	}
	r.PublishCandle(candle(1, swapcast.Interval5s, 105, 1)) // ends the one before
	c.expect("5s 100:2 #3 final", "5s 105:1 #4")
	r.CloseCandles(109)
	r.CloseCandles(110)
	c.expect("5s 105:1 #5 final")
	r.CloseCandles(115)
	r.PublishCandle(candle(1, swapcast.Interval5s, 115, 1)) // nothing was traded between
	c.expect("5s 115:1 #6")

	// Another client begins with the newest, as what it now is.
	d := r.dial("")
	d.candles("subscribe", "5s", 1)
	d.expect("5s 115:1 #6 snapshot")
	r.CloseCandles(120)
	d.expect("5s 115:1 #7 final")
	e := r.dial("")
	e.candles("subscribe", "5s", 1)
	e.expect("5s 115:1 #7 final snapshot")

	// One interval is given up, the other goes on.
	c.expect("5s 115:1 #7 final")
	c.candles("subscribe", "1d", 1)
	c.candles("unsubscribe", "1m", 1) // not there: no error
	c.candles("unsubscribe", "5s", 1)
	r.PublishCandle(candle(1, swapcast.Interval5s, 120, 1))
	r.PublishCandle(candle(1, swapcast.Interval1d, 0, 9))
	c.expect("1d 0:9 #1")
	if n := r.Stats().Subscriptions["candles"]; n != 3 {
		t.Errorf("%d subscriptions", n)
	}
}

func TestCandleIntervalDefaultsToAMinute(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	c.send(`{"action":"subscribe","channel":"candles","assets":%q,"id":1}`, mint(1))
	if m := c.next(); m.Interval != "1m" {
		t.Errorf("%s", m.raw)
	}
	r.PublishCandle(candle(1, swapcast.Interval1m, 60, 1))
	c.expect("1m 60:1 #1")
}

// The first listener begins with what the maker of candles has, the one who
// begins when nobody listened for a while with what it has by then.
func TestCandleSnapshot(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	present := candle(1, swapcast.Interval1m, 60, 5)
	r := newRig(t, Options{Candle: func(k solana.PublicKey, i swapcast.Interval) (swapcast.Candle, bool) {
		mu.Lock()
		defer mu.Unlock()
		if k != mint(1) || i != swapcast.Interval1m {
			return swapcast.Candle{}, false
		}
		return *present, true
	}})
	c := r.dial("")
	c.candles("subscribe", "1m", 1)
	c.expect("1m 60:5 #0 snapshot")
	r.CloseCandles(119)
	r.CloseCandles(120)
	c.expect("1m 60:5 #1 final")
	c.candles("subscribe", "1s", 1) // nothing is known: no snapshot
	c.candles("unsubscribe", "1m", 1)
	mu.Lock()
	present = candle(1, swapcast.Interval1m, 180, 2)
	mu.Unlock()
	c.candles("subscribe", "1m", 1)
	c.expect("1m 180:2 #2 snapshot") // the seq goes on
	c.candles("subscribe", "1m", 1)  // again is no error, and begins again
	c.expect("1m 180:2 #2 snapshot")
}

// A correction of an older candle takes a number of its own: who comes after it
// begins behind it, and misses none.
func TestCandleSnapshotAfterACorrection(t *testing.T) {
	t.Parallel()
	present := candle(1, swapcast.Interval1m, 60, 5)
	r := newRig(t, Options{Shards: 1, Candle: func(solana.PublicKey, swapcast.Interval) (swapcast.Candle, bool) { return *present, true }})
	first := r.dial("")
	first.candles("subscribe", "1m", 1)
	first.expect("1m 60:5 #0 snapshot")
	correct := func(seq int) {
		t.Helper()
		r.PublishCandle(candle(1, swapcast.Interval1m, 0, uint64(seq)))
		first.expect(fmt.Sprintf("1m 0:%d #%d final", seq, seq))
	}
	correct(1)
	correct(2)
	second := r.dial("") // all that is known is what the maker had
	second.candles("subscribe", "1m", 1)
	second.expect("1m 60:5 #2 snapshot")
	r.PublishCandle(candle(1, swapcast.Interval1m, 60, 6))
	first.expect("1m 60:6 #3")
	second.expect("1m 60:6 #3")
	correct(4)
	third := r.dial("")
	third.candles("subscribe", "1m", 1)
	third.expect("1m 60:6 #4 snapshot")
	r.PublishCandle(candle(1, swapcast.Interval1m, 60, 7))
	third.expect("1m 60:7 #5")
}

func TestCandlesWanted(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	if r.CandlesWanted(mint(1)) != 0 {
		t.Error("wanted by nobody")
	}
	c := r.dial("")
	c.candles("subscribe", "1h", 1)
	c.candles("subscribe", "1s", 1)
	c.candles("subscribe", "1m", 2)
	if got := slices.Collect(r.CandlesWanted(mint(1)).All()); !slices.Equal(got, []swapcast.Interval{swapcast.Interval1s, swapcast.Interval1h}) {
		t.Errorf("%v", got)
	}
	c.candles("unsubscribe", "1s", 1)
	if got := slices.Collect(r.CandlesWanted(mint(1)).All()); !slices.Equal(got, []swapcast.Interval{swapcast.Interval1h}) {
		t.Errorf("%v", got)
	}
	c.Close(1000, "")
	r.await("the topics to be forgotten", func() bool { return r.registry.candleTopics[0].Load() == 0 })
	for i, topics := range r.registry.candles[0] {
		if len(topics) != 0 {
			t.Errorf("%d topics of %s are left", len(topics), swapcast.Interval(i))
		}
	}
	if r.CandlesWanted(mint(1)) != 0 {
		t.Error("wanted by nobody")
	}
}

// A window holds candles back, the newest wins; a final one does not wait.
func TestCandleWindow(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	c := r.dial("window_ms=5000")
	c.candles("subscribe", "1s", 1)
	r.hold(0, func() {
		for i := range uint64(3) {
			r.PublishCandle(candle(1, swapcast.Interval1s, 100, i+1))
		}
		r.PublishCandle(candle(1, swapcast.Interval1s, 101, 1))
		r.PublishCandle(candle(1, swapcast.Interval1s, 101, 2))
	})
	c.expect("1s 100:3 #4 final")
	start := time.Now()
	c.expect("1s 101:2 #6")
	if time.Since(start) > 6*time.Second {
		t.Error("held for too long")
	}
	if n := r.Stats().Conflated; n != 4 {
		t.Errorf("%d conflated", n)
	}
}

// A shard too far behind keeps the newest candle, and tells which final ones it
// lost.
func TestCandleShardOverflow(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{ShardQueue: 3}})
	c := r.dial("")
	c.candles("subscribe", "1s", 1)
	r.hold(0, func() {
		for second := range int64(5) { // 1, 2+final 3, 4+final 5, ...
			r.PublishCandle(candle(1, swapcast.Interval1s, 100+second, 1))
		}
		r.PublishCandle(candle(1, swapcast.Interval1s, 104, 2))
	})
	c.expect("1s 100:1 #1", "1s 100:1 #2 final", "1s 101:1 #3")
	gap := c.next()
	if gap.Type != "gap" || gap.Channel != "candles" || gap.Interval != "1s" || gap.FromSeq != 4 || gap.ToSeq != 8 || gap.Reason != "overload" {
		t.Errorf("%s", gap.raw)
	}
	c.expect("1s 104:2 #10")
}

// A client that does not read loses no final candle; of the others the newest
// is left.
func TestSlowClientGetsEveryFinalCandle(t *testing.T) {
	t.Parallel()
	const secondsOf = 3_000
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedPrices: 8}, Timing: Timing{SendBuffer: 4096}})
	c := r.dial("")
	c.candles("subscribe", "1s", 1)
	for second := range int64(secondsOf) {
		for i := range uint64(5) {
			r.PublishCandle(candle(1, swapcast.Interval1s, second, i+1))
		}
	}
	r.CloseCandles(secondsOf)
	var next int64
	last := uint64(0)
	for next < secondsOf {
		m := c.next()
		if m.Type != "candle" || m.Seq <= last || m.T < next {
			t.Fatalf("after second %d, seq %d: %s", next-1, last, m.raw)
		}
		last = m.Seq
		if m.Final {
			if m.T != next || m.Trades != 5 {
				t.Fatalf("second %d: %s", next, m.raw)
			}
			next++
		}
	}
	if r.Stats().Conflated == 0 {
		t.Error("the client was never slow: nothing is shown")
	}
}

// Too many final candles for a client that reads nothing close it.
func TestTooManyFinalCandles(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedTrades: 16}, Timing: Timing{SendBuffer: 4096}})
	c := r.dial("")
	c.candles("subscribe", "1s", 1)
	for second := range int64(200_000) {
		r.PublishCandle(candle(1, swapcast.Interval1s, second, 1))
	}
	if ce := c.expectClose(); ce.Code != 4408 || !strings.Contains(ce.Reason, "candles") {
		t.Errorf("%v", ce)
	}
}

// Clients come and go while candles are made: whoever listens gets, from its
// snapshot on, each second's final candle.
func TestCandleChurn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	present := candle(1, swapcast.Interval1s, 1_000, 1)
	r := newRig(t, Options{Candle: func(solana.PublicKey, swapcast.Interval) (swapcast.Candle, bool) {
		mu.Lock()
		defer mu.Unlock()
		return *present, true
	}})
	stop := make(chan struct{})
	var clients, maker sync.WaitGroup
	maker.Go(func() {
		for second := int64(1_000); ; second++ {
			for i := range uint64(3) {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				present = candle(1, swapcast.Interval1s, second, i+1)
				mu.Unlock()
				r.CloseCandles(second)
				if r.CandlesWanted(mint(1)) != 0 {
					r.PublishCandle(candle(1, swapcast.Interval1s, second, i+1))
				}
			}
			time.Sleep(50 * time.Microsecond) // the pace of the chain, so to speak
		}
	})
	for range 4 {
		clients.Go(func() {
			for range 10 {
				c := r.dial("")
				c.send(`{"action":"subscribe","channel":"candles","assets":%q,"interval":"1s"}`, mint(1))
				first := c.next()
				if !first.Snapshot {
					t.Errorf("first: %s", first.raw)
					return
				}
				want, seq := first.T, first.Seq
				if first.Final {
					want++
				}
				for range 60 {
					m := c.next()
					if m.Seq != seq+1 || m.T < want {
						t.Errorf("second %d expected, seq %d: %s", want, seq+1, m.raw)
						return
					}
					seq = m.Seq
					if m.Final {
						if m.T != want {
							t.Errorf("final of %d expected: %s", want, m.raw)
							return
						}
						want++
					}
				}
				c.CloseNow()
			}
		})
	}
	clients.Wait()
	close(stop)
	maker.Wait()
}

// BenchmarkCandlesWanted is what a trade costs for its candles: where nobody
// listens to any, and where somebody does to other mints.
func BenchmarkCandlesWanted(b *testing.B) {
	for _, listeners := range []int{0, 1_000} {
		b.Run(fmt.Sprintf("topics=%d", listeners), func(b *testing.B) {
			s, err := New(Options{})
			if err != nil {
				b.Fatal(err)
			}
			for n := range listeners {
				s.registry.acquireCandles(mint(n), swapcast.Interval(n%2), swapcast.Processed)
			}
			m := mint(60_000)
			b.ReportAllocs()
			for b.Loop() {
				if s.CandlesWanted(m) != 0 {
					b.Fatal("wanted")
				}
			}
		})
	}
}

// BenchmarkPublishCandle is a state of a candle for one shard with a listener
// that never takes it up.
func BenchmarkPublishCandle(b *testing.B) {
	s, err := New(Options{Shards: 1, Limits: Limits{ShardQueue: 1}})
	if err != nil {
		b.Fatal(err)
	}
	t := s.registry.acquireCandles(mint(1), swapcast.Interval1m, swapcast.Processed)
	t.listen(s.shards[0], chanCandles)
	c := candle(1, swapcast.Interval1m, 60, 1)
	b.ReportAllocs()
	for b.Loop() {
		c.Trades++
		s.PublishCandle(c)
	}
}
