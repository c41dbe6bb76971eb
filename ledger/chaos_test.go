package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// TestChaos says anything at all, in any order, to a ledger with tight bounds.
// Whatever it makes of it, the book's promises hold: nothing counts twice, nothing
// is taken back that does not count or is settled, confirmed slots rise, and
// nothing confirmed is taken back.
func TestChaos(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxTxs := rapid.IntRange(3, 40).Draw(t, "max txs")
		b := newBook(t, ledger.Options{
			Fills: rapid.Bool().Draw(t, "fills"), HoldFor: 40 * time.Millisecond, DisputeFor: 20 * time.Millisecond,
			Corroborate: 5 * time.Millisecond, MissingGrace: 10 * time.Millisecond, AskAgain: 50 * time.Millisecond,
			KeepSlots: uint64(rapid.IntRange(1, 8).Draw(t, "keep")), MaxSlots: 32, MaxTxs: maxTxs, MaxDisputes: 2,
		})
		b.forgets = true
		if rapid.Bool().Draw(t, "start") {
			b.l.Start(99)
		}
		base := uint64(100)
		for range rapid.IntRange(1, 250).Draw(t, "events") {
			b.now += int64(rapid.IntRange(0, 4).Draw(t, "ms")) * 1e6
			base += uint64(rapid.IntRange(0, 9).Draw(t, "on") / 9)
			chaos(t, b, base)
			if got := b.l.Stats().Txs; got > maxTxs {
				t.Fatalf("%d transactions kept, bound %d", got, maxTxs)
			}
			if got := b.l.Stats().Slots; got > 32 {
				t.Fatalf("%d slots kept, bound 32", got)
			}
		}
	})
}

// chaos says one thing.
func chaos(t *rapid.T, b *book, base uint64) {
	slot := base + uint64(rapid.IntRange(0, 12).Draw(t, "slot")) - 6
	if rapid.IntRange(0, 60).Draw(t, "far") == 0 {
		slot = rapid.SampledFrom([]uint64{0, 1, slot + 14, slot + 40, 1 << 40, ^uint64(0)}).Draw(t, "slot")
	}
	from := fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "endpoint"), rapid.IntRange(1, 3).Draw(t, "stream"))
	bank := uint64(rapid.IntRange(0, 2).Draw(t, "bank"))
	switch rapid.IntRange(0, 16).Draw(t, "what") {
	case 0:
		parts := rapid.SampledFrom([]int{1, 1, 2, 3, 64, 65, 0, -1}).Draw(t, "parts")
		b.l.BeganPart(src(from), slot, rapid.IntRange(-1, max(parts, 0)).Draw(t, "part"), parts, b.now)
	case 1:
		b.l.Ended(src(from), b.now)
	case 2:
		b.l.Filled(slot, &b.out)
	case 3:
		b.l.Skipped(slot, &b.out)
	case 4:
		b.l.Lost(slot, slot+uint64(rapid.IntRange(0, 5).Draw(t, "n")), "test", &b.out)
	case 5:
		b.l.Absent(swapcast.TxRef{Slot: slot, Signature: sig(fmt.Sprintf("t%d", rapid.IntRange(0, 12).Draw(t, "tx")))}, &b.out)
	case 6:
		b.tick(int64(rapid.IntRange(0, 30).Draw(t, "ms")))
	case 7:
		from = "rpc"
		fallthrough
	case 8, 9, 10, 11:
		b.tx(from, slot, fmt.Sprintf("t%d", rapid.IntRange(0, 12).Draw(t, "tx")), bank,
			uint64(rapid.IntRange(0, 3).Draw(t, "index")), uint64(rapid.IntRange(0, 2).Draw(t, "amount")))
	case 12:
		b.l.Block(src(from), &swapcast.BlockMeta{
			Slot: slot, Bank: bank, ParentSlot: slot - uint64(rapid.IntRange(0, 4).Draw(t, "back")),
		}, b.now, &b.out)
	default:
		b.slot(from, slot, (slot-uint64(rapid.IntRange(1, 3).Draw(t, "back")))*uint64(rapid.IntRange(0, 1).Draw(t, "link")), bank,
			swapcast.SlotStatus(rapid.IntRange(0, 7).Draw(t, "status")))
	}
	b.took()
}
