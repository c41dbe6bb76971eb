package geyser

import (
	"sync"
	"testing"
)

// TestEventRelease: a released event keeps its memory and nothing of the
// message that it came from.
func TestEventRelease(t *testing.T) {
	(&Event{Kind: KindSlot}).Release() // made by a test: nothing to give back

	var pool sync.Pool
	e := &Event{home: &pool}
	if err := NewDecoder().Transaction(sample(), &e.tx); err != nil {
		t.Fatal(err)
	}
	e.Tx, e.Endpoint, e.ReceivedAt = &e.tx, "x", 1
	instructions := e.tx.Instructions
	e.Release()
	if e.Tx != nil || e.Endpoint != "" || e.ReceivedAt != 0 || len(e.tx.Keys) != 0 || cap(e.tx.Keys) == 0 || e.tx.Logs != nil {
		t.Errorf("after Release: %+v", e)
	}
	for i := range instructions {
		if instructions[i].Data != nil || instructions[i].Accounts != nil {
			t.Errorf("instruction %d still holds on to its message", i)
		}
	}
}
