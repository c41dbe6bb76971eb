package geyser

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/swapcast/swapcast"
)

func TestSubscriberEvents(t *testing.T) {
	created := time.Unix(1764000000, 5)
	var request *pb.SubscribeRequest
	var token []string
	pongs := make(chan int32, 1)
	o := serve(t, func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		request = req
		md, _ := metadata.FromIncomingContext(s.Context())
		token = md.Get("x-token")
		tx := txUpdate()
		tx.CreatedAt = timestamppb.New(created)
		dead := &pb.SubscribeUpdateSlot{Slot: 77, Parent: ptr(uint64(76)), Status: pb.SlotStatus_SLOT_DEAD, DeadError: ptr("gone")}
		if err := say(s, slotUpdate(77, pb.SlotStatus_SLOT_CREATED_BANK), pingUpdate(), tx,
			&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{
				Slot: 77, ParentSlot: 76, Blockhash: "h", ParentBlockhash: "p", ExecutedTransactionCount: 3,
				BlockTime: &pb.UnixTimestamp{Timestamp: 1764}, BlockHeight: &pb.BlockHeight{BlockHeight: 9},
			}}},
			&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: dead}},
			slotUpdate(77, pb.SlotStatus(99)), // of a newer server: passed over
			slotUpdate(77, pb.SlotStatus_SLOT_FINALIZED),
		); err != nil {
			return err
		}
		ping, err := s.Recv()
		if err != nil {
			return err
		}
		pongs <- ping.GetPing().GetId()
		return hold(s)
	})
	registry := prometheus.NewRegistry()
	o.Metrics = NewMetrics(registry)
	var chain, geyserStage recorder
	o.Metrics.StageChain, o.Metrics.StageGeyser = &chain, &geyserStage
	o.Token = "secret"
	o.Programs = []solana.PublicKey{solana.TokenProgramID, solana.SystemProgramID}
	before := time.Now().UnixNano()
	r := start(t, o, 0)

	e := r.next(t)
	if e.Kind != KindSlot || e.Slot.Slot != 77 || e.Slot.Status != swapcast.SlotCreatedBank || e.Tx != nil || e.Endpoint != "fake" {
		t.Errorf("first: %+v", e)
	}
	if e.ReceivedAt < before || e.ReceivedAt > time.Now().UnixNano() || e.CreatedAt != 0 {
		t.Errorf("times: received %d created %d", e.ReceivedAt, e.CreatedAt)
	}
	e.Release()
	e = r.next(t)
	if e.Kind != KindTx || e.Tx.Slot != 77 || len(e.Tx.Instructions) != 4 {
		t.Errorf("second: %+v", e)
	}
	if e.CreatedAt != created.UnixNano() || e.Tx.CreatedAt != e.CreatedAt || e.Tx.ReceivedAt != e.ReceivedAt {
		t.Errorf("times of the transaction: %d %d %d", e.CreatedAt, e.Tx.CreatedAt, e.Tx.ReceivedAt)
	}
	e.Release()
	e = r.next(t)
	want := swapcast.BlockMeta{Slot: 77, ParentSlot: 76, Blockhash: "h", ParentHash: "p", BlockTime: 1764, BlockHeight: 9, Transactions: 3}
	if e.Kind != KindBlock || e.Block != want {
		t.Errorf("third: %+v", e)
	}
	e.Release()
	e = r.next(t)
	if e.Slot != (swapcast.SlotUpdate{Slot: 77, Parent: 76, Status: swapcast.SlotDead, DeadError: "gone"}) {
		t.Errorf("fourth: %+v", e)
	}
	e.Release()
	if e = r.next(t); e.Slot.Status != swapcast.SlotFinalized {
		t.Errorf("fifth: %+v", e)
	}
	e.Release()
	if id := <-pongs; id != 1 {
		t.Errorf("ping was answered with id %d", id)
	}

	f := request.Transactions[filterName]
	if f.GetVote() || f.Vote == nil || f.GetFailed() || f.Failed == nil || len(f.AccountInclude) != 2 || f.AccountInclude[0] != solana.TokenProgramID.String() {
		t.Errorf("transaction filter: %v", f)
	}
	if !request.Slots[filterName].GetInterslotUpdates() || request.Slots[filterName].GetFilterByCommitment() || request.BlocksMeta[filterName] == nil ||
		request.GetCommitment() != pb.CommitmentLevel_PROCESSED || request.FromSlot != nil {
		t.Errorf("request: %v", request)
	}
	if len(token) != 1 || token[0] != "secret" {
		t.Errorf("token: %v", token)
	}
	st := r.sub.Status()
	if !st.Connected || st.Slot != 77 || st.Reconnects != 0 || st.Reason != "" || st.LastUpdateAt < before {
		t.Errorf("status: %+v", st)
	}
	for kind, n := range map[string]float64{"tx": 1, "slot": 4, "block": 1, "ping": 1} {
		if got := value(t, o.Metrics.updates.WithLabelValues("fake", kind)); got != n {
			t.Errorf("updates of kind %s: %v, want %v", kind, got, n)
		}
	}
	if chain.n.Load() != 1 || geyserStage.n.Load() != 1 {
		t.Errorf("stages: chain %d geyser %d", chain.n.Load(), geyserStage.n.Load())
	}
	r.cancel()
	if err := <-r.result; err != nil {
		t.Errorf("Run: %v", err)
	}
	r.result <- nil
}

type recorder struct{ n atomic.Int64 }

func (r *recorder) Observe(float64) { r.n.Add(1) }

// TestSubscriberReconnects ends a stream in each way that servers and proxies
// do, and wants data from the next one and the right reason counted.
func TestSubscriberReconnects(t *testing.T) {
	for name, c := range map[string]struct {
		end  error // nil: closed without an error
		want Reason
		slow bool
	}{
		"closed":        {nil, ReasonEnded, false},
		"lagged":        {status.Error(codes.Internal, "lagged to send an update"), ReasonLagged, true},
		"lagged geyser": {status.Error(codes.Internal, "lagged to receive geyser messages"), ReasonLagged, true},
		"no replay":     {status.Error(codes.Internal, "from_slot is not supported"), ReasonNoReplay, false},
		"replay failed": {status.Error(codes.Internal, "failed to get replay response"), ReasonReplayFailed, false},
		"replay range":  {status.Error(codes.OutOfRange, "broadcast from 5 is not available, last available: 9"), ReasonReplayRange, false},
		"internal":      {status.Error(codes.Internal, "boom"), ReasonInternal, false},
		"shutdown":      {status.Error(codes.Unavailable, "server is shutting down try again later"), ReasonShutdown, false},
		"unavailable":   {status.Error(codes.Unavailable, "bye"), ReasonUnavailable, false},
		"limit":         {status.Error(codes.ResourceExhausted, "max subscription limit exceeded"), ReasonLimit, false},
		"deadline":      {status.Error(codes.DeadlineExceeded, "x"), ReasonDeadline, false},
		"cancelled":     {status.Error(codes.Canceled, "x"), ReasonCancelled, false},
		"unknown":       {errors.New("x"), ReasonOther, false},
		"token":         {status.Error(codes.Unauthenticated, "No valid auth token"), ReasonAuth, true},
		"plan":          {status.Error(codes.PermissionDenied, "x"), ReasonAuth, true},
		"unimplemented": {status.Error(codes.Unimplemented, "method disabled"), ReasonUnimplemented, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := serve(t,
				func(*pb.SubscribeRequest, pb.Geyser_SubscribeServer) error { return c.end },
				func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
					if err := say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED)); err != nil {
						return err
					}
					return hold(s)
				})
			o.Metrics = NewMetrics(prometheus.NewRegistry())
			var log lockedBuffer
			o.Logger = log.logger()
			r := start(t, o, 1)
			r.next(t).Release()
			if got := value(t, o.Metrics.reconnects.WithLabelValues("fake", string(c.want))); got != 1 {
				t.Errorf("reconnects with reason %s: %v, want 1; log: %s", c.want, got, log.String())
			}
			if st := r.sub.Status(); st.Reconnects != 1 {
				t.Errorf("status: %+v", st)
			}
			if got := strings.Contains(log.String(), "level=ERROR"); got != c.slow {
				t.Errorf("logged as an error: %v, want %v: %s", got, c.slow, log.String())
			}
		})
	}
}

func TestSubscriberBadFilter(t *testing.T) {
	refuse := func(*pb.SubscribeRequest, pb.Geyser_SubscribeServer) error {
		return status.Error(codes.InvalidArgument, "failed to create filter: Max amount of filters reached, only 1 allowed")
	}
	t.Run("at first ends Run", func(t *testing.T) {
		r := start(t, serve(t, refuse), 1)
		select {
		case err := <-r.result:
			r.result <- err
			if err == nil || !strings.Contains(err.Error(), "Max amount of filters") || !strings.Contains(err.Error(), "fake") {
				t.Errorf("error: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Run goes on")
		}
	})
	t.Run("after service is retried", func(t *testing.T) {
		serveOne := func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			return say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED))
		}
		r := start(t, serve(t, serveOne, refuse, serveOne, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return hold(s) }), 1)
		r.next(t).Release()
		r.next(t).Release()
	})
}

// TestSubscriberStale: pings alone are no data, and a server that accepts and
// says nothing is no server.
func TestSubscriberStale(t *testing.T) {
	good := func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		if err := say(s, slotUpdate(2, pb.SlotStatus_SLOT_PROCESSED)); err != nil {
			return err
		}
		return hold(s)
	}
	for name, bad := range map[string]script{
		"silent from the start": func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return hold(s) },
		"pings only": func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			if err := say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED)); err != nil {
				return err
			}
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-s.Context().Done():
					return nil
				case <-tick.C:
					if err := say(s, pingUpdate()); err != nil {
						return err
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := serve(t, bad, good)
			o.StaleAfter = 500 * time.Millisecond // a busy machine needs some of it to connect
			o.Metrics = NewMetrics(prometheus.NewRegistry())
			r := start(t, o, 8)
			for {
				e := r.next(t)
				slot := e.Slot.Slot
				e.Release()
				if slot == 2 {
					break
				}
			}
			stale := value(t, o.Metrics.reconnects.WithLabelValues("fake", "stale"))
			if n := r.sub.Status().Reconnects; stale < 1 || uint64(stale) != n {
				t.Errorf("%v of %d reconnects were for silence", stale, n)
			}
		})
	}
}

// TestSubscriberSlowConsumer: a consumer that is away for longer than
// StaleAfter loses nothing, causes no reconnect and is charged for the time.
func TestSubscriberSlowConsumer(t *testing.T) {
	o := serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		for i := range uint64(50) {
			if err := say(s, slotUpdate(i+1, pb.SlotStatus_SLOT_PROCESSED)); err != nil {
				return err
			}
		}
		return hold(s)
	})
	o.StaleAfter = 200 * time.Millisecond
	o.Metrics = NewMetrics(prometheus.NewRegistry())
	r := start(t, o, 0)
	r.next(t).Release()
	before := r.sub.Status().Reconnects     // a busy machine may have needed several attempts
	away := time.NewTimer(4 * o.StaleAfter) // the time away is what is tested
	<-away.C
	for i := range uint64(49) {
		e := r.next(t)
		if e.Slot.Slot != i+2 {
			t.Fatalf("slot %d, want %d", e.Slot.Slot, i+2)
		}
		e.Release()
	}
	if n := r.sub.Status().Reconnects; n != before {
		t.Errorf("%d reconnects while the consumer was away", n-before)
	}
	if got := value(t, o.Metrics.blocked.WithLabelValues("fake")); got < (3 * o.StaleAfter).Seconds() {
		t.Errorf("blocked for %v s", got)
	}
}

func TestSubscriberGarbage(t *testing.T) {
	bad := sample()
	bad.Transaction.Meta.PreBalances = nil
	o := serve(t,
		func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			// A well-formed message that is no sound transaction costs itself only.
			if err := say(s, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: bad}}, &pb.SubscribeUpdate{}, txUpdate()); err != nil {
				return err
			}
			// Bytes that are no message end the stream.
			if err := s.SendMsg(rawMessage("\xff\xff\xff garbage")); err != nil {
				return err
			}
			return hold(s)
		},
		func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			if err := say(s, slotUpdate(3, pb.SlotStatus_SLOT_PROCESSED)); err != nil {
				return err
			}
			return hold(s)
		})
	o.Metrics = NewMetrics(prometheus.NewRegistry())
	r := start(t, o, 0)
	if e := r.next(t); e.Kind != KindTx {
		t.Errorf("first: %+v", e)
	}
	if e := r.next(t); e.Kind != KindSlot || e.Slot.Slot != 3 {
		t.Errorf("second: %+v", e)
	}
	if got := value(t, o.Metrics.decode.WithLabelValues("fake", string(ErrBalanceCount))); got != 1 {
		t.Errorf("decode errors: %v", got)
	}
	if got := value(t, o.Metrics.reconnects.WithLabelValues("fake", "garbage")); got != 1 {
		t.Errorf("reconnects: %v", got)
	}
}

// TestSubscriberCompression checks on the wire that messages really are packed,
// and that none is where none was asked for. The message is larger than
// gRPC's own limit.
func TestSubscriberCompression(t *testing.T) {
	for _, c := range []string{"", "gzip", "zstd"} {
		t.Run("compression "+c, func(t *testing.T) {
			t.Parallel()
			big := txUpdate()
			big.GetTransaction().Transaction.Meta.LogMessages = []string{strings.Repeat("log ", 2<<20)}
			o := serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
				if err := say(s, big, big); err != nil { // twice: decoders are reused
					return err
				}
				return hold(s)
			})
			var wire payloads
			o.Compression = c
			o.DialOptions = append(o.DialOptions, grpc.WithStatsHandler(&wire))
			r := start(t, o, 0)
			for range 2 {
				if e := r.next(t); e.Kind != KindTx || len(e.Tx.Logs[0]) != 8<<20 {
					t.Errorf("event: %v", e.Kind)
				}
			}
			raw, packed := wire.raw.Load(), wire.packed.Load()
			if c == "" && raw != packed || c != "" && packed > raw/10 {
				t.Errorf("%d bytes came as %d", raw, packed)
			}
		})
	}
}

// payloads counts received bytes before and after unpacking.
type payloads struct{ raw, packed atomic.Int64 }

func (p *payloads) HandleRPC(_ context.Context, s stats.RPCStats) {
	if in, ok := s.(*stats.InPayload); ok {
		p.raw.Add(int64(in.Length))
		p.packed.Add(int64(in.CompressedLength))
	}
}
func (*payloads) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*payloads) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*payloads) HandleConn(context.Context, stats.ConnStats)                       {}

// TestSubscriberNoServer: nobody listens; Run tries on and ends when told.
func TestSubscriberNoServer(t *testing.T) {
	o := Options{Target: "passthrough:///127.0.0.1:1", Backoff: Backoff{Base: time.Millisecond, Cap: time.Millisecond}}
	var log lockedBuffer
	o.Logger = log.logger()
	r := start(t, o, 0)
	log.waitFor(t, "reason=connect", 3)
	if st := r.sub.Status(); st.Connected || st.Reason != "connect" || st.Reconnects < 3 {
		t.Errorf("status: %+v", st)
	}
	r.cancel()
	err := <-r.result
	r.result <- err
	if err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunTwice(t *testing.T) {
	r := start(t, serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		if err := say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED)); err != nil {
			return err
		}
		return hold(s)
	}), 0)
	r.next(t).Release()
	if err := r.sub.Run(t.Context(), r.events); err == nil {
		t.Error("a second Run was accepted")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no target":   {},
		"compression": {Target: "x", Compression: "br"},
		"stale":       {Target: "x", StaleAfter: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestClassifyWatchdogFirst(t *testing.T) {
	cause := errors.Join(swapcast.ErrStreamStale)
	if r, _ := classify(status.Error(codes.Canceled, "context canceled"), cause); r != ReasonStale {
		t.Errorf("reason %s: our own watchdog's cancellation must not be taken for the server's", r)
	}
	for text, want := range map[string]Reason{
		"grpc: received message larger than max (1073741825 vs. 1073741824)": ReasonTooBig,
		"too many requests": ReasonLimit,
	} {
		if r, _ := classify(status.Error(codes.ResourceExhausted, text), nil); r != want {
			t.Errorf("%s: %s, want %s", text, r, want)
		}
	}
	for text, want := range map[string]Reason{
		"stream terminated by RST_STREAM with error code: PROTOCOL_ERROR": ReasonReset,
		"grpc: failed to unmarshal the received message: x":               ReasonGarbage,
	} {
		if r, _ := classify(status.Error(codes.Internal, text), nil); r != want {
			t.Errorf("%s: %s, want %s", text, r, want)
		}
	}
	if r, _ := classify(status.Error(codes.Unavailable, `closing transport due to: ENHANCE_YOUR_CALM, debug data: "too_many_pings"`), nil); r != ReasonTooManyPings {
		t.Errorf("reason %s", r)
	}
	if r, _ := classify(io.EOF, context.Canceled); r != ReasonEnded {
		t.Errorf("reason %s", r)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{}.withDefaults()
	highest := map[int]time.Duration{}
	for range 2000 {
		for _, n := range []int{1, 2, 5, 100, 1 << 20} {
			highest[n] = max(highest[n], b.delay(n, false))
		}
		if d := b.delay(1, true); d < b.Cap/2 || d > b.Cap {
			t.Fatalf("slow delay %v", d)
		}
	}
	for n, bound := range map[int]time.Duration{1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 5: 4 * time.Second, 100: 30 * time.Second, 1 << 20: 30 * time.Second} {
		if highest[n] > bound || highest[n] < bound/2 {
			t.Errorf("after %d failures the longest of 2,000 waits was %v; the bound is %v", n, highest[n], bound)
		}
	}
}

// TestBackoffGrowsOnFlapping: a stream that brings one update and ends is no
// success; the waits grow until one has been healthy for long enough.
func TestBackoffGrowsOnFlapping(t *testing.T) {
	o := serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		return say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED))
	})
	var log lockedBuffer
	o.Logger = log.logger()
	r := start(t, o, 0)
	for range 4 {
		r.next(t).Release()
	}
	log.waitFor(t, "failures=3", 1)
	r.cancel()

	o = serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		return say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED))
	})
	o.Backoff.HealthyAfter = 1 // any stream with data is healthy
	var healthy lockedBuffer
	o.Logger = healthy.logger()
	r = start(t, o, 0)
	for range 4 {
		r.next(t).Release()
	}
	healthy.waitFor(t, "failures=1", 3)
	if bytes.Contains([]byte(healthy.String()), []byte("failures=2")) {
		t.Errorf("the count was not reset: %s", healthy.String())
	}
}

func TestRunRaw(t *testing.T) {
	requests := make(chan *pb.SubscribeRequest, 1)
	o := serve(t, func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		requests <- req
		if err := say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED), pingUpdate(), txUpdate()); err != nil {
			return err
		}
		return hold(s)
	})
	o.Unfiltered = true
	sub, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	var got []*pb.SubscribeUpdate
	err = sub.RunRaw(t.Context(), func(u *pb.SubscribeUpdate) error {
		if got = append(got, u); len(got) == 2 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v, want the sink's", err)
	}
	if len(got) == 2 && (got[0].CreatedAt == nil || time.Since(got[0].CreatedAt.AsTime()) > time.Minute) {
		t.Errorf("created_at %v was not filled in", got[0].CreatedAt)
	}
	if len(got) != 2 || got[0].GetSlot() == nil || got[1].GetTransaction() == nil {
		t.Errorf("messages: %v", got)
	}
	if f := (<-requests).Transactions[filterName]; f.Vote != nil || f.Failed != nil || len(f.AccountInclude) != 0 {
		t.Errorf("filter: %v", f)
	}
}

// TestSubscriberFeed: what a server says of its data reaches every event, and
// a new stream may say something else.
func TestSubscriberFeed(t *testing.T) {
	saying := func(values ...string) script {
		return func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			if len(values) > 0 {
				if err := s.SetHeader(metadata.Pairs(FeedHeader, values[0])); err != nil {
					return err
				}
			}
			return say(s, slotUpdate(1, pb.SlotStatus_SLOT_PROCESSED), txUpdate())
		}
	}
	r := start(t, serve(t, saying("simulated"), saying("replay"), saying("something else"), saying(),
		func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return hold(s) }), 0)
	for i, want := range []swapcast.Feed{swapcast.FeedSimulated, swapcast.FeedReplay, swapcast.FeedReplay, swapcast.FeedLive} {
		for range 2 {
			e := r.next(t)
			if e.Feed != want {
				t.Errorf("stream %d: feed %q, want %q", i, e.Feed, want)
			}
			e.Release()
		}
	}
}

// TestSubscriberTLSMismatch: TLS to a plain server is a connection problem with
// the handshake's own words in the log.
func TestSubscriberTLSMismatch(t *testing.T) {
	o := serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return hold(s) })
	o.TLS = true
	var log lockedBuffer
	o.Logger = log.logger()
	r := start(t, o, 0)
	log.waitFor(t, "reason=connect", 1)
	if !strings.Contains(log.String(), "handshake") {
		t.Errorf("log: %s", log.String())
	}
	if st := r.sub.Status(); st.Connected {
		t.Errorf("status: %+v", st)
	}
}
