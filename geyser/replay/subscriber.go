package replay

import (
	"sync"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The statuses that end a stream, worded as the real server words them.
//
//nolint:gochecknoglobals // constant errors
var (
	errLaggedSend     = status.Error(codes.Internal, "lagged to send an update")
	errLaggedReceive  = status.Error(codes.Internal, "lagged to receive geyser messages")
	errShutdown       = status.Error(codes.Unavailable, "server is shutting down try again later")
	errToken          = status.Error(codes.Unauthenticated, "No valid auth token")
	errNoReplay       = status.Error(codes.Internal, "from_slot is not supported")
	errReplayFailed   = status.Error(codes.Internal, "failed to get replay response")
	errSnapshot       = status.Error(codes.Unimplemented, "x-request-snapshot is not supported by this server")
	errTooManyStreams = status.Error(codes.ResourceExhausted, "max subscription limit exceeded")
	errTooManyPings   = status.Error(codes.ResourceExhausted, "too many pings are waiting for their answer")
)

// maxPongs bounds the answers that wait for a client that reads none.
const maxPongs = 64

// subscriber is one Subscribe stream.
type subscriber struct {
	// Static.
	wake  chan struct{} // one slot: something to do
	cutCh chan struct{} // closed once cut is set
	gone  chan struct{} // closed once the handler returns

	// Guarded by store.mu.
	level      level
	subscribed bool   // a request has been taken
	pos        uint64 // next position to read in its level's log
	live       bool   // has caught up since it last asked for a slot
	liveFrom   uint64 // before this position, updates of slots below fromSlot are skipped
	fromSlot   uint64
	idle       bool // waits for the log to grow
	cut        error

	// Guarded by mu.
	mu      sync.Mutex
	pending *request // newest request not taken yet
	pongs   []int32

	// Owned by the writing goroutine.
	faults  *streamFaults // nil: none; set before the goroutine starts
	filters *filterSet
	match   matcher
	batch   []*update
}

// request is a SubscribeRequest that has been checked.
type request struct {
	filters  *filterSet
	fromSlot *uint64
}

func newSubscriber() *subscriber {
	return &subscriber{
		wake: make(chan struct{}, 1), cutCh: make(chan struct{}), gone: make(chan struct{}),
		batch: make([]*update, 0, maxBatch),
	}
}

// maxBatch is how many updates are read under one lock. Filters change between
// batches only.
const maxBatch = 256

// poke makes the writing goroutine look again.
func (s *subscriber) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// cutWith ends the stream for being too slow. Needs store.mu.
func (s *subscriber) cutWith(err error) {
	if s.cut == nil {
		s.cut = err
		close(s.cutCh)
	}
}

// take checks a client's request and leaves it for the writing goroutine. Of
// several that wait, the newest wins. A request of a ping and nothing else
// leaves the filters as they are.
func (s *subscriber) take(r *pb.SubscribeRequest) error {
	var next *request
	if r.GetPing() == nil || !pingOnly(r) {
		f, err := compile(r)
		if err != nil {
			return err
		}
		next = &request{f, r.FromSlot}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.GetPing() != nil {
		if len(s.pongs) >= maxPongs {
			return errTooManyPings
		}
		s.pongs = append(s.pongs, r.GetPing().GetId())
	}
	if next != nil {
		s.pending = next
	}
	s.poke()
	return nil
}

func pingOnly(r *pb.SubscribeRequest) bool {
	return len(r.GetAccounts())+len(r.GetSlots())+len(r.GetTransactions())+len(r.GetTransactionsStatus())+
		len(r.GetBlocks())+len(r.GetBlocksMeta())+len(r.GetEntry())+len(r.GetAccountsDataSlice()) == 0 &&
		r.Commitment == nil && r.FromSlot == nil && refuseUnknown(r) == nil
}

// todo returns what has come from the client since it was last asked.
func (s *subscriber) todo(pongs []int32) (*request, []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.pending
	s.pending = nil
	pongs = append(pongs[:0], s.pongs...)
	s.pongs = s.pongs[:0]
	return r, pongs
}
