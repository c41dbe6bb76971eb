package faults

import (
	"sync"

	"github.com/gagliardetto/solana-go"
)

// TruthKind tells what a Truth says.
type TruthKind string

const (
	// TruthTx is a transaction that lands: in the surviving chain.
	TruthTx TruthKind = "tx"
	// TruthOrphan is a transaction in a slot or bank that dies or is left aside.
	TruthOrphan TruthKind = "orphan"
	// TruthSlot is the fate of a slot or bank.
	TruthSlot TruthKind = "slot"
)

// The fates of a slot.
const (
	FateLanded  = "landed"
	FateDead    = "dead"
	FateAside   = "aside"
	FateSkipped = "skipped"
)

// Truth is one line of what is true of the chain, whatever endpoints say. Its JSON
// form is what `swapcast geyser --truth FILE` writes, one a line.
type Truth struct {
	Kind      TruthKind        `json:"kind"`
	Slot      uint64           `json:"slot"`
	Bank      uint64           `json:"bank,omitempty"`     // as Chain numbers banks; 0 where the script has no banks
	Index     uint64           `json:"index"`              // TruthTx, TruthOrphan: in the slot
	Signature solana.Signature `json:"signature,omitzero"` // TruthTx, TruthOrphan
	Vote      bool             `json:"vote,omitempty"`
	Failed    bool             `json:"failed,omitempty"`
	// Again is true for a transaction that the chain holds a second time
	// (nonce_twice): it counts once, where it was first.
	Again bool `json:"again,omitempty"`
	// Lands is true for a TruthOrphan of which the surviving chain has a copy.
	Lands bool `json:"lands,omitempty"`

	Fate         string `json:"fate,omitempty"`         // TruthSlot
	Parent       uint64 `json:"parent,omitempty"`       // TruthSlot, 0 not known
	Transactions uint64 `json:"transactions,omitempty"` // TruthSlot
}

// Log keeps the truth in memory, for tests. It may be used by several
// goroutines.
type Log struct {
	mu    sync.Mutex
	lines []Truth // guarded by mu
}

// Add takes one line. It is a ChainOptions.OnTruth.
func (l *Log) Add(t Truth) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, t)
}

// Lines returns what has come so far.
func (l *Log) Lines() []Truth {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Truth(nil), l.lines...)
}
