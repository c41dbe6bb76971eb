package swap

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"
)

// Stage is how far a forwarded transaction has come. The strings are for clients.
type Stage string

// The stages.
const (
	StageSent      Stage = "sent"      // handed to an RPC node, seen nowhere yet
	StageProcessed Stage = "processed" // in a block that the chain may still drop
	StageConfirmed Stage = "confirmed"
	StageExpired   Stage = "expired" // its last valid block height is over: it never will be
)

// State is what is known of a forwarded transaction.
type State struct {
	Signature solana.Signature
	Payer     solana.PublicKey
	Stage     Stage
	Slot      uint64 // where it was seen, 0 nowhere
	// Failed: it is in a block, cost its fee and did nothing. Valid from processed on.
	Failed               bool
	LastValidBlockHeight uint64
	SentAt               time.Time

	endedAt time.Time // when confirmed or expired, zero before
}

// Limits of a Tracker.
const (
	maxTracked = 10_000
	keepEnded  = 10 * time.Minute
	// expirySlack is how many blocks over its last valid height a transaction gets:
	// the block that holds it may be told after later ones.
	expirySlack = 32
	// giveUp is how many blocks over it one in a block waits for its confirmation.
	giveUp = 1_000
)

// Tracker follows forwarded transactions on our own stream. Its methods may be called
// by any number of goroutines; while nothing is followed the stream's side costs one
// atomic load.
type Tracker struct {
	metrics *Metrics     // static
	open    atomic.Int64 // transactions that have not ended

	mu    sync.Mutex // guards everything below
	known map[solana.Signature]*State
}

// NewTracker makes one that follows nothing; nil metrics count nothing.
func NewTracker(m *Metrics) *Tracker {
	return &Tracker{metrics: m, known: make(map[solana.Signature]*State)}
}

// Track begins to follow a transaction. False: there are too many.
func (t *Tracker) Track(s State) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.known[s.Signature]; old != nil {
		return true // sent again: what is known of it stands
	}
	if len(t.known) >= maxTracked {
		return false
	}
	s.Stage = StageSent
	t.known[s.Signature] = &s
	t.open.Add(1)
	t.metrics.follow(1)
	return true
}

// Drop forgets a transaction that could not be sent.
func (t *Tracker) Drop(sig solana.Signature) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.known[sig]; s != nil && s.Stage == StageSent {
		delete(t.known, sig)
		t.open.Add(-1)
		t.metrics.follow(-1)
	}
}

// Get is what is known of a transaction.
func (t *Tracker) Get(sig solana.Signature) (State, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.known[sig]
	if s == nil {
		return State{}, false
	}
	return *s, true
}

// Payers are who pays for what has not ended: the stream must be asked for them.
func (t *Tracker) Payers() []solana.PublicKey {
	if t.open.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []solana.PublicKey
	for _, s := range t.known {
		if s.endedAt.IsZero() {
			list = append(list, s.Payer)
		}
	}
	return list
}

// Seen says that a transaction is in a block.
func (t *Tracker) Seen(sig solana.Signature, slot uint64, failed bool) {
	if t.open.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.known[sig]; s != nil && s.endedAt.IsZero() {
		s.Stage, s.Slot, s.Failed = StageProcessed, slot, failed
	}
}

// Confirmed says that a slot is part of the chain for good. Transactions are held to
// be in the slot where they were seen last.
func (t *Tracker) Confirmed(slot uint64, now time.Time) {
	if t.open.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.known {
		if s.Stage == StageProcessed && s.Slot == slot && s.endedAt.IsZero() {
			s.Stage = StageConfirmed
			t.end(s, now)
		}
	}
}

// Dead says that a slot is not: what was in it may land again.
func (t *Tracker) Dead(slot uint64) {
	if t.open.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.known {
		if s.Stage == StageProcessed && s.Slot == slot && s.endedAt.IsZero() {
			s.Stage, s.Slot, s.Failed = StageSent, 0, false
		}
	}
}

// Height says how high the chain is.
func (t *Tracker) Height(height uint64, now time.Time) {
	if t.open.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.known {
		if s.Stage == StageSent && s.LastValidBlockHeight > 0 && height > s.LastValidBlockHeight+expirySlack {
			s.Stage = StageExpired
			t.end(s, now)
		}
		if s.Stage == StageProcessed && s.endedAt.IsZero() && height > s.LastValidBlockHeight+giveUp {
			t.end(s, now) // whether its slot stands was never told; it stays as it is
		}
	}
}

func (t *Tracker) end(s *State, now time.Time) {
	s.endedAt = now
	t.open.Add(-1)
	t.metrics.end(s, now)
}

// Sweep forgets what ended a while ago.
func (t *Tracker) Sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for sig, s := range t.known {
		if !s.endedAt.IsZero() && now.Sub(s.endedAt) > keepEnded {
			delete(t.known, sig)
		}
	}
}
