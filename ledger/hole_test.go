package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// TestLateOutlivesItsSlot: a transaction that waits for RPC's word to be told late
// is told in the end, though its slot could be forgotten meanwhile.
func TestLateOutlivesItsSlot(t *testing.T) {
	b := newBook(t, ledger.Options{Fills: true, HoldFor: time.Second, DisputeFor: 5 * time.Second, KeepSlots: 2, Corroborate: -1})
	b.run(`
		began a1 100
		tx a1 100 x
		confirmed a1 100 parent=99
		ended a1
		began a2 103
		tx a2 103 z
		confirmed a2 103 parent=102
		tick 1100
		block a2 102 parent=101
		tick 1100
		began b1 101
		tx b1 101 y
		confirmed b1 101 parent=100
		tx b1 102 w
		confirmed b1 102 parent=101
		tx b1 103 z
		confirmed b1 103 parent=102`)
	if want := []swapcast.TxRef{{Slot: 101, Signature: sig("y")}, {Slot: 102, Signature: sig("w")}}; !slices.Equal(b.asked, want) {
		t.Fatalf("asked about %v, want %v\n%s", b.asked, want, strings.Join(b.log, "\n"))
	}
	for n := uint64(104); n < 120; n++ {
		b.tx("a2", n, fmt.Sprint(n), 0, 0, 0)
		b.slot("a2", n, n-1, 0, swapcast.SlotConfirmed)
		b.tick(100)
	}
	if _, told := b.confirmed[sig("y")]; told {
		t.Fatal("told before its time: RPC may say that it is not there")
	}
	b.tick(6000)
	for _, late := range []string{"y", "w"} {
		if _, told := b.confirmed[sig(late)]; !told {
			t.Errorf("%s was never told", late)
		}
	}
	if b.tick(100); b.l.Checkpoint() < 118 {
		t.Errorf("checkpoint %d", b.l.Checkpoint())
	}
	if life, _ := b.l.Life(101); life.Txs != 0 {
		t.Error("its slot is kept for good")
	}
}

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
