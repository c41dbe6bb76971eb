package stream

import "github.com/swapcast/swapcast/stream/wire"

// deliver puts an update into the mailboxes of those who want it.
func (s *shard) deliver(it *item) {
	l, n := &it.topic.shards[s.index], it.channel.lane()
	if it.seq <= l.seqs[n] {
		return // from before the shard's present interest; see listen
	}
	l.seqs[n] = it.seq
	s.taken = max(s.taken, it.frame.position)
	switch it.channel {
	case chanTrades:
		for _, sub := range l.subs[n] {
			if !sub.behind && it.seq >= sub.next {
				s.deliverKept(sub.conn, it.frame)
			}
		}
		return
	case chanBalances:
		for _, sub := range l.subs[n] {
			s.deliverBalance(sub, it.frame)
		}
		return
	}
	if !it.aside {
		l.last = it.frame
	}
	l.snapshot = nil // its number is no longer the newest
	for _, sub := range l.subs[n] {
		switch {
		case it.frame.kind == kindFinal:
			s.deliverFinal(sub, it.frame, it.aside)
		case sub.window:
			s.hold(sub, it.frame)
		default:
			s.deliverLatest(sub, it.frame)
		}
	}
}

// deliverBalance is deliverKept for a balance, which waits behind those that its
// subscription begins with.
func (s *shard) deliverBalance(sub *subscription, f *frame) {
	c := sub.conn
	if !sub.behind {
		s.deliverKept(c, f)
		return
	}
	sub.backed.later = append(sub.backed.later, f)
	if len(sub.backed.later) > s.srv.opts.Limits.QueuedTrades {
		s.close(c, wire.CloseSlowConsumer, "too many "+f.kind.label()+" wait to be read")
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
// of the one that waits for the window's end, which it completes unless it is
// aside, a correction of an older one.
func (s *shard) deliverFinal(sub *subscription, f *frame, aside bool) {
	c := sub.conn
	if c.ending {
		return
	}
	if sub.held != nil && !aside {
		sub.held = nil
		s.conflated(c, 1)
		sub.settle()
	}
	s.makeRoom(c, c.box.counts[kindFinal], s.srv.opts.Limits.QueuedTrades)
	c.box.pushFinal(sub, f)
	s.kept(c, kindFinal)
}

// deliverKept is for what is not dropped: trades, balances, and gaps.
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

// tellGap sees to the updates of a topic that found no room in the shard's queue:
// trades are given out of the history, and of final candles and balances the
// subscribers are told which ones they do not get.
func (s *shard) tellGap(t *topic, r seqRange) {
	l := &t.shards[s.index]
	if t.kind == topicAsset {
		s.recover(l, r)
		return
	}
	if r.to <= l.seqs[lanePrices] {
		return
	}
	ch, k := chanCandles, kindFinal
	if t.kind == topicWallet {
		ch, k = chanBalances, kindBalance
	}
	g := gapOf(t, ch, wire.GapOverload)
	g.FromSeq, g.ToSeq = max(r.from, l.seqs[lanePrices]+1), r.to
	l.seqs[lanePrices] = r.to
	f := gapFrame(g, k)
	for _, sub := range l.subs[lanePrices] {
		if ch == chanBalances {
			s.deliverBalance(sub, f)
		} else {
			s.deliverKept(sub.conn, f)
		}
	}
}

// recover has the history give a topic's subscribers the trades that the shard
// lost.
func (s *shard) recover(l *local, r seqRange) {
	if r.to <= l.seqs[laneTrades] {
		return
	}
	from := max(r.from, l.seqs[laneTrades]+1)
	l.seqs[laneTrades] = r.to
	for _, sub := range l.subs[laneTrades] {
		if sub.behind || r.to < sub.next {
			continue // it will come to them by itself, or has had them
		}
		sub.next = max(sub.next, from)
		s.fallBehind(sub)
		s.alignStream(sub.conn)
	}
}

// hold keeps a price or a candle until the window of its connection ends.
func (s *shard) hold(sub *subscription, f *frame) {
	if sub.held != nil {
		// Nearly every update under load. It touches nothing but the subscription:
		// the connection's memory would cost more than all the rest.
		sub.held = f
		sub.gaveWay++
		s.books.conflated++
		return
	}
	c := sub.conn
	if c.ending {
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

// settle tells the connection how many updates gave way while the window was open.
func (sub *subscription) settle() {
	if sub.gaveWay > 0 {
		sub.conn.conflated.Add(uint64(sub.gaveWay))
		sub.gaveWay = 0
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
			sub.settle()
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
