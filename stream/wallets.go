package stream

import (
	"context"
	"sync"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// acquireWallet returns the topic of a wallet's balances and holds it; nil where
// as many wallets are listened to as may be.
func (r *registry) acquireWallet(owner solana.PublicKey, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.wallets[c][owner]
	if t == nil {
		if len(r.wallets[swapcast.Processed])+len(r.wallets[swapcast.Confirmed]) >= r.mostWallet {
			return nil
		}
		t = r.fleeting(topicWallet, owner, c)
		r.wallets[c][owner] = t
		r.watch.look(owner)
	}
	t.refs++
	return t
}

// heldWallet is held for wallets.
func (r *registry) heldWallet(owner solana.PublicKey, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.wallets[c][owner]
	if t != nil {
		t.refs++
	}
	return t
}

// forgetWallet forgets a topic of balances that nobody holds any more. Called
// with mu held.
func (r *registry) forgetWallet(t *topic) {
	delete(r.wallets[t.commitment], t.key)
	r.sink(t)
	r.watch.look(t.key)
}

// findWallet returns the topic of a wallet's balances, nil where nobody holds it.
func (r *registry) findWallet(owner solana.PublicKey, c swapcast.Commitment) *topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wallets[c][owner]
}

// listened tells whether anybody listens to a wallet.
func (r *registry) listened(owner solana.PublicKey) bool {
	return r.findWallet(owner, swapcast.Processed) != nil || r.findWallet(owner, swapcast.Confirmed) != nil
}

// PublishBalance is PublishTrade for a balance of a wallet: kept for a slow
// client up to a bound, numbered by wallet. Nothing is done where nobody listens
// to the wallet, and nothing is kept for later: a subscription begins with what
// Options.Balances knows.
func (s *Server) PublishBalance(b *swapcast.Balance) {
	t := s.registry.findWallet(b.Owner, served(b.Commitment))
	if t == nil {
		return
	}
	now := s.opts.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seqs[lanePrices]++
	if t.wanted[lanePrices] == 0 {
		return
	}
	m := wire.Meta{Seq: t.seqs[lanePrices], TS: now.UnixMilli(), Feed: s.Feed()}
	f := newFrame(kindBalance, balanceSize, func(dst []byte) []byte { return wire.AppendBalance(dst, b, m) })
	s.publish(item{what: itemUpdate, channel: chanBalances, topic: t, frame: f, seq: m.Seq, at: now.UnixNano(), receivedAt: b.ReceivedAt})
}

// backlog is what a subscription to a wallet still has to be given: the balances
// it begins with, then what was published meanwhile. Owned by the shard.
type backlog struct {
	begin []swapcast.Balance
	meta  wire.Meta
	later []*frame
}

// beginBalances lets a subscription to a wallet begin, or begin again, with what
// is known of it.
func (s *shard) beginBalances(sub *subscription) {
	if s.srv.opts.Balances == nil {
		return
	}
	known := s.srv.opts.Balances(sub.topic.key, sub.topic.commitment)
	if len(known) == 0 {
		return
	}
	if sub.backed == nil {
		sub.backed = new(backlog)
	}
	sub.backed.begin = known
	sub.backed.meta = wire.Meta{
		Seq: sub.topic.shards[s.index].seqs[lanePrices], TS: s.srv.opts.Now().UnixMilli(), Feed: s.srv.Feed(), Snapshot: true,
	}
	s.fallBehind(sub)
}

// refillBalances gives a subscription to a wallet up to most of what it lacks.
func (s *shard) refillBalances(sub *subscription, most int) {
	b, c := sub.backed, sub.conn
	for ; most > 0 && len(b.begin) > 0 && !c.ending; most-- {
		s.deliverKept(c, newFrame(kindBalance, balanceSize, func(dst []byte) []byte { return wire.AppendBalance(dst, &b.begin[0], b.meta) }))
		b.begin = b.begin[1:]
	}
	for ; most > 0 && len(b.begin) == 0 && len(b.later) > 0 && !c.ending; most-- {
		s.deliverKept(c, b.later[0])
		b.later = b.later[1:]
	}
	if len(b.begin) == 0 && len(b.later) == 0 {
		sub.behind, sub.backed = false, nil
	}
}

// watch tells Options.OnWallet which wallets somebody listens to. It remembers
// which ones may have changed, not the changes, so that it holds at most one
// entry a wallet, however slow the callback is.
type watch struct {
	// static after construction
	call     func(owner solana.PublicKey, watched bool)
	listened func(owner solana.PublicKey) bool
	wake     chan struct{} // one slot; never closed

	mu sync.Mutex
	// guarded by mu
	changed map[solana.PublicKey]struct{}

	// owned by run
	told map[solana.PublicKey]struct{} // those that were said to be watched
}

func newWatch(call func(solana.PublicKey, bool)) *watch {
	if call == nil {
		return nil
	}
	return &watch{
		call: call, wake: make(chan struct{}, 1),
		changed: make(map[solana.PublicKey]struct{}), told: make(map[solana.PublicKey]struct{}),
	}
}

// look notes that a wallet has gained its first listener, or lost its last.
func (w *watch) look(owner solana.PublicKey) {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.changed[owner] = struct{}{}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// run tells until ctx ends.
func (w *watch) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		w.mu.Lock()
		changed := w.changed
		w.changed = make(map[solana.PublicKey]struct{})
		w.mu.Unlock()
		for owner := range changed {
			_, told := w.told[owner]
			now := w.listened(owner)
			switch {
			case now == told:
				continue
			case now:
				w.told[owner] = struct{}{}
			default:
				delete(w.told, owner)
			}
			w.call(owner, now)
		}
	}
}
