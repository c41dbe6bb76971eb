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
	// lost holds what was dropped and not yet announced. All of it is older
	// than anything in the ring, so that it is announced in its right place.
	lost map[assetKey]Gap
}

// assetKey names one numbered sequence of updates.
type assetKey struct {
	channel string
	asset   string
}

func newQueue(size int) *queue {
	return &queue{wake: make(chan struct{}, 1), ring: make([]Event, size), lost: map[assetKey]Gap{}}
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
		return nil, false, q.closed
	}
	if key, _, _, ok := span(q.ring[q.first]); ok {
		if gap, missing := q.lost[key]; missing {
			delete(q.lost, key)
			return &gap, true, q.closed
		}
	}
	return q.pop(), q.count > 0, q.closed
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
	key, from, to, ok := span(ev)
	if !ok {
		return
	}
	gap, seen := q.lost[key]
	if !seen {
		channel, interval := splitChannel(key.channel)
		q.lost[key] = Gap{Channel: channel, Interval: interval, AssetID: key.asset, FromSeq: from, ToSeq: to, Reason: GapOverflow}
		return
	}
	gap.FromSeq = min(gap.FromSeq, from)
	gap.ToSeq = max(gap.ToSeq, to)
	q.lost[key] = gap
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

// span tells which numbers an event accounts for. Events without numbers are
// not ok: their loss is counted, not located.
func span(ev Event) (key assetKey, from, to uint64, ok bool) {
	switch e := ev.(type) {
	case *Price:
		return assetKey{ChannelPrices, e.AssetID}, e.Seq, e.Seq, true
	case *Trade:
		return assetKey{ChannelTrades, e.AssetID}, e.Seq, e.Seq, true
	case *Candle:
		return assetKey{CandleChannel(e.Interval), e.AssetID}, e.Seq, e.Seq, true
	case *Gap:
		return assetKey{joinChannel(e.Channel, e.Interval), e.AssetID}, e.FromSeq, e.ToSeq, true
	default:
		return assetKey{}, 0, 0, false
	}
}
