package stream

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// acquireCandles returns the topic of a mint's candles and holds it.
func (r *registry) acquireCandles(mint solana.PublicKey, i swapcast.Interval) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.candles[i][mint]
	if t == nil {
		t = &topic{
			mint: mint, id: string(wire.AppendBase58(nil, mint[:])), candles: true, interval: i,
			candleSeq: r.candleFloor, shards: make([]local, r.shards),
		}
		r.candles[i][mint] = t
		r.candleTopics.Add(1)
	}
	t.refs++
	return t
}

// heldCandles is held for candles.
func (r *registry) heldCandles(mint solana.PublicKey, i swapcast.Interval) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.candles[i][mint]
	if t != nil {
		t.refs++
	}
	return t
}

// forgetCandles forgets a topic of candles that nobody holds any more. Called
// with mu held.
func (r *registry) forgetCandles(t *topic) {
	delete(r.candles[t.interval], t.mint)
	r.candleTopics.Add(-1)
	t.mu.Lock()
	r.candleFloor = max(r.candleFloor, t.candleSeq)
	t.mu.Unlock()
}

// findCandles returns the topic of a mint's candles, nil where nobody holds it.
func (r *registry) findCandles(mint solana.PublicKey, i swapcast.Interval) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.candles[i][mint]
}

// CandlesWanted tells which candles of a mint somebody listens to. It costs
// next to nothing while nobody listens to any.
func (s *Server) CandlesWanted(mint solana.PublicKey) swapcast.IntervalSet {
	var set swapcast.IntervalSet
	r := s.registry
	if r.candleTopics.Load() == 0 {
		return set
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range swapcast.Intervals {
		if len(r.candles[i]) > 0 && r.candles[i][mint] != nil {
			set.Add(i)
		}
	}
	return set
}

// PublishCandle is PublishPrice for a candle: the present state of the newest
// interval of its mint that had a trade. Nothing is done where nobody listens
// (CandlesWanted tells), or where it says what the last one said. A candle that
// begins a new interval closes the one before, if CloseCandles has not yet.
func (s *Server) PublishCandle(c *swapcast.Candle) {
	t := s.registry.findCandles(c.Mint, c.Interval)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.candled {
		if c.Start > t.candle.Start {
			s.closeCandle(t)
		}
		same := t.candle
		same.ReceivedAt = c.ReceivedAt
		if same == *c {
			return
		}
	}
	s.publishCandle(t, c)
}

// CloseCandles publishes as final every candle that is over at a time, in Unix
// seconds by the clock that candles are made by. It is called from the goroutine
// that publishes, whenever that clock has advanced.
func (s *Server) CloseCandles(unix int64) {
	before := s.closing.at
	s.closing.at = unix
	r := s.registry
	if r.candleTopics.Load() == 0 {
		return
	}
	for i := range swapcast.Intervals {
		if length := i.Seconds(); unix/length == before/length {
			continue
		}
		r.mu.Lock()
		for _, t := range r.candles[i] {
			s.closing.topics = append(s.closing.topics, t)
		}
		r.mu.Unlock()
		for _, t := range s.closing.topics {
			t.mu.Lock()
			if t.candled && t.candle.Start+i.Seconds() <= unix {
				s.closeCandle(t)
			}
			t.mu.Unlock()
		}
		clear(s.closing.topics)
		s.closing.topics = s.closing.topics[:0]
	}
}

// closing is how far CloseCandles is.
type closing struct {
	at     int64    // the time that it was told last
	topics []*topic // those that it looks at, in room that is used again
}

// closeCandle publishes the last candle as final. Called with the topic's mu held.
func (s *Server) closeCandle(t *topic) {
	if t.candle.Final {
		return
	}
	c := t.candle
	c.Final, c.ReceivedAt = true, 0 // time ended it, no transaction
	s.publishCandle(t, &c)
}

// publishCandle is called with the topic's mu held.
func (s *Server) publishCandle(t *topic, c *swapcast.Candle) {
	now := s.opts.Now()
	t.candle, t.candled, t.candleTS = *c, true, now.UnixMilli()
	t.candleSeq++
	if t.wanted[chanCandles] == 0 {
		return
	}
	k := kindCandle
	if c.Final {
		k = kindFinal
	}
	m := wire.Meta{Seq: t.candleSeq, TS: t.candleTS, Feed: s.Feed()}
	f := newFrame(k, candleSize, func(dst []byte) []byte { return wire.AppendCandle(dst, c, m) })
	s.publish(item{what: itemUpdate, channel: chanCandles, topic: t, frame: f, seq: t.candleSeq, at: now.UnixNano(), receivedAt: c.ReceivedAt})
}

// ask takes the present candle from its maker: while nobody listened, none was
// published. Called with mu held.
func (t *topic) ask(s *Server) {
	t.candled = false
	if s.opts.Candle == nil {
		return
	}
	if c, ok := s.opts.Candle(t.mint, t.interval); ok {
		t.candle, t.candled, t.candleTS = c, true, s.opts.Now().UnixMilli()
	}
}

// candleSnapshot encodes the last candle; nil where there is none. Called with
// mu held.
func (t *topic) candleSnapshot(s *Server) *frame {
	if !t.candled {
		return nil
	}
	m := wire.Meta{Seq: t.candleSeq, TS: t.candleTS, Feed: s.Feed(), Snapshot: true}
	return newFrame(kindCandle, candleSize, func(dst []byte) []byte { return wire.AppendCandle(dst, &t.candle, m) })
}
