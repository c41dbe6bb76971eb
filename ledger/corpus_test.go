package ledger_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/ledger"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// heard is one update of a capture, as the ledger takes it.
type heard struct {
	slot  *swapcast.SlotUpdate
	block *swapcast.BlockMeta
	at    int64
}

// readStream reads slots and block metas of a real Yellowstone capture.
func readStream(t *testing.T, path string) (all []heard) {
	t.Helper()
	f, err := capture.OpenPlain(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for at := int64(1e18); ; at += 1e6 {
		u, err := f.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if c := u.GetCreatedAt(); c != nil {
			at = c.AsTime().UnixNano()
		}
		if s := u.GetSlot(); s != nil {
			all = append(all, heard{at: at, slot: &swapcast.SlotUpdate{
				Slot: s.GetSlot(), Parent: s.GetParent(), Status: swapcast.SlotStatus(s.GetStatus()),
			}})
		}
		if m := u.GetBlockMeta(); m != nil {
			all = append(all, heard{at: at, block: &swapcast.BlockMeta{
				Slot: m.GetSlot(), ParentSlot: m.GetParentSlot(), BlockTime: m.GetBlockTime().GetTimestamp(),
			}})
		}
	}
}

// TestRealStream drives the tracker with real Yellowstone captures: the slots that
// it confirms are those which the capture's own parent links lead through, from
// its newest confirmed slot down, in order; and no others.
func TestRealStream(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(parsertest.CorpusDir(t), "blocks", "streams", "*.bin"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			all := readStream(t, file)
			parents, times := make(map[uint64]uint64), make(map[uint64]int64)
			first, top := ^uint64(0), uint64(0)
			for _, h := range all {
				slot, parent := uint64(0), uint64(0)
				if h.slot != nil {
					slot, parent = h.slot.Slot, h.slot.Parent
					if h.slot.Status == swapcast.SlotConfirmed || h.slot.Status == swapcast.SlotFinalized {
						top = max(top, slot)
					}
				} else {
					slot, parent = h.block.Slot, h.block.ParentSlot
					times[slot] = h.block.BlockTime
				}
				first = min(first, slot)
				if parent != 0 {
					parents[slot] = parent
				}
			}
			var want []uint64
			for s := top; s >= first; s = parents[s] {
				want = append(want, s)
				if parents[s] == 0 {
					break
				}
			}
			slices.Reverse(want)
			t.Logf("%d updates, slots %d to %d, chain of %d", len(all), first, top, len(want))
			if len(want) < 10 {
				t.Fatalf("chain of %d slots: the capture is read wrongly", len(want))
			}

			b := newBook(t, ledger.Options{HoldFor: time.Second})
			b.l.Began(src("a1"), first, all[0].at)
			for _, h := range all {
				b.now = max(b.now, h.at)
				if h.slot != nil {
					b.l.Slot(src("a1"), h.slot, h.at, &b.out)
				} else {
					b.l.Block(src("a1"), h.block, h.at, &b.out)
				}
				for _, s := range b.out.Steps {
					if s.Kind == ledger.StepConfirm && times[s.Slot] != 0 && s.BlockTime != times[s.Slot] {
						t.Errorf("slot %d confirmed with block time %d, want %d", s.Slot, s.BlockTime, times[s.Slot])
					}
				}
				b.took()
			}
			// No transactions are in the capture, so nothing is ever proved complete.
			if got, want := b.l.Checkpoint(), first-1; got != want {
				t.Errorf("checkpoint %d, want %d: slots and block metas prove nothing", got, want)
			}
			for range 3 {
				b.tick(500)
			}
			if !slices.Equal(b.slots, want) {
				t.Errorf("confirmed %v, want %v", b.slots, want)
			}
			for s := first; s <= top; s++ {
				life, ok := b.l.Life(s)
				if !ok {
					t.Errorf("slot %d is not known", s)
					continue
				}
				if in := slices.Contains(want, s); life.Chain != in || life.Aside == in {
					t.Errorf("slot %d: chain %v, aside %v; in the chain %v", s, life.Chain, life.Aside, in)
				}
				if life.Chain && parents[s] != 0 && life.Parent != parents[s] {
					t.Errorf("slot %d: parent %d, want %d", s, life.Parent, parents[s])
				}
			}
			if d := b.l.SlotLength(); d < 300*time.Millisecond || d > 500*time.Millisecond {
				t.Errorf("slots of %v: the mainnet of February 2026 made them of about 400 ms", d)
			}
		})
	}
}
