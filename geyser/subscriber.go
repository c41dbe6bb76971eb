package geyser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"

	"github.com/swapcast/swapcast"
)

// Subscriber follows one endpoint. Make it with New, run it with Run; Status
// may be called from anywhere at any time.
type Subscriber struct {
	// static after New
	opts    Options
	log     *slog.Logger
	dial    []grpc.DialOption
	metrics *endpointMetrics
	events  sync.Pool

	// owned by Run
	wire *WireDecoder
	gap  gapWatch

	// written by Run, read by Status
	running    atomic.Bool
	connected  atomic.Bool
	slot       atomic.Uint64
	lastUpdate atomic.Int64
	reconnects atomic.Uint64
	unwanted   atomic.Uint64
	reason     atomic.Pointer[Reason]
	feed       atomic.Pointer[swapcast.Feed]
}

// Status is how an endpoint is doing.
type Status struct {
	Endpoint  string
	Connected bool   // the present stream has brought data
	Slot      uint64 // newest slot heard of, 0 none yet
	// LastUpdateAt is when the last transaction, slot or block came, in Unix
	// nanoseconds; 0 never.
	LastUpdateAt int64
	Reconnects   uint64 // streams that ended since Run began
	Unwanted     uint64 // transactions that Options.Only kept back since New
	Reason       string // why the last stream ended; "" while connected or before the first
	// Feed is what the last stream said that it serves; see Event.Feed.
	Feed swapcast.Feed
}

// New checks the options. It does not connect.
func New(o Options) (*Subscriber, error) {
	o, err := o.validate()
	if err != nil {
		return nil, fmt.Errorf("geyser endpoint: %w", err)
	}
	s := &Subscriber{
		opts:    o,
		log:     o.Logger.With("endpoint", o.Name),
		dial:    o.dialOptions(),
		metrics: o.Metrics.endpoint(o.Name),
		wire:    NewWireDecoder(),
	}
	s.wire.Only(o.Only)
	s.events.New = func() any { return &Event{home: &s.events} }
	return s, nil
}

// Status reports how the endpoint is doing.
func (s *Subscriber) Status() Status {
	st := Status{
		Endpoint:     s.opts.Name,
		Connected:    s.connected.Load(),
		Slot:         s.slot.Load(),
		LastUpdateAt: s.lastUpdate.Load(),
		Reconnects:   s.reconnects.Load(),
		Unwanted:     s.unwanted.Load(),
	}
	if f := s.feed.Load(); f != nil {
		st.Feed = *f
	}
	if r := s.reason.Load(); r != nil && !st.Connected {
		st.Reason = string(*r)
	}
	return st
}

// Run follows the endpoint and sends each update to out, waiting where out is
// full, until ctx ends; then it returns nil. Every ended stream is followed by
// a new one. The only error is that the endpoint refuses the filters of a
// first subscription (ReasonBadFilter), or that Run is running already. It
// does not close out.
func (s *Subscriber) Run(ctx context.Context, out chan<- *Event) error {
	return s.run(ctx, sink{events: out})
}

// RunRaw is Run with the messages themselves: transactions, slots and block
// metas go to fn as they came, undecoded, on one goroutine; only created_at is
// set to the time of receipt where the server sent none. An error of fn ends
// RunRaw, which returns it.
func (s *Subscriber) RunRaw(ctx context.Context, fn func(*pb.SubscribeUpdate) error) error {
	return s.run(ctx, sink{raw: fn})
}

func (s *Subscriber) run(ctx context.Context, to sink) error {
	if s.running.Swap(true) {
		return errors.New("geyser: Run called twice")
	}
	defer s.running.Store(false)
	failures, served := 0, false
	for {
		end := s.stream(ctx, to)
		s.connected.Store(false)
		s.metrics.setConnected(false)
		if ctx.Err() != nil {
			return nil
		}
		var failed sinkError
		if errors.As(end.cause, &failed) {
			return failed.error
		}
		served = served || !end.firstData.IsZero()
		failures++
		if !end.firstData.IsZero() && time.Since(end.firstData) >= s.opts.Backoff.HealthyAfter {
			failures = 1
		}
		reason, act := classify(end.err, end.cause)
		s.reason.Store(&reason)
		if act == giveUp && !served {
			return fmt.Errorf("geyser endpoint %s refuses the subscription: %w", s.opts.Name, end.err)
		}
		s.reconnects.Add(1)
		s.metrics.reconnect(reason)
		s.gap.cut()

		slow := act != retry
		delay := s.opts.Backoff.delay(failures, slow)
		level := slog.LevelWarn
		if slow {
			level = slog.LevelError
		}
		s.log.Log(ctx, level, "stream ended; reconnecting", "reason", string(reason),
			"error", end.text(), "failures", failures, "delay", delay.Round(time.Millisecond))
		if !sleep(ctx, delay) {
			return nil
		}
	}
}

// ending is how one stream went.
type ending struct {
	err       error
	cause     error     // what cancelled the stream's context, nil if nothing did
	firstData time.Time // zero: it brought none
}

// text is the cause where the error is only its echo.
func (e ending) text() string {
	if errors.Is(e.cause, swapcast.ErrStreamStale) {
		return e.cause.Error()
	}
	return e.err.Error()
}

// gapWatch counts slots that no stream covered. It is conservative: the slots
// at both edges of a cut were seen in part and are not counted.
type gapWatch struct {
	newest uint64 // highest slot that a stream was live for
	wasCut bool
}

// live notes that the stream carries this slot now, and returns how many slots
// were certainly missed before it.
func (g *gapWatch) live(slot uint64) (missed uint64) {
	if g.wasCut && g.newest != 0 && slot > g.newest {
		missed = slot - g.newest - 1
	}
	g.wasCut = false
	g.newest = max(g.newest, slot)
	return missed
}

func (g *gapWatch) cut() { g.wasCut = true }
