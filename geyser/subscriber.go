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

// Subscriber follows one endpoint. Make it with New, run it with Run; all other
// methods may be called from anywhere at any time.
type Subscriber struct {
	// static after New
	opts    Options
	log     *slog.Logger
	dial    []grpc.DialOption
	metrics *endpointMetrics
	events  sync.Pool
	again   chan struct{} // one slot: Reconnect

	uncovered int // owned by Run: as told last

	// each with a lock of its own
	plan    *plan
	resume  resumption
	breaker *breaker
	rawMu   sync.Mutex // held while RunRaw's fn is called
	resting atomic.Pointer[rest]

	// guarded by partsMu; written by Run's goroutine
	partsMu sync.Mutex
	current []*part

	condition
}

// condition is written by the streams' goroutines and read by Status.
type condition struct {
	running     atomic.Bool
	served      atomic.Bool  // a stream has brought data
	live        atomic.Int32 // streams that bring data
	covered     atomic.Int32 // parts that have one
	partCount   atomic.Int32
	slot        atomic.Uint64
	lastUpdate  atomic.Int64
	lag         atomic.Int64
	resumedFrom atomic.Uint64
	reconnects  atomic.Uint64
	unwanted    atomic.Uint64
	reason      atomic.Pointer[Reason]
	feed        atomic.Pointer[swapcast.Feed]
}

// Status is how an endpoint is doing.
type Status struct {
	Endpoint  string
	Connected bool   // the present streams have brought data
	Slot      uint64 // newest slot heard of, 0 none yet
	// LastUpdateAt is when the last transaction, slot or block came, in Unix
	// nanoseconds; 0 never.
	LastUpdateAt int64
	// Lag is how long the newest update took from where the server made it, by
	// its clock and ours; 0 unknown.
	Lag        time.Duration
	Reconnects uint64 // streams that ended since Run began
	Unwanted   uint64 // transactions that Options.Only kept back since New
	Uncovered  int    // keys of the filter that no stream asks for: limits of the provider
	// Wallets is how they are followed: WalletsByOwner, WalletsByAccount, "" where
	// the filter has none that decide.
	Wallets string
	Reason  string // why the last stream ended; "" while connected or before the first
	Breaker BreakerState
	Streams int // streams that bring data
	// ResumedFrom is the slot that the newest stream's replay began with, 0 where
	// it began live.
	ResumedFrom uint64
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
		again:   make(chan struct{}, 1),
		plan:    newPlan(&o),
	}
	s.breaker = newBreaker(o.Backoff, s.metrics.setBreaker)
	s.events.New = func() any { return &Event{home: &s.events} }
	return s, nil
}

// Status reports how the endpoint is doing.
func (s *Subscriber) Status() Status {
	st := Status{
		Endpoint:     s.opts.Name,
		Connected:    s.connected(),
		Slot:         s.slot.Load(),
		LastUpdateAt: s.lastUpdate.Load(),
		Lag:          time.Duration(max(0, s.lag.Load())),
		Reconnects:   s.reconnects.Load(),
		Unwanted:     s.unwanted.Load(),
		Uncovered:    s.plan.uncovered(),
		Wallets:      s.plan.walletsBy(),
		Breaker:      s.breaker.current(),
		Streams:      int(s.live.Load()),
		ResumedFrom:  s.resumedFrom.Load(),
	}
	if f := s.feed.Load(); f != nil {
		st.Feed = *f
	}
	if r := s.reason.Load(); r != nil && !st.Connected {
		st.Reason = string(*r)
	}
	return st
}

func (s *Subscriber) connected() bool {
	n := s.partCount.Load()
	return n > 0 && s.covered.Load() >= n
}

// up notes that a stream of the part has brought data, down that such a one has
// ended.
func (s *Subscriber) up(p *part) {
	s.served.Store(true)
	s.live.Add(1)
	if p.fed.Add(1) == 1 {
		s.covered.Add(1)
	}
	s.breaker.success()
	s.resume.served()
	s.metrics.setStreams(s.live.Load(), s.connected())
}

func (s *Subscriber) down(p *part) {
	s.live.Add(-1)
	if p.fed.Add(-1) == 0 {
		s.covered.Add(-1)
	}
	s.metrics.setStreams(s.live.Load(), s.connected())
}

// SetFilter changes what is asked for, also while Run is on: each stream whose
// keys change gets one new request, which the server takes between two
// messages, so that nothing of the keys that stay is lost. Several changes
// within a short time become one. A key that is new counts from the first slot
// that begins after the server took the request (Run's streams are not begun
// anew for it): what KindStreamStart promised is about the keys before. When a
// stream is opened anew, all keys count from its KindStreamStart.
func (s *Subscriber) SetFilter(f Filter) { s.plan.set(f) }

// Reconnect opens each stream anew, without a gap: the old one stays until the
// new one brings data, is as far as the old one, and covers what that has not
// confirmed. For a while updates come on both. Where no stream is up, the next
// try is made at once, and Rest is over. It does not wait for any of this. One
// call while another is at work does nothing.
func (s *Subscriber) Reconnect() {
	s.resting.Store(nil)
	s.breaker.urge()
	poke(s.again)
}

// Run follows the endpoint and sends each update to out, waiting where out is
// full, until ctx ends; then it returns nil. Every ended stream is followed by
// a new one. The only errors are that the endpoint refuses the filters of a
// first subscription (ReasonBadFilter), that Run is running already, or that
// another endpoint of this name shares its Metrics. It does not close out, which
// several subscribers may share: those that wait for room get it in turn.
func (s *Subscriber) Run(ctx context.Context, out chan<- *Event) error {
	return s.run(ctx, sink{events: out})
}

// RunRaw is Run with the messages themselves: transactions, slots and block
// metas go to fn as they came, undecoded, one call at a time; only created_at is
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
	if err := s.metrics.enter(); err != nil {
		return err
	}
	defer s.metrics.leave()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	s.uncovered = 0
	tidy := time.NewTicker(partKept / 8)
	defer tidy.Stop()
	var parts []*part
	for {
		n, division := s.plan.count()
		if len(parts) > 0 && parts[0].division != division {
			s.retire(parts)
			parts = nil
		}
		s.partCount.Store(int32(n))
		for len(parts) < n {
			parts = append(parts, s.start(ctx, &wg, len(parts), division, to, failed))
		}
		for ; len(parts) > n; parts = parts[:len(parts)-1] {
			parts[len(parts)-1].stop(errPlanned)
		}
		s.keep(parts)
		for _, p := range parts {
			p.widen()
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-s.plan.changed:
		case <-tidy.C:
			s.plan.tidy()
		case <-s.again:
			for _, p := range parts {
				poke(p.again)
			}
		}
	}
}

// keep shows others which parts there are, and how many keys none of them has.
func (s *Subscriber) keep(parts []*part) {
	if n := s.plan.uncovered(); n != s.uncovered {
		s.uncovered = n
		s.metrics.setUncovered(n)
		if n > 0 {
			s.log.Warn("keys that no stream asks for: the provider refuses them or allows too few", "keys", n)
		} else {
			s.log.Info("all keys are asked for again")
		}
	}
	s.partsMu.Lock()
	defer s.partsMu.Unlock()
	s.current = append(s.current[:0], parts...)
}

// retire ends all parts, because keys have gone from one to another: a stream
// that ran on would be taken at a promise that it made without them, and it does
// not show from which slot on a changed request counts. Nothing asks by the new
// division until the consumer has heard of every end.
func (s *Subscriber) retire(parts []*part) {
	s.log.Info("keys have gone from one stream to another: all are opened anew", "streams", len(parts))
	for _, p := range parts {
		p.stop(errPlanned)
	}
	for _, p := range parts {
		<-p.done
	}
}

// start runs a part until it is stopped.
func (s *Subscriber) start(ctx context.Context, wg *sync.WaitGroup, index int, division uint64, to sink, failed chan<- error) *part {
	inner, stop := context.WithCancelCause(ctx)
	p := &part{
		Subscriber: s, index: index, division: division, outer: ctx, sink: to, stop: stop,
		again: make(chan struct{}, 1), moved: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.partsMu.Lock()
	s.current = append(s.current, p) // before it has a stream, which Rest must find
	s.partsMu.Unlock()
	wg.Go(func() {
		defer close(p.done)
		defer stop(nil)
		if err := p.run(inner); err != nil {
			select {
			case failed <- err:
			default: // the first one ends Run
			}
		}
	})
	return p
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
