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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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

// FeedHeader is the response header by which a server that is no live chain
// says so: "simulated" or "replay".
const FeedHeader = "x-swapcast-feed"

// feedOf reads what the server says it serves. It is called after the first
// message, when the headers are there. A value that we do not know is no live
// chain's either: it counts as a recording.
func feedOf(stream grpc.ClientStream) swapcast.Feed {
	header, err := stream.Header()
	if err != nil {
		return swapcast.FeedLive
	}
	switch values := header.Get(FeedHeader); {
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
	var call []grpc.CallOption
	if to.raw == nil {
		call = append(call, grpc.ForceCodecV2(newEventCodec()))
	}
	grpcStream, err := pb.NewGeyserClient(conn).Subscribe(sctx, call...)
	if err != nil {
		return ending{err: err, cause: context.Cause(sctx)}
	}
	receive := ss.receiveEvents
	if to.raw != nil {
		receive = ss.receiveRaw
	}
	if err := grpcStream.Send(s.opts.subscribeRequest()); err != nil {
		err = receive(grpcStream) // Send says only EOF; the reason comes here
		return ending{err: err, cause: context.Cause(sctx), firstData: ss.firstData}
	}
	wg.Go(func() { ss.answerPings(grpcStream) })
	err = receive(grpcStream)
	return ending{err: err, cause: context.Cause(sctx), firstData: ss.firstData}
}

// updateStream is a subscription, both ways.
type updateStream = grpc.BidiStreamingClient[pb.SubscribeRequest, pb.SubscribeUpdate]

// receiveEvents makes events of the stream's messages until it ends, and says
// why it did. A message is received into the event that it becomes, whose
// memory is that of an earlier one.
func (ss *session) receiveEvents(stream updateStream) error {
	e := ss.events.Get().(*Event)
	defer func() { e.Release() }()
	for first := true; ; first = false {
		if err := stream.RecvMsg(e); err != nil {
			return err
		}
		if first {
			ss.learnFeed(stream)
		}
		wanted, err := ss.read(e, time.Now())
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		full := e
		e = ss.events.Get().(*Event)
		if !ss.deliver(full) {
			return ss.ctx.Err()
		}
	}
}

// receiveRaw gives the stream's messages to RunRaw's caller until it ends, and
// says why it did.
func (ss *session) receiveRaw(stream updateStream) error {
	for first := true; ; first = false {
		u, err := stream.Recv()
		if err != nil {
			return err
		}
		if first {
			ss.learnFeed(stream)
		}
		now := time.Now()
		if ss.note(kindOf(u), now) && !ss.handRaw(u, now) {
			return ss.ctx.Err()
		}
	}
}

// learnFeed is called once there is a first message.
func (ss *session) learnFeed(stream updateStream) {
	feed := feedOf(stream)
	ss.feed = feed
	ss.Subscriber.feed.Store(&feed)
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
func (ss *session) answerPings(stream updateStream) {
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

// heard is what a message tells about the stream that it came on.
type heard struct {
	kind   Kind
	slot   uint64
	status pb.SlotStatus // KindSlot
}

// heard tells of the last message that was not malformed.
func (d *WireDecoder) heard() heard {
	switch d.kind {
	case KindTx:
		return heard{kind: KindTx, slot: d.tx.slot}
	case KindSlot:
		return heard{kind: KindSlot, slot: d.slot.Slot, status: pb.SlotStatus(d.status)}
	case KindBlock:
		return heard{kind: KindBlock, slot: d.block.Slot}
	}
	return heard{kind: d.kind}
}

// kindOf is the same of a message that the generated code has
// decoded.
func kindOf(u *pb.SubscribeUpdate) heard {
	switch v := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		return heard{kind: KindTx, slot: v.Transaction.GetSlot()}
	case *pb.SubscribeUpdate_Slot:
		return heard{kind: KindSlot, slot: v.Slot.GetSlot(), status: v.Slot.GetStatus()}
	case *pb.SubscribeUpdate_BlockMeta:
		return heard{kind: KindBlock, slot: v.BlockMeta.GetSlot()}
	case *pb.SubscribeUpdate_Ping:
		return heard{kind: KindPing}
	case *pb.SubscribeUpdate_Pong:
		return heard{kind: KindPong}
	case nil:
		return heard{kind: KindNone}
	}
	return heard{kind: KindOther}
}

// note counts a message, answers it where it is a ping, and reports whether it
// carries data.
func (ss *session) note(h heard, now time.Time) bool {
	switch h.kind {
	case KindTx:
		ss.data(updateTx, now)
		ss.heardOf(h.slot)
	case KindSlot:
		ss.data(updateSlot, now)
		if atTip(h.status) {
			ss.heardOf(h.slot)
		}
	case KindBlock:
		ss.data(updateBlock, now)
		ss.heardOf(h.slot)
	case KindPing:
		ss.metrics.update(updatePing)
		ss.pings++
		select {
		case ss.pongs <- ss.pings:
		default:
		}
		return false
	case KindPong:
		ss.metrics.update(updatePong)
		return false
	default:
		ss.metrics.update(updateOther)
		return false
	}
	return true
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

// read turns the bytes that e was received with into the update that it is,
// and reports whether that is one to deliver. Its error ends the stream.
func (ss *session) read(e *Event, now time.Time) (bool, error) {
	err := ss.wire.Update(e.buf, e)
	if errors.Is(err, ErrMalformed) {
		// What gRPC says where its own codec finds out.
		return false, status.Error(codes.Internal, "failed to unmarshal the received message: "+err.Error())
	}
	h := ss.wire.heard()
	if !ss.note(h, now) {
		return false, nil
	}
	e.Endpoint = ss.opts.Name
	e.Feed = ss.feed
	e.ReceivedAt = now.UnixNano()
	switch {
	case err != nil:
		ss.unsound(h.slot, err)
		return false, nil
	case e.Kind == KindTx && e.Tx == nil:
		ss.unwanted.Add(1)
		return false, nil
	case e.Kind == KindTx:
		e.Tx.ReceivedAt, e.Tx.CreatedAt = e.ReceivedAt, e.CreatedAt
	case e.Kind == KindSlot && (h.status < 0 || h.status > pb.SlotStatus_SLOT_DEAD):
		return false, nil // a stage of a newer server; counted as a slot update
	}
	return true, nil
}

// unsound counts a transaction that could not be decoded.
func (ss *session) unsound(slot uint64, err error) {
	var reason DecodeError
	errors.As(err, &reason)
	ss.metrics.decodeError(string(reason))
	if !ss.badSeen {
		ss.badSeen = true
		ss.log.Warn("a transaction cannot be decoded; further ones of this stream are only counted",
			"slot", slot, "reason", string(reason))
	}
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

// deliver hands an event over, and measures how a transaction came here.
func (ss *session) deliver(e *Event) bool {
	isTx, created, received := e.Kind == KindTx, e.CreatedAt, e.ReceivedAt
	if !ss.hand(e) {
		return false
	}
	if isTx && ss.metrics != nil {
		if ss.feed == swapcast.FeedReplay {
			created = 0 // of the time of the recording: no measure of the way
		}
		ss.metrics.stages(created, received, time.Now().UnixNano())
	}
	return true
}

// hand waits where out is full; gRPC then stops reading, and the server feels
// it. The event is not ours afterwards.
func (ss *session) hand(e *Event) bool {
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
