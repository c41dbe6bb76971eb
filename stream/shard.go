package stream

import (
	"context"
	"sync"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
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
	// What did not fit into queue: prices newest-only, of trades what is lost.
	latePrices map[*topic]item
	lostTrades map[*topic]seqRange

	// owned by run
	spare  []item // the other queue, swapped at each turn
	conns  map[*conn]struct{}
	dirty  []*conn // those that have something due
	ticks  wheel
	sender sender
	buf    []byte
	marks  []mark
	books  books
}

// seqRange is a run of lost updates.
type seqRange struct{ from, to uint64 }

// item is one thing for a shard to do, in the order in which it came.
type item struct {
	what       itemKind
	channel    channel
	topic      *topic
	frame      *frame
	seq        uint64
	at         int64 // Unix nanoseconds when it was published
	receivedAt int64 // of its transaction, 0 unknown
	conn       *conn
	request    *request
	end        end          // of conn, for itemEnd
	call       func(*shard) // for itemCall; after itemLeave where there is one
}

type itemKind uint8

const (
	itemUpdate   itemKind = iota // frame is the topic's next on channel
	itemJoin                     // conn begins
	itemLeave                    // conn has ended
	itemReply                    // frame answers conn
	itemRequest                  // conn subscribes or unsubscribes
	itemEnd                      // conn is to be closed, after what waits for it
	itemWritable                 // conn's socket takes data again
	itemDrain                    // every connection is told to go
	itemCut                      // every connection is cut
	itemKeys                     // connections whose key is gone are closed
	itemCall                     // call looks at what the shard owns
)

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
		latePrices: make(map[*topic]item), lostTrades: make(map[*topic]seqRange),
		conns: make(map[*conn]struct{}),
	}
}

// do queues something that must be done. It never blocks, and nothing is ever
// refused: what clients ask for is bounded by their message rates, and of all
// else a connection has a few items at a time.
func (s *shard) do(it item) {
	s.mu.Lock()
	s.queue = append(s.queue, it)
	s.mu.Unlock()
	s.nudge()
}

// update queues an update, if there is room; see Limits.ShardQueue.
func (s *shard) update(it item) {
	s.mu.Lock()
	full := s.updates >= s.srv.opts.Limits.ShardQueue
	switch {
	case !full:
		s.queue = append(s.queue, it)
		s.updates++
	case it.channel == chanPrices:
		s.latePrices[it.topic] = it
	default:
		lost, ok := s.lostTrades[it.topic]
		if !ok {
			lost.from = it.seq
		}
		lost.to = it.seq
		s.lostTrades[it.topic] = lost
	}
	s.mu.Unlock()
	if full {
		s.srv.opts.Metrics.drop(it.channel.name(), "shard_full")
	}
	s.nudge()
}

func (s *shard) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake, or about to be
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
	if len(s.latePrices) > 0 {
		late, s.latePrices = s.latePrices, make(map[*topic]item)
	}
	var lost map[*topic]seqRange
	if len(s.lostTrades) > 0 {
		lost, s.lostTrades = s.lostTrades, make(map[*topic]seqRange)
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
	for _, it := range late {
		s.take(&it)
	}
	for t, r := range lost {
		s.tellGap(t, r)
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
		s.serve(it.conn, it.request)
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
	case itemCall:
		it.call(s)
	}
}

// deliver puts an update into the mailboxes of those who want it.
func (s *shard) deliver(it *item) {
	l := &it.topic.shards[s.index]
	if it.seq <= l.seqs[it.channel] {
		return // from before the shard's present interest; see listen
	}
	l.seqs[it.channel] = it.seq
	if it.channel == chanTrades {
		for _, sub := range l.subs[chanTrades] {
			s.deliverTrade(sub.conn, it.frame)
		}
		return
	}
	l.price, l.snapshot = it.frame, nil
	for _, sub := range l.subs[chanPrices] {
		if sub.conn.window > 0 {
			s.hold(sub, it.frame)
			continue
		}
		s.deliverPrice(sub, it.frame)
	}
}

func (s *shard) deliverPrice(sub *subscription, f *frame) {
	c := sub.conn
	if c.ending {
		return
	}
	s.makeRoom(c, kindPrice, s.srv.opts.Limits.QueuedPrices)
	s.conflated(c, c.box.pushPrice(sub, f, s.srv.opts.Limits.QueuedPrices))
	s.due(c)
}

func (s *shard) deliverTrade(c *conn, f *frame) {
	if c.ending {
		return
	}
	s.makeRoom(c, kindTrade, s.srv.opts.Limits.QueuedTrades)
	c.box.push(f)
	if c.box.counts[kindTrade] > s.srv.opts.Limits.QueuedTrades {
		s.close(c, wire.CloseSlowConsumer, "too many trades wait to be read")
		return
	}
	s.due(c)
}

// makeRoom writes to a client before a bound of its mailbox is met within one
// turn: only a client whose socket is full counts as slow.
func (s *shard) makeRoom(c *conn, k kind, bound int) {
	if c.box.counts[k] >= bound && !c.full {
		s.flush(c)
	}
}

// reply answers a client. Answers are never dropped.
func (s *shard) reply(c *conn, f *frame) {
	if c.ending {
		return
	}
	s.makeRoom(c, kindReply, s.srv.opts.Limits.QueuedReplies)
	c.box.push(f)
	if c.box.counts[kindReply] > s.srv.opts.Limits.QueuedReplies {
		s.close(c, wire.CloseSlowConsumer, "too many answers wait to be read")
		return
	}
	s.due(c)
}

// tellGap tells the subscribers of a topic's trades which ones the shard lost.
func (s *shard) tellGap(t *topic, r seqRange) {
	l := &t.shards[s.index]
	if r.to <= l.seqs[chanTrades] {
		return
	}
	r.from = max(r.from, l.seqs[chanTrades]+1)
	l.seqs[chanTrades] = r.to
	g := &wire.Gap{Channel: wire.ChannelTrades, AssetID: t.id, FromSeq: r.from, ToSeq: r.to, Reason: wire.GapOverload}
	f := newFrame(kindTrade, tradeSize, func(dst []byte) []byte { return wire.AppendGap(dst, g) })
	for _, sub := range l.subs[chanTrades] {
		s.deliverTrade(sub.conn, f)
	}
}

// hold keeps a price until the window of its connection ends.
func (s *shard) hold(sub *subscription, f *frame) {
	c := sub.conn
	if c.ending {
		return
	}
	if sub.held != nil {
		sub.held = f
		s.conflated(c, 1)
		return
	}
	sub.held = f
	if !c.awaited {
		c.awaited = true
		s.ticks.add(c, c.windowEnd(s.srv.elapsed()))
	}
	if !sub.listed {
		sub.listed = true
		c.held = append(c.held, sub)
	}
}

// endWindows puts what windows held back into the mailboxes.
func (s *shard) endWindows() {
	if s.ticks.empty() {
		s.ticks.advance(s.srv.elapsed())
		return
	}
	for _, c := range s.ticks.take(s.srv.elapsed()) {
		c.awaited = false
		for _, sub := range c.held {
			sub.listed = false
			if sub.held != nil {
				s.deliverPrice(sub, sub.held)
				sub.held = nil
			}
		}
		clear(c.held)
		c.held = c.held[:0]
	}
}

func (s *shard) conflated(c *conn, n int) {
	if n > 0 {
		c.conflated.Add(uint64(n))
		s.books.conflated += n
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

// flush writes what waits for a connection, as far as the socket takes it.
func (s *shard) flush(c *conn) {
	total := 0
	for c.box.len() > 0 && !c.full {
		shared := c.box.len() == 1 // fill returns the frame itself, which is not ours to write to
		b, marks := c.box.fill(s.buf[:0], s.marks[:0], c.batch)
		s.marks = marks
		if !shared {
			s.buf = b
		}
		taken, result := c.sock.send(&s.sender, b, marks)
		if taken > 0 {
			n := 0
			for _, m := range marks[:taken] {
				n += m.messages
			}
			s.books.writes++
			s.books.bytes += marks[taken-1].end
			for _, e := range c.box.queue[c.box.first : c.box.first+n] {
				s.books.sent[e.frame.kind]++
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

// close tells a client to go. What waits for it is dropped but for the frame
// that was begun: a slow client would never read it.
func (s *shard) close(c *conn, code wire.CloseCode, reason string) {
	if c.ending {
		return
	}
	c.ending = true
	c.closeBy = s.srv.elapsed() + s.srv.opts.Timing.CloseTimeout
	c.box.clear()
	c.sock.sendClose(code, reason)
}

// drain tells a client to come back elsewhere, after what waits for it.
func (s *shard) drain(c *conn) {
	if c.ending {
		return
	}
	s.flush(c)
	s.close(c, wire.CloseGoingAway, s.srv.reconnectHint())
}

// cut ends a connection at once.
func (s *shard) cut(c *conn) {
	c.sock.sendClose(wire.CloseGoingAway, s.srv.reconnectHint())
	c.sock.abort(wire.CloseGoingAway, "server stopped")
}

func (s *shard) join(c *conn) {
	s.conns[c] = struct{}{}
	c.nextPing = s.srv.elapsed() + s.srv.pingJitter()
	switch {
	case s.srv.cutting.Load():
		s.cut(c)
	case s.srv.draining.Load():
		s.close(c, wire.CloseGoingAway, s.srv.reconnectHint())
	}
	s.checkKey(c) // it was read before the connection was in anybody's list
}

// leave forgets a connection that has ended.
func (s *shard) leave(c *conn) {
	c.ending = true
	c.box.clear()
	for _, sub := range c.subs {
		s.drop(sub)
	}
	c.subs, c.held = nil, nil
	delete(s.conns, c)
}

// sweep looks after every connection: pings that are due, deadlines that have
// passed. It is coarse on purpose: no write and no read sets a timer.
func (s *shard) sweep() {
	now := s.srv.elapsed()
	t := &s.srv.opts.Timing
	for c := range s.conns {
		begun := time.Duration(c.messageBegun.Load())
		switch {
		case c.ending:
			if c.closeBy == 0 {
				c.closeBy = now + t.CloseTimeout
			}
			if now > c.closeBy {
				c.sock.abort(wire.CloseAbnormal, "did not close when told")
			}
		case now-time.Duration(c.alive.Load()) > t.DeadAfter:
			c.ending = true
			c.sock.abort(wire.CloseAbnormal, "no sign of life")
		case begun != 0 && now-begun > t.MessageTimeout:
			s.close(c, wire.CloseSlowConsumer, "a message took too long to arrive")
		case now >= c.nextPing:
			c.nextPing = now + s.srv.pingJitter()
			c.sock.ping()
		}
	}
}

// checkKey closes a connection whose key is not known any more.
func (s *shard) checkKey(c *conn) {
	if c.key != nil && !s.srv.keys.Load().has(c.key) {
		s.close(c, wire.CloseBadKey, "the API key is not valid any more")
	}
}
