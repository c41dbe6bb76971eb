package wallet

import (
	"cmp"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Span is a part of an address's history that is still to be read, newest first.
type Span struct {
	Address solana.PublicKey `json:"a"`          // the wallet, or a token account of it
	Before  solana.Signature `json:"b"`          // what is older than this one; zero: all there is
	Until   solana.Signature `json:"u"`          // and newer than this one; zero: to the beginning
	From    uint64           `json:"f,omitzero"` // and not before this slot
	At      uint64           `json:"n,omitzero"` // as a node lists it that has this slot
}

// Past says how far the history of before a wallet was watched has been read.
type Past struct {
	Spans     []Span `json:"s"`
	Accounts  bool   `json:"c"` // token accounts have got their spans
	Read      int    `json:"r"` // transactions so far
	Oldest    uint64 `json:"o"` // slot of the oldest of them
	OldestAt  int64  `json:"t"` // its time, Unix seconds
	Began     bool   `json:"g"` // somebody reads it, or has
	Truncated bool   `json:"x"` // there is more, and it will not be read
	Missing   int    `json:"m"` // listed, and could not be had

	// Head is the newest that was listed of the wallet: all up to it is known, or in
	// Spans, whatever the stream brought.
	Head solana.Signature `json:"h,omitzero"`
	// Joined is the slot from which on the stream brings everything, in this run: what
	// was before it is known, or in Spans. Of a run that has ended only whether there
	// was one counts. 0: that is not certain yet.
	Joined uint64 `json:"j,omitzero"`
	Floor  uint64 `json:"l,omitzero"` // the slot from which on token accounts are to be searched
}

// Complete tells whether nothing is left to read and nothing can have been missed.
func (p *Past) Complete() bool {
	return p.Began && p.Joined != 0 && p.Accounts && len(p.Spans) == 0 && !p.Truncated
}

// maxSpans bounds the spans of one wallet: its own, those of token accounts, and
// one for each time that something was missed.
const maxSpans = 64

// Missed says that transactions of a wallet between two slots may have been missed:
// its history down to the newest that is known of before is to be read; from 0 on,
// all that no node has listed yet. A zero owner means every wallet.
func (p *Positions) Missed(owner solana.PublicKey, from, to uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !owner.IsZero() {
		if t := p.wallets[owner]; t != nil {
			p.missed(owner, t, from, to)
		}
		return
	}
	for key, t := range p.wallets {
		p.missed(key, t, from, to)
	}
}

func (p *Positions) missed(owner solana.PublicKey, t *trail, from, to uint64) {
	past := &t.past
	if past.Accounts {
		past.Accounts, past.Floor = false, from
	}
	past.Floor = min(past.Floor, from)
	// What the stream brought says nothing of what was before it until Join.
	until := past.Head
	for _, e := range slices.Backward(t.events) {
		if past.Joined != 0 && e.Slot < from && !p.open(e) {
			t.read(owner, e.Signature, to)
			return
		}
	}
	if past.Joined != 0 && t.last != nil && t.last.Slot < from {
		until = t.last.Signature
	}
	t.read(owner, until, to)
}

// Join says that everything that happens to a wallet after a slot comes. What a node
// had not confirmed when it listed the wallet's history, and what was there before
// the wallet was asked for, is in neither: it is to be read now.
func (p *Positions) Join(owner solana.PublicKey, slot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil || t.past.Joined != 0 {
		return
	}
	t.past.Joined, t.repast = slot, true
	if !t.past.Began {
		return // whoever begins reads it
	}
	// A list that is on its way is of before: what comes of it is not taken.
	for i := range t.past.Spans {
		if s := &t.past.Spans[i]; s.Address == owner && s.Before.IsZero() {
			s.At = max(s.At, slot)
			return
		}
	}
	t.read(owner, t.past.Head, slot)
}

// read has the history read down to a transaction, or all of it.
func (t *trail) read(owner solana.PublicKey, until solana.Signature, at uint64) {
	past := &t.past
	s := Span{Address: owner, Until: until, At: max(at, past.Joined)}
	past.Began, t.repast = true, true
	full := len(past.Spans) >= maxSpans
	if full {
		past.Accounts, past.Floor, s.Until = false, 0, solana.Signature{}
	}
	past.Spans = append(slices.DeleteFunc(past.Spans, func(o Span) bool {
		// One that goes down to the beginning has all of the wallet's.
		return full || o == s || s.Until.IsZero() && o.Address == owner
	}), s)
}

// SearchAccounts has the history of token accounts read too, once what the stream
// brings is joined to it, and again after something was missed: what others send
// there does not name the wallet.
func (p *Positions) SearchAccounts(owner solana.PublicKey, accounts []solana.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil || t.past.Accounts || t.past.Joined == 0 {
		return
	}
	past := &t.past
	past.Accounts, t.repast = true, true
	for _, a := range accounts {
		if len(past.Spans) < maxSpans && !past.Truncated {
			past.Spans = append(past.Spans, Span{Address: a, From: past.Floor, At: past.Joined})
		}
	}
}

// Next is the part of a wallet's history to read next; false where there is none.
func (p *Positions) Next(owner solana.PublicKey) (Span, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t := p.wallets[owner]
	if t == nil || len(t.past.Spans) == 0 {
		return Span{}, false
	}
	return t.past.Spans[0], true
}

// Find is a transaction of a wallet that is known already, nil where it is not.
func (p *Positions) Find(owner solana.PublicKey, ref swapcast.TxRef) *Event {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t := p.wallets[owner]
	if t == nil {
		return nil
	}
	return t.known[ref]
}

// Slot are the transactions of a wallet in a slot.
func (p *Positions) Slot(owner solana.PublicKey, slot uint64) []*Event {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t := p.wallets[owner]
	if t == nil {
		return nil
	}
	from, _ := slices.BinarySearchFunc(t.events, slot, func(e *Event, s uint64) int { return cmp.Compare(e.Slot, s) })
	to := from
	for to < len(t.events) && t.events[to].Slot == slot {
		to++
	}
	return slices.Clone(t.events[from:to])
}

// Page is a part of a span that was read.
type Page struct {
	Span   Span             // as Next gave it
	Events []*Event         // one that is known already takes the place of what is known
	Read   int              // transactions, those that did nothing to the wallet too
	First  solana.Signature // the newest that was read
	Last   solana.Signature // the oldest that was read; what is before it comes next
	Slot   uint64           // its slot
	At     int64            // and time
	Done   bool             // there is nothing before it

	Missing int // that could not be had
}

// Fill takes a part of a wallet's history, which the chain holds for good. It
// reports whether anything changed.
func (p *Positions) Fill(owner solana.PublicKey, g *Page) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil {
		return false
	}
	i := slices.Index(t.past.Spans, g.Span)
	if i < 0 {
		return false // it was asked for otherwise meanwhile
	}
	took := 0
	for _, e := range g.Events {
		if old := t.known[e.Ref()]; old != nil && old.Loose {
			p.remove(t, old)
			took--
		}
		if p.insert(t, e) {
			took++
		}
	}
	p.opts.Metrics.took(fromHistory, took)
	past := &t.past
	past.Read += g.Read
	past.Missing += g.Missing
	if g.Slot != 0 && (past.Oldest == 0 || g.Slot < past.Oldest) {
		past.Oldest, past.OldestAt = g.Slot, g.At
	}
	if g.Span.Address == owner && g.Span.Before.IsZero() && !g.First.IsZero() {
		past.Head = g.First
	}
	t.repast = true
	switch {
	case g.Done:
		past.Spans = slices.Delete(past.Spans, i, i+1)
	case past.Read >= p.opts.MaxHistory || len(t.events) >= p.opts.MaxEvents:
		past.Spans, past.Truncated = nil, true
	default:
		past.Spans[i].Before = g.Last
	}
	return true
}
