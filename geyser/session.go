package geyser

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/swapcast/swapcast"
)

// session is one stream, from dialling to its end. Three goroutines know it:
// Run's receives, one sends pings, one watches for silence.
type session struct {
	*Subscriber
	ctx    context.Context
	cancel context.CancelCauseFunc
	sink   sink
	pongs  chan int32

	// owned by Run's goroutine
	firstData time.Time
	newest    uint64
	pings     int32
	badSeen   bool // a decode error was logged
	feed      swapcast.Feed

	// shared with the watchdog
	began   time.Time
	idle    atomic.Int64 // time since began at the last data, in nanoseconds
	blocked atomic.Bool  // waiting for the consumer: silence is our own
}

// feedHeader is the response header by which a server that is no live chain
// says so: "simulated" or "replay".
const feedHeader = "x-swapcast-feed"

// feedOf reads what the server says it serves. It is called after the first
// message, when the headers are there. A value that we do not know is no live
// chain's either: it counts as a recording.
func feedOf(stream grpc.ClientStream) swapcast.Feed {
	header, err := stream.Header()
	if err != nil {
		return swapcast.FeedLive
	}
	switch values := header.Get(feedHeader); {
	case len(values) == 0:
		return swapcast.FeedLive
	case values[0] == string(swapcast.FeedSimulated):
		return swapcast.FeedSimulated
	default:
		return swapcast.FeedReplay
	}
}

// sink is where updates go: one of the two is set.
type sink struct {
	events chan<- *Event
	raw    func(*pb.SubscribeUpdate) error
}

// sinkError ends a stream because its consumer failed.
type sinkError struct{ error }

// stream opens one stream and plays it to its end. Every goroutine that it
// starts has ended when it returns.
func (s *Subscriber) stream(ctx context.Context, to sink) ending {
	sctx, cancel := context.WithCancelCause(s.opts.withToken(ctx))
	ss := &session{
		Subscriber: s, ctx: sctx, cancel: cancel, sink: to,
		pongs: make(chan int32, 1), // a ping that finds it full is answered by the one before it
		began: time.Now(),
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	// A new connection each time: a half-dead one is the likeliest reason
	// that we are here, and its name may point elsewhere by now.
	conn, err := grpc.NewClient(s.opts.Target, s.dial...)
	if err != nil {
		return ending{err: err}
	}
	defer conn.Close()
	wg.Go(ss.watch)
	grpcStream, err := pb.NewGeyserClient(conn).Subscribe(sctx)
	if err != nil {
		return ending{err: err, cause: context.Cause(sctx)}
	}
	if err := grpcStream.Send(s.opts.subscribeRequest()); err != nil {
		_, err = grpcStream.Recv() // Send says only EOF; the reason comes here
		return ending{err: err, cause: context.Cause(sctx)}
	}
	wg.Go(func() { ss.answerPings(grpcStream) })
	for first := true; ; {
		update, err := grpcStream.Recv()
		if err != nil {
			return ending{err: err, cause: context.Cause(sctx), firstData: ss.firstData}
		}
		if first {
			first = false
			feed := feedOf(grpcStream)
			ss.feed = feed
			ss.Subscriber.feed.Store(&feed)
		}
		if !ss.handle(update, time.Now()) {
			return ending{err: sctx.Err(), cause: context.Cause(sctx), firstData: ss.firstData}
		}
	}
}

// watch ends the stream when no data has come for StaleAfter. The wait for the
// connection and for the first answer counts too.
func (ss *session) watch() {
	limit := ss.opts.StaleAfter
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-ss.ctx.Done():
			return
		case <-timer.C:
		}
		silent := time.Since(ss.began) - time.Duration(ss.idle.Load())
		switch {
		case ss.blocked.Load():
			timer.Reset(limit)
		case silent >= limit:
			ss.cancel(fmt.Errorf("no data for %v: %w", limit, swapcast.ErrStreamStale))
			return
		default:
			timer.Reset(limit - silent)
		}
	}
}

// answerPings is the only sender once the subscription is sent: gRPC allows
// one at a time, and sending may block while receiving must go on.
func (ss *session) answerPings(stream grpc.BidiStreamingClient[pb.SubscribeRequest, pb.SubscribeUpdate]) {
	for {
		select {
		case <-ss.ctx.Done():
			return
		case id := <-ss.pongs:
			if stream.Send(pingRequest(id)) != nil {
				return // Recv has the reason
			}
		}
	}
}

// handle passes one update on. It reports false where the stream must end.
func (ss *session) handle(u *pb.SubscribeUpdate, now time.Time) bool {
	switch v := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		ss.data(updateTx, now)
		ss.heardOf(v.Transaction.GetSlot())
	case *pb.SubscribeUpdate_Slot:
		ss.data(updateSlot, now)
		if atTip(v.Slot.GetStatus()) {
			ss.heardOf(v.Slot.GetSlot())
		}
	case *pb.SubscribeUpdate_BlockMeta:
		ss.data(updateBlock, now)
		ss.heardOf(v.BlockMeta.GetSlot())
	case *pb.SubscribeUpdate_Ping:
		ss.metrics.update(updatePing)
		ss.pings++
		select {
		case ss.pongs <- ss.pings:
		default:
		}
		return true
	case *pb.SubscribeUpdate_Pong:
		ss.metrics.update(updatePong)
		return true
	default:
		ss.metrics.update(updateOther)
		return true
	}
	if ss.sink.raw != nil {
		return ss.handRaw(u, now)
	}
	return ss.handEvent(u, now)
}

// atTip tells the statuses of the slot that the chain is at from those that
// come to older slots.
func atTip(s pb.SlotStatus) bool {
	switch s {
	case pb.SlotStatus_SLOT_CONFIRMED, pb.SlotStatus_SLOT_FINALIZED, pb.SlotStatus_SLOT_DEAD:
		return false
	}
	return true
}

// handRaw gives the message to RunRaw's caller.
func (ss *session) handRaw(u *pb.SubscribeUpdate, now time.Time) bool {
	if u.CreatedAt == nil { // servers of before 2025
		u.CreatedAt = timestamppb.New(now)
	}
	ss.blocked.Store(true)
	err := ss.sink.raw(u)
	ss.idle.Store(int64(time.Since(ss.began)))
	ss.blocked.Store(false)
	if err != nil {
		ss.cancel(sinkError{err})
		return false
	}
	return true
}

// handEvent makes an event of an update and delivers it.
func (ss *session) handEvent(u *pb.SubscribeUpdate, now time.Time) bool {
	switch v := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		return ss.transaction(u, v.Transaction, now)
	case *pb.SubscribeUpdate_Slot:
		return ss.slotStatus(u, v.Slot, now)
	case *pb.SubscribeUpdate_BlockMeta:
		e := ss.event(KindBlock, u, now)
		e.Block = blockMeta(v.BlockMeta)
		return ss.deliver(e)
	}
	return true
}

// data notes that the stream lives.
func (ss *session) data(kind updateKind, now time.Time) {
	ss.metrics.update(kind)
	ss.idle.Store(int64(now.Sub(ss.began)))
	ss.lastUpdate.Store(now.UnixNano())
	if ss.firstData.IsZero() {
		ss.firstData = now
		ss.connected.Store(true)
		ss.metrics.setConnected(true)
		ss.log.Info("stream is up", "after", now.Sub(ss.began).Round(time.Millisecond))
	}
}

// heardOf follows the newest slot that the stream is at. Statuses of older
// slots must not come here.
func (ss *session) heardOf(slot uint64) {
	if missed := ss.gap.live(slot); missed > 0 {
		ss.metrics.gap(missed)
		ss.log.Warn("slots were missed between two streams", "slots", missed, "up_to", slot-1)
	}
	if slot > ss.newest {
		ss.newest = slot
		ss.slot.Store(slot)
		ss.metrics.setSlot(slot)
	}
}

func (ss *session) transaction(u *pb.SubscribeUpdate, t *pb.SubscribeUpdateTransaction, now time.Time) bool {
	e := ss.event(KindTx, u, now)
	if err := ss.decoder.Transaction(t, &e.tx); err != nil {
		var reason DecodeError
		errors.As(err, &reason)
		ss.metrics.decodeError(string(reason))
		if !ss.badSeen {
			ss.badSeen = true
			ss.log.Warn("a transaction cannot be decoded; further ones of this stream are only counted",
				"slot", t.GetSlot(), "reason", string(reason))
		}
		e.Release()
		return true
	}
	e.Tx = &e.tx
	e.tx.ReceivedAt, e.tx.CreatedAt = e.ReceivedAt, e.CreatedAt
	created, received := e.CreatedAt, e.ReceivedAt
	if !ss.deliver(e) {
		return false
	}
	if ss.metrics != nil {
		if ss.feed == swapcast.FeedReplay {
			created = 0 // of the time of the recording: no measure of the way
		}
		ss.metrics.stages(created, received, time.Now().UnixNano())
	}
	return true
}

func (ss *session) slotStatus(u *pb.SubscribeUpdate, v *pb.SubscribeUpdateSlot, now time.Time) bool {
	status := v.GetStatus()
	if status < 0 || status > pb.SlotStatus_SLOT_DEAD {
		return true // a stage of a newer server; counted as a slot update
	}
	e := ss.event(KindSlot, u, now)
	e.Slot = swapcast.SlotUpdate{
		Slot: v.GetSlot(), Parent: v.GetParent(), Status: swapcast.SlotStatus(status), DeadError: v.GetDeadError(),
	}
	return ss.deliver(e)
}

func blockMeta(v *pb.SubscribeUpdateBlockMeta) swapcast.BlockMeta {
	return swapcast.BlockMeta{
		Slot:         v.GetSlot(),
		ParentSlot:   v.GetParentSlot(),
		Blockhash:    v.GetBlockhash(),
		ParentHash:   v.GetParentBlockhash(),
		BlockTime:    v.GetBlockTime().GetTimestamp(),
		BlockHeight:  v.GetBlockHeight().GetBlockHeight(),
		Transactions: v.GetExecutedTransactionCount(),
	}
}

// event takes an event from the pool.
func (ss *session) event(kind Kind, u *pb.SubscribeUpdate, now time.Time) *Event {
	e := ss.events.Get().(*Event)
	e.Kind = kind
	e.Endpoint = ss.opts.Name
	e.Feed = ss.feed
	e.ReceivedAt = now.UnixNano()
	if c := u.GetCreatedAt(); c != nil {
		e.CreatedAt = c.GetSeconds()*int64(time.Second) + int64(c.GetNanos())
	}
	return e
}

// deliver hands an event over and waits where out is full; gRPC then stops
// reading, and the server feels it. The event is not ours afterwards.
func (ss *session) deliver(e *Event) bool {
	select {
	case ss.sink.events <- e:
		return true
	default:
	}
	ss.blocked.Store(true)
	start := time.Now()
	defer func() {
		ss.metrics.wait(time.Since(start).Seconds())
		ss.idle.Store(int64(time.Since(ss.began))) // silence starts now
		ss.blocked.Store(false)
	}()
	select {
	case ss.sink.events <- e:
		return true
	case <-ss.ctx.Done():
		e.Release()
		return false
	}
}
