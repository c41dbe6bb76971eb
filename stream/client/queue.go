package client

import (
	"context"
	"sync"
)

// queue is the bounded buffer between the reading goroutine and whoever takes
// the events. When it is full the oldest event makes room.
type queue struct {
	// Static.
	wake chan struct{} // one slot: something changed

	// Guarded by mu.
	mu     sync.Mutex
	ring   []Event // of fixed length
	first  int
	count  int
	closed bool
	// lost holds what was dropped and not yet announced, one entry a sequence. All
	// of it is older than anything in the ring, so that it is announced in its
	// right place.
	lost map[assetKey]*loss
}

// loss is what was dropped of one sequence.
type loss struct {
	gap  Gap
	open bool // how much is missing is not known: the numbers began anew within it
}

func newQueue(size int) *queue {
	return &queue{wake: make(chan struct{}, 1), ring: make([]Event, size), lost: map[assetKey]*loss{}}
}

// put adds an event and reports whether the oldest one was dropped for it.
func (q *queue) put(ev Event) (dropped bool) {
	q.mu.Lock()
	if q.count == len(q.ring) {
		q.remember(q.pop())
		dropped = true
	}
	q.ring[(q.first+q.count)%len(q.ring)] = ev
	q.count++
	q.mu.Unlock()
	q.signal()
	return dropped
}

// take returns the oldest event, or the Gap that comes before it; ErrClosed
// once the queue is closed and empty.
func (q *queue) take(ctx context.Context) (Event, error) {
	for {
		ev, left, closed := q.tryTake()
		if left || closed {
			q.signal() // for another reader
		}
		switch {
		case ev != nil:
			return ev, nil
		case closed:
			return nil, ErrClosed
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *queue) tryTake() (ev Event, left, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 {
		for key := range q.lost { // nothing else of theirs is left: the order is any
			return q.announce(key), len(q.lost) > 0, q.closed
		}
		return nil, false, q.closed
	}
	if key, ok := sequence(q.ring[q.first]); ok && q.lost[key] != nil {
		return q.announce(key), true, q.closed
	}
	return q.pop(), q.count > 0 || len(q.lost) > 0, q.closed
}

// announce takes what was lost of a sequence. Called with mu held.
func (q *queue) announce(key assetKey) *Gap {
	l := q.lost[key]
	delete(q.lost, key)
	if l.open {
		l.gap.ToSeq = 0
	}
	return &l.gap
}

// pop removes the oldest event. Called with mu held and an event in the ring.
func (q *queue) pop() Event {
	ev := q.ring[q.first]
	q.ring[q.first] = nil
	q.first = (q.first + 1) % len(q.ring)
	q.count--
	return ev
}

// remember notes what a dropped event leaves missing. Called with mu held.
func (q *queue) remember(ev Event) {
	key, ok := sequence(ev)
	if !ok {
		return
	}
	l := q.lost[key]
	if l == nil {
		l = &loss{gap: key.gap(GapOverflow)}
		q.lost[key] = l
	}
	switch e := ev.(type) {
	case *Gap:
		l.slots(e)
		l.open = l.open || e.ToSeq == 0 && e.ToSlot == 0
		l.seqs(e.FromSeq, e.ToSeq)
	default:
		seq := number(ev)
		l.seqs(seq, seq)
	}
}

// seqs adds numbers to a loss; 0 is none. They come in their order, but for those
// of a run of the server's after another's, which open says.
func (l *loss) seqs(from, to uint64) {
	if l.gap.FromSeq == 0 {
		l.gap.FromSeq = from
	}
	if !l.open {
		l.gap.FromSeq = min(l.gap.FromSeq, max(from, 1))
		l.gap.ToSeq = max(l.gap.ToSeq, to)
	}
}

// slots adds those that the server itself has lost.
func (l *loss) slots(g *Gap) {
	switch {
	case g.ToSlot == 0:
	case l.gap.ToSlot == 0:
		l.gap.FromSlot, l.gap.ToSlot = g.FromSlot, g.ToSlot
	default:
		l.gap.FromSlot, l.gap.ToSlot = min(l.gap.FromSlot, g.FromSlot), max(l.gap.ToSlot, g.ToSlot)
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close lets the readers take what is left and no more. Nothing may be put
// afterwards.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// sequence tells what an event is a part of. Others are not ok: their loss is
// counted, not located.
func sequence(ev Event) (key assetKey, ok bool) {
	switch e := ev.(type) {
	case *Price:
		return e.key(), true
	case *Trade:
		return e.key(), true
	case *Retract:
		return e.key(), true
	case *Candle:
		return e.key(), true
	case *Balance:
		return e.key(), true
	case *Gap:
		return e.key(), true
	default:
		return assetKey{}, false
	}
}

// number is the seq of an event that has one.
func number(ev Event) uint64 {
	switch e := ev.(type) {
	case *Price:
		return e.Seq
	case *Trade:
		return e.Seq
	case *Retract:
		return e.Seq
	case *Candle:
		return e.Seq
	case *Balance:
		return e.Seq
	default:
		return 0
	}
}
