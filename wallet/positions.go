package wallet

import (
	"slices"
	"sync"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// PositionOptions configure Positions. The zero value works.
type PositionOptions struct {
	// MaxEvents is how many transactions are kept of one wallet: beyond it the
	// oldest that are settled are folded into what they left, four fifths stay, and
	// its history is filled no further. Default 5,000.
	MaxEvents int
	// MaxHistory is how many transactions of before it was watched are read of one
	// wallet. Default 2,000.
	MaxHistory int
	Metrics    *Metrics // nil counts nothing
}

// Positions are what watched wallets did, and what follows from it.
type Positions struct {
	opts PositionOptions // static after NewPositions

	mu sync.RWMutex
	// guarded by mu
	wallets map[solana.PublicKey]*trail
	touched map[swapcast.TxRef][]solana.PublicKey // by what is not settled
	settled uint64
}

// trail is one wallet's.
type trail struct {
	events []*Event // as the chain had them
	known  map[swapcast.TxRef]*Event
	base   *accounts // what folded events left; nil: none was folded
	last   *Event    // the newest that was folded
	past   Past

	unsaved []*Event // not in the store yet
	folded  []*Event // to be taken out of the store
	rebased bool     // base is not in the store yet
	repast  bool     // past is not
	reset   bool     // what the store has is of another chain
}

// NewPositions makes an empty set.
func NewPositions(o PositionOptions) *Positions {
	if o.MaxEvents <= 0 {
		o.MaxEvents = 5_000
	}
	if o.MaxHistory <= 0 {
		o.MaxHistory = 2_000
	}
	return &Positions{
		opts:    o,
		wallets: make(map[solana.PublicKey]*trail),
		touched: make(map[swapcast.TxRef][]solana.PublicKey),
	}
}

// Watch begins to follow a wallet; it is nothing where it is followed already.
func (p *Positions) Watch(owner solana.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wallets[owner] == nil {
		p.wallets[owner] = &trail{known: make(map[swapcast.TxRef]*Event)}
	}
}

// Unwatch forgets a wallet.
func (p *Positions) Unwatch(owner solana.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil {
		return
	}
	for _, e := range t.events {
		p.untouch(e.Ref(), owner)
	}
	p.opts.Metrics.kept(-len(t.events))
	delete(p.wallets, owner)
}

// open tells whether an event may still be retracted. Called with mu held.
func (p *Positions) open(e *Event) bool {
	_, ok := p.touched[e.Ref()]
	return ok
}

// untouch forgets that a transaction that is not settled had to do with a wallet.
// Called with mu held.
func (p *Positions) untouch(ref swapcast.TxRef, owner solana.PublicKey) {
	owners, ok := p.touched[ref]
	if !ok {
		return
	}
	owners = slices.DeleteFunc(owners, func(o solana.PublicKey) bool { return o == owner })
	if len(owners) == 0 {
		delete(p.touched, ref)
		return
	}
	p.touched[ref] = owners
}

// Apply takes a transaction that counts, wherever it stands among the others, and
// appends to dst the wallets that it changed. One that was applied before changes
// nothing.
func (p *Positions) Apply(tx *Tx, price Price, dst []solana.PublicKey) []solana.PublicKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := len(dst)
	for i := range tx.Changes {
		owner := tx.Changes[i].Owner
		t := p.wallets[owner]
		if t == nil || slices.Contains(dst[start:], owner) {
			continue
		}
		e := NewEvent(owner, tx, price)
		if e == nil || !p.insert(t, e) {
			continue
		}
		if e.Slot > p.settled {
			p.touched[e.Ref()] = append(p.touched[e.Ref()], owner)
		}
		p.opts.Metrics.took(fromStream, 1)
		dst = append(dst, owner)
		p.fold(t)
	}
	return dst
}

// insert puts an event where it belongs. Called with mu held.
func (p *Positions) insert(t *trail, e *Event) bool {
	if _, twice := t.known[e.Ref()]; twice {
		return false
	}
	if t.last != nil && compareEvents(e, t.last) <= 0 {
		p.opts.Metrics.drop(dropLate)
		return false
	}
	at, _ := slices.BinarySearchFunc(t.events, e, compareEvents)
	t.events = slices.Insert(t.events, at, e)
	t.known[e.Ref()] = e
	t.unsaved = append(t.unsaved, e)
	p.opts.Metrics.kept(1)
	return true
}

// remove takes an event out again. Called with mu held.
func (p *Positions) remove(t *trail, e *Event) {
	is := func(o *Event) bool { return o == e }
	t.events = slices.DeleteFunc(t.events, is)
	t.unsaved = slices.DeleteFunc(t.unsaved, is)
	delete(t.known, e.Ref())
	p.opts.Metrics.kept(-1)
}

// fold keeps only what the oldest events left, where there are too many. Called
// with mu held.
func (p *Positions) fold(t *trail) {
	if len(t.events) <= p.opts.MaxEvents {
		return
	}
	n := 0
	for n < len(t.events)-p.opts.MaxEvents*4/5 && !p.open(t.events[n]) {
		n++
	}
	if n == 0 {
		return
	}
	if t.base == nil {
		t.base = newAccounts()
	}
	for _, e := range t.events[:n] {
		t.base.apply(e)
		delete(t.known, e.Ref())
	}
	t.folded = append(t.folded, t.events[:n]...)
	t.last = t.events[n-1]
	t.events = slices.Delete(t.events, 0, n)
	t.unsaved = slices.DeleteFunc(t.unsaved, func(e *Event) bool { return compareEvents(e, t.last) <= 0 })
	t.rebased, t.repast = true, true
	if len(t.past.Spans) > 0 {
		t.past.Spans, t.past.Truncated = nil, true
	}
	p.opts.Metrics.kept(-n)
	p.opts.Metrics.fold(n)
}

// Retract takes back what transactions did, and appends to dst the wallets that it
// changed. Those that are unknown are passed over, and those that are settled.
func (p *Positions) Retract(dead []swapcast.TxRef, dst []solana.PublicKey) []solana.PublicKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ref := range dead {
		for _, owner := range p.touched[ref] {
			t := p.wallets[owner]
			p.remove(t, t.known[ref])
			p.opts.Metrics.took(retracted, 1)
			if !slices.Contains(dst, owner) {
				dst = append(dst, owner)
			}
		}
		delete(p.touched, ref)
	}
	return dst
}

// Settle says that nothing up to slot will be retracted.
func (p *Positions) Settle(slot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slot <= p.settled {
		return
	}
	p.settled = slot
	for ref := range p.touched {
		if ref.Slot <= slot {
			delete(p.touched, ref)
		}
	}
}

// Restart forgets what wallets did, and nothing else: the chain has begun anew.
func (p *Positions) Restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled = 0
	clear(p.touched)
	for owner, t := range p.wallets {
		p.opts.Metrics.kept(-len(t.events))
		p.wallets[owner] = &trail{known: make(map[swapcast.TxRef]*Event), reset: true}
	}
}

// Events are what is kept of a wallet, oldest first, for tests and diagnosis.
func (p *Positions) Events(owner solana.PublicKey) []*Event {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if t := p.wallets[owner]; t != nil {
		return slices.Clone(t.events)
	}
	return nil
}
