package faults

import (
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"

	"google.golang.org/grpc/codes"
)

// Kind names a fault, as the script writes it.
type Kind string

// The faults of the chain.
const (
	Fork       Kind = "fork"
	Dead       Kind = "dead"
	Banks      Kind = "banks"
	SkipSlots  Kind = "skip_slots"
	NonceTwice Kind = "nonce_twice"
	V1         Kind = "v1"
)

// The faults of an endpoint's feed.
const (
	Lying          Kind = "lying"
	Reorder        Kind = "reorder"
	BlockMetaEarly Kind = "block_meta_early"
)

// The faults of an endpoint as a whole.
const (
	Late              Kind = "late"
	ForgetHistory     Kind = "forget_history"
	Restart           Kind = "restart"
	RefuseFromSlot    Kind = "refuse_from_slot"
	RefuseAuth        Kind = "refuse_auth"
	ResourceExhausted Kind = "resource_exhausted"
)

// The faults of a stream.
const (
	Cut           Kind = "cut"
	HalfOpen      Kind = "half_open"
	Lagged        Kind = "lagged"
	SlowDown      Kind = "slow_down"
	Duplicate     Kind = "duplicate"
	Corrupt       Kind = "corrupt"
	SilentFilter  Kind = "silent_filter"
	WithholdSlots Kind = "withhold_slots"
)

// Script is a whole file of faults. It never changes.
type Script struct {
	Seed  uint64
	chain []Fault
	every []Fault         // of each endpoint
	one   map[int][]Fault // of one endpoint, by its number
	lines map[int]int     // where each endpoint's section begins
}

// Endpoint is what one server has to do wrong.
type Endpoint struct {
	// Number tells endpoints of one chain apart; bank ids differ by it.
	Number int
	Seed   uint64
	Faults []Fault
}

// Endpoint returns the faults of the endpoint with that number, counted from 0:
// those of all endpoints first.
func (s *Script) Endpoint(number int) Endpoint {
	if s == nil {
		return Endpoint{Number: number}
	}
	out := Endpoint{Number: number, Seed: mix(s.Seed + uint64(number)*golden)}
	out.Faults = append(append(out.Faults, s.every...), s.one[number]...)
	return out
}

// BendsChain reports whether the script has faults of the chain.
func (s *Script) BendsChain() bool { return s != nil && len(s.chain) > 0 }

// CheckEndpoints refuses a script that has a section for an endpoint beyond the
// n that there are. The error names the line.
func (s *Script) CheckEndpoints(n int) error {
	for number, line := range s.lines {
		if number >= n {
			return errorAt(line, "endpoints: there is no endpoint %d: this server has %d, numbered from 0", number, n)
		}
	}
	return nil
}

// Fault is one entry of the script. Fields that its kind does not know are zero.
type Fault struct {
	Kind Kind
	Line int // in the script, from 1
	When When

	// Server makes a stream's fault strike by the server's clock and slots, all
	// streams at once, rather than by each stream's own.
	Server bool
	// How picks one of the fault's forms: see the kind's parameters.
	How string
	// Order is "before" or "after": where the losing fork or bank comes, seen
	// from the surviving one.
	Order string
	// Status and Text are what a stream is ended with.
	Status codes.Code
	Text   string
	// Count is a number of slots or of transactions.
	Count uint64
	// Share is a part of one, 0 to 1.
	Share float64
	// Delay is how late, or how long.
	Delay time.Duration
	// PerSecond bounds what is sent: bytes, or updates with How "updates".
	PerSecond uint64

	struck *atomic.Int64 // by all triggers of this entry: When.Times bounds it
}

// When says when a fault strikes. At most one of the three ways is set: by time
// (At, Every), by slots (AtSlot or AfterSlots, EverySlots), by chance (Rate). With
// none, it is on from the beginning.
type When struct {
	At, Every time.Duration // since the server, the stream, or the source's clock began
	HasAt     bool

	AtSlot     uint64 // the slot itself, 0 none
	AfterSlots uint64 // slots after the first one
	HasAfter   bool
	EverySlots uint64

	// Rate is the chance, 0 to 1, for each slot, transaction, message or
	// attempt, as the kind says. HasRate tells 0 from none.
	Rate    float64
	HasRate bool

	// For and ForSlots are how long the fault stays on once it has struck.
	For      time.Duration
	ForSlots uint64
	// Times bounds how often it strikes, 0 without bound.
	Times uint64
}

func (w *When) byTime() bool  { return w.HasAt || w.Every > 0 }
func (w *When) bySlots() bool { return w.AtSlot > 0 || w.HasAfter || w.EverySlots > 0 }
func (w *When) always() bool  { return !w.byTime() && !w.bySlots() && !w.HasRate }

// Lasts reports whether the script says how long the fault stays on.
func (w *When) Lasts() bool { return w.For > 0 || w.ForSlots > 0 }

// Event is one strike of a fault.
type Event struct {
	Time   time.Time
	Kind   Kind
	Line   int
	Slot   uint64 // of the chain, 0 not known
	Stream uint64 // the server's number of the stream, 0 none
	Detail string
	// Signature is of the transaction that was altered, zero for others.
	Signature solana.Signature
}

// Place is where a fault is put into practice.
type Place uint8

// The places.
const (
	AtChain Place = iota
	AtFeed
	AtServer
	AtStream
)

// Where tells where the fault belongs.
func (f *Fault) Where() Place { return Place(specOf(f.Kind).side) }

// Continuous reports whether a fault is on all the time, for each message or for a
// share of them: then every stream draws for itself.
func (f *Fault) Continuous() bool {
	return f.When.always() || f.When.HasRate && specOf(f.Kind).unit == perMessage
}
