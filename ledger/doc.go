// Package ledger decides which transactions count. Several endpoints, streams,
// replays and RPC fills tell of the same chain, in parts, twice, out of order
// and not always truly; the ledger hears them all and answers with Steps: what
// to apply, take back, confirm, ask for, and give up. It does no I/O, starts no
// goroutine and reads no clock.
//
// # What counts
//
// A transaction is named by signature and slot, whatever brought it: it counts
// once. Bank ids are local to one endpoint, so a slot has a version for each
// endpoint and bank (bank 0, unknown: one for each stream, and another one each
// time that it died there). A transaction lives while one version lives that
// has it. DEAD kills the version of the endpoint that says so; CONFIRMED of a
// bank kills its siblings at that endpoint; a slot that the confirmed chain
// leaves aside, as parent links prove, dies whole. What is not proved aside is
// not retracted: a missing parent link retracts nothing. A link of one endpoint
// alone, against which another one gives the slot another parent or has confirmed
// a slot that it leaves out, waits for a second word, or RPC's, for DisputeFor.
//
// A signature seen in several slots counts in the first that came, while that
// lives; then (Retract, Apply) in the next living one. A slot that is confirmed
// takes it over from one that is not.
//
// # What is confirmed
//
// Confirm steps come in slot order, without what was left aside, each with its
// transactions in index order; a slot without any gives one too. A slot is in the
// confirmed chain when any source says CONFIRMED or FINALIZED of it or of a
// descendant. It is confirmed to the outside when it is complete and everything
// before it is decided. It is complete where one stream began at or before it,
// said CONFIRMED of it itself, was not cut, and brought a transaction of that
// slot or a later one: slot updates alone do not show that the filter of the
// transactions works. Or RPC filled it. It is held no longer than HoldFor for
// that, then confirmed with what there is and counted as unproved; so is whatever
// is before it, be it filled a moment ago: a hole holds what is behind it once. A
// complete slot waits for other streams that keep up, for Corroborate at most, so
// that their copies are compared before anything is final.
//
// Where a provider's limits split an endpoint's keys over streams (BeganPart), a
// slot is complete once each part of the newest division is so, on a stream of
// its own, transaction and all: a filter that is silent may be one that does not
// work. So a part that is quiet proves slots with its next transaction only (each
// should have a busy program); until then they go out unproved after HoldFor and
// the checkpoint waits, then follows at once. Where a part is added, the slots between
// the new division and what its stream begins with are missing.
//
// Nothing that was confirmed is ever retracted. What is proved afterwards to
// belong to such a slot is Late.
//
// # What is disputed
//
// Copies of one transaction that differ: RPC decides (and until it has, the first
// that came counts), else the most endpoints, else the higher Authority, else the
// first that came. A transaction that only an
// endpoint brought which has not confirmed the slot, while another one proved
// the slot complete without it, is held for the word of its endpoint, or RPC's,
// for DisputeFor; without one it is retracted (it comes as Late if its endpoint
// confirms it after all). One that its endpoint did confirm stands, unless RPC,
// which is asked about it too, says that it is not there.
//
// # What is missing
//
// A recording is all that there is of its chain: what it leaps over is not
// missing (Source.Leaps). Of everybody else a slot of the far future is believed
// only where a stream began there.
//
// Checkpoint is the slot up to which all is decided: confirmed and complete,
// left aside, skipped, or declared lost. Slots above it that no running stream
// can prove any more are Missing after MissingGrace, asked for again each
// AskAgain; without a filler (Options.Fills) they are a Gap at once, but not while
// every endpoint lacks a part or its stream, which may replay them.
//
// # Bounds, memory, concurrency
//
// One goroutine calls every method. A step's transactions are valid until the
// next call of a method that takes an Effects: consume the steps before.
// Options.MaxSlots, MaxTxs and MaxBytes bound what is kept; the oldest slots are given up
// then, counted, and told as a Gap where they were not decided. A confirmed slot
// is kept for KeepSlots more, so that copies which come late are known as such.
// Contents are given back when their slot is confirmed. In steady state nothing
// is allocated.
//
// # Size
//
// The package is over the house's 2,000 lines, a quarter of them comments: what a
// slot's versions, the chain, the proofs and the gaps decide about a transaction is
// one state, and each of them reads the others at every step.
package ledger
