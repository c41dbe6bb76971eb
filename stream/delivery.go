package stream

import "github.com/swapcast/swapcast/stream/wire"

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
