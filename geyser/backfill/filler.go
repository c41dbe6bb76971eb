package backfill

import (
	"sync"
	"sync/atomic"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// Filler fetches missing slots. See the package comment.
type Filler struct {
	// static after construction
	o    Options
	wake chan struct{} // one token: there is something new under mu

	matcher atomic.Pointer[matcher]

	// guarded by mu
	mu     sync.Mutex
	wished []slotRange // not yet seen by Run, merged, rising
	refs   []swapcast.TxRef
	status Status
}

// Status is what a Filler is doing.
type Status struct {
	Waiting int // slots that are being fetched or wait for it, disputes included
	Filled  uint64
	Skipped uint64
	Lost    uint64
	// LastLoss is the reason of the last loss, "" none so far.
	LastLoss string
}

// New makes a Filler.
func New(o Options) (*Filler, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &Filler{o: o, wake: make(chan struct{}, 1)}
	f.SetFilter(o.Filter)
	return f, nil
}

// SetFilter changes what is delivered of blocks from now on: all that the
// streams ask for, or a slot would be called complete without it. The keys are
// copied.
func (f *Filler) SetFilter(filter geyser.Filter) { f.matcher.Store(newMatcher(filter)) }

// Status tells what the Filler is doing.
func (f *Filler) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Down reports whether no endpoint answers now: what was asked waits.
func (f *Filler) Down() bool { return f.o.RPC.Down() }

// Missing asks for the slots from..to, both included. It never blocks. Asking
// again for one that is on its way does nothing.
func (f *Filler) Missing(from, to uint64) {
	if from > to {
		return
	}
	f.mu.Lock()
	f.wished = addRange(f.wished, slotRange{from, to})
	if len(f.wished) > maxRanges {
		f.wished = closeGap(f.wished)
	}
	f.mu.Unlock()
	f.nudge()
}

// Disputed asks for one transaction. It never blocks; where too many wait, it is
// dropped and counted.
func (f *Filler) Disputed(ref swapcast.TxRef) {
	f.mu.Lock()
	full := len(f.refs) >= maxRefs
	if !full {
		f.refs = append(f.refs, ref)
	}
	f.mu.Unlock()
	if full {
		f.o.Metrics.dispute("dropped")
		return
	}
	f.nudge()
}

func (f *Filler) nudge() {
	select {
	case f.wake <- struct{}{}:
	default: // Run has not looked yet since the last one
	}
}

// taken gives what was wished since it was last called.
func (f *Filler) taken() ([]slotRange, []swapcast.TxRef) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ranges, refs := f.wished, f.refs
	f.wished, f.refs = nil, nil
	return ranges, refs
}

// note changes the status.
func (f *Filler) note(change func(*Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status)
}

// slotRange is a range of slots, both ends included.
type slotRange struct{ from, to uint64 }

// addRange adds a range to a rising list of ranges that do not touch.
func addRange(list []slotRange, r slotRange) []slotRange {
	var out []slotRange
	placed := false
	for _, have := range list {
		switch {
		case have.to < r.from && r.from-have.to > 1:
			out = append(out, have)
		case r.to < have.from && have.from-r.to > 1:
			if !placed {
				out = append(out, r)
				placed = true
			}
			out = append(out, have)
		default:
			r = slotRange{min(r.from, have.from), max(r.to, have.to)}
		}
	}
	if !placed {
		out = append(out, r)
	}
	return out
}

// closeGap joins the two ranges with the fewest slots between them: those are
// then asked for too, for nothing but their trouble.
func closeGap(list []slotRange) []slotRange {
	at := 1
	for i := 2; i < len(list); i++ {
		if list[i].from-list[i-1].to < list[at].from-list[at-1].to {
			at = i
		}
	}
	list[at-1].to = list[at].to
	return append(list[:at], list[at+1:]...)
}

// want is one slot that is being dealt with.
type want struct {
	slot    uint64
	missing bool               // asked for by Missing
	refs    []solana.Signature // asked for by Disputed
	listed  bool               // getBlocks has it, or it is to be fetched all the same
	busy    bool               // a job has it
	tries   int                // failures so far
	failed  int64              // when it first failed, Unix nanoseconds, 0 never
	next    int64              // not before then
	reason  string             // of the last failure: what it is lost for
}
