package ledger_test

import (
	"runtime"
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// TestMaxBytes has a source that never says CONFIRMED: contents are kept up to
// their bound, in real memory too, and the oldest slots are given up.
func TestMaxBytes(t *testing.T) {
	const bound, slots, txs = 32 << 20, 100, 500 // without a bound 50,000 would take 128 MB
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	l := ledger.New(ledger.Options{MaxBytes: bound, Corroborate: -1})
	var out ledger.Effects
	tx := ledger.Tx{Swaps: make([]swapcast.Swap, 2), Changes: make([]swapcast.BalanceChange, 6)}
	src := benchSource(0)
	l.Began(src, 1000, 1e18)
	gaps := 0
	for slot := uint64(1000); slot < 1000+slots; slot++ {
		for i := range uint64(txs) {
			tx.TxRef, tx.Bank, tx.ReceivedAt = benchRef(slot, i), slot, 1e18
			l.Tx(src, &tx, &out)
			for _, s := range out.Steps {
				if s.Kind == ledger.StepGap && s.Reason == ledger.GapOverflow {
					gaps++
				}
			}
			out.Reset()
		}
	}
	s := l.Stats()
	if s.Bytes > bound+4096 || s.Bytes < bound/2 || gaps == 0 || s.GapSlots == 0 {
		t.Errorf("%d bytes, bound %d, %d gaps: %+v", s.Bytes, bound, gaps, s)
	}
	// Beside the contents: entries, and room that is used again.
	if got := heap() - before; got > 3*bound {
		t.Errorf("%d MB of heap for a bound of %d", got>>20, bound>>20)
	} else {
		t.Logf("%d transactions in %d MB", s.Txs, got>>20)
	}
	// What is confirmed gives its contents back.
	for slot := uint64(1000); slot < 1000+slots; slot++ {
		l.Slot(src, &swapcast.SlotUpdate{Slot: slot, Bank: slot, Parent: slot - 1, Status: swapcast.SlotConfirmed}, 1e18, &out)
		out.Reset()
	}
	if s := l.Stats(); s.Bytes != 0 || s.Txs == 0 {
		t.Errorf("after all is confirmed: %d bytes, %d transactions", s.Bytes, s.Txs)
	}
}
