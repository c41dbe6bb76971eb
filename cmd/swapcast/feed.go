package main

import (
	"sync/atomic"
	"time"

	"github.com/swapcast/swapcast"
)

// feedState is what the pipeline knows of the stream's progress. The pipeline
// goroutine writes it, status pages read it; every atomic field is one word.
type feedState struct {
	tipSlot     atomic.Uint64 // highest slot seen, of any kind of update
	slotAt      atomic.Int64  // Unix nanoseconds of the receipt of the newest update
	newestBlock atomic.Int64  // block time of the newest block meta, Unix seconds
	blockSlot   atomic.Uint64
	txs         atomic.Uint64

	furthest uint64 // what is said of slots above it is not believed; 0: of none
}

// believe sets the newest slot that is believed, where the newest that the ledger
// knows is head. One that was believed wrongly would freeze the tip and the block
// times: it is forgotten.
func (f *feedState) believe(furthest, head uint64) {
	f.furthest = furthest
	if f.far(f.tipSlot.Load()) {
		f.tipSlot.Store(head)
	}
	if f.far(f.blockSlot.Load()) {
		f.blockSlot.Store(0)
	}
}

func (f *feedState) far(slot uint64) bool { return f.furthest != 0 && slot > f.furthest }

// slot notes a slot's new stage.
func (f *feedState) slot(u swapcast.SlotUpdate, receivedAt int64) {
	f.seen(u.Slot, receivedAt)
}

// block notes a block's time.
func (f *feedState) block(b swapcast.BlockMeta, receivedAt int64) {
	f.seen(b.Slot, receivedAt)
	if b.BlockTime != 0 && !f.far(b.Slot) && b.Slot >= f.blockSlot.Load() {
		f.blockSlot.Store(b.Slot)
		f.newestBlock.Store(b.BlockTime)
	}
}

// transaction notes a transaction's arrival.
func (f *feedState) transaction(slot uint64, receivedAt int64) {
	f.txs.Add(1)
	f.seen(slot, receivedAt)
}

// blockTime is the newest block's time in Unix seconds, 0 unknown.
func (f *feedState) blockTime() int64 { return f.newestBlock.Load() }

// age is the time since the newest update was received; ok is false before the
// first one.
func (f *feedState) age(now time.Time) (age time.Duration, ok bool) {
	at := f.slotAt.Load()
	if at == 0 {
		return 0, false
	}
	return max(0, now.Sub(time.Unix(0, at))), true
}

// restart forgets the slots of a timeline that has ended.
func (f *feedState) restart(slot uint64) {
	f.tipSlot.Store(slot)
	f.blockSlot.Store(0)
}

func (f *feedState) seen(slot uint64, receivedAt int64) {
	if f.far(slot) {
		return // the ledger counts it
	}
	raise(&f.tipSlot, slot)
	f.slotAt.Store(receivedAt)
}

// raise stores v if it is above what is there. Only one goroutine writes.
func raise(word *atomic.Uint64, v uint64) {
	if v > word.Load() {
		word.Store(v)
	}
}
