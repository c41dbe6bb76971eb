package ledger_test

import (
	"encoding/binary"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// flow is two endpoints in steady state: slots of txs transactions each, every
// one with a swap and six balance changes, the second endpoint a slot behind.
type flow struct {
	l    *ledger.Ledger
	out  ledger.Effects
	tx   ledger.Tx
	txs  uint64
	slot uint64
	now  int64
}

func newFlow(txs uint64) *flow {
	f := &flow{l: ledger.New(ledger.Options{}), txs: txs, slot: 1000, now: 1e18}
	f.tx.Swaps = []swapcast.Swap{{DEX: "raydium-v4", AmountIn: 1, AmountOut: 2}}
	f.tx.Changes = make([]swapcast.BalanceChange, 6)
	f.l.Began(benchSource(0), 1000, f.now)
	f.l.Began(benchSource(1), 1000, f.now)
	return f
}

func benchSource(i int) ledger.Source {
	if i == 0 {
		return ledger.Source{Endpoint: "first", Stream: 1, Authority: 2}
	}
	return ledger.Source{Endpoint: "second", Stream: 2, Authority: 1}
}

func benchRef(slot, i uint64) (r swapcast.TxRef) {
	r.Slot = slot
	binary.LittleEndian.PutUint64(r.Signature[:], slot)
	binary.LittleEndian.PutUint64(r.Signature[8:], i*0x9e3779b97f4a7c15)
	return r
}

// next plays one slot on both endpoints.
func (f *flow) next() {
	f.play(0, f.slot)
	if f.slot > 1000 {
		f.play(1, f.slot-1)
	}
	f.slot++
	f.now += 250e6
	f.l.Tick(f.now, &f.out)
	f.out.Reset()
}

func (f *flow) play(source int, slot uint64) {
	src := benchSource(source)
	f.say(src, slot, swapcast.SlotCreatedBank)
	for i := range f.txs {
		ref := benchRef(slot, i)
		if f.l.Known(src, ref, slot) {
			continue
		}
		f.tx.TxRef, f.tx.Bank, f.tx.Index, f.tx.ReceivedAt = ref, slot, i, f.now
		f.l.Tx(src, &f.tx, &f.out)
		f.out.Reset()
	}
	f.say(src, slot, swapcast.SlotProcessed)
	if slot > 1001 {
		f.say(src, slot-2, swapcast.SlotConfirmed)
	}
}

func (f *flow) say(src ledger.Source, slot uint64, status swapcast.SlotStatus) {
	f.l.Slot(src, &swapcast.SlotUpdate{Slot: slot, Bank: slot, Parent: slot - 1, Status: status}, f.now, &f.out)
	f.out.Reset()
}

// BenchmarkFlow is the cost of a transaction that two endpoints bring: heard
// twice, applied, confirmed, forgotten. 1,250 a slot of 250 ms are 5,000 a second.
func BenchmarkFlow(b *testing.B) {
	f := newFlow(1250)
	for range 200 {
		f.next()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += int(f.txs) {
		f.next()
	}
}

// BenchmarkKnown is the look at a transaction that its endpoint has brought
// before, among those of 64 slots.
func BenchmarkKnown(b *testing.B) {
	f := newFlow(1250)
	for range 80 {
		f.next()
	}
	refs := make([]swapcast.TxRef, 0, 60*1250)
	for s := f.slot - 60; s < f.slot; s++ {
		for i := range f.txs {
			refs = append(refs, benchRef(s, i))
		}
	}
	src := benchSource(0)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		ref := refs[i%len(refs)]
		if !f.l.Known(src, ref, ref.Slot) {
			b.Fatal("not known")
		}
	}
}

// BenchmarkNew is the same for one that is not known.
func BenchmarkNew(b *testing.B) {
	f := newFlow(1250)
	for range 80 {
		f.next()
	}
	src, ref := benchSource(0), swapcast.TxRef{Slot: f.slot, Signature: solana.Signature{1}}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		binary.LittleEndian.PutUint64(ref.Signature[8:], uint64(i))
		if f.l.Known(src, ref, ref.Slot) {
			b.Fatal("known")
		}
	}
}

// TestSteadyAllocations holds the promise that nothing is allocated once memory
// is there: the map of signatures alone may grow now and then.
func TestSteadyAllocations(t *testing.T) {
	f := newFlow(200)
	for range 400 {
		f.next()
	}
	if per := testing.AllocsPerRun(200, f.next); per > 2 {
		t.Errorf("%.1f allocations a slot of 200 transactions from two endpoints", per)
	}
	s := f.l.Stats()
	if s.Confirmed < f.slot-4 || s.Unproved != 0 || s.Retracted != 0 || s.Late != 0 {
		t.Errorf("the flow is not what it should be: %+v", s)
	}
	ref := benchRef(f.slot-5, 3)
	if n := testing.AllocsPerRun(100, func() { f.l.Known(benchSource(1), ref, ref.Slot) }); n != 0 {
		t.Errorf("Known allocates %v", n)
	}
}
