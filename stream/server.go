package stream

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// Server is the WebSocket and its SSE twin: clients come in through ServeHTTP and
// ServeSSE, updates through the Publish methods. All methods are safe for
// concurrent use, but CloseCandlesAt, which has one caller at a time for each
// commitment.
type Server struct {
	// static after construction
	opts       Options
	registry   *registry
	history    *history
	watch      *watch // nil: nobody asks
	shards     []*shard
	door       *door
	epoch      string // names the numbering
	run        string // names this run, whose positions are its own
	started    time.Time
	sweepEvery time.Duration
	buffers    buffers

	keys     atomic.Pointer[keySet] // nil: everybody may connect
	nextConn atomic.Uint64
	draining atomic.Bool
	cutting  atomic.Bool // who joins a shard from now on is cut
	running  atomic.Bool
	feed     atomic.Pointer[swapcast.Feed]

	closing [commitments]closing // each owned by the goroutine that calls CloseCandlesAt

	totals
	readers sync.WaitGroup // connections; nobody joins once the door is shut
	writers sync.WaitGroup // slow writers, started by readers and shards only
}

// totals are what Stats tells.
type totals struct {
	subs      [channels]atomic.Int64
	sent      atomic.Uint64
	conflated atomic.Uint64
}

// New returns a server. It reads the keys file and starts nothing: that is
// Run's.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	run := strconv.FormatUint(rand.Uint64N(1<<40), 36)
	s := &Server{
		opts:    o,
		history: newHistory(&o.Limits),
		watch:   newWatch(o.OnWallet),
		door:    newDoor(&o.Limits),
		epoch:   cmp.Or(o.Epoch, run),
		run:     run,
		started: time.Now(), // monotonic; Options.Now only makes stamps
	}
	s.registry = newRegistry(&o, s.history, s.watch)
	if s.watch != nil {
		s.watch.listened = s.registry.listened
	}
	s.SetFeed(o.Feed)
	s.sweepEvery = o.Timing.sweepEvery()
	for i := range o.Shards {
		s.shards = append(s.shards, newShard(s, i))
	}
	if o.KeysFile != "" {
		if err := s.ReloadKeys(); err != nil {
			return nil, fmt.Errorf("stream: %w", err)
		}
	}
	return s, nil
}

// SetFeed changes what prices and trades that are published from now on say of
// their origin: a server learns only from its upstream whether that is a chain.
func (s *Server) SetFeed(f swapcast.Feed) { s.feed.Store(&f) }

// Feed is the present kind of feed.
func (s *Server) Feed() swapcast.Feed { return *s.feed.Load() }

// sweepEvery is how coarse deadlines are: a quarter of the shortest of them,
// at most a second.
func (t *Timing) sweepEvery() time.Duration {
	shortest := min(t.PingInterval, t.DeadAfter, t.MessageTimeout, t.CloseTimeout)
	return min(max(shortest/4, 5*time.Millisecond), time.Second)
}

// elapsed is the server's own time, which no clock adjustment moves.
func (s *Server) elapsed() time.Duration { return time.Since(s.started) }

// Run serves until ctx ends; then it cuts the connections that are left (call
// Drain first to let them go in peace) and returns once every goroutine of the
// server has ended. It can run once.
func (s *Server) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return fmt.Errorf("stream: the server has been started already")
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var workers sync.WaitGroup
	for _, sh := range s.shards {
		workers.Go(func() { sh.run(work) })
	}
	if s.watch != nil {
		workers.Go(func() { s.watch.run(work) })
	}
	s.door.setOpen(true)
	<-ctx.Done()
	s.door.setOpen(false)
	s.cut()
	s.readers.Wait()
	stop()
	workers.Wait()
	s.writers.Wait()
	return nil
}

// Drain lets nobody in any more, sends everybody whose socket is not full what
// waits, and everybody a close frame 1001 with a hint when to reconnect, drawn
// for each client, and waits until all have gone. When ctx ends first, the rest is cut and the error says
// how many that were. Run goes on until its own context ends.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true)
	s.door.setOpen(false)
	s.all(itemDrain)
	gone := make(chan struct{})
	go func() {
		s.readers.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	left := s.door.count()
	s.cut()
	<-gone
	if left == 0 {
		return nil
	}
	return fmt.Errorf("stream: drain: %d connections were cut: %w", left, ctx.Err())
}

// cut ends every connection, those included that were let in and have not
// joined their shard yet.
func (s *Server) cut() {
	s.cutting.Store(true)
	s.all(itemCut)
}

func (s *Server) all(what itemKind) {
	for _, sh := range s.shards {
		sh.do(item{what: what})
	}
}

// ReloadKeys reads the keys file again. Connections whose key is gone are
// closed with 4401; a key's new limits hold for new connections. On an error
// the keys stay as they were.
func (s *Server) ReloadKeys() error {
	if s.opts.KeysFile == "" {
		return nil
	}
	ks, err := loadKeys(s.opts.KeysFile)
	if err != nil {
		return err
	}
	s.keys.Store(ks)
	s.all(itemKeys)
	return nil
}

// Authorized tells whether a request brings one of the API keys, as a connection must:
// true for everybody where no keys file was given.
func (s *Server) Authorized(r *http.Request) bool {
	keys := s.keys.Load()
	return keys == nil || keys.find(secret(r, r.URL.Query())) != nil
}

// Epoch names this run of the server, or what Options.Epoch says: a seq counts within
// one epoch.
func (s *Server) Epoch() string { return s.epoch }

// Stats returns a moment's view.
func (s *Server) Stats() Stats {
	st := Stats{
		Epoch:         s.epoch,
		Connections:   s.door.count(),
		Subscriptions: make(map[string]int64, channels),
		Assets:        s.registry.len(),
		Sent:          s.sent.Load(),
		Conflated:     s.conflated.Load(),
		Draining:      s.draining.Load(),
	}
	for ch := range channels {
		st.Subscriptions[ch.name()] = s.subs[ch].Load()
	}
	return st
}

// reconnectHint is the reason of a GoingAway close frame.
func (s *Server) reconnectHint() string {
	t := &s.opts.Timing
	d := t.ReconnectMin + rand.N(t.ReconnectMax-t.ReconnectMin+1)
	return string(wire.AppendReconnectHint(nil, d.Milliseconds()))
}

// pingJitter is how long until a connection's next ping: three to five
// quarters of the interval, so that pings spread out.
func (s *Server) pingJitter() time.Duration {
	d := s.opts.Timing.PingInterval
	return d*3/4 + rand.N(d/2+1)
}

// subscriptions counts by channel.
func (s *Server) subscriptions(ch channel, by int64) {
	s.subs[ch].Add(by)
	s.opts.Metrics.subscribed(ch, by)
}

// tell adds up what a shard did in one turn.
func (s *Server) tell(b *books) {
	n := 0
	for _, sent := range b.sent {
		n += sent
	}
	if n > 0 {
		s.sent.Add(uint64(n))
	}
	if b.conflated > 0 {
		s.conflated.Add(uint64(b.conflated))
	}
	s.opts.Metrics.wrote(b)
}

// buffers are reused by all readers, so that a connection that is silent holds
// none. Those that a large message blew up are left to the collector.
type buffers struct{ pool sync.Pool }

const keptBuffer = 8 << 10

func (b *buffers) get() *[]byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return buf
	}
	buf := make([]byte, 0, 512)
	return &buf
}

func (b *buffers) put(buf *[]byte) {
	if cap(*buf) <= keptBuffer {
		b.pool.Put(buf)
	}
}
