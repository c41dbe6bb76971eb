package replay

import (
	"errors"
	"io"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Subscribe is one stream. The handler's goroutine only watches: the client's
// requests are read by a second one, updates written by a third, which a full
// socket may hold up without holding up the stream's end.
func (s *Server) Subscribe(stream pb.Geyser_SubscribeServer) error {
	ctx := stream.Context()
	if err := s.faults.admit(true); err != nil {
		return err
	}
	if err := s.authorize(ctx); err != nil {
		return err
	}
	if len(metadata.ValueFromIncomingContext(ctx, "x-request-snapshot")) > 0 {
		return errSnapshot
	}
	s.compress(ctx)
	sub := newSubscriber()
	id, err := s.enter(sub)
	if err != nil {
		return err
	}
	defer s.leave(sub)
	if err := stream.SetHeader(metadata.Pairs(FeedHeader, s.feed())); err != nil {
		return err
	}
	sink := s.sinkOf(stream, sub, id)
	requests := make(chan error, 1)
	written := make(chan error, 1)
	s.goroutines.Go(func() { requests <- readRequests(stream, sub, sink) })
	s.goroutines.Go(func() { written <- s.write(sub, sink) })
	log := s.log.With("stream", id)
	log.Info("stream opened")
	for {
		select {
		case err = <-requests:
			if err == nil { // the client has closed its side: updates go on
				requests = nil
				continue
			}
		case err = <-written:
		case <-sub.cutCh:
			err = s.store.cutReason(sub)
			if !errors.Is(err, errShutdown) {
				s.opts.Metrics.lagged()
			}
		case <-s.closing:
			err = errShutdown
		case <-ctx.Done():
			err = status.FromContextError(ctx.Err()).Err()
		}
		err = sink.End(err)
		log.Info("stream ended", "reason", reasonOf(err))
		return err
	}
}

// sinkOf builds the stream's way out: the socket, the faults before it, and what
// Options.Wrap puts before both.
func (s *Server) sinkOf(stream pb.Geyser_SubscribeServer, sub *subscriber, id uint64) Sink {
	info := Stream{Context: stream.Context(), ID: id}
	if p, ok := peer.FromContext(info.Context); ok {
		info.Peer = p.Addr.String()
	}
	var sink Sink = &socketSink{stream: stream}
	if sub.faults = s.faults.wrap(info.Context, sink, id, s.conns.find(info.Peer)); sub.faults != nil {
		sink = sub.faults
	}
	if s.opts.Wrap != nil {
		sink = s.opts.Wrap(info, sink)
	}
	return sink
}

func reasonOf(err error) string {
	if err == nil {
		return "end of the source"
	}
	return err.Error()
}

// readRequests passes the client's requests on until it closes its side.
func readRequests(stream grpc.BidiStreamingServer[pb.SubscribeRequest, pb.SubscribeUpdate], sub *subscriber, sink Sink) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := sink.Request(r); err != nil {
			return err
		}
		if err := sub.take(r); err != nil {
			return err
		}
	}
}

// write sends sub what it asked for until the stream ends.
func (s *Server) write(sub *subscriber, sink Sink) error {
	timers := newTimers(s.opts.PingInterval, sub.faults != nil)
	defer timers.stop()
	send := func(m *Message) error { return sink.Send(m) }
	var pongs []int32
	var r *request
	for {
		if sub.faults != nil {
			if err := sub.faults.at(0); err != nil {
				return err
			}
		}
		if r, pongs = sub.todo(pongs); r != nil {
			if err := s.store.apply(sub, r, s.opts.StoredSlots < 0); err != nil {
				return err
			}
			sub.filters = r.filters
			s.clientCame()
		}
		for _, id := range pongs {
			if err := sink.Send(s.control(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Pong{Pong: &pb.SubscribeUpdatePong{Id: id}}})); err != nil {
				return err
			}
		}
		some, done, err := s.store.read(sub, s.faults.lateness())
		if err != nil {
			return err
		}
		if some {
			for _, u := range sub.batch {
				if err := sub.meet(u); err != nil {
					return err
				}
				if err := sub.filters.each(u, &sub.match, send); err != nil {
					return err
				}
			}
			s.opts.Metrics.sent(&sub.match.counts)
		} else if done && s.endsStreams() {
			return s.endReason()
		}
		if err := s.pause(sub, sink, timers, !some); err != nil {
			return err
		}
	}
}

// timers are what a stream's writing goroutine wakes up by.
type timers struct {
	pings  *time.Ticker
	faults *time.Ticker // nil: none to look for
	tick   <-chan time.Time
}

func newTimers(ping time.Duration, faults bool) *timers {
	t := &timers{pings: time.NewTicker(ping)}
	if faults {
		t.faults = time.NewTicker(faultTick)
		t.tick = t.faults.C
	}
	return t
}

func (t *timers) stop() {
	t.pings.Stop()
	if t.faults != nil {
		t.faults.Stop()
	}
}

// meet lets the stream's faults see an update before filters do.
func (s *subscriber) meet(u *update) error {
	if s.faults == nil {
		return nil
	}
	return s.faults.at(u.slot)
}

// pause sends a ping where one is due and, where idle, waits for something to
// do.
func (s *Server) pause(sub *subscriber, sink Sink, t *timers, idle bool) error {
	ping := func() error {
		return sink.Send(s.control(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Ping{Ping: &pb.SubscribeUpdatePing{}}}))
	}
	if !idle {
		select {
		case <-t.pings.C:
			return ping()
		default:
			return nil
		}
	}
	select {
	case <-t.pings.C:
		return ping()
	case <-t.tick:
		return nil
	case <-sub.wake:
		return nil
	case <-sub.gone:
		return errShutdown // nobody reads it: the handler has returned
	}
}

// control encodes a ping or pong.
func (s *Server) control(u *pb.SubscribeUpdate) *Message {
	body, _ := proto.Marshal(u) // numbers only: cannot fail
	return &Message{Body: appendCreatedAt(body, u, s.opts.Now())}
}
