package wallet

import (
	"reflect"
	"slices"

	"github.com/gagliardetto/solana-go"
)

// Saved is what a store keeps of a wallet: what is settled, and nothing else.
type Saved struct {
	Base   *Base
	Events []*Event // in any order
	Past   Past
}

// Base is what transactions left that are not kept one by one any more.
type Base struct {
	Last     *Event    `json:"last"` // the newest of them
	Accounts *accounts `json:"accounts"`
}

// Delta is what is to be changed in a store.
type Delta struct {
	Reset  bool     // forget everything first
	Events []*Event // add
	Base   *Base    // set, where not nil and newer than what is there
	Folded []*Event // take out: Base has them
	Past   *Past    // set, where not nil
}

// Unsaved is what of a wallet is not in the store yet; nil where it has all. Saved
// must be told once it has.
func (p *Positions) Unsaved(owner solana.PublicKey) *Delta {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil {
		return nil
	}
	d := &Delta{Reset: t.reset, Folded: slices.Clone(t.folded)}
	for _, e := range t.unsaved {
		if !p.open(e) {
			d.Events = append(d.Events, e)
		}
	}
	if t.rebased {
		d.Base = &Base{Last: t.last, Accounts: t.base.clone()}
	}
	if t.repast {
		past := t.past
		past.Spans = slices.Clone(past.Spans)
		d.Past = &past
	}
	if !d.Reset && len(d.Events) == 0 && d.Base == nil && d.Past == nil {
		return nil
	}
	return d
}

// Saved says that the store has taken a delta.
func (p *Positions) Saved(owner solana.PublicKey, d *Delta) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil {
		return
	}
	in := make(map[*Event]struct{}, len(d.Events)+len(d.Folded))
	for _, e := range slices.Concat(d.Events, d.Folded) {
		in[e] = struct{}{}
	}
	is := func(e *Event) bool { _, ok := in[e]; return ok }
	t.unsaved = slices.DeleteFunc(t.unsaved, is)
	t.folded = slices.DeleteFunc(t.folded, is)
	if d.Reset {
		t.reset = false
	}
	if d.Base != nil && d.Base.Last == t.last {
		t.rebased = false
	}
	if d.Past != nil && t.past.same(d.Past) {
		t.repast = false
	}
}

// Watching lists the wallets.
func (p *Positions) Watching() []solana.PublicKey {
	p.mu.RLock()
	defer p.mu.RUnlock()
	owners := make([]solana.PublicKey, 0, len(p.wallets))
	for owner := range p.wallets {
		owners = append(owners, owner)
	}
	return owners
}

// Restore takes what a store has of a wallet, beside what has come meanwhile. What
// happened since it was stored is to be read from the chain, and so is what had
// still to be read then.
func (p *Positions) Restore(owner solana.PublicKey, s *Saved) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil || t.reset {
		return
	}
	if s.Base != nil && s.Base.Last != nil && s.Base.Accounts != nil && (t.last == nil || compareEvents(s.Base.Last, t.last) > 0) {
		t.base, t.last = s.Base.Accounts.clone(), s.Base.Last
		// Of these the base has all; what is in it must not count twice.
		gone := func(e *Event) bool { return compareEvents(e, t.last) <= 0 }
		for _, e := range t.events {
			if gone(e) {
				delete(t.known, e.Ref())
				p.untouch(e.Ref(), owner)
				p.opts.Metrics.kept(-1)
			}
		}
		t.events = slices.DeleteFunc(t.events, gone)
		t.unsaved = slices.DeleteFunc(t.unsaved, gone)
	}
	took := 0
	fresh := t.unsaved
	for _, e := range s.Events {
		if t.last != nil && compareEvents(e, t.last) <= 0 {
			continue // base has it
		}
		if p.insert(t, e) {
			took++
		}
	}
	t.unsaved = fresh // the store has the others
	p.opts.Metrics.took(fromStore, took)
	spans, joined := t.past.Spans, t.past.Joined
	t.past = s.Past
	t.past.Spans, t.past.Joined = slices.Concat(s.Past.Spans, spans), joined
	newest := t.last
	for _, e := range s.Events {
		if newest == nil || compareEvents(e, newest) > 0 {
			newest = e
		}
	}
	// A run that ended before its stream was joined to the history may have missed
	// something before the newest that it stored.
	head := &t.past.Head
	if s.Past.Joined != 0 && newest != nil {
		*head = newest.Signature
		if t.past.Accounts {
			t.past.Floor = newest.Slot
		}
	}
	t.past.Accounts = false
	t.read(owner, *head, 0)
	p.fold(t)
}

// same tells whether what a store has of it is still so.
func (p *Past) same(o *Past) bool {
	a, b := *p, *o
	a.Spans, b.Spans = nil, nil
	return reflect.DeepEqual(a, b) && slices.Equal(p.Spans, o.Spans)
}
