package replay

// updateLog is the stream of one commitment level: updates in the order in
// which subscribers of that level get them. Positions count from 0 and never
// come again; the oldest updates are let go. It is guarded by its store's lock.
//
// Subscribers read it by position, so it is every subscriber's queue as well as
// the store that from_slot reads: going from stored to live is only reading on.
type updateLog struct {
	first uint64    // position of the oldest update that is kept
	next  uint64    // position of the next update to come
	ring  []*update // length a power of two; position p stands at p&(len-1)
}

func (l *updateLog) append(u *update) {
	if l.next-l.first == uint64(len(l.ring)) {
		l.grow()
	}
	l.ring[l.next&uint64(len(l.ring)-1)] = u
	l.next++
}

func (l *updateLog) grow() {
	bigger := make([]*update, max(1024, 2*len(l.ring)))
	for p := l.first; p < l.next; p++ {
		bigger[p&uint64(len(bigger)-1)] = l.at(p)
	}
	l.ring = bigger
}

func (l *updateLog) at(p uint64) *update { return l.ring[p&uint64(len(l.ring)-1)] }

// dropTo lets go of all updates before position p.
func (l *updateLog) dropTo(p uint64) {
	for l.first < p {
		l.ring[l.first&uint64(len(l.ring)-1)] = nil
		l.first++
	}
}
