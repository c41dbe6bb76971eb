package geyser

import (
	"slices"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"pgregory.net/rapid"
)

func slotHeard(slot uint64, status pb.SlotStatus) heard {
	return heard{kind: KindSlot, slot: slot, status: status}
}

func txHeard(slot uint64) heard { return heard{kind: KindTx, slot: slot} }

func TestPromise(t *testing.T) {
	shred := func(slot uint64) heard { return slotHeard(slot, pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED) }
	bank := func(slot uint64) heard { return slotHeard(slot, pb.SlotStatus_SLOT_CREATED_BANK) }
	confirmed := func(slot uint64) heard { return slotHeard(slot, pb.SlotStatus_SLOT_CONFIRMED) }
	for name, c := range map[string]struct {
		asked, proved uint64
		says          []heard
		want          []uint64 // promises, in order
	}{
		"nothing yet":             {0, 0, []heard{confirmed(5), slotHeard(4, pb.SlotStatus_SLOT_FINALIZED)}, nil},
		"in the middle of a slot": {0, 0, []heard{txHeard(10), txHeard(10), shred(11), bank(11), txHeard(11)}, []uint64{11}},
		"at the start of a slot":  {0, 0, []heard{bank(10), txHeard(10), shred(11), txHeard(11)}, []uint64{10}},
		"a fork ran beside it":    {0, 0, []heard{txHeard(10), shred(12), bank(12), confirmed(11), txHeard(12)}, []uint64{11, 12}},
		"its word comes first":    {0, 0, []heard{txHeard(10), txHeard(11), shred(12), txHeard(11), confirmed(12)}, []uint64{11, 12}},
		"a status comes first":    {0, 0, []heard{txHeard(10), confirmed(12), shred(13), txHeard(13), txHeard(11)}, []uint64{11, 13}},
		"no beginnings are told":  {0, 0, []heard{txHeard(10), txHeard(11), txHeard(12), txHeard(12), txHeard(13), txHeard(14), txHeard(15), txHeard(16)}, []uint64{11, 12, 13, 14, 15}},
		"long after":              {0, 0, []heard{txHeard(10), bank(11), bank(11 + settledAfter), txHeard(500)}, []uint64{11}},
		"a replay":                {93, 100, []heard{shred(93), txHeard(93), txHeard(99)}, []uint64{93}},
		"a replay after skips":    {93, 100, []heard{txHeard(101)}, []uint64{93}},
		"a short replay":          {150, 100, []heard{confirmed(120), txHeard(150), txHeard(200)}, []uint64{150}},
		"an ignored replay":       {93, 100, []heard{txHeard(102), bank(103), txHeard(103)}, []uint64{103}},
		"a short one ignored":     {150, 100, []heard{txHeard(151)}, []uint64{152}},
		"behind what was asked":   {93, 100, []heard{txHeard(50), bank(51), bank(93), txHeard(93)}, []uint64{51}},
	} {
		t.Run(name, func(t *testing.T) {
			p := coverage{asked: c.asked, proved: c.proved}
			var got []uint64
			for _, h := range c.says {
				if p.heard(h) {
					got = append(got, p.from)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("promises %v, want %v", got, c.want)
			}
		})
	}
}

// TestPromiseHolds: on a chain with forks that run side by side, whenever a
// stream that was attached at any moment says CONFIRMED of a slot that it has
// promised, all of that slot had come on it.
func TestPromiseHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Each slot is its messages in order; slots overlap at random.
		const slots = 30
		var queues [][]heard
		for s := uint64(100); s < 100+slots; s++ {
			q := []heard{slotHeard(s, pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED), slotHeard(s, pb.SlotStatus_SLOT_CREATED_BANK)}
			for range rapid.IntRange(0, 4).Draw(t, "txs") {
				q = append(q, txHeard(s))
			}
			q = append(q, slotHeard(s, pb.SlotStatus_SLOT_PROCESSED), slotHeard(s, pb.SlotStatus_SLOT_CONFIRMED))
			queues = append(queues, q)
		}
		var chain []heard
		low := 0
		for low < slots {
			i := low + rapid.IntRange(0, min(2, slots-1-low)).Draw(t, "slot")
			if len(queues[i]) > 0 {
				chain = append(chain, queues[i][0])
				queues[i] = queues[i][1:]
			}
			for low < slots && len(queues[low]) == 0 {
				low++
			}
		}
		attach := rapid.IntRange(0, len(chain)-1).Draw(t, "attach")
		missed := map[uint64]bool{} // slots of which a transaction passed before
		for _, h := range chain[:attach] {
			missed[h.slot] = missed[h.slot] || h.kind == KindTx
		}
		var p coverage
		promised := 0
		for _, h := range chain[attach:] {
			p.heard(h)
			if h.kind == KindSlot && h.status == pb.SlotStatus_SLOT_CONFIRMED && p.from != 0 && h.slot >= p.from {
				promised++
				if missed[h.slot] {
					t.Fatalf("slot %d was promised and lacks a transaction", h.slot)
				}
			}
		}
		if promised == 0 && attach < len(chain)/4 {
			t.Fatal("nothing was promised")
		}
	})
}
