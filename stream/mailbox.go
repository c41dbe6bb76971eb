package stream

import "github.com/swapcast/swapcast/stream/wire"

// mailbox holds what waits to be written to one client, in order. A client
// that keeps up has it emptied at once and gets everything. For one that does
// not, prices and candles queue up to a bound, and beyond it only the newest of
// each asset waits; trades, final candles and replies are counted, and whoever
// fills the mailbox decides when there are too many. Owned by the connection's
// shard.
type mailbox struct {
	queue  []entry
	first  int // index of the next to go
	counts [kinds]int
	// conflating is set when too many prices waited, until all is written.
	// While it is, each subscription's slot is the place of its one price, or of
	// the one candle of it that may still give way to a newer one.
	conflating bool
}

// entry is one message that waits. sub is set for prices and candles; fixed says
// that it gives way to no newer one: a final candle, or one before it.
type entry struct {
	frame *frame
	sub   *subscription
	fixed bool
}

// len is how many messages wait.
func (m *mailbox) len() int { return len(m.queue) - m.first }

// push adds what has no newer state: a trade, a balance, a gap or a reply.
func (m *mailbox) push(f *frame) {
	m.queue = append(m.queue, entry{frame: f})
	m.counts[f.kind]++
}

// latest is how many messages wait of which the newest would be enough.
func (m *mailbox) latest() int {
	return m.counts[kindPrice] + m.counts[kindCandle] + m.counts[kindStatus]
}

// pushPrice adds a price, a status or a candle that is not final, and returns how many older ones gave way to it.
// bound is how many of them may wait.
func (m *mailbox) pushPrice(sub *subscription, f *frame, bound int) (conflated int) {
	if m.conflating && sub.slot != 0 {
		m.queue[sub.slot-1].frame = f
		return 1
	}
	m.queue = append(m.queue, entry{frame: f, sub: sub})
	m.counts[f.kind]++
	switch {
	case m.conflating:
		sub.slot = len(m.queue)
	case m.latest() > bound:
		conflated = m.conflate()
	}
	return conflated
}

// pushFinal adds a final candle. It stays, and so does its place among the
// others: a candle that waits before it gives way to no later one any more.
func (m *mailbox) pushFinal(sub *subscription, f *frame) {
	if m.conflating && sub.slot != 0 {
		m.queue[sub.slot-1].fixed, sub.slot = true, 0
	}
	m.queue = append(m.queue, entry{frame: f, sub: sub, fixed: true})
	m.counts[f.kind]++
}

// superseded is a slot of conflate's: what is older may go, and nothing newer waits.
const superseded = -1

// conflate drops every price that has a newer one behind it. What remains is
// bounded by the number of subscriptions.
func (m *mailbox) conflate() (dropped int) {
	m.conflating = true
	// Backwards, so that the newest of an asset is met first. The others'
	// places are squeezed out, and slots point to where the kept ones end up.
	to := len(m.queue)
	for i := len(m.queue) - 1; i >= m.first; i-- {
		e := m.queue[i]
		if e.sub != nil && e.sub.slot != 0 && !e.fixed {
			dropped++
			m.counts[e.frame.kind]--
			continue
		}
		to--
		m.queue[to] = e
		switch {
		case e.sub == nil:
		case !e.fixed:
			e.sub.slot = to + 1
		case e.sub.slot == 0:
			e.sub.slot = superseded
		}
	}
	clear(m.queue[m.first:to])
	m.first = to
	for _, e := range m.queue[m.first:] {
		if e.sub != nil && e.sub.slot == superseded {
			e.sub.slot = 0
		}
	}
	return dropped
}

// forget drops the prices and candles of subscriptions that have ended: a client that does
// not read could else pile them up by subscribing anew. With it, the prices
// that wait are at most bound, or one a subscription if those are more.
func (m *mailbox) forget() (forgotten int) {
	to := m.first
	for _, e := range m.queue[m.first:] {
		if e.sub != nil && e.sub.ended {
			m.counts[e.frame.kind]--
			continue
		}
		m.queue[to] = e
		to++
		if e.sub != nil && e.sub.slot != 0 && !e.fixed {
			e.sub.slot = to
		}
	}
	forgotten = len(m.queue) - to
	clear(m.queue[to:])
	if m.queue = m.queue[:to]; m.len() == 0 {
		m.reset()
	}
	return forgotten
}

// pop forgets the first n messages, which have left.
func (m *mailbox) pop(n int) {
	for i := m.first; i < m.first+n; i++ {
		e := &m.queue[i]
		m.counts[e.frame.kind]--
		if e.sub != nil && e.sub.slot == i+1 {
			e.sub.slot = 0
		}
		*e = entry{}
	}
	m.first += n
	switch {
	case m.first == len(m.queue):
		m.reset()
	case m.first >= maxLead && m.first >= m.len():
		m.shift()
	}
}

// maxLead is how many places before the first message may lie empty while
// there are fewer messages than that.
const maxLead = 512

// shift moves what waits to the front of the queue.
func (m *mailbox) shift() {
	n := copy(m.queue, m.queue[m.first:])
	clear(m.queue[n:])
	m.queue = m.queue[:n]
	if m.conflating {
		for i, e := range m.queue {
			if e.sub != nil && !e.fixed {
				e.sub.slot = i + 1
			}
		}
	}
	m.first = 0
}

// clear forgets all that waits.
func (m *mailbox) clear() { m.pop(m.len()) }

// keptCapacity is how much room an emptied mailbox keeps: enough for a burst
// of a few tokens, little beside the connection's other memory.
const keptCapacity = 16

func (m *mailbox) reset() {
	m.conflating = false
	m.first = 0
	if cap(m.queue) > keptCapacity {
		m.queue = nil
		return
	}
	m.queue = m.queue[:0]
}

// The largest buffer that one write fills, and the largest array of updates
// that one frame holds with batch=1.
const (
	maxWrite = 64 << 10
	maxBatch = 16 << 10
)

// fill gathers what can leave in one write into buf. Without copying where
// that is a single frame. It returns the bytes and where their frames end. What is
// compressed is shared as it is, and not batched.
func (m *mailbox) fill(buf []byte, marks []mark, f form, batch bool) ([]byte, []mark) {
	if m.len() == 1 {
		b := m.queue[m.first].frame.in(f)
		return b, append(marks, mark{len(b), 1})
	}
	batch = batch && !f.deflated()
	for i := m.first; i < len(m.queue) && len(buf) < maxWrite; {
		n := 1
		if batch {
			n = m.batchable(i, f)
		}
		if n == 1 {
			buf = append(buf, m.queue[i].frame.in(f)...)
		} else {
			buf = m.appendBatch(buf, i, n, f)
		}
		marks = append(marks, mark{len(buf), n})
		i += n
	}
	return buf, marks
}

// batchable is how many messages from i on may share a frame: updates, as
// many as fit. An answer to a request is always alone.
func (m *mailbox) batchable(i int, in form) int {
	n, size := 0, 0
	for ; i < len(m.queue); i++ {
		f := m.queue[i].frame
		if f.kind == kindReply {
			break
		}
		size += len(f.in(in))
		if n > 0 && size > maxBatch {
			break
		}
		n++
	}
	return max(n, 1)
}

// appendBatch appends one frame that holds n messages from i on as an array.
func (m *mailbox) appendBatch(buf []byte, i, n int, f form) []byte {
	at := len(buf)
	buf = append(buf, make([]byte, maxHeader)...)
	if f == formPacked {
		buf = wire.AppendArrayHeader(buf, n)
		for _, e := range m.queue[i : i+n] {
			b := e.frame.in(f)
			buf = append(buf, b[headerLen(b):]...)
		}
		start := putHeader(buf, at+maxHeader, finBinary)
		return append(buf[:at], buf[start:]...)
	}
	buf = append(buf, '[')
	for j, e := range m.queue[i : i+n] {
		if j > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, e.frame.payload()...)
	}
	buf = append(buf, ']')
	start := putHeader(buf, at+maxHeader, finText)
	return append(buf[:at], buf[start:]...)
}
