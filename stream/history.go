package stream

import (
	"slices"
	"sort"
	"sync"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// history keeps the last trades and retracts of each asset for clients that
// resume, listened to or not, and the gaps that the server itself has.
//
// It also gives what no client may miss (trades, retracts, final candles) a
// position that grows over all assets, and puts it into the shards' queues under
// the same lock: what a shard hands out is in the order of positions, so that one
// number says how far a client of several assets has come.
type history struct {
	// static after construction
	perAsset int // blocks
	total    int

	mu sync.Mutex
	// guarded by mu, with the past of every topic
	position uint64
	blocks   int   // of all topics
	order    block // head of the ring of blocks, that with the newest entry first
	gaps     []recordedGap
}

// past is what history keeps of a topic's trades. Guarded by history.mu.
type past struct {
	blocks []*block // the oldest first; all but the last are full
	// Of the newest trade or retract, kept or not.
	lastSeq, lastPosition uint64
	forgotten             uint64 // no position above it was forgotten
}

// block is some consecutive trades of a topic. Blocks are given up whole, in the
// order of their newest entries: of an asset beyond its bound its own oldest one,
// beyond the bound of all the oldest one of any.
type block struct {
	topic      *topic
	prev, next *block
	count      int
	entries    [blockSize]pastEntry
}

const blockSize = 8

// pastEntry is a trade or a retract that was published. It keeps the trade
// itself, which costs a copy, and its frame only where somebody needed one.
type pastEntry struct {
	seq      uint64
	position uint64
	ts       int64
	frame    *frame            // nil: nobody needed it yet
	retract  *swapcast.Retract // nil: it is a trade
	trade    swapcast.Trade
}

// recordedGap is a gap of the server's own, and the position at which it was told.
type recordedGap struct {
	position uint64
	gap      swapcast.Gap
}

// maxRecordedGaps is how many gaps are kept apart for clients that resume; of
// more, the oldest ones become one that spans them.
const maxRecordedGaps = 64

func newHistory(l *Limits) *history {
	h := &history{
		perAsset: l.HistoryTrades/blockSize + 2, // the oldest one may just have gone, the newest be empty
		total:    max(l.HistoryTotal/blockSize, 1),
		position: 1, // 0 is none
	}
	h.order.next, h.order.prev = &h.order, &h.order
	return h
}

// publish gives an update its position, which it returns, keeps it where it is a
// trade or a retract (e not nil, complete but for position and frame), and hands
// it to the shards where it has a frame. Called with the topic's mu held.
func (h *history) publish(s *Server, it item, e *pastEntry) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position++
	if it.frame != nil {
		it.frame.position = h.position
	}
	if e != nil {
		e.position, e.frame = h.position, it.frame
		h.keep(it.topic, e)
	}
	if it.frame != nil {
		s.publish(it)
	}
	return h.position
}

// keep adds an entry to a topic's past. Called with mu held.
func (h *history) keep(t *topic, e *pastEntry) {
	p := &t.past
	p.lastSeq, p.lastPosition = e.seq, e.position
	var last *block
	if n := len(p.blocks); n > 0 {
		last = p.blocks[n-1]
	}
	if last == nil || last.count == blockSize {
		last = h.newBlock(t)
	} else {
		// As old as its newest entry: an asset that is seldom traded fills one for
		// minutes, and must not lose with its beginning what came a moment ago.
		last.prev.next, last.next.prev = last.next, last.prev
		h.order.push(last)
	}
	last.entries[last.count] = *e
	last.count++
}

// newBlock gives a topic a new block, for which an old one goes where there are
// as many as may be. Called with mu held.
func (h *history) newBlock(t *topic) *block {
	p := &t.past
	var b *block
	switch {
	case len(p.blocks) >= h.perAsset:
		b = p.blocks[0]
	case h.blocks >= h.total:
		b = h.order.prev
	}
	if b == nil {
		b = new(block)
		h.blocks++
	} else {
		h.take(b)
		*b = block{}
	}
	b.topic = t
	h.order.push(b)
	p.blocks = append(p.blocks, b)
	return b
}

// push makes b the newest block of a ring.
func (head *block) push(b *block) {
	b.prev, b.next = head, head.next
	b.prev.next, b.next.prev = b, b
}

// take takes a block from the topic that has it: its oldest one. Called with mu
// held.
func (h *history) take(b *block) {
	b.prev.next, b.next.prev = b.next, b.prev
	p := &b.topic.past
	p.forgotten = b.entries[b.count-1].position
	p.blocks = slices.Delete(p.blocks, 0, 1)
}

// forget drops a topic's past, and returns the position that it had come to.
func (h *history) forget(t *topic) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(t.past.blocks) > 0 {
		h.take(t.past.blocks[0])
		h.blocks--
	}
	return t.past.lastPosition
}

// skip forgets a topic's past, and has it go on behind seq: what is missing until
// there is not known.
func (h *history) skip(t *topic, seq uint64) {
	h.forget(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	t.past = past{lastSeq: seq, lastPosition: h.position, forgotten: h.position}
}

// count is how many entries there are.
func (p *past) count() int {
	n := len(p.blocks)
	if n == 0 {
		return 0
	}
	return (n-1)*blockSize + p.blocks[n-1].count
}

// at is the i-th oldest entry.
func (p *past) at(i int) *pastEntry { return &p.blocks[i/blockSize].entries[i%blockSize] }

// oldest is the seq of the oldest entry. Trades and retracts are numbered
// without holes, so that the others follow from it.
func (p *past) oldest() (seq uint64, ok bool) {
	if len(p.blocks) == 0 {
		return 0, false
	}
	return p.at(0).seq, true
}

// find returns the entry of a seq, nil where it is not kept.
func (p *past) find(seq uint64) *pastEntry {
	oldest, ok := p.oldest()
	if !ok || seq < oldest || seq-oldest >= uint64(p.count()) {
		return nil
	}
	return p.at(int(seq - oldest))
}

// now is the position of the last that was published.
func (h *history) now() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position
}

// cut is how far topics are at one moment: what comes after the position has
// seqs above these, and the other way round.
func (h *history) cut(topics []*topic) (position uint64, seqs []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		seqs = append(seqs, t.past.lastSeq)
	}
	return h.position, seqs
}

// record keeps a gap of the server's own for clients that resume.
func (h *history) record(g *swapcast.Gap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position++
	h.gaps = append(h.gaps, recordedGap{h.position, *g})
	if len(h.gaps) > maxRecordedGaps {
		second := &h.gaps[1]
		second.gap = spanned(h.gaps[0].gap, second.gap)
		h.gaps = slices.Delete(h.gaps, 0, 1)
	}
}

// spanned is one gap in place of two.
func spanned(a, b swapcast.Gap) swapcast.Gap {
	g := swapcast.Gap{FromSlot: min(a.FromSlot, b.FromSlot), ToSlot: max(a.ToSlot, b.ToSlot), Reason: a.Reason}
	if a.Reason != b.Reason {
		g.Reason = ""
	}
	return g
}

// seen is how much of a topic's past there is for a client that has seen seq.
type seen struct {
	oldest   uint64 // seq of the oldest entry, valid where any
	any      bool
	position uint64         // of seq; 0 where it is not kept, so that nothing is known
	gaps     []swapcast.Gap // of the server's own, told since that position
}

// look tells what the history has for a client that has seen seq of a topic.
func (h *history) look(t *topic, seq uint64) seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	var v seen
	v.oldest, v.any = t.past.oldest()
	if e := t.past.find(seq); e != nil {
		v.position = e.position
	} else if seq == t.past.lastSeq {
		v.position = t.past.lastPosition
	}
	v.gaps = h.gapsAfter(v.position)
	return v
}

// lostAfter are the server's own gaps told after a position.
func (h *history) lostAfter(position uint64) []swapcast.Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gapsAfter(position)
}

// gapsAfter are the server's own gaps told after a position. Called with mu held.
func (h *history) gapsAfter(position uint64) []swapcast.Gap {
	var gaps []swapcast.Gap
	for _, g := range h.gaps {
		if g.position > position {
			gaps = append(gaps, g.gap)
		}
	}
	return gaps
}

// lastBefore is the seq of the last entry of a topic up to a position, where a
// client that has come so far goes on. whole is false where something may be
// forgotten that came between the position and the oldest entry.
func (h *history) lastBefore(t *topic, position uint64) (seq uint64, whole bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &t.past
	if p.lastPosition <= position {
		return p.lastSeq, true
	}
	whole = p.forgotten <= position
	if len(p.blocks) == 0 {
		return p.lastSeq, whole
	}
	newer := sort.Search(p.count(), func(i int) bool { return p.at(i).position > position })
	return p.at(newer).seq - 1, whole
}

// refill gives subscriptions that are behind the next entries that they lack,
// in the order of positions, at least limit where there are as many. until tells how
// far to go with a topic, and is called with mu held: what is newer the shard will
// deliver itself. The entries are valid until the next call with the same dst.
func (h *history) refill(subs []*subscription, until func(*topic) uint64, limit int, dst []refilled) []refilled {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(dst) < limit {
		var next *pastEntry
		var whose *subscription
		for _, sub := range subs {
			known := until(sub.topic)
			if sub.next > known {
				continue
			}
			e := sub.topic.past.find(sub.next)
			if e == nil { // it was overwritten meanwhile
				oldest, ok := sub.topic.past.oldest()
				to := known
				if ok {
					to = min(known, oldest-1)
				}
				dst = append(dst, refilled{sub: sub, lost: seqRange{sub.next, to}})
				sub.next = to + 1
				if e = sub.topic.past.find(sub.next); e == nil || e.seq > known {
					continue
				}
			}
			if next == nil || e.position < next.position {
				next, whose = e, sub
			}
		}
		if next == nil {
			break
		}
		dst = append(dst, refilled{sub: whose, entry: *next})
		whose.next++
	}
	return dst
}

// refilled is an entry that a subscription lacks, or a range that is lost.
type refilled struct {
	sub   *subscription
	entry pastEntry
	lost  seqRange // to is 0: none
}

// encoded keeps the frame that an entry was encoded to, for the next who needs it.
func (h *history) encoded(t *topic, seq uint64, f *frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := t.past.find(seq); e != nil {
		e.frame = f
	}
}

// encode makes the frame of an entry that has none.
func (e *pastEntry) encode(feed swapcast.Feed) *frame {
	m := wire.Meta{Seq: e.seq, TS: e.ts, Feed: feed}
	f := newFrame(kindTrade, tradeSize, func(dst []byte) []byte {
		if e.retract != nil {
			return wire.AppendRetract(dst, e.retract, m)
		}
		return wire.AppendTrade(dst, &e.trade, m)
	})
	f.position = e.position
	return f
}
