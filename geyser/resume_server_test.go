package geyser_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/sim"
)

// paced is the built-in market, a slot every few milliseconds, and what was in
// it.
type paced struct {
	market *sim.Market
	tick   *time.Ticker

	mu    sync.Mutex
	truth map[uint64][]swapcast.TxRef
}

func newPaced(t *testing.T) *paced {
	t.Helper()
	m, err := sim.New(sim.Options{Seed: 7, TPS: 60, Start: time.Unix(1764000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	p := &paced{market: m, tick: time.NewTicker(3 * time.Millisecond), truth: make(map[uint64][]swapcast.TxRef)}
	t.Cleanup(p.tick.Stop)
	return p
}

func (p *paced) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	u, err := p.market.Next(ctx)
	if err != nil {
		return nil, err
	}
	if s := u.GetSlot(); s.GetStatus() == pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED && s != nil {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.tick.C:
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if tx := u.GetTransaction(); tx != nil {
		ref := swapcast.TxRef{Slot: tx.Slot}
		copy(ref.Signature[:], tx.Transaction.Signature)
		p.truth[tx.Slot] = append(p.truth[tx.Slot], ref)
	}
	return u, nil
}

// cutter ends each stream after a random number of messages, in one of the ways
// that servers have; nil is to stay and say nothing more.
type cutter struct {
	replay.Sink
	left int
	how  error
}

func (c *cutter) Send(m *replay.Message) error {
	if c.left--; c.left < 0 {
		return c.how
	}
	return c.Sink.Send(m)
}

// proof is the least that a consumer needs to trust a stream: slots up to at
// are complete, others of them skipped over and given up.
type proof struct {
	first   uint64 // promise of all
	at      uint64
	lost    map[uint64]bool
	streams map[uint64]uint64 // promise of each stream
	heard   map[swapcast.TxRef]bool
	times   int // events of transactions
	starts  int
}

func (p *proof) take(e *geyser.Event) {
	switch e.Kind {
	case geyser.KindTx:
		p.times++
		p.heard[swapcast.TxRef{Slot: e.Tx.Slot, Signature: e.Tx.Signature}] = true
	case geyser.KindStreamStart:
		p.starts++
		if p.at == 0 {
			p.first, p.at = e.From, e.From-1
		}
		for s := p.at + 1; s < e.From; s++ {
			p.lost[s] = true
		}
		p.at = max(p.at, e.From-1)
		p.streams[e.Stream] = e.From
	case geyser.KindStreamEnd:
		delete(p.streams, e.Stream)
	case geyser.KindSlot:
		from, ok := p.streams[e.Stream]
		if ok && e.Slot.Status == swapcast.SlotConfirmed && e.Slot.Slot >= from {
			p.at = max(p.at, e.Slot.Slot)
		}
	}
}

// TestResumeAgainstServer: the market is followed through a server that cuts
// every stream, while the streams are also opened anew on purpose. With a long
// history nothing is missing; with a short one, exactly what no stream promised.
func TestResumeAgainstServer(t *testing.T) {
	for name, history := range map[string]int{"long history": 3000, "short history": 3, "no history": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testResume(t, history)
		})
	}
}

func testResume(t *testing.T, history int) {
	source := newPaced(t)
	rng := rand.New(rand.NewPCG(1, uint64(history+1)))
	ways := []error{
		nil, status.Error(codes.Unavailable, "bye"), status.Error(codes.Internal, "lagged to send an update"),
		status.Error(codes.Internal, "stream terminated by RST_STREAM with error code: PROTOCOL_ERROR"),
	}
	var mu sync.Mutex // of rng and streams
	streams := 0
	server, err := replay.NewLocal(replay.Options{
		Source: source, StoredSlots: history, WaitForClient: true, Speed: 1000, PingInterval: 10 * time.Millisecond,
		Wrap: func(_ replay.Stream, s replay.Sink) replay.Sink {
			mu.Lock()
			defer mu.Unlock()
			way := ways[1+rng.IntN(len(ways)-1)]
			if streams++; streams == 6 { // once: it costs the test all of StaleAfter
				way = ways[0]
			}
			return &cutter{s, 20 + rng.IntN(1500), way}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &proof{lost: make(map[uint64]bool), streams: make(map[uint64]uint64), heard: make(map[swapcast.TxRef]bool)}
	var checkpoint sync.Mutex // of p.at, which Resume reads
	sub, err := geyser.New(geyser.Options{
		Name: "server", Unfiltered: true, Target: server.Target(), DialOptions: server.DialOptions(),
		// Long enough for a busy machine: two replays that come too late are given up.
		StaleAfter: 3 * time.Second,
		Backoff:    geyser.Backoff{Base: time.Millisecond, Cap: 4 * time.Millisecond},
		Resume: func() uint64 {
			checkpoint.Lock()
			defer checkpoint.Unlock()
			return p.at
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan *geyser.Event, 8)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = server.Run(ctx) })
	wg.Go(func() { _ = sub.Run(ctx, events) })
	limit := time.After(3 * time.Minute)
	for n := 0; ; n++ {
		var e *geyser.Event
		select {
		case e = <-events:
		case <-limit:
			t.Fatalf("at slot %d after three minutes: %+v", p.at, sub.Status())
		}
		checkpoint.Lock()
		p.take(e)
		at := p.at
		checkpoint.Unlock()
		e.Release()
		if n%3000 == 2999 {
			sub.Reconnect()
		}
		if p.starts >= 10 && at >= p.first+300 {
			break
		}
	}
	cancel()
	p.check(t, source, history)
}

// check compares what came with what there was.
func (p *proof) check(t *testing.T, source *paced, history int) {
	t.Helper()
	source.mu.Lock()
	defer source.mu.Unlock()
	missing, total := 0, 0
	for slot, refs := range source.truth {
		if slot < p.first || slot > p.at {
			continue
		}
		total += len(refs)
		for _, ref := range refs {
			if !p.heard[ref] {
				missing++
				if !p.lost[slot] {
					t.Errorf("a transaction of slot %d did not come, and the slot was promised", slot)
				}
			}
		}
	}
	t.Logf("%d streams, %d transactions of %d came %d times, %d slots were given up, %d transactions in them",
		p.starts, len(p.heard), total, p.times, len(p.lost), missing)
	if p.starts < 10 {
		t.Errorf("only %d streams: nothing was tried", p.starts)
	}
	if history > 1000 && (missing > 0 || len(p.lost) > 0) {
		t.Errorf("with all of the history, %d transactions in %d slots are missing", missing, len(p.lost))
	}
	if history < 0 && missing == 0 {
		t.Error("nothing is missing although there is no history: the server did not cut")
	}
}
