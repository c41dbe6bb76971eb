package main

import (
	"testing"
	"time"

	"github.com/swapcast/swapcast"
)

// deafFiller is asked and never answers.
type deafFiller struct{ down bool }

func (deafFiller) Missing(_, _ uint64)       {}
func (deafFiller) Disputed(_ swapcast.TxRef) {}
func (f deafFiller) Down() bool              { return f.down }

// TestDeadRPCHoldsNobody has two endpoints differ about a transaction: RPC's word
// is waited for while RPC answers, and for 2 s where it does not.
func TestDeadRPCHoldsNobody(t *testing.T) {
	for down, want := range map[bool]bool{false: false, true: true} {
		r := newPipelineRig(t, "--source", "grpc://127.0.0.1:1", "--rpc-url", "http://127.0.0.1:1")
		r.p.filler = deafFiller{down}
		a, b := rigSource("a", 1), rigSource("b", 2)
		r.p.ledger.Began(a, 10, r.now)
		r.p.ledger.Began(b, 10, r.now)
		r.tx(a, swapTx(10, 1, 1, 150e6, 0))
		r.tx(b, swapTx(10, 1, 1, 151e6, 0))
		r.tx(a, swapTx(11, 2, 1, 150e6, 0))
		r.tx(b, swapTx(11, 2, 1, 150e6, 0))
		r.status(a, 10, swapcast.SlotConfirmed)
		r.status(b, 10, swapcast.SlotConfirmed)
		r.pass(3 * time.Second)
		if got := r.p.ledger.Stats().Confirmed == 10; got != want {
			t.Errorf("RPC down %t: confirmed after 3 s: %t", down, got)
		}
	}
}
