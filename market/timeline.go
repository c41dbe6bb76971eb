package market

import "github.com/swapcast/swapcast"

const (
	// lateSlots is how far behind the present a swap may be and still belong to
	// it: how long a transaction takes that went through forks and resumed
	// streams. About two minutes.
	lateSlots = 512
	// restartTransactions is how many transactions older than that must come in a
	// row, none of the present between them, before they are taken for a timeline
	// that began again. A straggler, or a source that lags minutes behind beside
	// one that does not, never comes to that; a capture that is played again does
	// within a blink.
	restartTransactions = 32
)

// timeline is where the market is on the chain. Slots rise, until a replay
// begins again: that is a new timeline.
type timeline struct {
	number uint32
	slot   uint64 // the newest slot on this timeline
	first  uint64 // where it began, 0 before the first swap

	// The transactions from long ago that came last in a row.
	old     int
	oldSlot uint64
	oldTx   uint64
}

// advance takes the place of the swap that comes now, and reports whether it
// begins a new timeline.
// With steady only restart makes one.
func (l *timeline) advance(s *swapcast.Swap, steady bool) bool {
	switch {
	case l.first == 0:
		l.slot, l.first = s.Slot, s.Slot
		return l.number > 0
	case s.Slot > l.slot:
		l.slot, l.old = s.Slot, 0
	case l.slot-s.Slot <= lateSlots:
		l.old = 0
	case steady:
	case l.old == 0 || s.Slot != l.oldSlot || s.TxIndex != l.oldTx:
		if l.old++; l.old >= restartTransactions {
			*l = timeline{number: l.number + 1, slot: s.Slot, first: s.Slot}
			return true
		}
		l.oldSlot, l.oldTx = s.Slot, s.TxIndex
	}
	return false
}

// restart has the next swap begin a new timeline.
func (l *timeline) restart() { *l = timeline{number: l.number + 1} }

// Restart says that the chain begins anew: the next swap is of a new timeline,
// whatever its slot and time. What came before cannot be retracted any more. The
// goroutine that applies calls it.
func (m *Market) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j := m.journal; j != nil {
		for j.entries.from < j.entries.to {
			m.forgetOldest()
		}
	}
	m.time.restart()
}
