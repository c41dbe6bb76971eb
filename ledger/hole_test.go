package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// TestHoleHoldsOnce: a hole that RPC fills slowly, in any order, holds what comes
// behind it for HoldFor once; after that whole slots are confirmed as they come.
func TestHoleHoldsOnce(t *testing.T) {
	const hole, every = 400, 4 // slots; the stream's slots to one that is filled
	for name, order := range map[string]func(n uint64) uint64{
		"oldest first":  func(n uint64) uint64 { return 100 + n },
		"newest first":  func(n uint64) uint64 { return 99 + hole - n },
		"in between":    func(n uint64) uint64 { return 100 + n*7%hole },
		"two at a time": func(n uint64) uint64 { return 100 + n ^ 1 },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t, ledger.Options{Fills: true, HoldFor: 10 * time.Second, Corroborate: -1})
			b.run("start 99\nbegan a1 500")
			late := 0
			for n := uint64(0); n < 2*hole; n++ {
				s := 500 + n
				b.tx("a1", s, fmt.Sprint(s), 0, 0, 0)
				b.slot("a1", s, s-1, 0, swapcast.SlotConfirmed)
				if n%every == 0 && n/every < hole {
					f := order(n / every)
					b.l.Block(src("rpc"), &swapcast.BlockMeta{Slot: f, ParentSlot: f - 1}, b.now, &b.out)
					b.took()
					b.l.Filled(f, &b.out)
					b.took()
				}
				b.tick(250)
				if last := b.slots; n > 45 && (len(last) == 0 || last[len(last)-1] != s) {
					late++
				}
			}
			if late > 0 {
				t.Errorf("%d slots were held", late)
			}
			if got := b.l.Checkpoint(); got >= 500 {
				t.Errorf("checkpoint %d", got)
			}
		})
	}
}
