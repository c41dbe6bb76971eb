package stream

import (
	"sync"
	"sync/atomic"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// commitments is how many are served: processed and confirmed.
const commitments = swapcast.Confirmed + 1

// served is the commitment under which an update is published: what is final is
// confirmed too.
func served(c swapcast.Commitment) swapcast.Commitment { return min(c, swapcast.Confirmed) }

// registry finds topics. The assets' that nobody holds and somebody has
// published to are kept for their last price up to a bound, then the longest
// silent is forgotten.
type registry struct {
	// static after construction
	shards     int
	retain     int
	mostWallet int
	metrics    *Metrics
	history    *history
	watch      *watch // told of wallets; nil: nobody asks
	status     *topic

	mu sync.Mutex
	// guarded by mu
	assets  [commitments]map[solana.PublicKey]*topic
	candles [commitments][swapcast.Intervals]map[solana.PublicKey]*topic // all of them held
	wallets [commitments]map[solana.PublicKey]*topic                     // all of them held
	idle    topic                                                        // head of the ring of assets without refs, freshest first
	idles   int
	// floors are the highest seq of any topic of a kind that was forgotten. One that
	// comes (back) begins there, so that no client sees a seq fall; where nothing
	// is counted while nobody listens, it begins one above.
	floors [topicStatus]uint64
	// forgotten is the highest position of an asset's that was forgotten.
	forgotten uint64

	// candleTopics is how many topics candles has, readable without mu.
	candleTopics [commitments]atomic.Int64
}

func newRegistry(o *Options, h *history, w *watch) *registry {
	r := &registry{
		shards: o.Shards, retain: o.Limits.RetainedAssets, mostWallet: o.Limits.WatchedWallets, metrics: o.Metrics, history: h, watch: w,
		status: &topic{kind: topicStatus, shards: make([]local, o.Shards)},
	}
	r.idle.next, r.idle.prev = &r.idle, &r.idle
	for c := range commitments {
		r.assets[c] = make(map[solana.PublicKey]*topic)
		r.wallets[c] = make(map[solana.PublicKey]*topic)
		for i := range r.candles[c] {
			r.candles[c][i] = make(map[solana.PublicKey]*topic)
		}
	}
	return r
}

// acquire returns the topic of a mint and holds it.
func (r *registry) acquire(mint solana.PublicKey, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.get(mint, c)
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
func (r *registry) held(mint solana.PublicKey, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.assets[c][mint]
	if t == nil || t.refs == 0 {
		return nil
	}
	t.refs++
	return t
}

// hold holds a topic that is there for good.
func (r *registry) hold(t *topic) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
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
	switch {
	case t.kind == topicCandles:
		r.forgetCandles(t)
	case t.kind == topicWallet:
		r.forgetWallet(t)
	case t.kind == topicStatus:
	case !t.published:
		delete(r.assets[t.commitment], t.key) // its numbers are not above the floor
	default:
		r.link(t)
		r.evict()
	}
}

// touch returns the topic that an update is published to.
func (r *registry) touch(mint solana.PublicKey, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.get(mint, c)
	t.published = true
	if t.refs == 0 {
		r.unlink(t)
		r.link(t)
		r.evict()
	}
	return t
}

// get finds or makes a topic. Called with mu held.
func (r *registry) get(mint solana.PublicKey, c swapcast.Commitment) *topic {
	t := r.assets[c][mint]
	if t == nil {
		floor := r.floors[topicAsset]
		t = &topic{key: mint, id: string(wire.AppendBase58(nil, mint[:])), commitment: c, seqs: [lanes]uint64{floor, floor}}
		t.past = past{lastSeq: floor, lastPosition: r.forgotten, forgotten: r.forgotten}
		r.assets[c][mint] = t
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
		delete(r.assets[t.commitment], t.key)
		t.mu.Lock()
		r.floors[topicAsset] = max(r.floors[topicAsset], t.seqs[lanePrices], t.seqs[laneTrades])
		t.mu.Unlock()
		r.forgotten = max(r.forgotten, r.history.forget(t))
		r.metrics.evict()
	}
}

// fleeting makes a topic that is there only while it is held. It begins above
// all that were forgotten: what came to pass while nobody listened was not
// counted, and a client that resumes must see that it may have missed something.
// Called with mu held.
func (r *registry) fleeting(kind topicKind, key solana.PublicKey, c swapcast.Commitment) *topic {
	floor := r.floors[kind]
	return &topic{
		kind: kind, key: key, id: string(wire.AppendBase58(nil, key[:])), commitment: c,
		seqs: [lanes]uint64{floor}, candle: candleState{since: floor, sinceAt: r.history.now()}, shards: make([]local, r.shards),
	}
}

// sink raises the floor over a fleeting topic that is forgotten. Called with mu held.
func (r *registry) sink(t *topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.floors[t.kind] = max(r.floors[t.kind], t.seqs[0]+1)
}

// len is how many assets there are.
func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, assets := range r.assets {
		n += len(assets)
	}
	return n
}
