package stream

import (
	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// PublishGap tells that what happened in some slots will never be known. Any
// asset and any wallet may be concerned, so that every subscription to trades,
// candles or balances is told, of whichever commitment; and so is, later, who
// resumes from before it. A connection that has not yet read its last such gaps
// is told of the next ones as one that spans them. The gap is copied.
func (s *Server) PublishGap(g *swapcast.Gap) {
	s.history.record(g)
	for _, sh := range s.shards {
		told := *g
		sh.do(item{what: itemGap, gap: &told})
	}
}

// RecordGap is PublishGap for a gap that those who listen have been told: who
// resumes from before it will be.
func (s *Server) RecordGap(g *swapcast.Gap) { s.history.record(g) }

// gapFrames are the frames of one gap by what they are about, so that each is
// made once for all of a shard's clients.
type gapFrames struct {
	gap    swapcast.Gap
	frames map[subKey]*frame
}

// tellUpstream tells all clients of a gap of the server's own.
func (s *shard) tellUpstream(g *swapcast.Gap) {
	frames := gapFrames{gap: *g, frames: make(map[subKey]*frame)}
	for c := range s.conns {
		if c.ending {
			continue
		}
		if c.box.counts[kindGap] > 0 || c.lost.ToSlot != 0 {
			if c.lost.ToSlot == 0 {
				c.lost = *g
			} else {
				c.lost = spanned(c.lost, *g)
				s.srv.opts.Metrics.drop(kindGap.label(), "merged")
			}
			continue
		}
		s.pushGaps(c, &frames)
		s.due(c)
	}
}

// pushGaps puts a gap into a client's mailbox, one for each subscription that it
// concerns. Their number is bounded by that of the subscriptions, since the next
// ones wait until these have left.
func (s *shard) pushGaps(c *conn, g *gapFrames) {
	for key := range c.subs {
		switch key.channel {
		case chanTrades, chanCandles, chanBalances:
			f := g.frames[key]
			if f == nil {
				f = upstreamGap(key, &g.gap, kindGap)
				g.frames[key] = f
			}
			c.box.push(f)
		}
	}
}

// pushWaitingGap puts the gap that waited for earlier ones to leave into a
// client's empty mailbox, and reports whether anything came of it. It runs within
// a flush.
func (s *shard) pushWaitingGap(c *conn) bool {
	if c.lost.ToSlot == 0 || c.ending {
		return false
	}
	g := gapFrames{gap: c.lost, frames: make(map[subKey]*frame)}
	c.lost = swapcast.Gap{}
	s.pushGaps(c, &g)
	return c.box.len() > 0
}

func upstreamGap(key subKey, g *swapcast.Gap, k kind) *frame {
	gap := gapOf(key.topic, key.channel, wire.GapUpstream)
	gap.FromSlot, gap.ToSlot, gap.Detail = g.FromSlot, g.ToSlot, g.Reason
	return gapFrame(gap, k)
}

// gapOf is a gap of a topic's channel, with the range still to be filled in.
func gapOf(t *topic, ch channel, reason string) *wire.Gap {
	g := &wire.Gap{Channel: ch.name(), Commitment: t.commitment, AssetID: t.id, Reason: reason}
	if ch == chanCandles {
		g.Interval = t.interval.String()
	}
	return g
}

func gapFrame(g *wire.Gap, k kind) *frame {
	return newFrame(k, replySize, func(dst []byte) []byte { return wire.AppendGap(dst, g) })
}
