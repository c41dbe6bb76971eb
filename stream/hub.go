package stream

import (
	"sync"
	"sync/atomic"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// topic is one mint: its last price, its numbering, and who wants it. The
// candles of a mint and interval have a topic of their own, which is there only
// while it is held.
type topic struct {
	// static after construction
	mint solana.PublicKey
	id   string // base58
	// candles says that this is the topic of the mint's candles of interval.
	candles  bool
	interval swapcast.Interval

	// guarded by registry.mu
	refs       int    // subscriptions and waiting requests that hold it
	published  bool   // somebody publishes to it
	prev, next *topic // neighbours in the list of those that nobody holds

	mu sync.Mutex
	// guarded by mu
	price    swapcast.Price // valid where priced
	priced   bool
	priceTS  int64 // Unix milliseconds
	priceSeq uint64
	tradeSeq uint64
	candle   swapcast.Candle // the last one, valid where candled; of candle topics
	candled  bool
	candleTS int64 // Unix milliseconds
	// candleSeq counts the candle messages of the asset and interval.
	candleSeq uint64
	wanted    [channels]uint64 // bit i: shard i has subscribers

	// shards[i] is owned by the goroutine of shard i; nil until the topic is
	// held for the first time.
	shards []local
}

// local is what one shard knows of a topic. Its numbers are those of what the
// shard has taken up, which may be behind the topic's: a snapshot made from
// them fits between the updates that the shard's clients have got and those
// that they will get.
type local struct {
	subs     [channels][]*subscription
	last     *frame // last price or candle taken up; nil: none since the shard began to listen
	snapshot *frame // the same marked as a snapshot; nil: not asked for yet
	seqs     [channels]uint64
}

// registry finds the topic of a mint. Those that nobody holds and somebody has
// published to are kept for their last price up to a bound, then the longest
// silent is forgotten.
type registry struct {
	// static after construction
	shards  int
	retain  int
	metrics *Metrics

	mu sync.Mutex
	// guarded by mu
	topics  map[solana.PublicKey]*topic
	candles [swapcast.Intervals]map[solana.PublicKey]*topic // all of them held
	idle    topic                                           // head of the ring of topics without refs, freshest first
	idles   int
	// floor is the highest seq of any topic that was forgotten. A topic that
	// comes (back) begins there, so that no client sees a seq fall.
	floor, candleFloor uint64

	// candleTopics is how many topics candles has, readable without mu.
	candleTopics atomic.Int64
}

func newRegistry(shards, retain int, m *Metrics) *registry {
	r := &registry{shards: shards, retain: retain, metrics: m, topics: make(map[solana.PublicKey]*topic)}
	r.idle.next, r.idle.prev = &r.idle, &r.idle
	for i := range r.candles {
		r.candles[i] = make(map[solana.PublicKey]*topic)
	}
	return r
}

// acquire returns the topic of a mint and holds it.
func (r *registry) acquire(mint solana.PublicKey) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.get(mint)
	if t.refs == 0 {
		r.unlink(t)
	}
	t.refs++
	if t.shards == nil {
		t.shards = make([]local, r.shards)
	}
	return t
}

// held returns the topic of a mint and holds it, if somebody holds it already:
// another has no subscription that could be ended. Else it returns nil.
func (r *registry) held(mint solana.PublicKey) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.topics[mint]
	if t == nil || t.refs == 0 {
		return nil
	}
	t.refs++
	return t
}

// release gives up one hold on a topic. One that nobody has published to is
// forgotten at once: there is nothing to keep, and clients can name as many as
// they like.
func (r *registry) release(t *topic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.refs--; t.refs > 0 {
		return
	}
	if t.candles {
		r.forgetCandles(t)
		return
	}
	if !t.published {
		delete(r.topics, t.mint) // its numbers are not above floor
		return
	}
	r.link(t)
	r.evict()
}

// touch returns the topic that an update is published to.
func (r *registry) touch(mint solana.PublicKey) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.get(mint)
	t.published = true
	if t.refs == 0 {
		r.unlink(t)
		r.link(t)
		r.evict()
	}
	return t
}

// get finds or makes a topic. Called with mu held.
func (r *registry) get(mint solana.PublicKey) *topic {
	t := r.topics[mint]
	if t == nil {
		t = &topic{
			mint: mint, id: string(wire.AppendBase58(nil, mint[:])),
			priceSeq: r.floor, tradeSeq: r.floor,
		}
		r.topics[mint] = t
		r.link(t)
	}
	return t
}

// link puts a topic to the front of those without refs. Called with mu held.
func (r *registry) link(t *topic) {
	t.prev, t.next = &r.idle, r.idle.next
	t.prev.next, t.next.prev = t, t
	r.idles++
}

// unlink takes a topic out of those without refs. Called with mu held.
func (r *registry) unlink(t *topic) {
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next = nil, nil
	r.idles--
}

// evict forgets the longest silent topics beyond the bound; the freshest one
// stays in any case, since its caller is about to use it. Called with mu held.
func (r *registry) evict() {
	for r.idles > max(r.retain, 1) {
		t := r.idle.prev
		r.unlink(t)
		delete(r.topics, t.mint)
		t.mu.Lock()
		r.floor = max(r.floor, t.priceSeq, t.tradeSeq)
		t.mu.Unlock()
		r.metrics.evict()
	}
}

// len is how many topics there are.
func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.topics)
}

// PublishPrice gives a price its number and hands it to the shards whose
// clients want it; it is encoded at most once. It never blocks: a shard that
// is too far behind keeps only the newest price of an asset. Updates of one
// mint are published in the order of the calls. The price is copied.
func (s *Server) PublishPrice(p *swapcast.Price) {
	now := s.opts.Now()
	t := s.registry.touch(p.Mint)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.price, t.priced, t.priceTS = *p, true, now.UnixMilli()
	t.priceSeq++
	if t.wanted[chanPrices] == 0 {
		return
	}
	m := wire.Meta{Seq: t.priceSeq, TS: t.priceTS, Feed: s.Feed()}
	f := newFrame(kindPrice, priceSize, func(dst []byte) []byte { return wire.AppendPrice(dst, p, m) })
	s.publish(item{what: itemUpdate, channel: chanPrices, topic: t, frame: f, seq: t.priceSeq, at: now.UnixNano(), receivedAt: p.ReceivedAt})
}

// PublishTrade is PublishPrice for a trade, but that a shard too far behind
// drops it and tells its subscribers of the gap.
func (s *Server) PublishTrade(tr *swapcast.Trade) {
	now := s.opts.Now()
	t := s.registry.touch(tr.Mint)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tradeSeq++
	if t.wanted[chanTrades] == 0 {
		return
	}
	m := wire.Meta{Seq: t.tradeSeq, TS: now.UnixMilli(), Feed: s.Feed()}
	f := newFrame(kindTrade, tradeSize, func(dst []byte) []byte { return wire.AppendTrade(dst, tr, m) })
	s.publish(item{what: itemUpdate, channel: chanTrades, topic: t, frame: f, seq: t.tradeSeq, at: now.UnixNano(), receivedAt: tr.ReceivedAt})
}

// Sizes that hold nearly every message, so that encoding allocates once.
const (
	priceSize  = 512
	tradeSize  = 560
	candleSize = 384
)

// publish hands an update to the shards that want it. Called with the topic's
// mu held, which keeps a mint's updates in order.
func (s *Server) publish(it item) {
	for wanted, i := it.topic.wanted[it.channel], 0; wanted != 0; wanted, i = wanted>>1, i+1 {
		if wanted&1 != 0 {
			s.shards[i].update(it)
		}
	}
}

// listen marks the shard as one that wants a channel of the topic, and brings
// what it knows of it up to the topic's present state. Everything published
// after it reaches the shard; what still waits in the shard's queue from an
// earlier interest has a lower seq and is passed over.
func (t *topic) listen(sh *shard, ch channel) {
	l := &t.shards[sh.index]
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.wanted[ch] == 0
	t.wanted[ch] |= 1 << sh.index
	switch ch {
	case chanTrades:
		l.seqs[ch] = t.tradeSeq
	case chanCandles:
		if first {
			t.ask(sh.srv)
		}
		l.seqs[ch] = t.candleSeq
		l.last, l.snapshot = nil, t.candleSnapshot(sh.srv)
	default:
		l.seqs[ch] = t.priceSeq
		l.last, l.snapshot = nil, t.snapshot(sh.srv)
	}
}

// leave ends listen.
func (t *topic) leave(sh *shard, ch channel) {
	l := &t.shards[sh.index]
	t.mu.Lock()
	t.wanted[ch] &^= 1 << sh.index
	t.mu.Unlock()
	if ch != chanTrades {
		l.last, l.snapshot = nil, nil
	}
}

// snapshot encodes the last price, or that there is none. Called with mu held.
func (t *topic) snapshot(s *Server) *frame {
	p, m := &t.price, wire.Meta{Seq: t.priceSeq, TS: t.priceTS, Feed: s.Feed(), Snapshot: true}
	if !t.priced {
		p, m.TS = &swapcast.Price{Mint: t.mint}, s.opts.Now().UnixMilli()
	}
	return newFrame(kindPrice, priceSize, func(dst []byte) []byte { return wire.AppendPrice(dst, p, m) })
}

// current returns the snapshot that fits what the shard's clients have got; nil
// where there is no candle yet.
func (l *local) current() *frame {
	if l.snapshot == nil && l.last != nil {
		k := l.last.kind
		if k == kindFinal {
			k = kindCandle // who asks again gets it again
		}
		l.snapshot = newFrame(k, len(l.last.bytes)+len(`,"snapshot":true`), func(dst []byte) []byte {
			return wire.AppendAsSnapshot(dst, l.last.payload())
		})
	}
	return l.snapshot
}
