package swap

import (
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
)

func TestTracker(t *testing.T) {
	now := time.Unix(1_764_000_000, 0)
	tr := NewTracker(nil)
	sig := func(n byte) solana.Signature { return solana.Signature{0: n, 63: 1} }
	expect := func(n byte, stage Stage, slot uint64, failed bool) {
		t.Helper()
		if s, ok := tr.Get(sig(n)); !ok || s.Stage != stage || s.Slot != slot || s.Failed != failed {
			t.Errorf("%d: %+v, want %s in %d", n, s, stage, slot)
		}
	}
	for n := range byte(4) {
		if !tr.Track(State{Signature: sig(n), Payer: user, LastValidBlockHeight: 1_000, SentAt: now}) {
			t.Fatal("no room")
		}
	}
	if len(tr.Payers()) != 4 {
		t.Errorf("%v", tr.Payers())
	}
	tr.Seen(sig(0), 50, false)
	tr.Seen(sig(1), 51, true)
	tr.Seen(sig(9), 51, true) // somebody else's
	expect(0, StageProcessed, 50, false)
	tr.Confirmed(49, now)
	tr.Confirmed(50, now)
	expect(0, StageConfirmed, 50, false)
	expect(1, StageProcessed, 51, true)
	tr.Dead(51)
	expect(1, StageSent, 0, false)
	tr.Seen(sig(1), 53, false)
	tr.Track(State{Signature: sig(1), Payer: user}) // sent again
	expect(1, StageProcessed, 53, false)
	tr.Seen(sig(0), 60, true) // an ended one stays as it ended
	expect(0, StageConfirmed, 50, false)

	tr.Height(1_000+expirySlack, now)
	expect(2, StageSent, 0, false)
	tr.Height(1_001+expirySlack, now)
	expect(2, StageExpired, 0, false)
	expect(1, StageProcessed, 53, false) // in a block: its height does not matter
	if len(tr.Payers()) != 1 {
		t.Errorf("%v", tr.Payers())
	}
	tr.Confirmed(53, now)
	if len(tr.Payers()) != 0 || tr.open.Load() != 0 {
		t.Errorf("%v are still asked for", tr.Payers())
	}
	tr.Sweep(now.Add(keepEnded))
	expect(0, StageConfirmed, 50, false)
	tr.Sweep(now.Add(keepEnded + time.Second))
	if _, ok := tr.Get(sig(0)); ok {
		t.Error("kept for ever")
	}

	tr.Track(State{Signature: sig(6), LastValidBlockHeight: 1_000})
	tr.Seen(sig(6), 70, false)
	tr.Height(1_000+giveUp, now)
	expect(6, StageProcessed, 70, false)
	if len(tr.Payers()) != 1 {
		t.Error("given up too soon")
	}
	tr.Height(1_001+giveUp, now)
	expect(6, StageProcessed, 70, false)
	if len(tr.Payers()) != 0 {
		t.Error("never given up")
	}
	tr.Track(State{Signature: sig(5), LastValidBlockHeight: 9_000})
	tr.Confirmed(70, now) // too late for it: nothing ends twice
	tr.Dead(70)
	expect(6, StageProcessed, 70, false)
	if tr.open.Load() != 1 {
		t.Errorf("%d open", tr.open.Load())
	}
	tr.Drop(sig(5))

	tr.Track(State{Signature: sig(7)})
	tr.Drop(sig(7))
	if _, ok := tr.Get(sig(7)); ok || tr.open.Load() != 0 {
		t.Error("not dropped")
	}
	for n := range maxTracked {
		tr.Track(State{Signature: solana.Signature{0: byte(n), 1: byte(n >> 8), 2: 7}})
	}
	if tr.Track(State{Signature: sig(8)}) {
		t.Error("no bound")
	}
}
