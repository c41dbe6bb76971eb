package main

import (
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// TestFarBlockFreezesNothing has an endpoint tell of a block of the far future:
// the tip and the block times follow the chain all the same, whether it was said
// before anything was known or after.
func TestFarBlockFreezesNothing(t *testing.T) {
	const far = 1 << 50
	r := newPipelineRig(t, "--source", "grpc://127.0.0.1:1")
	src := rigSource("a", 1)
	block := func(slot uint64, at int64) {
		r.p.handle(&geyser.Event{
			Kind: geyser.KindBlock, Endpoint: "a", Stream: 1, ReceivedAt: r.now,
			Block: swapcast.BlockMeta{Slot: slot, ParentSlot: slot - 1, BlockTime: at},
		})
	}
	check := func(slot uint64, at int64) {
		t.Helper()
		if got := r.feed.tipSlot.Load(); got != slot {
			t.Errorf("tip %d, want %d", got, slot)
		}
		if got := r.feed.blockTime(); got != at {
			t.Errorf("block time %d, want %d", got, at)
		}
	}
	r.p.ledger.Began(src, 1_000, r.now)
	r.tx(src, swapTx(1_000, 1, 1, 100e6, 0))
	block(far, 77)
	r.pass(time.Second)
	block(1_000, 50)
	check(1_000, 50)
	block(far, 77)
	block(1_001, 51)
	check(1_001, 51)
	r.p.handle(&geyser.Event{
		Kind: geyser.KindSlot, Endpoint: "a", Stream: 1, ReceivedAt: r.now,
		Slot: swapcast.SlotUpdate{Slot: far, Status: swapcast.SlotProcessed},
	})
	check(1_001, 51)
}
