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
			s.deliverKept(sub.conn, it.frame)
		}
		return
	}
	l.last, l.snapshot = it.frame, nil
	for _, sub := range l.subs[it.channel] {
		switch {
		case it.frame.kind == kindFinal:
			s.deliverFinal(sub, it.frame)
		case sub.conn.window > 0:
			s.hold(sub, it.frame)
		default:
			s.deliverLatest(sub, it.frame)
		}
	}
}

// deliverLatest is for prices and candles, of which the newest is enough.
func (s *shard) deliverLatest(sub *subscription, f *frame) {
	c := sub.conn
	if c.ending {
		return
	}
	s.makeRoom(c, c.box.latest(), s.srv.opts.Limits.QueuedPrices)
	s.conflated(c, c.box.pushPrice(sub, f, s.srv.opts.Limits.QueuedPrices))
	s.due(c)
}

// deliverFinal is for a candle that is over, windows or not: it takes the place
// of the one that waits for the window's end, which it completes.
func (s *shard) deliverFinal(sub *subscription, f *frame) {
	c := sub.conn
	if c.ending {
		return
	}
	if sub.held != nil {
		sub.held = nil
		s.conflated(c, 1)
	}
	s.makeRoom(c, c.box.counts[kindFinal], s.srv.opts.Limits.QueuedTrades)
	c.box.pushFinal(sub, f)
	s.kept(c, kindFinal)
}

// deliverKept is for what is not dropped: trades, and gaps.
func (s *shard) deliverKept(c *conn, f *frame) {
	if c.ending {
		return
	}
	s.makeRoom(c, c.box.counts[f.kind], s.srv.opts.Limits.QueuedTrades)
	c.box.push(f)
	s.kept(c, f.kind)
}

// kept closes a client for which too much of a kind waits that is not dropped.
func (s *shard) kept(c *conn, k kind) {
	if c.box.counts[k] > s.srv.opts.Limits.QueuedTrades {
		s.close(c, wire.CloseSlowConsumer, "too many "+k.label()+" wait to be read")
		return
	}
	s.due(c)
}

// makeRoom writes to a client before a bound of its mailbox is met within one
// turn: only a client whose socket is full counts as slow.
func (s *shard) makeRoom(c *conn, waiting, bound int) {
	if waiting >= bound && !c.full {
		s.flush(c)
	}
}

// reply answers a client. Answers are never dropped.
func (s *shard) reply(c *conn, f *frame) {
	if c.ending {
		return
	}
	s.makeRoom(c, c.box.counts[kindReply], s.srv.opts.Limits.QueuedReplies)
	c.box.push(f)
	if c.box.counts[kindReply] > s.srv.opts.Limits.QueuedReplies {
		s.close(c, wire.CloseSlowConsumer, "too many answers wait to be read")
		return
	}
	s.due(c)
}

// tellGap tells the subscribers of a topic's trades, or final candles, which
// ones the shard lost.
func (s *shard) tellGap(t *topic, r seqRange) {
	ch, k := chanTrades, kindTrade
	g := &wire.Gap{AssetID: t.id, Reason: wire.GapOverload}
	if t.candles {
		ch, k, g.Interval = chanCandles, kindFinal, t.interval.String()
	}
	l := &t.shards[s.index]
	if r.to <= l.seqs[ch] {
		return
	}
	g.Channel, g.FromSeq, g.ToSeq = ch.name(), max(r.from, l.seqs[ch]+1), r.to
	l.seqs[ch] = r.to
	f := newFrame(k, tradeSize, func(dst []byte) []byte { return wire.AppendGap(dst, g) })
	for _, sub := range l.subs[ch] {
		s.deliverKept(sub.conn, f)
	}
}

// hold keeps a price or a candle until the window of its connection ends.
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
				s.deliverLatest(sub, sub.held)
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
