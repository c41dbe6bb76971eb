package geyser

import (
	"context"
	"errors"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/swapcast/swapcast"
)

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
		h, wanted, err := ss.read(e, time.Now())
		if err != nil {
			return err
		}
		if !ss.promise(h) {
			return ss.ctx.Err()
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

// learnFeed is called once there is a first message.
func (ss *session) learnFeed(stream updateStream) {
	feed := feedOf(stream)
	ss.feed = feed
	ss.Subscriber.feed.Store(&feed)
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
		} else if h.status == pb.SlotStatus_SLOT_CONFIRMED && h.slot > ss.confirmed.Load() {
			ss.confirmed.Store(h.slot)
			ss.part.progress()
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
	ss.rawMu.Lock()
	err := ss.sink.raw(u)
	ss.rawMu.Unlock()
	ss.idle.Store(int64(time.Since(ss.began)))
	ss.blocked.Store(false)
	if err != nil {
		ss.cancel(sinkError{err})
		return false
	}
	return true
}

// read turns the bytes that e was received with into the update that it is, and
// reports what it tells and whether it is one to deliver. Its error ends the
// stream.
func (ss *session) read(e *Event, now time.Time) (heard, bool, error) {
	err := ss.wire.Update(e.buf, e)
	if errors.Is(err, ErrMalformed) {
		// What gRPC says where its own codec finds out.
		return heard{}, false, status.Error(codes.Internal, "failed to unmarshal the received message: "+err.Error())
	}
	h := ss.wire.heard()
	if !ss.note(h, now) {
		return h, false, nil
	}
	e.Endpoint = ss.opts.Name
	e.Stream = ss.number
	e.Feed = ss.feed
	e.ReceivedAt = now.UnixNano()
	if e.CreatedAt != 0 && ss.feed != swapcast.FeedReplay {
		ss.lag.Store(e.ReceivedAt - e.CreatedAt)
	}
	switch {
	case err != nil:
		ss.unsound(h.slot, err)
		return h, false, nil
	case e.Kind == KindTx && e.Tx == nil:
		ss.unwanted.Add(1)
		return h, false, nil
	case e.Kind == KindTx:
		e.Tx.ReceivedAt, e.Tx.CreatedAt = e.ReceivedAt, e.CreatedAt
	case e.Kind == KindSlot && (h.status < 0 || h.status > pb.SlotStatus_SLOT_DEAD):
		return h, false, nil // a stage of a newer server; counted as a slot update
	}
	return h, true, nil
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
		ss.up(ss.part)
		ss.log.Info("stream is up", "stream", ss.number, "part", ss.part.index, "after", now.Sub(ss.began).Round(time.Millisecond))
	}
}

// heardOf follows the newest slot that the stream is at. Statuses of older
// slots must not come here.
func (ss *session) heardOf(slot uint64) {
	if slot > ss.newest.Load() {
		ss.newest.Store(slot)
		ss.part.progress()
		// A replay goes through old slots while another stream is at the tip.
		if slot > ss.slot.Load() || ss.live.Load() == 1 {
			ss.slot.Store(slot)
			ss.metrics.setSlot(slot)
		}
	}
}

// deliver hands an event over, and measures how a transaction came here.
func (ss *session) deliver(e *Event) bool {
	isTx, created, received := e.Kind == KindTx, e.CreatedAt, e.ReceivedAt
	if !ss.hand(ss.ctx, e) {
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
// it. The event is not ours afterwards. It gives up when ctx ends.
func (ss *session) hand(ctx context.Context, e *Event) bool {
	ss.spoke = true // of a promise alone too: it is hoped for until it ends
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
	case <-ctx.Done():
		e.Release()
		return false
	}
}
