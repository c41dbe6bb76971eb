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
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/swapcast/swapcast"
)

// session is one stream, from dialling to its end. Its goroutines: one receives
// and delivers, one sends, one watches for silence.
type session struct {
	*Subscriber
	part   *part
	number uint64
	outer  context.Context // Run's
	ctx    context.Context
	cancel context.CancelCauseFunc
	sink   sink
	pongs  chan int32
	widen  chan struct{} // one slot: the keys to ask for may have changed
	done   chan struct{} // closed at the very end
	end    ending        // valid then

	// owned by the receiving goroutine
	wire      *WireDecoder
	coverage  coverage
	parts     int // as announced
	spoke     bool
	firstData time.Time
	pings     int32
	badSeen   bool // a decode error was logged
	feed      swapcast.Feed

	// shared with the watchdog
	began   time.Time
	idle    atomic.Int64 // time since began at the last data, in nanoseconds
	blocked atomic.Bool  // waiting for the consumer: silence is our own

	// written by the receiving goroutine, read where another stream takes over
	newest    atomic.Uint64
	confirmed atomic.Uint64
	from      atomic.Uint64
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

// open starts a stream; done is closed when it has ended and all of it has been
// delivered.
func (p *part) open(ctx context.Context) *session {
	s := p.Subscriber
	sctx, cancel := context.WithCancelCause(s.opts.withToken(ctx))
	ss := &session{
		Subscriber: s, part: p, number: streamNumber.Add(1), outer: p.outer, ctx: sctx, cancel: cancel, sink: p.sink,
		pongs: make(chan int32, 1), // a ping that finds it full is answered by the one before it
		widen: make(chan struct{}, 1), done: make(chan struct{}),
		wire: NewWireDecoder(), began: time.Now(),
	}
	ss.wire.Only(s.opts.Only)
	p.enter(ss)
	p.goroutines.Go(func() {
		defer close(ss.done)
		defer p.leave(ss)
		ss.end = ss.stream()
		if ss.coverage.asked != 0 && ss.firstData.IsZero() {
			reason, _ := classify(ss.end.err, ss.end.cause)
			s.resume.ended(reason, ss.end.text())
		}
		ss.farewell()
	})
	return ss
}

// streamNumber is the newest stream's. It is the process's because the numbers
// of several subscribers must differ.
var streamNumber atomic.Uint64 //nolint:gochecknoglobals // see above

// stream opens the stream and plays it to its end. Every goroutine that it
// starts has ended when it returns.
func (ss *session) stream() (end ending) {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer ss.cancel(nil)
	defer func() {
		end.cause, end.firstData = context.Cause(ss.ctx), ss.firstData
	}()
	// A new connection each time: a half-dead one is the likeliest reason
	// that we are here, and its name may point elsewhere by now.
	conn, err := grpc.NewClient(ss.opts.Target, ss.dial...)
	if err != nil {
		return ending{err: err}
	}
	defer conn.Close()
	wg.Go(ss.watch)
	client := pb.NewGeyserClient(conn)
	request := ss.prepare(client, &wg)
	receive := ss.receiveEvents
	var call []grpc.CallOption
	if ss.sink.raw != nil {
		receive = ss.receiveRaw
	} else {
		call = append(call, grpc.ForceCodecV2(newEventCodec()))
	}
	stream, err := client.Subscribe(ss.ctx, call...)
	if err != nil {
		return ending{err: err}
	}
	if err := stream.Send(request); err != nil {
		return ending{err: receive(stream)} // Send says only EOF; the reason comes here
	}
	wg.Go(func() { ss.send(stream, request) })
	return ending{err: receive(stream)}
}

// prepare asks the server what the first request depends on, and makes it.
func (ss *session) prepare(client pb.GeyserClient, wg *sync.WaitGroup) *pb.SubscribeRequest {
	switch ask, first := ss.plan.asksVersion(); {
	case first:
		ss.learnVersion(client)
	case ask:
		wg.Go(func() { ss.learnVersion(client) })
	}
	c := &ss.coverage
	if ss.opts.Resume != nil {
		c.proved = ss.opts.Resume()
	}
	c.asked = ss.resume.from(c.proved, ss.opts.ResumeMargin)
	if c.asked != 0 {
		c.asked = ss.resume.clamp(ss.ctx, client, c.asked)
	}
	request := ss.plan.subscribeRequest(ss.part.index)
	if c.asked != 0 {
		request.FromSlot = &c.asked
	}
	return request
}

// learnVersion finds out whether the server's filters know token owners.
func (ss *session) learnVersion(client pb.GeyserClient) {
	ctx, cancel := context.WithTimeout(ss.ctx, infoTimeout)
	defer cancel()
	v, err := client.GetVersion(ctx, &pb.GetVersionRequest{})
	if err != nil { // unimplemented, or the subscription will fail of it too
		return
	}
	known, err := knowsOwners(v.GetVersion())
	if err != nil {
		ss.log.Warn("the server's version cannot be read; token accounts are derived", "error", err)
	}
	if known {
		ss.plan.ownersKnown()
	}
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

// promise tells the consumer from where on the stream is complete, before the
// update that shows it, and reports whether the stream goes on.
func (ss *session) promise(h heard) bool {
	c := &ss.coverage
	if c.settled && ss.parts == int(ss.partCount.Load()) || h.kind > KindBlock {
		return true
	}
	changed := c.heard(h)
	if c.from == 0 {
		return true
	}
	parts := int(ss.partCount.Load())
	if !changed && parts == ss.parts {
		return true
	}
	if ss.parts == 0 {
		ss.resumed()
	}
	ss.parts = parts
	ss.from.Store(c.from)
	ss.part.progress()
	e := ss.word(KindStreamStart)
	e.From, e.Part, e.Parts = c.from, ss.part.index, parts
	return ss.hand(ss.ctx, e)
}

// resumed notes how the stream began.
func (ss *session) resumed() {
	c := &ss.coverage
	outcome, from := resumeLive, uint64(0)
	switch {
	case c.ignored:
		outcome = resumeIgnored
		ss.log.Warn("the server took from_slot and sent no older slots", "from_slot", c.asked, "first", c.from)
	case c.asked != 0 && c.from == c.asked:
		outcome, from = resumeReplayed, c.asked
		if c.asked > c.proved+1 {
			outcome = resumeShort
		}
		ss.log.Info("stream resumed", "from_slot", c.from, "proved", c.proved)
	case c.proved == 0: // nothing to resume
		return
	}
	ss.resumedFrom.Store(from)
	ss.metrics.resume(outcome)
}

// word is an event of our own about the stream.
func (ss *session) word(k Kind) *Event {
	e := ss.events.Get().(*Event)
	e.Kind, e.Endpoint, e.Feed, e.Stream, e.ReceivedAt = k, ss.opts.Name, ss.feed, ss.number, time.Now().UnixNano()
	return e
}

// farewell tells the consumer that the stream has ended, if it ever heard of it.
func (ss *session) farewell() {
	if !ss.spoke || ss.sink.raw != nil {
		return
	}
	reason, _ := classify(ss.end.err, ss.end.cause)
	e := ss.word(KindStreamEnd)
	e.Reason = string(reason)
	ss.hand(ss.outer, e)
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

// filterPause is the shortest time between two requests that change filters:
// clients come and go faster than a server should be asked.
const filterPause = 200 * time.Millisecond

// send is the only sender once the subscription is sent: gRPC allows one at a
// time, and sending may block while receiving must go on. Of changes that wait
// only the newest state is sent.
func (ss *session) send(stream updateStream, last *pb.SubscribeRequest) {
	last = proto.CloneOf(last)
	last.FromSlot = nil // a second replay nobody wants
	pause := time.NewTimer(0)
	defer pause.Stop()
	widen := (<-chan struct{})(nil)
	for {
		var err error
		select {
		case <-ss.ctx.Done():
			return
		case id := <-ss.pongs:
			err = stream.Send(pingRequest(id))
		case <-pause.C:
			widen = ss.widen
		case <-widen:
			request := ss.plan.subscribeRequest(ss.part.index)
			if proto.Equal(request, last) {
				continue
			}
			err = stream.Send(request)
			last, widen = request, nil
			pause.Reset(filterPause)
		}
		if err != nil {
			return // Recv has the reason
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
	ss.spoke = true
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
