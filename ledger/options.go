package ledger

import "time"

// Options sets the ledger's bounds. The zero value works.
type Options struct {
	// Fills says that somebody answers StepMissing and StepDisputed.
	Fills bool
	// HoldFor is how long a slot of the confirmed chain waits for the proof that
	// it is complete. Default 10 s.
	HoldFor time.Duration
	// Corroborate is how long a complete slot waits for the word of the other
	// streams that have it, so that the copies of its transactions can be
	// compared. A stream that was waited for in vain is not waited for again until
	// it is in time for once. Negative: not at all. Default 250 ms.
	Corroborate time.Duration
	// DisputeFor is how long such a slot waits for the word on transactions that
	// are disputed, and no longer than the default while FillerDown. Default 2 s.
	DisputeFor time.Duration
	// MissingGrace is how long slots must have been out of every running
	// stream's reach before they are asked for. Default 1 s.
	MissingGrace time.Duration
	// AskAgain is when they are asked for again. Default 15 s.
	AskAgain time.Duration
	// KeepSlots is how long after its confirmation a slot is remembered, in
	// slots. Default 64.
	KeepSlots uint64
	// MaxSlots bounds the slots between the oldest kept one and the newest.
	// Default 32768, about 2.3 hours of slots of 250 ms; a power of two.
	MaxSlots uint64
	// MaxTxs bounds the transactions kept. Default 500,000.
	MaxTxs int
	// MaxBytes bounds the memory of their contents, which are kept until their slot
	// is confirmed. Default 256 MiB: 20 s of 5,000 transactions a second, with two
	// swaps and six balance changes each.
	MaxBytes int
	// MaxDisputes bounds what is asked of the filler for one slot. Default 16.
	MaxDisputes int
	// Metrics counts; nil counts nothing.
	Metrics *Metrics
}

// defaultDisputeFor is Options.DisputeFor's, and its bound without a filler.
const defaultDisputeFor = 2 * time.Second

// withDefaults returns the options with zero values replaced.
func (o Options) withDefaults() Options {
	setDefault(&o.HoldFor, 10*time.Second)
	if o.Corroborate == 0 {
		o.Corroborate = 250 * time.Millisecond
	}
	setDefault(&o.DisputeFor, defaultDisputeFor)
	setDefault(&o.MissingGrace, time.Second)
	setDefault(&o.AskAgain, 15*time.Second)
	setDefault(&o.KeepSlots, 64)
	setDefault(&o.MaxSlots, 32768)
	setDefault(&o.MaxTxs, 500_000)
	setDefault(&o.MaxBytes, 256<<20)
	setDefault(&o.MaxDisputes, 16)
	return o
}

func setDefault[T time.Duration | uint64 | int](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
