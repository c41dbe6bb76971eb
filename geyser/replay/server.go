package replay

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// FeedHeader is the response header that says what is played: "simulated" or
// "replay". A live server sends none.
const FeedHeader = geyser.FeedHeader

// Server plays a Source to its subscribers. Make it with New, hook it into one
// or more grpc servers with Register, then call Run once.
type Server struct {
	pb.UnimplementedGeyserServer

	// Static.
	opts    Options
	log     *slog.Logger
	store   *store
	health  *health.Server
	closing chan struct{} // closed when Run ends: every stream ends
	came    chan struct{} // one slot: a subscriber's request has been taken

	faults     *misbehaviour  // nil: none
	conns      *conns         // nil: not made by Serve; set before it serves
	goroutines sync.WaitGroup // handlers and what they start
	progress   progress

	// Guarded by mu.
	mu       sync.Mutex
	running  bool
	stopped  bool
	streams  uint64 // ever opened
	open     int
	ending   bool // streams end once they have been sent everything
	endCause error
}

// New checks the options. It reads nothing from the source yet.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, log: o.Logger,
		store: newStore(&o), health: health.NewServer(),
		closing: make(chan struct{}), came: make(chan struct{}, 1),
	}
	s.faults = newMisbehaviour(s)
	return s, nil
}

// Register adds the Geyser service and the standard health service to g. The
// token is asked for by the Geyser service itself, so g needs no interceptor.
func (s *Server) Register(g *grpc.Server) {
	pb.RegisterGeyserServer(g, s)
	healthpb.RegisterHealthServer(g, s.health)
	s.health.SetServingStatus(pb.Geyser_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
}

// Run plays the source until it ends and, where the streams outlive it, until
// ctx is done. It returns nil when ctx is done or a source that ends the
// streams has ended; an error that the source returned is returned after all
// that came before it has been sent, and streams end with DATA_LOSS. When Run
// returns all streams have ended or are about to: their handlers are waited
// for, so stop the grpc server afterwards.
func (s *Server) Run(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	defer s.stop()
	err := s.play(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		s.finish(status.Errorf(codes.DataLoss, "the source failed: %v", err))
	case s.opts.EndWithSource:
		s.finish(nil)
	default:
		s.log.Info("source ended, streams stay open")
		<-ctx.Done()
		return nil
	}
	if werr := s.store.waitGone(ctx, s.opts.SlowWait); werr != nil && ctx.Err() == nil {
		s.log.Warn("subscribers did not take the end of the source in time")
	}
	return err
}

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return errors.New("replay: Run was called twice")
	}
	s.running = true
	return nil
}

// stop ends every stream and waits for their handlers.
func (s *Server) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.health.Shutdown()
	close(s.closing)
	s.goroutines.Wait()
}

// finish ends each stream with cause once it has been sent everything.
func (s *Server) finish(cause error) {
	s.mu.Lock()
	s.ending, s.endCause = true, cause
	s.mu.Unlock()
	s.store.end()
}

func (s *Server) endsStreams() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}

func (s *Server) endReason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endCause
}

// enter counts a stream in; leave counts it out.
func (s *Server) enter(sub *subscriber) (id uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return 0, errShutdown
	}
	if s.open >= s.opts.MaxStreams {
		return 0, errTooManyStreams
	}
	s.goroutines.Add(1)
	s.streams++
	s.open++
	s.store.attach(sub)
	s.opts.Metrics.subscribers(1)
	return s.streams, nil
}

func (s *Server) leave(sub *subscriber) {
	s.store.detach(sub)
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
	s.opts.Metrics.subscribers(-1)
	s.goroutines.Done()
}

func (s *Server) clientCame() {
	select {
	case s.came <- struct{}{}:
	default:
	}
}

// authorize compares the x-token of the call with the server's.
func (s *Server) authorize(ctx context.Context) error {
	if s.opts.Token == "" {
		return nil
	}
	for _, got := range metadata.ValueFromIncomingContext(ctx, "x-token") {
		if subtle.ConstantTimeCompare([]byte(got), []byte(s.opts.Token)) == 1 {
			return nil
		}
	}
	return errToken
}

// compress makes grpc compress what goes to a client that accepts it.
func (s *Server) compress(ctx context.Context) {
	if s.opts.SendCompression == "" {
		return
	}
	accepted, err := grpc.ClientSupportedCompressors(ctx)
	if err != nil || !slices.Contains(accepted, s.opts.SendCompression) {
		return
	}
	if err := grpc.SetSendCompressor(ctx, s.opts.SendCompression); err != nil {
		s.log.Debug("compression not used", "error", err)
	}
}

func (s *Server) feed() string {
	if s.opts.Simulated {
		return string(swapcast.FeedSimulated)
	}
	return string(swapcast.FeedReplay)
}

// Stats is the state of a Server at one moment.
type Stats struct {
	Played      uint64 // updates put into the stream, assembled blocks left out
	Skipped     uint64 // updates of the source that could not be played
	Passes      uint64 // how often the source has ended or begun again
	Slot        uint64 // newest processed slot
	FirstSlot   uint64 // oldest slot that from_slot can ask for, 0 none
	StoredBytes int64
	Subscribers int // streams whose first request has been taken
	// IncompleteBlocks counts blocks that were never sent to blocks filters
	// because the source lacks some of their transactions.
	IncompleteBlocks uint64
	Ended            bool // the source has ended
	// Faults counts the faults on request that have struck.
	Faults map[faults.Kind]uint64
}

// Stats reads the server's state. It may be called at any time.
func (s *Server) Stats() Stats {
	out := Stats{
		Played: s.progress.played.Load(), Skipped: s.progress.skipped.Load(),
		Passes: s.progress.passes.Load(), Ended: s.progress.ended.Load(),
		Faults: s.faults.total(),
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	out.Slot, out.StoredBytes = s.store.heads.slot[0], s.store.bytes
	for sub := range s.store.subs {
		if sub.subscribed {
			out.Subscribers++
		}
	}
	out.FirstSlot, _ = s.store.firstAvailable()
	out.IncompleteBlocks = s.store.incomplete
	return out
}

// closeSource closes src where it can be closed.
func closeSource(src Source) error {
	c, ok := src.(io.Closer)
	if !ok {
		return nil
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("close the source: %w", err)
	}
	return nil
}
