package main

import (
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// TestFillOfLongAgo has RPC fill slots from before a long outage while the
// stream is at the present again: what is told stays the present's.
func TestFillOfLongAgo(t *testing.T) {
	r := newPipelineRig(t, "--source", "grpc://127.0.0.1:1")
	second := r.now / 1e9
	before, after, rpc := rigSource("a", 1), rigSource("a", 2), ledger.Source{Endpoint: "rpc", Authority: ledger.AuthorityRPC}
	r.p.ledger.Began(before, 1_000, r.now)
	r.tx(before, swapTx(1_000, 1, 1, 100e6, second-1_200))
	r.status(before, 1_000, swapcast.SlotConfirmed)
	r.p.ledger.Ended(before, r.now)
	r.p.ledger.Began(after, 4_000, r.now)
	r.tx(after, swapTx(4_000, 2, 1, 200e6, second))
	r.status(after, 4_000, swapcast.SlotConfirmed)
	r.pass(time.Minute)
	for i := range byte(100) {
		slot := 1_001 + uint64(i)
		tx := swapTx(slot, 10+i, 1, 50e6, second-1_190)
		tx.BlockTime = second - 1_190
		r.tx(rpc, tx)
		r.p.ledger.Filled(slot, &r.p.effects)
		r.p.carryOut()
	}
	for name, v := range map[string]*view{"processed": r.processed, "confirmed": r.confirmed} {
		if p, _ := v.market.Price(swapcast.NativeMint()); p.USD < 150 {
			t.Errorf("%s: the price of 20 minutes ago is told: %v", name, p.USD)
		}
		if at := v.market.Time(); at != second {
			t.Errorf("%s: the market's clock was set back by %d s", name, second-at)
		}
		if n := len(v.market.Trades(swapcast.NativeMint(), 200)); n != 102 {
			t.Errorf("%s: %d trades, want 102", name, n)
		}
	}
}
