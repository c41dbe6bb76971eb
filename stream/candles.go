package stream

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// candleState is the last candle of a topic. Guarded by the topic's mu.
type candleState struct {
	last  swapcast.Candle // valid where known
	known bool
	ts    int64 // Unix milliseconds
	// since is the seq with which the topic came to be, final the one of the last
	// final candle, 0 for none; sinceAt and finalAt are their positions in the
	// history.
	since, sinceAt, final, finalAt uint64
}

// acquireCandles returns the topic of a mint's candles and holds it.
func (r *registry) acquireCandles(mint solana.PublicKey, i swapcast.Interval, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.candles[c][i][mint]
	if t == nil {
		t = r.fleeting(topicCandles, mint, c)
		t.interval = i
		r.candles[c][i][mint] = t
		r.candleTopics[c].Add(1)
	}
	t.refs++
	return t
}

// heldCandles is held for candles.
func (r *registry) heldCandles(mint solana.PublicKey, i swapcast.Interval, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.candles[c][i][mint]
	if t != nil {
		t.refs++
	}
	return t
}

// forgetCandles forgets a topic of candles that nobody holds any more. Called
// with mu held.
func (r *registry) forgetCandles(t *topic) {
	delete(r.candles[t.commitment][t.interval], t.key)
	r.candleTopics[t.commitment].Add(-1)
	r.sink(t)
}

// findCandles returns the topic of a mint's candles, nil where nobody holds it.
func (r *registry) findCandles(mint solana.PublicKey, i swapcast.Interval, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.candles[c][i][mint]
}

// CandlesWanted tells which processed candles of a mint somebody listens to. It
// costs next to nothing while nobody listens to any.
func (s *Server) CandlesWanted(mint solana.PublicKey) swapcast.IntervalSet {
	return s.CandlesWantedAt(mint, swapcast.Processed)
}

// CandlesWantedAt is CandlesWanted for the candles of a commitment.
func (s *Server) CandlesWantedAt(mint solana.PublicKey, c swapcast.Commitment) swapcast.IntervalSet {
	var set swapcast.IntervalSet
	r := s.registry
	c = served(c)
	if r.candleTopics[c].Load() == 0 {
		return set
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range swapcast.Intervals {
		if len(r.candles[c][i]) > 0 && r.candles[c][i][mint] != nil {
			set.Add(i)
		}
	}
	return set
}

// PublishCandle is PublishPrice for a candle: the present state of the newest
// interval of its mint that had a trade. Nothing is done where nobody listens
// (CandlesWanted tells), or where it says what the last one said. A candle that
// begins a new interval closes the one before, if CloseCandles has not yet.
//
// A candle that is over may come again when the chain took a trade back: that of
// an older interval, or of the newest one once it is final. It is sent as final
// again.
func (s *Server) PublishCandle(c *swapcast.Candle) {
	t := s.registry.findCandles(c.Mint, c.Interval, served(c.Commitment))
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := t.candle.last; t.candle.known {
		if c.Start < last.Start || (c.Start == last.Start && last.Final && !c.Final) {
			again := *c
			again.Final = true
			c = &again
		}
		same := last
		same.ReceivedAt = c.ReceivedAt
		if same == *c {
			return
		}
		if c.Start > last.Start {
			s.closeCandle(t)
		}
	}
	s.publishCandle(t, c)
}

// CloseCandles publishes as final every processed candle that is over at a time,
// in Unix seconds by the clock that candles are made by. It is called from the
// goroutine that publishes, whenever that clock has advanced.
func (s *Server) CloseCandles(unix int64) { s.CloseCandlesAt(unix, swapcast.Processed) }

// CloseCandlesAt is CloseCandles for the candles of a commitment, whose clock is
// its own.
func (s *Server) CloseCandlesAt(unix int64, c swapcast.Commitment) {
	c = served(c)
	closing := &s.closing[c]
	before := closing.at
	closing.at = unix
	r := s.registry
	if r.candleTopics[c].Load() == 0 {
		return
	}
	for i := range swapcast.Intervals {
		if length := i.Seconds(); unix/length == before/length {
			continue
		}
		r.mu.Lock()
		for _, t := range r.candles[c][i] {
			closing.topics = append(closing.topics, t)
		}
		r.mu.Unlock()
		for _, t := range closing.topics {
			t.mu.Lock()
			if t.candle.known && t.candle.last.Start+i.Seconds() <= unix {
				s.closeCandle(t)
			}
			t.mu.Unlock()
		}
		clear(closing.topics)
		closing.topics = closing.topics[:0]
	}
}

// closing is how far CloseCandlesAt is with a commitment.
type closing struct {
	at     int64    // the time that it was told last
	topics []*topic // those that it looks at, in room that is used again
}

// closeCandle publishes the last candle as final. Called with the topic's mu held.
func (s *Server) closeCandle(t *topic) {
	if t.candle.last.Final {
		return
	}
	c := t.candle.last
	c.Final, c.ReceivedAt = true, 0 // time ended it, no transaction
	s.publishCandle(t, &c)
}

// publishCandle is called with the topic's mu held.
func (s *Server) publishCandle(t *topic, c *swapcast.Candle) {
	now := s.opts.Now()
	k := &t.candle
	aside := k.known && c.Start < k.last.Start
	if !aside {
		k.last, k.known, k.ts = *c, true, now.UnixMilli()
	}
	t.seqs[lanePrices]++
	it := item{
		what: itemUpdate, channel: chanCandles, topic: t, seq: t.seqs[lanePrices], aside: aside,
		at: now.UnixNano(), receivedAt: c.ReceivedAt,
	}
	if c.Final {
		k.final = it.seq
	}
	if t.wanted[lanePrices] != 0 {
		what, m := kindCandle, wire.Meta{Seq: it.seq, TS: now.UnixMilli(), Feed: s.Feed()}
		if c.Final {
			what = kindFinal
		}
		it.frame = newFrame(what, candleSize, func(dst []byte) []byte { return wire.AppendCandle(dst, c, m) })
	}
	switch {
	case c.Final:
		k.finalAt = s.history.publish(s, it, nil)
	case it.frame != nil:
		s.publish(it)
	}
}

// ask takes the present candle from its maker: while nobody listened, none was
// published. Called with mu held.
func (t *topic) ask(s *Server) {
	t.candle.known = false
	maker := s.opts.Candle
	if t.commitment == swapcast.Confirmed {
		maker = s.opts.ConfirmedCandle
	}
	if maker == nil {
		return
	}
	if c, ok := maker(t.key, t.interval); ok {
		c.Commitment = t.commitment
		t.candle.last, t.candle.known, t.candle.ts = c, true, s.opts.Now().UnixMilli()
	}
}

// candleSnapshot encodes the last candle; nil where there is none. Called with
// mu held.
func (t *topic) candleSnapshot(s *Server) *frame {
	if !t.candle.known {
		return nil
	}
	m := wire.Meta{Seq: t.seqs[lanePrices], TS: t.candle.ts, Feed: s.Feed(), Snapshot: true}
	return newFrame(kindCandle, candleSize, func(dst []byte) []byte { return wire.AppendCandle(dst, &t.candle.last, m) })
}
