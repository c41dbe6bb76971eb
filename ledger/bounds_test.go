package ledger_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

func TestMaxTxs(t *testing.T) {
	b := newBook(t, ledger.Options{MaxTxs: 3, Corroborate: -1})
	b.want(`
		began a1 100
		tx a1 100 x
		tx a1 101 y
		tx a1 102 z
		tx a1 102 w
		tx a1 102 v
		tx a1 102 u
		tx a1 102 t`,
		"apply x@100", "apply y@101", "apply z@102",
		// The oldest go, undecided as they are.
		"gap overflow 100..100", "apply w@102", "gap overflow 101..101", "apply v@102",
		// And where there is nothing older, the slot itself is lost, once.
		"gap overflow 102..102")
	s := b.l.Stats()
	if s.Txs != 3 || s.Refused["max_txs"] != 2 || s.Refused["overflow"] != 2 || s.GapSlots != 3 {
		t.Errorf("stats: %+v", s)
	}
	if got := b.l.Gaps(); len(got) != 3 || got[2].From != 102 || got[2].Reason != ledger.GapOverflow {
		t.Errorf("gaps: %v", got)
	}
}

// TestTicksBeforeTheFirstConfirmation: what is looked through is what is kept, not
// every slot since the chain began. The chain's slots are hundreds of millions.
func TestTicksBeforeTheFirstConfirmation(t *testing.T) {
	b := newBook(t, ledger.Options{HoldFor: time.Hour, Corroborate: -1})
	b.run("began a1 420000000\ntx a1 420000000 x\nconfirmed a1 420000000")
	began := time.Now()
	for range 100 {
		b.tick(1)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("100 ticks took %s", took)
	}
}

func TestMaxSlots(t *testing.T) {
	b := newBook(t, ledger.Options{MaxSlots: 16, HoldFor: time.Hour, Corroborate: -1})
	b.run("start 99\nbegan a1 100\ntx a1 100 x")
	for s := uint64(100); s < 130; s++ {
		b.slot("a1", s, s-1, 0, swapcast.SlotConfirmed)
	}
	// Slot 100 is proved by its transaction. Those that leave the window are
	// confirmed as they are and told as lost: nobody proved them.
	if want := []uint64{100, 101, 102}; !slices.Equal(b.slots[:3], want) {
		t.Errorf("confirmed %v", b.slots)
	}
	var lost uint64
	for _, g := range b.gaps {
		lost += g[1] - g[0] + 1
	}
	if lost != 13 || b.gaps[0][0] != 101 { // 101 to 113: the window is 114 to 129
		t.Errorf("gaps %v", b.gaps)
	}
	if got := b.l.Checkpoint(); got != 113 {
		t.Errorf("checkpoint %d", got)
	}
}

func TestFarFuture(t *testing.T) {
	b := newBook(t, ledger.Options{MaxSlots: 64, Corroborate: -1})
	b.want(`
		began a1 100
		tx a1 100 x
		tx a1 5000 liar
		confirmed a1 100
		began a2 5000
		tx a2 5000 y`,
		"apply x@100", "confirm 100 [x]", "gap overflow 101..4936", "apply y@5000")
	if got := b.l.Stats().Refused["far_future"]; got != 1 {
		t.Errorf("far_future counted %d times", got)
	}
}

// TestLeaps plays a recording of single slots, near to each other and far apart:
// nothing of it is refused, nothing is missing.
func TestLeaps(t *testing.T) {
	b := newBook(t, ledger.Options{MaxSlots: 64, Corroborate: -1})
	b.want(`
		began r1 100
		tx r1 100 x
		confirmed r1 100
		tx r1 110 y
		confirmed r1 110
		tx r1 5000 z
		confirmed r1 5000
		tx r1 9000 v
		confirmed r1 9000
		tx r1 9001 w
		confirmed r1 9001`,
		"apply x@100", "confirm 100 [x]", "apply y@110", "confirm 110 [y]",
		"apply z@5000", "confirm 5000 [z]", "apply v@9000", "confirm 9000 [v]", "apply w@9001", "confirm 9001 [w]")
	s := b.l.Stats()
	if len(s.Refused) != 0 || s.GapSlots != 0 || s.Unproved != 0 {
		t.Errorf("stats: %+v", s)
	}
	if got := b.l.Checkpoint(); got != 9001 {
		t.Errorf("checkpoint %d", got)
	}
}

func TestSettled(t *testing.T) {
	b := newBook(t, ledger.Options{KeepSlots: 2, Corroborate: -1})
	b.run("began a1 100\nbegan b1 100\ntx a1 100 x\ntx b1 100 x")
	for s := uint64(100); s < 110; s++ {
		b.slot("a1", s, s-1, 0, swapcast.SlotConfirmed)
		b.run("tx a1 110 z")
	}
	if got := b.l.Settled(); got != 109 {
		t.Errorf("settled %d, want the newest confirmed slot", got)
	}
	b.want("tx b1 100 x\ntx b1 100 late\ntx b1 103 late") // forgotten: refused, and counted
	if got := b.l.Stats().Refused["settled"]; got != 3 {
		t.Errorf("settled counted %d times", got)
	}
	if s := b.l.Stats(); s.Slots > 5 || s.Txs != 1 {
		t.Errorf("kept %d slots, %d transactions", s.Slots, s.Txs)
	}
}

// TestSettledWaits: an undecided slot that was passed by may still be retracted.
func TestSettledWaits(t *testing.T) {
	b := newBook(t, ledger.Options{Fills: true, Corroborate: -1, HoldFor: time.Second})
	b.run(`
		began a1 100
		tx a1 100 x
		confirmed a1 100 parent=99
		tx a1 101 maybe
		tx a1 103 z
		confirmed a1 103
		tick 1
		tick 1000`)
	if got := b.l.Settled(); got != 100 {
		t.Errorf("settled %d, want 100", got)
	}
	b.want("skipped 101", "retract skipped maybe@101")
	if got := b.l.Settled(); got != 103 {
		t.Errorf("settled %d, want 103", got)
	}
}

func TestRace(t *testing.T) {
	reg := prometheus.NewRegistry()
	b := newBook(t, ledger.Options{Metrics: ledger.NewMetrics(reg), Corroborate: -1})
	b.run("began a1 100\nbegan b1 100")
	for i, name := range []string{"p", "q", "r", "s"} {
		first, second := "a1", "b1"
		if i == 3 {
			first, second = second, first
		}
		b.tx(first, 100, name, 0, 0, 1)
		b.now += 400e6
		b.tx(second, 100, name, 0, 0, 1)
		b.tx(second, 100, name, 0, 0, 1) // again
	}
	b.run("tx b1 100 z amount=3\ntx a1 100 z amount=2\nconfirmed a1 100\nconfirmed b1 100\ntick 1")
	s := b.l.Stats()
	a, o := s.Endpoints[0], s.Endpoints[1]
	if a.First != 3 || a.Behind != 2 || o.First != 2 || o.Behind != 3 || o.Duplicates != 3 || a.Duplicates != 1 {
		t.Errorf("endpoints: %+v", s.Endpoints)
	}
	if o.BehindMean != 400*time.Millisecond {
		t.Errorf("b is behind by %v, want 400ms", o.BehindMean)
	}
	if o.Disagreements != 1 || a.Disagreements != 0 || s.Disputed != 1 {
		t.Errorf("disagreements of b %d, of a %d, disputed %d", o.Disagreements, a.Disagreements, s.Disputed)
	}
	got := gather(t, reg)
	for series, want := range map[string]float64{
		"swapcast_ledger_first_total a":                 3,
		"swapcast_ledger_first_total b":                 2,
		"swapcast_ledger_behind_seconds b":              3,
		"swapcast_ledger_duplicates_total b":            3,
		"swapcast_ledger_disagreements_total b content": 1,
		"swapcast_ledger_retracted_total disputed":      1,
		"swapcast_ledger_disputed_total":                1,
		"swapcast_ledger_confirmed_slot":                100,
		"swapcast_ledger_checkpoint_slot":               100,
		"swapcast_ledger_transactions":                  5,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v", series, got[series], want)
		}
	}
}

// gather returns all series by name and labels; histograms by their count.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// TestSlotLength: the length is measured; a stall and the burst of a replay after
// it do not count.
func TestSlotLength(t *testing.T) {
	b := newBook(t, ledger.Options{})
	b.run("began a1 100")
	slot := uint64(100)
	play := func(n int, ms int64) {
		for range n {
			b.now += ms * 1e6
			b.slot("a1", slot, slot-1, 0, swapcast.SlotProcessed)
			slot++
		}
	}
	near := func(want time.Duration) {
		t.Helper()
		if got := b.l.SlotLength(); got < want*98/100 || got > want*102/100 {
			t.Errorf("slots of %v, want %v", got, want)
		}
	}
	if got := b.l.SlotLength(); got != 0 {
		t.Errorf("slots of %v before any", got)
	}
	play(400, 400)
	near(400 * time.Millisecond)
	play(1200, 250)
	near(250 * time.Millisecond)
	b.now += 60e9
	play(240, 1)
	play(10, 250)
	near(250 * time.Millisecond)
}

// TestEndedStreams: what waits for a stream that was cut waits for it no more.
func TestEndedStreams(t *testing.T) {
	b := newBook(t, ledger.Options{Corroborate: time.Hour})
	b.want(`
		began a1 100
		began b1 100
		tx a1 100 x
		confirmed a1 100
		tick 100`, "apply x@100")
	b.want("ended b1\ntick 1", "confirm 100 [x]")
}
