package ledger

import "github.com/swapcast/swapcast"

// AuthorityRPC is the Authority of the filler: what it says decides.
const AuthorityRPC uint8 = 255

// Source is where something was heard.
type Source struct {
	// Endpoint names the server. Bank ids mean something within it only.
	Endpoint string
	// Stream numbers the stream run, unique in the process; 0 for the filler.
	// One stream carries all filters, or a part of them that BeganPart names.
	Stream uint64
	// Authority settles a tie: the higher one is believed. AuthorityRPC is the
	// filler's and above all votes.
	Authority uint8
	// Leaps says that it plays a recording: slots that it passes over are owed to
	// nobody, however many.
	Leaps bool
}

// Tx is a transaction as far as the markets care: what it swapped and whose
// balances it changed. One without either is told to the ledger all the same:
// that it came proves something.
type Tx struct {
	swapcast.TxRef
	Bank       uint64 // as swapcast.Transaction.Bank
	Index      uint64 // position in its block, 0 where the source does not tell
	BlockTime  int64  // Unix seconds, 0 unknown
	Swaps      []swapcast.Swap
	Changes    []swapcast.BalanceChange
	ReceivedAt int64 // Unix nanoseconds
}

// StepKind says what a Step asks for.
type StepKind uint8

// The kinds of steps, with the fields that each sets.
const (
	// StepApply: Tx counts from now on; the processed market takes it.
	StepApply StepKind = iota
	// StepRetract: Txs, all of Slot, count no more; the processed market takes
	// them back. Reason is one of the Retract* names.
	StepRetract
	// StepConfirm: Slot is confirmed, with exactly Txs in index order and that
	// BlockTime (0 unknown); the confirmed market takes them.
	StepConfirm
	// StepMissing: ask the filler for Slot..To, both included.
	StepMissing
	// StepDisputed: ask the filler for the one transaction Ref.
	StepDisputed
	// StepGap: Slot..To cannot be had, for Reason: tell the clients.
	StepGap
	// StepLate: Tx was proved after its slot had been confirmed (or passed by);
	// the confirmed market takes it now, and the processed market too unless
	// Applied.
	StepLate
)

// String returns the lower-case name that logs and metrics use.
func (k StepKind) String() string {
	switch k {
	case StepApply:
		return "apply"
	case StepRetract:
		return "retract"
	case StepConfirm:
		return "confirm"
	case StepMissing:
		return "missing"
	case StepDisputed:
		return "disputed"
	case StepGap:
		return "gap"
	case StepLate:
		return "late"
	default:
		return "unknown"
	}
}

// Why a transaction was retracted.
const (
	RetractDead        = "dead"        // its bank died at every endpoint that had it
	RetractAside       = "aside"       // the confirmed chain does not hold its slot
	RetractSkipped     = "skipped"     // RPC says that the chain skipped the slot
	RetractDisputed    = "disputed"    // another copy of it is believed: an Apply follows
	RetractAbsent      = "absent"      // RPC says that it is not in its slot
	RetractUnconfirmed = "unconfirmed" // another endpoint proved the slot without it
	RetractMoved       = "moved"       // the same signature was confirmed in another slot: an Apply follows
)

// Why a range of slots is lost. Lost passes on reasons of the filler's own.
const (
	GapNoFiller = "no_backfill" // no stream covers it and no filler is there
	GapOverflow = "overflow"    // given up undecided, for MaxSlots, MaxTxs or MaxBytes
)

// Step is one thing to do. Tx and Txs belong to the ledger: they are read
// before the next call that takes an Effects, and not changed.
type Step struct {
	Kind      StepKind
	Applied   bool // StepLate: the processed market has it already
	Slot      uint64
	To        uint64 // StepMissing, StepGap: the last slot of the range
	BlockTime int64
	Tx        *Tx
	Txs       []*Tx
	Ref       swapcast.TxRef
	Reason    string
}

// Effects collects steps in the order in which they must be taken. The zero
// value is ready; the caller resets it once the steps are done.
type Effects struct {
	Steps []Step

	txs []*Tx // what Txs of the steps point into
}

// Reset forgets the steps and keeps the memory.
func (e *Effects) Reset() {
	clear(e.Steps)
	clear(e.txs)
	e.Steps, e.txs = e.Steps[:0], e.txs[:0]
}
