package backfill

import (
	"testing"

	"pgregory.net/rapid"
)

// TestRanges: a list of ranges holds what was added, merged and in order, and
// closing gaps only ever adds to it.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []slotRange
		want := make(map[uint64]bool)
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			from := rapid.Uint64Range(0, 200).Draw(t, "from")
			to := from + rapid.Uint64Range(0, 20).Draw(t, "length")
			list = addRange(list, slotRange{from, to})
			for slot := from; slot <= to; slot++ {
				want[slot] = true
			}
		}
		check := func() map[uint64]bool {
			got := make(map[uint64]bool)
			for i, r := range list {
				if r.from > r.to || i > 0 && r.from <= list[i-1].to+1 {
					t.Fatalf("not merged or not in order: %v", list)
				}
				for slot := r.from; slot <= r.to; slot++ {
					got[slot] = true
				}
			}
			return got
		}
		if got := check(); len(got) != len(want) {
			t.Fatalf("%d slots, want %d", len(got), len(want))
		}
		for len(list) > 1 {
			list = closeGap(list)
			got := check()
			for slot := range want {
				if !got[slot] {
					t.Fatalf("slot %d is gone: %v", slot, list)
				}
			}
		}
	})
}

func TestRangesAtTheEnd(t *testing.T) {
	const top = ^uint64(0)
	list := addRange([]slotRange{{5, 6}}, slotRange{top - 1, top})
	if list = addRange(list, slotRange{7, 7}); len(list) != 2 || list[0] != (slotRange{5, 7}) || list[1] != (slotRange{top - 1, top}) {
		t.Errorf("%v", list)
	}
}
