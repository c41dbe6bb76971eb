package replay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast/geyser/replay"
)

// gated is a Source that gives what it is told to give, when it is told.
type gated struct {
	updates chan *pb.SubscribeUpdate
}

func newGated() *gated { return &gated{updates: make(chan *pb.SubscribeUpdate)} }

func (g *gated) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	select {
	case u, ok := <-g.updates:
		if !ok {
			return nil, io.EOF
		}
		return u, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// put hands updates over and returns once the server has all but the last.
func (g *gated) put(us ...*pb.SubscribeUpdate) {
	for _, u := range us {
		g.updates <- u
	}
}

// words reads n updates.
func words(t *testing.T, stream pb.Geyser_SubscribeClient, n int) []string {
	t.Helper()
	var out []string
	for range n {
		u, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		out = append(out, word(u))
	}
	return out
}

// atLevel asks for everything at a commitment.
func atLevel(c pb.CommitmentLevel) *pb.SubscribeRequest {
	r := everything()
	r.Slots["s"] = &pb.SubscribeRequestFilterSlots{}
	r.Commitment = &c
	return r
}

func TestCommitment(t *testing.T) {
	src := []*pb.SubscribeUpdate{
		txn(5, 0, key(1)), blockMeta(5, 1), slot(5, pb.SlotStatus_SLOT_PROCESSED),
		txn(6, 0, key(1)), blockMeta(6, 1), slot(6, pb.SlotStatus_SLOT_PROCESSED),
		slot(5, pb.SlotStatus_SLOT_CONFIRMED),
		txn(5, 1, key(1)), // late
		slot(6, pb.SlotStatus_SLOT_DEAD),
		slot(6, pb.SlotStatus_SLOT_CONFIRMED), // cannot be, must not deliver
		txn(7, 0, key(1)), slot(7, pb.SlotStatus_SLOT_PROCESSED),
		slot(5, pb.SlotStatus_SLOT_FINALIZED),
	}
	statuses := func(words ...string) []string { return words }
	same(t, play(t, src, atLevel(pb.CommitmentLevel_CONFIRMED)), statuses(
		"slot 5 processed s", "slot 6 processed s",
		"tx 5/0 t", "meta 5 m", "slot 5 confirmed s",
		"tx 5/1 t", "slot 6 confirmed s", "slot 7 processed s", "slot 5 finalized s")...)
	same(t, play(t, src, atLevel(pb.CommitmentLevel_FINALIZED)), statuses(
		"slot 5 processed s", "slot 6 processed s", "slot 5 confirmed s", "slot 6 confirmed s", "slot 7 processed s",
		"tx 5/0 t", "meta 5 m", "tx 5/1 t", "slot 5 finalized s")...)
	r := atLevel(pb.CommitmentLevel_CONFIRMED)
	r.Slots = nil
	r.Blocks = map[string]*pb.SubscribeRequestFilterBlocks{"b": {}}
	same(t, play(t, src, r), "tx 5/0 t", "meta 5 m", "block 5 1t 0a 0e b", "tx 5/1 t")
}

// A confirmed slot confirms its ancestors, even where their own status is
// missing from the recording.
func TestConfirmedAncestors(t *testing.T) {
	src := []*pb.SubscribeUpdate{
		txn(5, 0, key(1)), slot(5, pb.SlotStatus_SLOT_PROCESSED),
		txn(6, 0, key(1)), slot(6, pb.SlotStatus_SLOT_PROCESSED),
		txn(7, 0, key(1)), slot(7, pb.SlotStatus_SLOT_PROCESSED),
		slot(7, pb.SlotStatus_SLOT_FINALIZED),
	}
	for _, c := range []pb.CommitmentLevel{1, 2} {
		r := atLevel(c)
		r.Slots = nil
		same(t, play(t, src, r), "tx 5/0 t", "tx 6/0 t", "tx 7/0 t")
	}
}

func TestNewRequestReplacesTheFilters(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src})
	stream := open(t, c, &pb.SubscribeRequest{Transactions: map[string]*pb.SubscribeRequestFilterTransactions{"t": {}}})
	settle(t, stream)
	src.put(blockMeta(5, 1), txn(5, 0, key(1))) // once the second is here, the first was passed over
	same(t, words(t, stream, 1), "tx 5/0 t")
	send(t, stream, &pb.SubscribeRequest{BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{"m": {}}})
	settle(t, stream)
	src.put(txn(6, 0, key(1)), blockMeta(6, 1))
	same(t, words(t, stream, 1), "meta 6 m")
	// Another commitment begins with what comes next at that commitment.
	send(t, stream, atLevel(pb.CommitmentLevel_CONFIRMED))
	settle(t, stream)
	src.put(slot(6, pb.SlotStatus_SLOT_CONFIRMED))
	same(t, words(t, stream, 5), "meta 5 m", "tx 5/0 t", "tx 6/0 t", "meta 6 m", "slot 6 confirmed s")
	// The client's closing its side leaves the stream as it is.
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	src.put(slot(7, pb.SlotStatus_SLOT_PROCESSED), slot(8, pb.SlotStatus_SLOT_PROCESSED))
	same(t, words(t, stream, 2), "slot 7 processed s", "slot 8 processed s")
}

func send(t *testing.T, stream pb.Geyser_SubscribeClient, r *pb.SubscribeRequest) {
	t.Helper()
	if err := stream.Send(r); err != nil {
		t.Fatal(err)
	}
}

// settle returns once the server has taken all requests so far: pongs are
// written after the filters before them are in force.
func settle(t *testing.T, stream pb.Geyser_SubscribeClient) {
	t.Helper()
	send(t, stream, &pb.SubscribeRequest{Ping: &pb.SubscribeRequestPing{Id: 77}})
	same(t, words(t, stream, 1), "pong 77")
}

func TestPings(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src, PingInterval: 5 * time.Millisecond})
	stream := open(t, c, everything())
	same(t, words(t, stream, 3), "ping", "ping", "ping")
}

func TestPingWithFiltersSetsThem(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src})
	r := everything()
	r.Ping = &pb.SubscribeRequestPing{Id: 3}
	stream := open(t, c, r)
	same(t, words(t, stream, 1), "pong 3")
	src.put(blockMeta(5, 0))
	same(t, words(t, stream, 1), "meta 5 m")
}

func TestTooManyPings(t *testing.T) {
	// A client that sends pings and reads nothing must not fill our memory. The
	// sink stands for its full socket.
	full := make(chan struct{})
	_, c := serve(t, replay.Options{Source: newGated(), Wrap: func(_ replay.Stream, next replay.Sink) replay.Sink {
		return &hook{Sink: next, send: func(*replay.Message) error { <-full; return nil }}
	}})
	defer close(full)
	stream := open(t, c, &pb.SubscribeRequest{Ping: &pb.SubscribeRequestPing{}})
	for range 1000 {
		if stream.Send(&pb.SubscribeRequest{Ping: &pb.SubscribeRequestPing{}}) != nil {
			break
		}
	}
	_, err := all(stream)
	wantCode(t, err, codes.ResourceExhausted, "too many pings")
}

func wantCode(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v with %q", err, code, text)
	}
}

func TestFromSlot(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src, StoredSlots: 3})
	info := func() uint64 {
		r, err := c.SubscribeReplayInfo(t.Context(), &pb.SubscribeReplayInfoRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetFirstAvailable()
	}
	if got := info(); got != 0 {
		t.Errorf("first available is %d before anything was played", got)
	}
	live := open(t, c, atLevel(0))
	settle(t, live)
	for n := uint64(10); n <= 14; n++ {
		src.put(txn(n, 0, key(1)), slot(n, pb.SlotStatus_SLOT_PROCESSED), slot(n, pb.SlotStatus_SLOT_CONFIRMED), slot(n, pb.SlotStatus_SLOT_FINALIZED))
	}
	words(t, live, 4*5)
	if got := info(); got != 12 {
		t.Errorf("first available is %d, want 12", got)
	}
	for _, bad := range []struct {
		from uint64
		code codes.Code
		text string
	}{
		{11, codes.OutOfRange, "broadcast from 11 is not available, last available: 12"},
		{0, codes.OutOfRange, "broadcast from 0 is not available, last available: 12"},
		{15, codes.Internal, "failed to get replay response"},
	} {
		r := atLevel(0)
		r.FromSlot = &bad.from
		_, err := all(open(t, c, r))
		wantCode(t, err, bad.code, bad.text)
	}
	r := atLevel(0)
	r.FromSlot = ptr(uint64(13))
	stream := open(t, c, r)
	want := []string{
		"tx 13/0 t", "slot 13 processed s", "slot 13 confirmed s", "slot 13 finalized s",
		"tx 14/0 t", "slot 14 processed s", "slot 14 confirmed s", "slot 14 finalized s",
	}
	same(t, words(t, stream, 8), want...)
	settle(t, stream)
	src.put(txn(15, 0, key(1)))
	same(t, words(t, stream, 1), "tx 15/0 t")
	// Asked for again on the same stream, it is sent again.
	send(t, stream, r)
	same(t, words(t, stream, 9), append(want, "tx 15/0 t")...)
}

func TestFromSlotOff(t *testing.T) {
	_, c := serve(t, replay.Options{Source: newGated(), StoredSlots: -1})
	r := everything()
	r.FromSlot = ptr(uint64(1))
	_, err := all(open(t, c, r))
	wantCode(t, err, codes.Internal, "from_slot is not supported")
}

// handOver checks that a stream that asked for from_slot got all of reference
// from that slot on, in its order, and from some point on everything: nothing
// missing, nothing twice.
func handOver(reference, got []string, slots []uint64, from uint64) error {
	// live is where the stream must have gone over to live; all of them are
	// tried, since only the server knows.
	for live := 0; live <= len(reference); live++ {
		var want []string
		for i, w := range reference {
			if i >= live || slots[i] >= from {
				want = append(want, w)
			}
		}
		if slices.Equal(want, got) {
			return nil
		}
	}
	return fmt.Errorf("from %d: %d of %d updates fit no hand-over", from, len(got), len(reference))
}

func TestFromSlotHandsOverWithoutGapOrDuplicate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		level := pb.CommitmentLevel(rapid.IntRange(0, 2).Draw(rt, "level"))
		src := shuffled(chain(100, 100+uint64(rapid.IntRange(1, 40).Draw(rt, "slots")), 4), rng)
		join := rapid.IntRange(0, len(src)).Draw(rt, "join")
		feed := newGated()
		l, c := serve(t, replay.Options{Source: feed, EndWithSource: true})
		request := func() *pb.SubscribeRequest { return atLevel(level) }
		first := open(t, c, request())
		settle(t, first)
		feed.put(src[:join]...)
		// The rest comes while the second client subscribes.
		refused := make(chan struct{})
		go func() {
			feed.put(src[join:]...)
			for l.Stats().Subscribers < 2 {
				select {
				case <-refused:
				case <-time.After(time.Millisecond):
					continue
				}
				break
			}
			close(feed.updates)
		}()
		available := l.Stats().FirstSlot
		r := request()
		from := available + uint64(rapid.IntRange(0, 10).Draw(rt, "from"))
		r.FromSlot = &from
		second := open(t, c, r)
		var wg sync.WaitGroup
		var a, b []*pb.SubscribeUpdate
		var errA, errB error
		wg.Go(func() { a, errA = all(first) })
		wg.Go(func() { b, errB = all(second); close(refused) })
		wg.Wait()
		if errA != nil {
			rt.Fatal(errA)
		}
		if code := status.Code(errB); code == codes.Internal || code == codes.OutOfRange {
			return // asked for before it was there
		} else if errB != nil {
			rt.Fatal(errB)
		}
		var reference, got []string
		var slots []uint64
		for _, u := range a {
			reference, slots = append(reference, word(u)), append(slots, slotOf(u))
		}
		for _, u := range b {
			got = append(got, word(u))
		}
		if err := handOver(reference, got, slots, from); err != nil {
			rt.Fatal(err)
		}
	})
}

// shuffled swaps some neighbours, as updates of different slots come mixed.
func shuffled(us []*pb.SubscribeUpdate, rng *rand.Rand) []*pb.SubscribeUpdate {
	for i := range len(us) - 1 {
		if rng.IntN(4) == 0 {
			us[i], us[i+1] = us[i+1], us[i]
		}
	}
	return us
}

func slotOf(u *pb.SubscribeUpdate) uint64 {
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		return m.Transaction.GetSlot()
	case *pb.SubscribeUpdate_Slot:
		return m.Slot.GetSlot()
	case *pb.SubscribeUpdate_BlockMeta:
		return m.BlockMeta.GetSlot()
	default:
		return 0
	}
}

// hook is a Sink with parts replaced.
type hook struct {
	replay.Sink
	request func(*pb.SubscribeRequest) error
	send    func(*replay.Message) error
	end     func(error) error
}

func (h *hook) Request(r *pb.SubscribeRequest) error {
	if h.request != nil {
		return h.request(r)
	}
	return h.Sink.Request(r)
}

func (h *hook) Send(m *replay.Message) error {
	if h.send != nil {
		return h.send(m)
	}
	return h.Sink.Send(m)
}

func (h *hook) End(err error) error {
	if h.end != nil {
		return h.end(err)
	}
	return h.Sink.End(err)
}

func TestWrapSeesEverything(t *testing.T) {
	var mu sync.Mutex
	var events []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, fmt.Sprintf(format, args...))
	}
	_, c := serve(t, replay.Options{
		Source: &list{updates: fullSlot(5, 2)}, WaitForClient: true, EndWithSource: true,
		Wrap: func(s replay.Stream, next replay.Sink) replay.Sink {
			note("stream %d", s.ID)
			return &hook{
				Sink:    next,
				request: func(r *pb.SubscribeRequest) error { note("request of %d", len(r.GetTransactions())); return nil },
				send: func(m *replay.Message) error {
					note("message %v of slot %d", m.Filters, m.Slot)
					if m.Filters[0] == "t" { // a fault: every transaction twice
						if err := next.Send(m); err != nil {
							return err
						}
					}
					return next.Send(m)
				},
				end: func(err error) error { note("end %v", err); return status.Error(codes.Aborted, "as the hook says") },
			}
		},
	})
	r := atLevel(0)
	got, err := all(open(t, c, r))
	wantCode(t, err, codes.Aborted, "as the hook says")
	if len(got) != 2*2+2 {
		t.Errorf("%d updates", len(got))
	}
	mu.Lock()
	defer mu.Unlock()
	same(t, events, "stream 1", "request of 1", "message [t] of slot 5", "message [t] of slot 5",
		"message [m] of slot 5", "message [s] of slot 5", "end <nil>")
}

func TestSlowSubscriberIsCutAndOthersAreNot(t *testing.T) {
	src := newGated()
	full := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(full) }) }
	defer release()
	l, c := serve(t, replay.Options{
		Source: src, Speed: 1, QueueSize: 10,
		Wrap: func(s replay.Stream, next replay.Sink) replay.Sink {
			if s.ID != 1 {
				return next
			}
			return &hook{Sink: next, send: func(m *replay.Message) error { <-full; return next.Send(m) }}
		},
	})
	slow := open(t, c, everything())
	for l.Stats().Subscribers == 0 {
		time.Sleep(time.Millisecond)
	}
	quick := open(t, c, everything())
	settle(t, quick)
	for i := range uint64(600) {
		src.put(txn(5, i, key(1)))
		if i > 0 { // the last one put may still be on its way
			same(t, words(t, quick, 1), fmt.Sprintf("tx 5/%d t", i-1))
		}
	}
	_, err := slow.Recv()
	wantCode(t, err, codes.Internal, "lagged to send an update")
	release()
}

func TestLosslessWaitsForTheSlowest(t *testing.T) {
	src := chain(100, 160, 20)
	_, c := serve(t, replay.Options{
		Source: &list{updates: src}, WaitForClient: true, EndWithSource: true, QueueSize: 8, StoredSlots: 1,
		Wrap: func(_ replay.Stream, next replay.Sink) replay.Sink {
			n := 0
			return &hook{Sink: next, send: func(m *replay.Message) error {
				if n++; n%100 == 0 {
					time.Sleep(time.Millisecond) // a slow reader, not a wait for something
				}
				return next.Send(m)
			}}
		},
	})
	got, err := all(open(t, c, everything()))
	if err != nil || len(got) != len(src) {
		t.Fatalf("%d updates of %d, %v", len(got), len(src), err)
	}
}

func TestLosslessLosesPatience(t *testing.T) {
	full := make(chan struct{})
	_, c := serve(t, replay.Options{
		Source: &list{updates: chain(100, 200, 10)}, WaitForClient: true, QueueSize: 8, SlowWait: 20 * time.Millisecond,
		Wrap: func(_ replay.Stream, next replay.Sink) replay.Sink {
			return &hook{Sink: next, send: func(*replay.Message) error { <-full; return nil }}
		},
	})
	defer close(full)
	_, err := all(open(t, c, everything()))
	wantCode(t, err, codes.Internal, "lagged to send an update")
}

func TestLoopKeepsRising(t *testing.T) {
	src := chain(100, 104, 2)
	_, c := serve(t, replay.Options{
		Reopen: func() (replay.Source, error) { return &list{updates: src}, nil },
		Loop:   true, WaitForClient: true,
	})
	stream := open(t, c, everything())
	var metas []*pb.SubscribeUpdateBlockMeta
	for i := range 3*len(src) + 10 {
		u, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		pass := uint64(i / len(src))
		if got, want := slotOf(u), slotOf(src[i%len(src)])+5*pass; got != want {
			t.Fatalf("update %d is of slot %d, want %d", i, got, want)
		}
		if s := u.GetSlot(); s != nil && s.GetParent() != s.GetSlot()-1 {
			t.Fatalf("slot %d has parent %d", s.GetSlot(), s.GetParent())
		}
		if m := u.GetBlockMeta(); m != nil {
			metas = append(metas, m)
		}
	}
	for i, m := range metas[1:] {
		last := metas[i]
		if m.GetBlockHeight().GetBlockHeight() != last.GetBlockHeight().GetBlockHeight()+1 ||
			m.GetBlockTime().GetTimestamp() <= last.GetBlockTime().GetTimestamp() || m.GetParentSlot() != last.GetSlot() {
			t.Fatalf("block %v after %v", m, last)
		}
	}
}

func TestLoopOverNothing(t *testing.T) {
	l, err := replay.NewLocal(replay.Options{Reopen: func() (replay.Source, error) { return &list{}, nil }, Loop: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("got %v", err)
	}
}

func TestSourceThatFails(t *testing.T) {
	broken := errors.New("capture is cut off")
	src := &closing{list: list{updates: chain(100, 110, 3), err: broken}}
	l, err := replay.NewLocal(replay.Options{Source: src, WaitForClient: true})
	if err != nil {
		t.Fatal(err)
	}
	c := dialLocal(t, l)
	done := make(chan error, 1)
	go func() { done <- l.Run(t.Context()) }()
	got, err := all(open(t, c, everything()))
	wantCode(t, err, codes.DataLoss, "capture is cut off")
	if len(got) != len(src.updates) {
		t.Errorf("%d updates of %d before the end", len(got), len(src.updates))
	}
	if err := <-done; !errors.Is(err, broken) {
		t.Errorf("Run returned %v", err)
	}
	if !src.closed {
		t.Error("the source was not closed")
	}
}

type closing struct {
	list
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestShutdown(t *testing.T) {
	l, err := replay.NewLocal(replay.Options{Source: newGated()})
	if err != nil {
		t.Fatal(err)
	}
	c := dialLocal(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stream := open(t, c, everything())
	settle(t, stream)
	cancel()
	_, err = all(stream)
	wantCode(t, err, codes.Unavailable, "server is shutting down try again later")
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestStreamsStayOpenAfterTheSource(t *testing.T) {
	_, c := serve(t, replay.Options{Source: &list{updates: chain(100, 102, 1)}})
	stream := open(t, c, everything())
	r := everything()
	r.FromSlot = ptr(uint64(101))
	for { // until the source has been played
		info, err := c.SubscribeReplayInfo(t.Context(), &pb.SubscribeReplayInfoRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if slot, err := c.GetSlot(t.Context(), &pb.GetSlotRequest{}); err == nil && slot.GetSlot() == 102 && info.GetFirstAvailable() == 100 {
			break
		}
	}
	settleAfter(t, stream)
	send(t, stream, r)
	same(t, words(t, stream, 2), "slot 101 first_shred_received s", "slot 101 created_bank s")
}

// settleAfter reads up to the answer to a ping.
func settleAfter(t *testing.T, stream pb.Geyser_SubscribeClient) {
	t.Helper()
	send(t, stream, &pb.SubscribeRequest{Ping: &pb.SubscribeRequestPing{Id: 78}})
	for words(t, stream, 1)[0] != "pong 78" { //nolint:revive // the condition reads
	}
}

func TestToken(t *testing.T) {
	_, c := serve(t, replay.Options{Source: &list{updates: chain(100, 101, 1)}, Token: "secret", WaitForClient: true, EndWithSource: true})
	for _, token := range []string{"", "wrong", "secre", "secret "} {
		ctx := t.Context()
		if token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-token", token)
		}
		_, err := c.GetVersion(ctx, &pb.GetVersionRequest{})
		wantCode(t, err, codes.Unauthenticated, "No valid auth token")
		stream, err := c.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		wantCode(t, err, codes.Unauthenticated, "No valid auth token")
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-token", "secret")
	if _, err := c.GetVersion(ctx, &pb.GetVersionRequest{}); err != nil {
		t.Error(err)
	}
	stream, err := c.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, everything())
	if got, err := all(stream); err != nil || len(got) != len(chain(100, 101, 1)) {
		t.Errorf("%d updates, %v", len(got), err)
	}
	head, err := stream.Header()
	if err != nil || !slices.Equal(head.Get(replay.FeedHeader), []string{"replay"}) {
		t.Errorf("header %v, %v", head, err)
	}
}

func TestTooManyStreams(t *testing.T) {
	_, c := serve(t, replay.Options{Source: newGated(), MaxStreams: 2})
	one, two := open(t, c, everything()), open(t, c, everything())
	settle(t, one)
	settle(t, two)
	_, err := all(open(t, c, everything()))
	wantCode(t, err, codes.ResourceExhausted, "max subscription limit exceeded")
	// A stream that has ended makes room.
	send(t, two, &pb.SubscribeRequest{Commitment: ptr(pb.CommitmentLevel(9))})
	_, err = all(two)
	wantCode(t, err, codes.InvalidArgument, "")
	settle(t, open(t, c, everything()))
}

// Clients that come, change their minds and go must hold up neither the player
// nor each other.
func TestClientsComeAndGo(t *testing.T) {
	src := chain(100, 900, 8)
	l, c := serve(t, replay.Options{
		Reopen: func() (replay.Source, error) { return &list{updates: src}, nil },
		Loop:   true, WaitForClient: true, QueueSize: 64, StoredSlots: 20,
	})
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			for range 6 {
				ctx, cancel := context.WithCancel(t.Context())
				stream, err := c.Subscribe(ctx)
				if err != nil {
					t.Error(err)
				}
				for range 1 + rng.IntN(3) {
					r := atLevel(pb.CommitmentLevel(rng.IntN(3)))
					if rng.IntN(3) == 0 {
						r.FromSlot = ptr(l.Stats().FirstSlot + 5)
					}
					_ = stream.Send(r) // a refusal shows in Recv
					for range rng.IntN(60) {
						if _, err := stream.Recv(); err != nil {
							if code := status.Code(err); code != codes.OutOfRange && code != codes.Internal {
								t.Error(err)
							}
							break
						}
					}
				}
				cancel()
			}
		})
	}
	wg.Wait()
	before := l.Stats().Played
	stream := open(t, c, everything())
	words(t, stream, 200)
	if l.Stats().Played <= before {
		t.Error("the player stands still")
	}
}
