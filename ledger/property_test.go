package ledger_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// TestTruth delivers a chain by one to three servers, some in parts, that cut,
// replay, repeat, come late, and lie, and wants exactly what the chain holds in the end. The book
// checks at every step that nothing counts twice and nothing is taken back that
// does not count.
func TestTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.play(t)
		w.finish(t)
		w.judge(t)
	})
}

// world is one run of TestTruth.
type world struct {
	*book
	truth   *truth
	servers []*server
	fills   bool
	lies    bool
	answers []func()
	cursor  []int
}

func drawWorld(t *rapid.T) *world {
	w := &world{truth: drawTruth(t), fills: rapid.Bool().Draw(t, "fills")}
	n := rapid.IntRange(1, 3).Draw(t, "servers")
	w.lies = n > 1 && rapid.Bool().Draw(t, "lies")
	for i := range n {
		for _, v := range drawServer(t, w.truth, string(rune('a'+i))).split(t, w.truth.last) {
			v.repeat(t)
			if w.lies && i == n-1 {
				v.lie(t, w.fills)
			}
			if (i > 0 || !w.lies) && rapid.Bool().Draw(t, "cut") {
				// A liar that is alone for a while cannot be told: the first one is honest
				// and always there.
				v.cut(t, w.fills && !w.lies)
			}
			v.events = append([]event{{begin: w.truth.first}}, v.events...)
			w.servers = append(w.servers, v)
		}
	}
	w.cursor = make([]int, len(w.servers))
	corroborate := time.Hour // in a world with lies nobody is believed alone
	if !w.lies {
		corroborate = time.Duration(rapid.SampledFrom([]int{-1, 5, 1000}).Draw(t, "corroborate")) * time.Millisecond
	}
	w.book = newBook(t, ledger.Options{
		Fills: w.fills, HoldFor: 1000 * time.Hour, DisputeFor: 1000 * time.Hour, Corroborate: corroborate,
		MissingGrace: time.Duration(rapid.SampledFrom([]int{1, 20, 1000}).Draw(t, "grace")) * time.Millisecond,
		AskAgain:     time.Second,
		KeepSlots:    1000,
	})
	w.l.Start(w.truth.first - 1)
	for i, v := range w.servers {
		w.deliver(v, &v.events[0])
		w.cursor[i] = 1
	}
	return w
}

// play interleaves the servers and the filler.
func (w *world) play(t *rapid.T) {
	for {
		var left []int
		for i, v := range w.servers {
			if w.cursor[i] < len(v.events) {
				left = append(left, i)
			}
		}
		if len(left) == 0 {
			return
		}
		i := rapid.SampledFrom(left).Draw(t, "server")
		events := w.servers[i].events
		for burst := rapid.IntRange(1, 12).Draw(t, "burst"); w.cursor[i] < len(events) && (burst > 0 || events[w.cursor[i]].soon); burst-- {
			w.deliver(w.servers[i], &events[w.cursor[i]])
			w.cursor[i]++
		}
		if rapid.IntRange(0, 3).Draw(t, "tick") == 0 {
			w.tick(int64(rapid.SampledFrom([]int{1, 50, 1500}).Draw(t, "ms")))
		}
		w.queue()
		for len(w.answers) > 0 && rapid.Bool().Draw(t, "answer") {
			w.answer()
		}
		w.safe()
	}
}

func (w *world) answer() {
	w.answers[0]()
	w.answers = w.answers[1:]
}

func (w *world) deliver(v *server, e *event) {
	w.now += 1e6
	from := fmt.Sprintf("%s%d", v.endpoint, v.stream)
	switch {
	case e.end:
		w.note("ended %s", from)
		w.l.Ended(src(from), w.now)
		v.stream++
	case e.begin != 0:
		w.note("began %s %d, part %d of %d", from, e.begin, v.part, v.parts)
		w.l.BeganPart(src(from), e.begin, v.part, v.parts, w.now)
	case e.tx != nil:
		w.note("  %s: tx %s@%d bank %d amount %d", from, e.tx.name, e.slot, e.bank, e.tx.amount)
		w.tx(from, e.slot, e.tx.name, e.bank, e.tx.index, e.tx.amount)
	case e.block:
		w.note("  %s: block %d bank %d parent %d", from, e.slot, e.bank, e.parent)
		w.l.Block(src(from), &swapcast.BlockMeta{Slot: e.slot, Bank: e.bank, ParentSlot: e.parent}, w.now, &w.out)
	default:
		w.note("  %s: %s %d bank %d parent %d", from, e.status, e.slot, e.bank, e.parent)
		w.slot(from, e.slot, e.parent, e.bank, e.status)
	}
	w.took()
}

// queue makes the filler's answers to what was asked.
func (w *world) queue() {
	for _, r := range w.missing {
		for s := r[0]; s <= r[1]; s++ {
			w.answers = append(w.answers, func() { w.fill(s) })
		}
	}
	for _, ref := range w.asked {
		w.answers = append(w.answers, func() {
			if b := w.truth.main(ref.Slot); b != nil {
				for _, tx := range b.txs {
					if sig(tx.name) == ref.Signature {
						w.note("  rpc: tx %s@%d", tx.name, ref.Slot)
						w.tx("rpc", ref.Slot, tx.name, 0, 0, tx.amount)
						return
					}
				}
			}
			w.note("  rpc: absent %s@%d", name(ref.Signature), ref.Slot)
			w.l.Absent(ref, &w.out)
			w.took()
		})
	}
	w.missing, w.asked = nil, nil
}

// fill answers for one slot as the RPC filler does.
func (w *world) fill(s uint64) {
	b := w.truth.main(s)
	if b == nil {
		w.note("  rpc: skipped %d", s)
		w.l.Skipped(s, &w.out)
		w.took()
		return
	}
	w.note("  rpc: fills %d", s)
	for _, tx := range b.txs {
		w.tx("rpc", s, tx.name, 0, tx.index, tx.amount)
	}
	w.l.Block(src("rpc"), &swapcast.BlockMeta{Slot: s, ParentSlot: b.parent}, w.now, &w.out)
	w.took()
	w.l.Filled(s, &w.out)
	w.took()
}

// safe holds the checkpoint to what it promises: up to it, all of the truth has
// been confirmed. Where somebody leaves transactions out, nobody can know.
func (w *world) safe() {
	if w.lies {
		return
	}
	for s := w.truth.first; s <= min(w.l.Checkpoint(), w.truth.end); s++ {
		b := w.truth.main(s)
		if b == nil {
			continue
		}
		for _, tx := range b.txs {
			if got := w.confirmed[sig(tx.name)]; got.slot != s {
				w.t.Fatalf("checkpoint %d, but %s@%d is not confirmed\n%s", w.l.Checkpoint(), tx.name, s, strings.Join(w.log, "\n"))
			}
		}
	}
}

// finish lets time pass until all is quiet.
func (w *world) finish(*rapid.T) {
	for range 12 {
		w.tick(1100)
		w.queue()
		for len(w.answers) > 0 {
			w.answer()
		}
	}
	w.safe()
}

// judge compares with the truth.
func (w *world) judge(t *rapid.T) {
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.log, "\n"))
	}
	if got := w.l.Checkpoint(); got < w.truth.last {
		fail("checkpoint %d, want at least %d", got, w.truth.last)
	}
	upTo := func(m map[[64]byte]counted) map[[64]byte]counted {
		maps.DeleteFunc(m, func(_ [64]byte, c counted) bool { return c.slot > w.truth.last })
		return m
	}
	want := upTo(keyed(w.truth.want()))
	for what, got := range map[string]map[[64]byte]counted{"processed": upTo(keyed(w.processed)), "confirmed": upTo(keyed(w.confirmed))} {
		for s, c := range want {
			if got[s] != c {
				fail("%s: %s is %v, want %v", what, name(s), got[s], c)
			}
		}
		for s, c := range got {
			if _, ok := want[s]; !ok {
				fail("%s: %s@%d is not true", what, name(s), c.slot)
			}
		}
	}
	var slots []uint64
	for s := w.truth.first; s <= w.truth.last; s++ {
		b := w.truth.main(s)
		if b == nil {
			continue
		}
		slots = append(slots, s)
		if w.lies {
			continue // what was left out comes late
		}
		var order []string
		for _, tx := range b.txs {
			order = append(order, name(sig(tx.name)))
		}
		var got []string
		for _, s := range w.order[s] {
			got = append(got, name(s))
		}
		slices.Sort(order)
		slices.Sort(got)
		if !slices.Equal(order, got) {
			fail("slot %d confirmed with %v, want %v", s, got, order)
		}
	}
	if got := slices.DeleteFunc(w.slots, func(s uint64) bool { return s > w.truth.last }); !slices.Equal(got, slots) {
		fail("confirmed slots %v, want %v", got, slots)
	}
	if len(w.gaps) > 0 {
		fail("gaps %v", w.gaps)
	}
}

func keyed[K ~[64]byte](m map[K]counted) map[[64]byte]counted {
	out := make(map[[64]byte]counted, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
