package stream

import (
	"context"
	"sync"
	"time"
)

// shard writes to its share of the connections. One goroutine owns all that
// they have subscribed to and all that waits for them. It takes whatever is
// queued at once, hands it to the mailboxes, and then writes to each client
// that has something due, once, without blocking: idle, an update leaves at
// once; under load, more leave in each write.
type shard struct {
	// static after construction
	srv   *Server
	index int
	wake  chan struct{} // one slot; never closed

	mu sync.Mutex
	// guarded by mu
	queue   []item
	updates int // of the items in queue
	// What did not fit into queue: prices, candles and statuses newest-only, of the
	// others which ones.
	late map[*topic]item
	lost map[*topic]seqRange

	// owned by run
	spare []item // the other queue, swapped at each turn
	conns map[*conn]struct{}
	dirty []*conn // those that have something due
	// Those that are given what they lack of trades and balances, and room for it.
	refilling map[*conn]struct{}
	taken     uint64 // position of the newest that was taken up of what has one
	refills   []refilled
	ticks     wheel
	buf       []byte
	marks     []mark
	books     books
}

// books counts what a turn of the shard did, told to the metrics at its end.
type books struct {
	sent      [kinds]int
	conflated int
	writes    int
	bytes     int
}

func newShard(s *Server, index int) *shard {
	return &shard{
		srv: s, index: index, wake: make(chan struct{}, 1),
		late: make(map[*topic]item), lost: make(map[*topic]seqRange),
		conns: make(map[*conn]struct{}), refilling: make(map[*conn]struct{}),
	}
}

// run works until ctx ends; by then nobody joins any more, and all have left.
func (s *shard) run(ctx context.Context) {
	sweep := time.NewTicker(s.srv.sweepEvery)
	defer sweep.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		if wait, ok := s.ticks.next(s.srv.elapsed()); ok {
			due.Reset(wait)
		} else {
			due.Stop()
		}
		select {
		case <-s.wake:
			s.turn()
		case <-due.C:
			s.endWindows()
			s.flushAll()
		case <-sweep.C:
			s.sweep()
		case <-ctx.Done():
			s.turn() // the last to leave
			return
		}
	}
}

// turn takes up all that is queued, and writes what it makes due.
func (s *shard) turn() {
	s.mu.Lock()
	items := s.queue
	s.queue, s.updates = s.spare[:0], 0
	var late map[*topic]item
	if len(s.late) > 0 {
		late, s.late = s.late, make(map[*topic]item)
	}
	var lost map[*topic]seqRange
	if len(s.lost) > 0 {
		lost, s.lost = s.lost, make(map[*topic]seqRange)
	}
	s.mu.Unlock()

	s.endWindows() // before anything is held, so that the wheel reaches far enough

	// One clock reading and one update, the longest waiting, stand for the
	// turn: a reading for every message would cost more than the message.
	var oldest *item
	started := s.srv.opts.Now().UnixNano()
	for i := range items {
		it := &items[i]
		if it.what == itemUpdate && oldest == nil {
			oldest = it
		}
		s.take(it)
	}
	for t, r := range lost { // before late: of a topic's candles the newest is behind the gap
		s.tellGap(t, r)
	}
	for _, it := range late {
		s.take(&it)
	}
	if len(s.refilling) > 0 {
		s.refill()
	}
	wrote := s.flushAll()
	if oldest != nil && wrote {
		s.srv.opts.Metrics.observe(oldest, started, s.srv.opts.Now().UnixNano())
	}
	clear(items)
	if cap(items) > keptItems {
		items = nil
	}
	s.spare = items
}

// keptItems is how large a queue may be and still be used again: 5 MB.
const keptItems = 1 << 16

func (s *shard) take(it *item) {
	switch it.what {
	case itemUpdate:
		s.deliver(it)
	case itemReply:
		s.reply(it.conn, it.frame)
	case itemRequest:
		s.request(it.conn, it.request)
	case itemEnd:
		s.flush(it.conn)
		s.close(it.conn, it.end.code, it.end.reason)
	case itemWritable:
		it.conn.full = false
		s.due(it.conn)
	case itemJoin:
		s.join(it.conn)
	case itemLeave:
		s.leave(it.conn)
		if it.call != nil {
			it.call(s)
		}
	case itemDrain:
		for c := range s.conns {
			s.drain(c)
		}
	case itemCut:
		for c := range s.conns {
			s.cut(c)
		}
	case itemKeys:
		for c := range s.conns {
			s.checkKey(c)
		}
	case itemGap:
		s.tellUpstream(it.gap)
	case itemCall:
		it.call(s)
	}
}

// due notes that a connection has something to write, and can take it.
func (s *shard) due(c *conn) {
	if !c.dirty && !c.full {
		c.dirty = true
		s.dirty = append(s.dirty, c)
	}
}

// flushAll writes to every connection that has something due, and reports
// whether anything left.
func (s *shard) flushAll() bool {
	for _, c := range s.dirty {
		c.dirty = false
		s.flush(c)
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	wrote := s.books.writes > 0
	s.srv.tell(&s.books)
	s.books = books{}
	return wrote
}

// fill gathers what can leave for a connection in one write.
func (s *shard) fill(c *conn) ([]byte, []mark) {
	if c.sse {
		return c.box.fillEvents(s.buf[:0], s.marks[:0], s.srv.run, c.ids)
	}
	return c.box.fill(s.buf[:0], s.marks[:0], c.form, c.batch)
}

// flush writes what waits for a connection, as far as the socket takes it.
func (s *shard) flush(c *conn) {
	total := 0
	for !c.full && (c.box.len() > 0 || s.pushWaitingGap(c)) {
		shared := c.box.len() == 1 && !c.sse // fill returns the frame itself, which is not ours to write to
		b, marks := s.fill(c)
		s.marks = marks
		if !shared {
			s.buf = b
		}
		taken, result := c.sock.send(b, marks)
		if taken > 0 {
			n := 0
			for _, m := range marks[:taken] {
				n += m.messages
			}
			s.books.writes++
			s.books.bytes += marks[taken-1].end
			for _, e := range c.box.queue[c.box.first : c.box.first+n] {
				s.books.sent[e.frame.kind]++
				if c.ids != nil {
					c.ids.left(e.frame)
				}
			}
			c.box.pop(n)
			total += n
		}
		switch result {
		case sentSlow:
			c.full = true
		case sentDead:
			c.ending = true
			c.box.clear()
		}
	}
	if total > 0 {
		c.sent.Add(uint64(total))
	}
}
