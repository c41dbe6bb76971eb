package ledger

import (
	"time"

	"github.com/swapcast/swapcast"
)

// Ledger hears sources and decides. See the package's comment.
type Ledger struct{ opt Options }

// New returns an empty ledger.
func New(o Options) *Ledger { return &Ledger{opt: o.withDefaults()} }

// Start says where an earlier run ended: every slot up to checkpoint is done,
// and everything above it is owed. Called before anything else, or not at all.
func (l *Ledger) Start(checkpoint uint64) {}

// Began says that the stream's filters are complete from slot from on.
func (l *Ledger) Began(src Source, from uint64, now int64) {}

// Ended says that the stream was cut: it proves nothing more.
func (l *Ledger) Ended(src Source, now int64) {}

// Known reports whether this endpoint has brought the transaction in that bank
// before (or its slot is settled): there is nothing to parse, and Tx need not
// be called. It notes the arrival. It allocates nothing.
func (l *Ledger) Known(src Source, ref swapcast.TxRef, bank uint64) bool { return false }

// Tx hears a transaction; what is kept of t is copied.
func (l *Ledger) Tx(src Source, t *Tx, out *Effects) {}

// Slot hears that a slot entered a stage.
func (l *Ledger) Slot(src Source, u *swapcast.SlotUpdate, now int64, out *Effects) {}

// Block hears of a whole block: its parent and its time.
func (l *Ledger) Block(src Source, b *swapcast.BlockMeta, now int64, out *Effects) {}

// Filled says that RPC has told everything of the slot that the filters want,
// through Tx (and Block, for its parent): it is in the confirmed chain, complete,
// and nothing else is in it.
func (l *Ledger) Filled(slot uint64, out *Effects) {}

// Skipped says that the chain has no block in the slot.
func (l *Ledger) Skipped(slot uint64, out *Effects) {}

// Lost says that the slots from..to cannot be had.
func (l *Ledger) Lost(from, to uint64, reason string, out *Effects) {}

// Absent answers StepDisputed: RPC says that the slot holds no such
// transaction.
func (l *Ledger) Absent(ref swapcast.TxRef, out *Effects) {}

// Tick lets time pass: called a few times a second.
func (l *Ledger) Tick(now int64, out *Effects) {}

// Checkpoint is the slot up to which everything is decided, 0 for none.
func (l *Ledger) Checkpoint() uint64 { return 0 }

// Settled is the slot up to which nothing will be retracted any more: what the
// processed market may forget its journal for.
func (l *Ledger) Settled() uint64 { return 0 }

// SlotLength is the measured length of a slot, 0 while unknown.
func (l *Ledger) SlotLength() time.Duration { return 0 }

// GapRange is a range of slots that was declared lost.
type GapRange struct {
	From, To uint64
	Reason   string
	At       int64 // Unix nanoseconds
}

// Gaps returns the recorded gaps, oldest first; the newest 256 are kept.
func (l *Ledger) Gaps() []GapRange { return nil }

// Stats returns what status pages show, as a copy.
func (l *Ledger) Stats() Stats { return Stats{} }

// Stats is the ledger's state in numbers.
type Stats struct {
	Slot         uint64 // newest slot heard of
	Confirmed    uint64 // newest slot confirmed to the outside
	Checkpoint   uint64
	Settled      uint64
	SlotLength   time.Duration
	Slots        int    // kept
	Txs          int    // kept
	Held         int    // slots of the confirmed chain that wait
	Unproved     uint64 // slots confirmed without proof, ever
	MissingSlots int    // asked for and not there yet
	GapSlots     uint64 // declared lost, ever
	Applied      uint64
	Retracted    uint64
	Late         uint64
	Disputed     uint64 // transactions whose copies differed, ever
	Endpoints    []EndpointStats
}

// EndpointStats is one endpoint's part in the race.
type EndpointStats struct {
	Endpoint      string
	Streams       int           // running ones
	First         uint64        // transactions that it brought before all others
	Behind        uint64        // those that it brought after another
	BehindMean    time.Duration // exponentially weighted mean of by how much
	Duplicates    uint64        // brought again by itself
	Disagreements uint64        // of its words that were not believed
	Slot          uint64        // newest slot heard of from it
}
