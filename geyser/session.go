package geyser

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

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
	parts     int  // as announced
	spoke     bool // the consumer has heard of it
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
	if request == nil { // Run is about to end the part
		<-ss.ctx.Done()
		return ending{err: ss.ctx.Err()}
	}
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

// prepare asks the server what the first request depends on, and makes it; nil
// where the part's share is another stream's by now.
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
	request := ss.plan.subscribeRequest(ss.part.index, ss.part.division)
	if request != nil && c.asked != 0 {
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

// promise tells the consumer from where on the stream is complete, before the
// update that shows it, and reports whether the stream goes on.
func (ss *session) promise(h heard) bool {
	c := &ss.coverage
	parts := ss.plan.parts(ss.part.division)
	if parts == 0 { // about to be ended: it knows nothing of the new division
		parts = ss.parts
	}
	if c.settled && ss.parts == parts || h.kind > KindBlock {
		return true
	}
	changed := c.heard(h)
	if c.from == 0 || parts == 0 {
		return true
	}
	if !changed && parts == ss.parts {
		return true
	}
	if ss.parts == 0 {
		ss.resumed()
	}
	ss.parts = parts
	ss.from.Store(c.from)
	ss.part.progress()
	kind := KindStreamStart
	if parts > 1 {
		kind = KindPartStart
	}
	e := ss.word(kind)
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
			request := ss.plan.subscribeRequest(ss.part.index, ss.part.division)
			if request == nil || proto.Equal(request, last) {
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
