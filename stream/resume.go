package stream

import (
	"slices"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// since is how far a client has come that resumes.
type since struct {
	epoch string
	// seqs is how far by asset or wallet; of a client that names a position in the
	// history instead, it is not looked at.
	seqs       map[string]uint64
	positioned bool
	position   uint64
}

// missed is what a client that resumes with a topic has missed.
type missed struct {
	whole bool           // nothing that cannot be given to it
	gap   *wire.Gap      // of the numbers, nil: none
	slots []swapcast.Gap // that the server itself has lost
	next  uint64         // the seq with which it goes on
}

// lacks is what a client has missed of each topic of a request where it resumes,
// and where a stream of trades is to begin anew; nil for others.
func (s *shard) lacks(c *conn, r *request, granted []*topic) []missed {
	anew := c.sse && r.channel == chanTrades && r.since == nil
	if r.since == nil && !anew {
		return nil
	}
	lacks := make([]missed, len(granted))
	if r.since != nil {
		for i, t := range granted {
			lacks[i] = s.missed(t, r.channel, r.since)
		}
	}
	if anew { // its ids count from one moment on, whatever the shard has taken up by then
		position, seqs := s.srv.history.cut(granted)
		r.position = position
		for i, seq := range seqs {
			lacks[i].next = seq + 1
		}
	}
	return lacks
}

// missed finds out what a client has missed of a channel of a topic that its
// subscription is to be. known is how far the shard is with it.
func (s *shard) missed(t *topic, ch channel, from *since) missed {
	known := t.shards[s.index].seqs[ch.lane()]
	fresh := missed{next: known + 1}
	seq, named := from.seqs[t.id]
	if !s.srv.knows(from) {
		switch {
		case ch == chanTrades && (named || from.positioned):
			return s.missedOfRun(t, known, from)
		case ch == chanTrades || ch == chanCandles:
			fresh.gap = gapOf(t, ch, wire.GapNewEpoch)
			fresh.gap.FromSeq, fresh.gap.ToSeq = min(known, 1), known
		}
		return fresh
	}
	switch {
	case ch == chanPrices || ch == chanStatus:
		fresh.whole = true // the newest, which comes, is enough
		return fresh
	case !named && !from.positioned:
		return fresh // it does not say how far it is
	case ch == chanTrades:
		return s.missedTrades(t, known, seq, from)
	case ch == chanCandles:
		return s.missedCandles(t, known, seq, from)
	default:
		return s.missedBalances(t, known, seq, from)
	}
}

// missedOfRun: who comes from another run is given all of this one that the
// history has. This run may have begun where the other one ended, and told before
// the client was back what the client has missed.
func (s *shard) missedOfRun(t *topic, known uint64, from *since) missed {
	m := s.missedTrades(t, known, 0, &since{positioned: from.positioned})
	if m.gap == nil { // all of it is there; what came between the runs is not known
		m.gap = gapOf(t, chanTrades, wire.GapNewEpoch)
	}
	m.gap.Reason, m.whole = wire.GapNewEpoch, false
	return m
}

// knows tells whether a client's numbers are this server's.
func (s *Server) knows(from *since) bool {
	if from.positioned {
		return from.epoch == s.run
	}
	return from.epoch == s.epoch
}

// relayed tells that others number as this server does. That holds for prices,
// trades and retracts: candles and balances are numbered by each server for itself.
func (s *Server) relayed() bool { return s.opts.Epoch != "" }

// maxAhead is how many trades of an asset one server may be ahead of another that
// tells the same: as many as are read at once where one has missed some.
const maxAhead = 4096

// missedTrades: what the history has is given again.
func (s *shard) missedTrades(t *topic, known, seq uint64, from *since) missed {
	h := s.srv.history
	m := missed{whole: true}
	kept := true
	if from.positioned {
		seq, kept = h.lastBefore(t, from.position)
	}
	v := h.look(t, seq)
	if from.positioned {
		m.slots = h.lostAfter(from.position)
	} else {
		m.slots = v.gaps
	}
	m.next = seq + 1
	switch {
	case s.srv.relayed() && !from.positioned && seq > t.numbered(laneTrades) && seq <= t.numbered(laneTrades)+maxAhead:
		// Another server was a moment ahead of this one. The rest comes here, too.
	case seq > t.numbered(laneTrades): // it was never told that
		m.gap = gapOf(t, chanTrades, wire.GapNoHistory)
		m.gap.ToSeq, m.next = known, known+1
	case !kept: // how much is missing before next is not known
		m.gap = gapOf(t, chanTrades, wire.GapNoHistory)
		m.gap.FromSeq, m.gap.ToSeq = min(seq, 1), seq
	case seq < known && (!v.any || v.oldest > m.next):
		m.gap = gapOf(t, chanTrades, wire.GapNoHistory)
		m.gap.FromSeq, m.gap.ToSeq = m.next, known
		if v.any {
			m.gap.ToSeq = min(known, v.oldest-1)
		}
		m.next = m.gap.ToSeq + 1
	}
	m.whole = m.gap == nil && len(m.slots) == 0
	return m
}

// missedCandles: the newest one comes, and is enough unless one has ended.
func (s *shard) missedCandles(t *topic, known, seq uint64, from *since) missed {
	t.mu.Lock()
	k := t.candle
	t.mu.Unlock()
	m := missed{next: known + 1}
	var ended bool
	var to uint64
	if from.positioned {
		m.slots = s.srv.history.lostAfter(from.position)
		ended, seq, to = k.sinceAt > from.position || k.finalAt > from.position, 0, known
	} else {
		m.slots = s.srv.history.look(t, seq).gaps
		to = min(max(k.since, k.final), known)
		ended = seq < to || k.final > known // a final one on its way may not be the only one
	}
	if ended || s.srv.relayed() && !from.positioned {
		m.gap = gapOf(t, chanCandles, wire.GapNoHistory)
		m.gap.FromSeq, m.gap.ToSeq = min(seq+1, to), to
	}
	m.whole = m.gap == nil && len(m.slots) == 0
	return m
}

// missedBalances: what the wallet holds comes, if somebody knows it.
func (s *shard) missedBalances(t *topic, known, seq uint64, from *since) missed {
	m := missed{next: known + 1}
	if s.srv.opts.Balances == nil && (from.positioned || seq != known || s.srv.relayed()) {
		m.gap = gapOf(t, chanBalances, wire.GapNoHistory)
		m.gap.FromSeq, m.gap.ToSeq = min(seq+1, known), known
	}
	m.whole = m.gap == nil
	return m
}

// numbered is the seq that was given last.
func (t *topic) numbered(lane int) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seqs[lane]
}

// resume lets a subscription go on where a client has left off. It follows the
// acknowledgement.
func (s *shard) resume(sub *subscription, m missed) {
	c := sub.conn
	for i := range m.slots {
		s.reply(c, upstreamGap(subKey{sub.topic, sub.channel}, &m.slots[i], kindReply))
	}
	if m.gap != nil {
		s.reply(c, gapFrame(m.gap, kindReply))
	}
	if sub.channel != chanTrades {
		return
	}
	sub.next = m.next
	if sub.next <= sub.topic.shards[s.index].seqs[laneTrades] {
		s.fallBehind(sub)
	}
}

// fallBehind puts a subscription among those that are given what they lack,
// piece by piece, as their sockets take it.
func (s *shard) fallBehind(sub *subscription) {
	c := sub.conn
	if c.ending {
		return
	}
	if !sub.behind {
		sub.behind = true
		c.behind = append(c.behind, sub)
	}
	s.refilling[c] = struct{}{}
}

// alignStream lets all subscriptions of a stream of trades fall behind where one
// has: what it gets is in the order of positions, over all its assets.
func (s *shard) alignStream(c *conn) {
	if !c.sse || len(c.behind) == 0 || c.behind[0].channel != chanTrades {
		return
	}
	for _, sub := range c.subs {
		if !sub.behind {
			sub.next = max(sub.next, sub.topic.shards[s.index].seqs[laneTrades]+1)
			s.fallBehind(sub)
		}
	}
}

// refillChunk is how many messages a client is given at most in one turn of the
// shard of what it lacks.
const refillChunk = 128

// refill gives clients that are behind, and whose sockets take it, the next piece
// of what they lack. What it gives is written at once; what is left is for the
// next turn.
func (s *shard) refill() {
	more := false
	for c := range s.refilling {
		if c.ending {
			c.behind = nil
			delete(s.refilling, c)
			continue
		}
		s.flush(c)
		if c.full {
			continue // it will come back once its socket takes data
		}
		s.refillConn(c)
		s.flush(c)
		if len(c.behind) == 0 {
			delete(s.refilling, c)
			continue
		}
		more = more || !c.full
	}
	if more {
		s.nudge()
	}
}

func (s *shard) refillConn(c *conn) {
	c.behind = slices.DeleteFunc(c.behind, func(sub *subscription) bool { return sub.ended })
	if len(c.behind) == 0 {
		return
	}
	sub := c.behind[0]
	if sub.channel == chanBalances {
		s.refillBalances(sub, refillChunk)
		if !sub.behind {
			c.behind = slices.Delete(c.behind, 0, 1)
		}
		return
	}
	subs := c.behind[:1]
	if c.sse {
		subs = c.behind
	}
	s.refillTrades(c, subs)
	c.behind = slices.DeleteFunc(c.behind, func(sub *subscription) bool { return !sub.behind })
}

// refillTrades gives subscriptions to trades the next ones that they lack, and
// lets them go live once none lacks any.
func (s *shard) refillTrades(c *conn, subs []*subscription) {
	known := func(t *topic) uint64 { return t.shards[s.index].seqs[laneTrades] }
	if c.sse {
		// All that was published, whether the shard has taken it up or not: it knows
		// some topics further than others, and what of these still waits in its queue
		// would come behind what is newer, out of the order of positions.
		known = func(t *topic) uint64 { return t.past.lastSeq }
	}
	s.refills = s.srv.history.refill(subs, known, refillChunk, s.refills[:0])
	replayed := 0
	for i := range s.refills {
		r := &s.refills[i]
		if r.lost.to != 0 {
			g := gapOf(r.sub.topic, chanTrades, wire.GapNoHistory)
			g.FromSeq, g.ToSeq = r.lost.from, r.lost.to
			s.srv.opts.Metrics.lose(chanTrades.name(), wire.GapNoHistory, r.lost.to-r.lost.from+1)
			s.deliverKept(c, gapFrame(g, kindTrade))
			continue
		}
		f := r.entry.frame
		if f == nil {
			f = r.entry.encode(s.srv.Feed())
			s.srv.history.encoded(r.sub.topic, r.entry.seq, f)
		}
		s.deliverKept(c, f)
		replayed++
	}
	s.srv.opts.Metrics.replay(replayed)
	clear(s.refills)
	behind := len(s.refills) >= refillChunk // else it was all that there is; what is published since waits in the queue
	if !c.sse {
		behind = slices.ContainsFunc(subs, func(sub *subscription) bool { return sub.next <= known(sub.topic) })
	}
	for _, sub := range subs {
		sub.behind = behind
	}
}
