package stream

import (
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// statusState is the last status. Guarded by its topic's mu.
type statusState struct {
	last  wire.Status
	known bool
	ts    int64         // Unix milliseconds
	told  time.Duration // when subscribers were told last, in the server's time
}

// PublishStatus tells the state of the feed. It may be called as often as one
// likes: subscribers hear of it when anything but slot and lag has changed, and
// every Options.StatusEvery. A subscription begins with the newest one.
func (s *Server) PublishStatus(st *wire.Status) {
	now, elapsed := s.opts.Now(), s.elapsed()
	t := s.registry.status
	t.mu.Lock()
	defer t.mu.Unlock()
	k := &t.status
	before := k.last
	before.Slot, before.LagMS, before.LagKnown = st.Slot, st.LagMS, st.LagKnown
	same := k.known && before == *st
	k.last, k.known, k.ts = *st, true, now.UnixMilli()
	if same && elapsed-k.told < s.opts.StatusEvery {
		return
	}
	k.told = elapsed
	t.seqs[lanePrices]++
	if t.wanted[lanePrices] == 0 {
		return
	}
	m := wire.Meta{TS: k.ts}
	f := newFrame(kindStatus, statusSize, func(dst []byte) []byte { return wire.AppendStatus(dst, st, m) })
	s.publish(item{what: itemUpdate, channel: chanStatus, topic: t, frame: f, seq: t.seqs[lanePrices], at: now.UnixNano()})
}

// statusSnapshot encodes the last status, or that there is none. Called with mu
// held.
func (t *topic) statusSnapshot(s *Server) *frame {
	k, m := &t.status.last, wire.Meta{TS: t.status.ts, Snapshot: true}
	if !t.status.known {
		k = &wire.Status{Feed: wire.FeedDisconnected, Degraded: true, Message: "the server has just started"}
		m.TS = s.opts.Now().UnixMilli()
	}
	return newFrame(kindStatus, statusSize, func(dst []byte) []byte { return wire.AppendStatus(dst, k, m) })
}
