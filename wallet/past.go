package wallet

import (
	"cmp"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Span is a part of an address's history that is still to be read, newest first.
type Span struct {
	Address solana.PublicKey `json:"a"` // the wallet, or a token account of it
	Before  solana.Signature `json:"b"` // what is older than this one; zero: all there is
	Until   solana.Signature `json:"u"` // and newer than this one; zero: to the beginning
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
}

// maxSpans bounds the spans of one wallet: its own, those of token accounts, and
// one for each time that something was missed.
const maxSpans = 64

// Missed says that transactions of a wallet from a slot on may have been missed:
// its history down to the newest that is known of before is to be read; from 0 on,
// all of it. A zero owner means every wallet.
func (p *Positions) Missed(owner solana.PublicKey, slot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !owner.IsZero() {
		if t := p.wallets[owner]; t != nil {
			p.missed(owner, t, slot)
		}
		return
	}
	for key, t := range p.wallets {
		p.missed(key, t, slot)
	}
}

func (p *Positions) missed(owner solana.PublicKey, t *trail, slot uint64) {
	var until *Event
	for _, e := range slices.Backward(t.events) {
		if e.Slot < slot && !p.open(e) {
			until = e
			break
		}
	}
	if until == nil && t.last != nil && t.last.Slot < slot {
		until = t.last
	}
	t.read(owner, until)
}

// read has the history read down to an event, or all of it.
func (t *trail) read(owner solana.PublicKey, until *Event) {
	s := Span{Address: owner}
	if until != nil {
		s.Until = until.Signature
	}
	t.past.Began, t.repast = true, true
	if until == nil || len(t.past.Spans) >= maxSpans {
		// It has all of the wallet's.
		t.past.Spans = slices.DeleteFunc(t.past.Spans, func(o Span) bool { return o.Address == owner || len(t.past.Spans) >= maxSpans })
		s.Until = solana.Signature{}
	}
	t.past.Spans = append(slices.DeleteFunc(t.past.Spans, func(o Span) bool { return o == s }), s)
}

// SearchAccounts has the history of token accounts read too, once: what others
// send there does not name the wallet.
func (p *Positions) SearchAccounts(owner solana.PublicKey, accounts []solana.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wallets[owner]
	if t == nil || t.past.Accounts {
		return
	}
	t.past.Accounts, t.repast = true, true
	for _, a := range accounts {
		if len(t.past.Spans) < maxSpans && !t.past.Truncated {
			t.past.Spans = append(t.past.Spans, Span{Address: a})
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
