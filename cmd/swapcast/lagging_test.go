package main

import (
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// TestChainBehindTheWallClock has a chain whose time is 100 seconds behind that of
// receipt, and whose first swaps come before any block: no candle is late for
// them, in either view, and none lies in the future.
func TestChainBehindTheWallClock(t *testing.T) {
	r := newPipelineRig(t)
	src := rigSource("a", 1)
	r.p.ledger.Began(src, 10, r.now)
	const lag, slots = 100, 30
	first := r.now/int64(time.Second) - lag
	for n := range uint64(slots) { // a slot a second
		slot := 10 + n
		at := r.p.feed.blockTime() // as transaction does
		r.tx(src, swapTx(slot, byte(n+1), 1, 150e6+n*1e5, at))
		r.status(src, slot, swapcast.SlotProcessed)
		if n > 0 { // the first block's meta is lost: the confirmed view does not know its time
			r.p.handle(&geyser.Event{
				Kind: geyser.KindBlock, Endpoint: "a", Stream: 1, ReceivedAt: r.now, Feed: swapcast.FeedLive,
				Block: swapcast.BlockMeta{Slot: slot, ParentSlot: slot - 1, BlockTime: first + int64(n), Transactions: 1},
			})
		}
		r.status(src, slot, swapcast.SlotConfirmed)
		r.pass(time.Second)
	}
	r.pass(time.Minute) // longer than any hold
	for name, v := range map[string]*view{"processed": r.processed, "confirmed": r.confirmed} {
		list := v.market.Candles(swapcast.NativeMint(), swapcast.Interval1s, 1_000)
		traded := 0
		for _, c := range list {
			if c.Trades > 0 {
				traded++
			}
			if c.Start < first || c.Start > first+slots {
				t.Errorf("%s: a candle %d seconds off the chain's time", name, c.Start-first-slots)
			}
		}
		// The block of one transaction was not known yet, or is that of the one before it.
		if traded < slots-3 {
			t.Errorf("%s: %d of %d seconds have trades: %+v", name, traded, slots, list)
		}
		if now := v.market.Time(); now != first+slots-1 {
			t.Errorf("%s: the clock is %d seconds off", name, now-first-slots+1)
		}
	}
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if l := m.GetLabel(); f.GetName() == "swapcast_market_ignored_total" && l[0].GetValue() == "candle_late" && m.GetCounter().GetValue() > 0 {
				t.Errorf("%v candles came late", m.GetCounter().GetValue())
			}
		}
	}
}
