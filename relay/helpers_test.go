package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache/cachetest"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// told1 is what a stream was told: one line a thing.
type heard struct {
	mu       sync.Mutex
	trades   map[solana.PublicKey][]string // "T slot sig index seq"
	seqs     map[solana.PublicKey][]uint64
	prices   map[solana.PublicKey]float64
	priceSeq map[solana.PublicKey][]uint64
	candles  []swapcast.Candle
	clocks   []int64
	balances []swapcast.Balance
	gaps     []swapcast.Gap
	recorded []swapcast.Gap
	status   wire.Status
	gone     map[solana.PublicKey]bool // nobody listens
	begun    map[solana.PublicKey]uint64
}

func newHeard() *heard {
	return &heard{
		trades: map[solana.PublicKey][]string{}, seqs: map[solana.PublicKey][]uint64{}, prices: map[solana.PublicKey]float64{},
		priceSeq: map[solana.PublicKey][]uint64{}, gone: map[solana.PublicKey]bool{}, begun: map[solana.PublicKey]uint64{},
	}
}

func (h *heard) Relay(u *stream.Update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(u.Message) == 0 {
		h.begun[u.Mint] = u.Seq
		return
	}
	var m struct {
		Type       string
		Slot       uint64
		Signature  string
		Signatures []string
		Index      int
		Price      float64
		Seq        uint64
	}
	if err := json.Unmarshal(u.Message, &m); err != nil {
		panic(err)
	}
	if m.Seq != u.Seq {
		panic(fmt.Sprintf("message has seq %d, update %d", m.Seq, u.Seq))
	}
	if !u.Trade {
		h.prices[u.Mint] = m.Price
		h.priceSeq[u.Mint] = append(h.priceSeq[u.Mint], u.Seq)
		return
	}
	h.seqs[u.Mint] = append(h.seqs[u.Mint], u.Seq)
	if m.Type == "retract" {
		for _, s := range m.Signatures {
			h.trades[u.Mint] = append(h.trades[u.Mint], fmt.Sprintf("R %d %s", m.Slot, s))
		}
		return
	}
	h.trades[u.Mint] = append(h.trades[u.Mint], fmt.Sprintf("T %d %s %d", m.Slot, m.Signature, m.Index))
}

func (h *heard) Listened(x stream.Subject) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.gone[x.Key]
}

func (h *heard) PublishCandle(c *swapcast.Candle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.candles = append(h.candles, *c)
}

func (h *heard) CloseCandlesAt(unix int64, _ swapcast.Commitment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clocks = append(h.clocks, unix)
}

func (h *heard) PublishBalance(b *swapcast.Balance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.balances = append(h.balances, *b)
}

func (h *heard) PublishGap(g *swapcast.Gap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gaps = append(h.gaps, *g)
}

func (h *heard) RecordGap(g *swapcast.Gap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recorded = append(h.recorded, *g)
}

func (h *heard) PublishStatus(s *wire.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = *s
}

func (h *heard) SetFeed(swapcast.Feed) {}

// look reads under the lock.
func (h *heard) look(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// running is a part that runs, and can be stopped.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func start(t *testing.T, run func(context.Context) error) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = run(ctx)
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

// eventually waits for something, for as long as a slow machine may take.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// everywhere runs a test on one server and on a cluster.
func everywhere(t *testing.T, test func(t *testing.T, open func() redis.UniversalClient)) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		server := cachetest.StartRedis(t)
		test(t, func() redis.UniversalClient { return server.Client(t) })
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := cachetest.StartCluster(t)
		test(t, func() redis.UniversalClient { return cluster.Client(t) })
	})
}

func options(t *testing.T, r redis.UniversalClient) Options {
	t.Helper()
	epoch, err := Epoch(t.Context(), r, "swapcast", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return Options{Redis: r, Epoch: epoch, Lease: time.Second, Sweep: 100 * time.Millisecond}
}

func publisher(t *testing.T, o Options) *Publisher {
	t.Helper()
	p, err := NewPublisher(o)
	if err != nil {
		t.Fatal(err)
	}
	p.PublishStatus(&wire.Status{Feed: wire.FeedHealthy, Slot: 1})
	return p
}

func edge(t *testing.T, o Options, h *heard) *Edge {
	t.Helper()
	o.Stream = h
	e, err := NewEdge(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func follow(t *testing.T, e *Edge, mints ...solana.PublicKey) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var subjects []stream.Subject
	for _, m := range mints {
		subjects = append(subjects, stream.Subject{Channel: wire.ChannelTrades, Key: m})
	}
	if err := e.Follow(ctx, subjects); err != nil {
		t.Fatal(err)
	}
}

func mint(n byte) solana.PublicKey { return solana.PublicKey{n, 1, 2, 3} }

func signature(n int) solana.Signature {
	return solana.Signature{byte(n), byte(n >> 8), byte(n >> 16), 9}
}

func trade(m solana.PublicKey, n int) *swapcast.Trade {
	return &swapcast.Trade{Mint: m, Slot: uint64(100 + n/4), Signature: signature(n), Index: n % 3, USD: float64(n + 1), Known: true}
}

func price(m solana.PublicKey, n int) *swapcast.Price {
	return &swapcast.Price{Mint: m, Slot: uint64(100 + n/4), Signature: signature(n), USD: float64(n + 1), Known: true}
}

func tradeLine(n int) string { return fmt.Sprintf("T %d %s %d", 100+n/4, signature(n), n%3) }

func idOf(seq uint64) string { return fmt.Sprintf("%d-0", seq) }
