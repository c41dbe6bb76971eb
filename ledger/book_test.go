package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// failer is what both testing.T and rapid.T can do.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// counted is what a market would hold of a transaction.
type counted struct {
	slot   uint64
	amount uint64
}

// book does what the pipeline does with the steps, and holds the ledger to its
// promises while it does.
type book struct {
	t         failer
	l         *ledger.Ledger
	out       ledger.Effects
	now       int64
	processed map[solana.Signature]counted
	confirmed map[solana.Signature]counted
	slots     []uint64 // confirmed, in order
	order     map[uint64][]solana.Signature
	asked     []swapcast.TxRef
	missing   [][2]uint64
	gaps      [][2]uint64
	settled   uint64
	check     uint64
	log       []string
	forgets   bool // it is made to forget slots while they may come again
}

func newBook(t failer, o ledger.Options) *book {
	return &book{
		t: t, l: ledger.New(o), now: 1e18,
		processed: make(map[solana.Signature]counted),
		confirmed: make(map[solana.Signature]counted),
		order:     make(map[uint64][]solana.Signature),
	}
}

// sig makes a signature of a short name.
func sig(name string) (s solana.Signature) {
	copy(s[:], name)
	return s
}

func name(s solana.Signature) string { return strings.TrimRight(string(s[:]), "\x00") }

// src makes a source of a name such as "a1": endpoint a, stream 1. Endpoint a has
// the highest authority, and r plays a recording.
func src(s string) ledger.Source {
	if s == "rpc" {
		return ledger.Source{Endpoint: "rpc", Authority: ledger.AuthorityRPC}
	}
	return ledger.Source{Endpoint: s[:1], Stream: uint64(s[0])<<8 | uint64(s[1]-'0'), Authority: 'z' - s[0], Leaps: s[0] == 'r'}
}

// took takes the steps and checks what must hold of them at any moment.
func (b *book) took() {
	b.t.Helper()
	for _, s := range b.out.Steps {
		b.step(&s)
	}
	b.out.Reset()
	if c := b.l.Checkpoint(); c < b.check {
		b.t.Fatalf("checkpoint went back from %d to %d", b.check, c)
	} else {
		b.check = c
	}
	if s := b.l.Settled(); s < b.settled {
		b.t.Fatalf("settled went back from %d to %d", b.settled, s)
	} else {
		b.settled = s
	}
}

func (b *book) step(s *ledger.Step) {
	b.t.Helper()
	switch s.Kind {
	case ledger.StepApply:
		b.note("apply %s@%d", name(s.Tx.Signature), s.Tx.Slot)
		b.apply(s.Tx)
	case ledger.StepRetract:
		names := make([]string, 0, len(s.Txs))
		for _, tx := range s.Txs {
			names = append(names, name(tx.Signature))
			if got, ok := b.processed[tx.Signature]; !ok || got != countedOf(tx) {
				b.t.Fatalf("retract (%s) of %s@%d which does not count so: %v", s.Reason, name(tx.Signature), tx.Slot, got)
			}
			if tx.Slot != s.Slot || tx.Slot <= b.settled {
				b.t.Fatalf("retract of %s@%d in a step of %d, settled %d", name(tx.Signature), tx.Slot, s.Slot, b.settled)
			}
			if got, told := b.confirmed[tx.Signature]; told && s.Reason != ledger.RetractMoved && !b.forgotten(got, tx) {
				b.t.Fatalf("retract (%s) of the confirmed %s@%d", s.Reason, name(tx.Signature), tx.Slot)
			}
			delete(b.processed, tx.Signature)
		}
		b.note("retract %s %s@%d", s.Reason, strings.Join(names, ","), s.Slot)
	case ledger.StepConfirm:
		if n := len(b.slots); n > 0 && b.slots[n-1] >= s.Slot {
			b.t.Fatalf("confirm of %d after %d", s.Slot, b.slots[n-1])
		}
		b.slots = append(b.slots, s.Slot)
		names := make([]string, 0, len(s.Txs))
		for i, tx := range s.Txs {
			names = append(names, name(tx.Signature))
			if got := b.processed[tx.Signature]; got != countedOf(tx) {
				b.t.Fatalf("confirm of %s@%d which does not count so: %v", name(tx.Signature), tx.Slot, got)
			}
			if i > 0 && s.Txs[i-1].Index > tx.Index {
				b.t.Fatalf("confirm of %d is out of index order", s.Slot)
			}
			b.tell(tx)
			b.order[s.Slot] = append(b.order[s.Slot], tx.Signature)
		}
		b.note("confirm %d [%s]", s.Slot, strings.Join(names, ","))
	case ledger.StepLate:
		b.note("late %s@%d %v", name(s.Tx.Signature), s.Tx.Slot, s.Applied)
		if !s.Applied {
			b.apply(s.Tx)
		} else if got := b.processed[s.Tx.Signature]; got != countedOf(s.Tx) {
			b.t.Fatalf("late %s@%d is not counted as said: %v", name(s.Tx.Signature), s.Tx.Slot, got)
		}
		b.tell(s.Tx)
	case ledger.StepMissing:
		b.note("missing %d..%d", s.Slot, s.To)
		b.missing = append(b.missing, [2]uint64{s.Slot, s.To})
	case ledger.StepGap:
		b.note("gap %s %d..%d", s.Reason, s.Slot, s.To)
		b.gaps = append(b.gaps, [2]uint64{s.Slot, s.To})
	case ledger.StepDisputed:
		b.note("disputed %s@%d", name(s.Ref.Signature), s.Ref.Slot)
		b.asked = append(b.asked, s.Ref)
	}
}

func countedOf(tx *ledger.Tx) counted {
	c := counted{slot: tx.Slot}
	for _, s := range tx.Swaps {
		c.amount += s.AmountIn
	}
	return c
}

func (b *book) apply(tx *ledger.Tx) {
	b.t.Helper()
	if got, ok := b.processed[tx.Signature]; ok && !b.forgotten(got, tx) {
		b.t.Fatalf("%s counts twice: in %d, then in %d\n%s", name(tx.Signature), got.slot, tx.Slot, strings.Join(b.log, "\n"))
	}
	b.processed[tx.Signature] = countedOf(tx)
}

// forgotten reports whether the ledger cannot know any more that the signature
// counted in another slot.
func (b *book) forgotten(got counted, tx *ledger.Tx) bool {
	life, _ := b.l.Life(got.slot)
	return b.forgets && got.slot != tx.Slot && life.Txs == 0
}

func (b *book) tell(tx *ledger.Tx) {
	b.t.Helper()
	if got, ok := b.confirmed[tx.Signature]; ok && !b.forgotten(got, tx) {
		b.t.Fatalf("%s is confirmed twice: in %d, then in %d", name(tx.Signature), got.slot, tx.Slot)
	}
	b.confirmed[tx.Signature] = countedOf(tx)
}

func (b *book) note(format string, args ...any) { b.log = append(b.log, fmt.Sprintf(format, args...)) }

// swapTx makes a transaction with one swap of that amount.
func swapTx(ref swapcast.TxRef, bank, index, amount uint64, at int64) *ledger.Tx {
	return &ledger.Tx{
		TxRef: ref, Bank: bank, Index: index, ReceivedAt: at,
		Swaps: []swapcast.Swap{{Signature: ref.Signature, Slot: ref.Slot, DEX: "test", AmountIn: amount}},
	}
}

// tx delivers one transaction as the pipeline does.
func (b *book) tx(from string, slot uint64, what string, bank, index, amount uint64) {
	b.t.Helper()
	ref := swapcast.TxRef{Slot: slot, Signature: sig(what)}
	if !b.l.Known(src(from), ref, bank) {
		b.l.Tx(src(from), swapTx(ref, bank, index, amount, b.now), &b.out)
	}
	b.took()
}

func (b *book) slot(from string, slot, parent, bank uint64, status swapcast.SlotStatus) {
	b.t.Helper()
	b.l.Slot(src(from), &swapcast.SlotUpdate{Slot: slot, Parent: parent, Bank: bank, Status: status}, b.now, &b.out)
	b.took()
}

func (b *book) tick(ms int64) {
	b.t.Helper()
	b.now += ms * 1e6
	b.l.Tick(b.now, &b.out)
	b.took()
}

// run plays a script, one event a line, and returns the steps:
//
//	began a1 100 [part=0 parts=2]             ended a1            tick 250
//	tx a1 100 sig [bank=3] [index=1] [amount=5]
//	created|processed|confirmed|finalized|dead|shred|completed a1 100 [parent=99] [bank=3]
//	block a1 100 parent=99 [time=5]           filled 100 · skipped 100
//	lost 100 105 reason · absent 100 sig · start 100 · filler down|up
func (b *book) run(script string) []string {
	b.t.Helper()
	b.log = nil
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			b.line(strings.Fields(line))
		}
	}
	return b.log
}

//nolint:gochecknoglobals // fixed
var stages = map[string]swapcast.SlotStatus{
	"processed": swapcast.SlotProcessed, "confirmed": swapcast.SlotConfirmed, "finalized": swapcast.SlotFinalized,
	"shred": swapcast.SlotFirstShred, "completed": swapcast.SlotCompleted, "created": swapcast.SlotCreatedBank,
	"dead": swapcast.SlotDead,
}

func (b *book) line(w []string) {
	b.t.Helper()
	num := func(s string) (n uint64) {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.t.Fatalf("%v: %q is no number", w, s)
		}
		return n
	}
	opt := func(key string) uint64 {
		for _, s := range w {
			if v, ok := strings.CutPrefix(s, key+"="); ok {
				return num(v)
			}
		}
		return 0
	}
	status, isStage := stages[w[0]]
	switch {
	case isStage:
		b.slot(w[1], num(w[2]), opt("parent"), opt("bank"), status)
	case w[0] == "tx":
		b.tx(w[1], num(w[2]), w[3], opt("bank"), opt("index"), opt("amount"))
	case w[0] == "began" && opt("parts") != 0:
		b.l.BeganPart(src(w[1]), num(w[2]), int(opt("part")), int(opt("parts")), b.now)
	case w[0] == "began":
		b.l.Began(src(w[1]), num(w[2]), b.now)
	case w[0] == "ended":
		b.l.Ended(src(w[1]), b.now)
	case w[0] == "tick":
		b.tick(int64(num(w[1])))
	case w[0] == "block":
		b.l.Block(src(w[1]), &swapcast.BlockMeta{
			Slot: num(w[2]), ParentSlot: opt("parent"), Bank: opt("bank"), BlockTime: int64(opt("time")),
		}, b.now, &b.out)
	case w[0] == "filled":
		b.l.Filled(num(w[1]), &b.out)
	case w[0] == "skipped":
		b.l.Skipped(num(w[1]), &b.out)
	case w[0] == "lost":
		b.l.Lost(num(w[1]), num(w[2]), w[3], &b.out)
	case w[0] == "absent":
		b.l.Absent(swapcast.TxRef{Slot: num(w[1]), Signature: sig(w[2])}, &b.out)
	case w[0] == "filler":
		b.l.FillerDown(w[1] == "down")
	case w[0] == "start":
		b.l.Start(num(w[1]))
	default:
		b.t.Fatalf("what is %v?", w)
	}
	b.took()
}

// want compares the steps of a script.
func (b *book) want(script string, steps ...string) {
	b.t.Helper()
	if got := b.run(script); !slices.Equal(got, steps) {
		b.t.Fatalf("script:\n%s\ngot:\n\t%s\nwant:\n\t%s", script, strings.Join(got, "\n\t"), strings.Join(steps, "\n\t"))
	}
}

func TestStepKindNames(t *testing.T) {
	seen := make(map[string]bool)
	for k := ledger.StepApply; k <= ledger.StepLate; k++ {
		if s := k.String(); s == "unknown" || seen[s] {
			t.Errorf("kind %d is called %q", k, s)
		} else {
			seen[s] = true
		}
	}
}
