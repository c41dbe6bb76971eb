package stream

import "time"

// wheel finds the connections whose window ends. Time is cut into ticks, so
// that many windows end in one turn of the shard; each connection stands in it
// at most once. Owned by the shard.
type wheel struct {
	slots [wheelSlots][]*conn
	count int
	done  int64 // last tick that was taken
	first int64 // no slot before this tick holds anything
	taken []*conn
}

// A tick of 5 ms and 1,024 slots reach over 5 s, the longest window.
const (
	tick       = 5 * time.Millisecond
	wheelSlots = 1024
)

// MaxWindow is the longest window_ms.
const MaxWindow = 5 * time.Second

func (w *wheel) empty() bool { return w.count == 0 }

// advance moves an empty wheel to the present.
func (w *wheel) advance(now time.Duration) { w.done = max(w.done, int64(now/tick)) }

// add lets take return c once at has passed; at is rounded up to a tick.
func (w *wheel) add(c *conn, at time.Duration) {
	t := max(int64((at+tick-1)/tick), w.done+1)
	t = min(t, w.done+wheelSlots)
	w.slots[t%wheelSlots] = append(w.slots[t%wheelSlots], c)
	if w.count == 0 || t < w.first {
		w.first = t
	}
	w.count++
}

// next is how long until take has something to return.
func (w *wheel) next(now time.Duration) (time.Duration, bool) {
	if w.count == 0 {
		return 0, false
	}
	w.first = max(w.first, w.done+1)
	for len(w.slots[w.first%wheelSlots]) == 0 {
		w.first++
	}
	return max(time.Duration(w.first)*tick-now, 0), true
}

// take returns the connections whose time has come. The result is valid until
// the next call.
func (w *wheel) take(now time.Duration) []*conn {
	clear(w.taken)
	w.taken = w.taken[:0]
	until := int64(now / tick)
	for w.count > 0 && w.done < until {
		w.done++
		slot := &w.slots[w.done%wheelSlots]
		w.taken = append(w.taken, *slot...)
		w.count -= len(*slot)
		clear(*slot)
		*slot = (*slot)[:0]
	}
	w.done = max(w.done, until)
	return w.taken
}
