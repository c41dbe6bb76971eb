package parser

import (
	"github.com/swapcast/swapcast"
)

// Result is what one transaction holds. It is reused: Parse empties it and
// keeps its memory.
type Result struct {
	// Swaps in execution order.
	Swaps []swapcast.Swap
	// Unparsed lists the instructions that should have been swaps and could not
	// be read as such.
	Unparsed []swapcast.Unparsed
}

// Parser finds swaps. It holds scratch memory only, so that a busy stream
// costs no allocation: nothing of one transaction is known in the next. It is
// for one goroutine at a time; make one per worker.
type Parser struct {
	// static after New
	dexes    []dex
	programs programs

	// of the transaction at hand
	tx    *swapcast.Transaction
	out   *Result
	keys  int
	kinds [maxKeys]kind
	calls []uint32 // invocations met so far, by DEX
	rows  rows
	logs  logIndex
	call  call
}

// New returns a parser for all DEXes of the list.
func New() *Parser {
	p := &Parser{dexes: dexes()}
	p.programs = newPrograms(p.dexes)
	p.calls = make([]uint32, len(p.dexes))
	return p
}

// Parse finds the swaps of one transaction and replaces what out held. Failed
// transactions and votes hold none. It never panics, whatever the transaction's
// bytes are, keeps nothing of tx, and does not change it.
func (p *Parser) Parse(tx *swapcast.Transaction, out *Result) {
	out.Swaps = out.Swaps[:0]
	out.Unparsed = out.Unparsed[:0]
	if tx.Failed || tx.Vote || !p.classify(tx) {
		return
	}
	p.tx, p.out = tx, out
	p.rows.ready = false
	p.logs.ready = false
	clear(p.calls)
	for i := range tx.Instructions {
		if k := p.kindOf(&tx.Instructions[i]); k >= kindDEX {
			p.instruction(i, int(k-kindDEX))
		}
	}
	markInterim(out.Swaps)
	p.tx, p.out = nil, nil
	p.call.tx, p.call.ix = nil, nil
}

// instruction reads one instruction of a DEX.
func (p *Parser) instruction(pos, which int) {
	d := &p.dexes[which]
	nth := p.calls[which]
	p.calls[which]++
	ix := &p.tx.Instructions[pos]
	if discriminator(ix.Data) == eventTag {
		return // belongs to the instruction that emitted it
	}
	c := &p.call
	c.begin(p, d, which, pos, nth)
	mark := len(p.out.Swaps)
	ok, why := d.decode(c)
	if !ok && why == "" && c.opposed() {
		why = unknownInstruction
	}
	if why == "" {
		return
	}
	p.out.Swaps = p.out.Swaps[:mark]
	p.out.Unparsed = append(p.out.Unparsed, swapcast.Unparsed{
		Signature: p.tx.Signature,
		Slot:      p.tx.Slot,
		DEX:       d.name,
		Path:      swapcast.Path{Outer: int(ix.Outer), Inner: int(ix.Inner)},
		Reason:    string(why),
	})
}
