package wallet

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gagliardetto/solana-go"
)

// Method says which of what is held is given first.
type Method uint8

// The methods: first in, first out; and at the average cost of all that is held.
const (
	FIFO Method = iota
	Average
	numMethods
)

// lot is what was acquired at once and is still held, with what it cost.
type lot struct {
	Amount uint64 `json:"n"`
	Cost   Value  `json:"c"`
}

// pool is all of an asset that is held, for the average: what is known to have cost
// Cost, and what is of unknown cost.
type pool struct {
	Amount  uint64 `json:"n"`
	Cost    uint64 `json:"c"`
	Unknown uint64 `json:"u"`
}

// Sums are what an asset's flows add up to, in raw units and in money where known.
type Sums struct {
	Amount uint64           `json:"n"`
	Value  [numUnits]uint64 `json:"v"`
	Blind  [numUnits]uint64 `json:"b"` // raw units whose value is not known
}

func (s *Sums) add(amount uint64, v Value) {
	s.Amount = addUpTo(s.Amount, amount)
	for u := range numUnits {
		if v.Known[u] {
			s.Value[u] = addUpTo(s.Value[u], v.Amount[u])
		} else {
			s.Blind[u] = addUpTo(s.Blind[u], amount)
		}
	}
}

// position is one asset of a wallet.
type position struct {
	Decimals uint8          `json:"d"`
	Lots     []lot          `json:"l"`
	Pools    [numUnits]pool `json:"p"`

	// Realized is the gain of what was given for something, and Blind how much of it
	// has no gain, in raw units, because cost or proceeds are not known.
	Realized [numMethods][numUnits]int64  `json:"r"`
	Blind    [numMethods][numUnits]uint64 `json:"b"`

	Bought, Sold, In, Out Sums
	Swaps                 int
}

// accounts are all positions of a wallet and what it paid in fees: what events
// leave when they are taken one after the other.
type accounts struct {
	Positions map[solana.PublicKey]*position
	Fees      Sums
	Swaps     int
	Events    int
}

func newAccounts() *accounts {
	return &accounts{Positions: make(map[solana.PublicKey]*position)}
}

// errNoPositions is of a text that is no accounts: another program wrote it, or
// another version.
var errNoPositions = errors.New("wallet: accounts without positions")

// UnmarshalJSON implements json.Unmarshaler. It refuses what apply could not go on
// with.
func (a *accounts) UnmarshalJSON(text []byte) error {
	type plain accounts
	if err := json.Unmarshal(text, (*plain)(a)); err != nil {
		return fmt.Errorf("wallet: accounts: %w", err)
	}
	if a.Positions == nil {
		return errNoPositions
	}
	for _, p := range a.Positions {
		if p == nil {
			return errNoPositions
		}
	}
	return nil
}

// clone copies all of it.
func (a *accounts) clone() *accounts {
	c := *a
	c.Positions = maps.Clone(a.Positions)
	for mint, p := range c.Positions {
		q := *p
		q.Lots = slices.Clone(p.Lots)
		c.Positions[mint] = &q
	}
	return &c
}

// apply takes the next event.
func (a *accounts) apply(e *Event) {
	a.Events++
	a.Swaps += e.Swaps
	for i := range e.Flows {
		f := &e.Flows[i]
		p := a.Positions[f.Mint]
		if p == nil {
			p = &position{Decimals: f.Decimals}
			a.Positions[f.Mint] = p
		}
		switch f.Kind {
		case TransferIn:
			p.In.add(f.Amount, f.Value)
			p.acquire(f)
		case Bought:
			p.Bought.add(f.Amount, f.Value)
			p.acquire(f)
			p.Swaps += e.Swaps
		case Sold:
			p.Sold.add(f.Amount, f.Value)
			p.give(f, true)
			p.Swaps += e.Swaps
		case Fee:
			a.Fees.add(f.Amount, f.Value)
			p.give(f, true)
		case TransferOut:
			p.Out.add(f.Amount, f.Value)
			p.give(f, false)
		}
	}
}

// maxLots bounds the lots of one position: beyond it the oldest two become one.
const maxLots = 4_096

// acquire adds what came.
func (p *position) acquire(f *Flow) {
	if n := len(p.Lots); n >= maxLots {
		p.Lots[1] = merge(p.Lots[0], p.Lots[1])
		p.Lots = slices.Delete(p.Lots, 0, 1)
	}
	p.Lots = append(p.Lots, lot{f.Amount, f.Value})
	for u := range numUnits {
		q := &p.Pools[u]
		if f.Value.Known[u] {
			q.Amount, q.Cost = addUpTo(q.Amount, f.Amount), addUpTo(q.Cost, f.Value.Amount[u])
		} else {
			q.Unknown = addUpTo(q.Unknown, f.Amount)
		}
	}
}

func merge(a, b lot) lot {
	m := lot{Amount: addUpTo(a.Amount, b.Amount)}
	for u := range numUnits {
		if a.Cost.Known[u] && b.Cost.Known[u] {
			m.Cost = m.Cost.In(u, addUpTo(a.Cost.Amount[u], b.Cost.Amount[u]))
		}
	}
	return m
}

// give takes away what went, and realizes its gain where it was given for
// something. More than is held has no known cost.
func (p *position) give(f *Flow, realize bool) {
	p.giveFIFO(f, realize)
	p.giveAverage(f, realize)
}

func (p *position) giveFIFO(f *Flow, realize bool) {
	left, proceeds := f.Amount, f.Value.Amount
	settle := func(amount uint64, cost Value) {
		for u := range numUnits {
			part := muldiv(proceeds[u], amount, left)
			proceeds[u] -= part
			p.realize(FIFO, u, f, amount, part, cost.Amount[u], cost.Known[u], realize)
		}
		left -= amount
	}
	for left > 0 && len(p.Lots) > 0 {
		l := &p.Lots[0]
		n := min(left, l.Amount)
		cost := Value{Known: l.Cost.Known}
		for u := range numUnits {
			cost.Amount[u] = muldiv(l.Cost.Amount[u], n, l.Amount)
			l.Cost.Amount[u] -= cost.Amount[u]
		}
		l.Amount -= n
		settle(n, cost)
		if l.Amount == 0 {
			p.Lots = p.Lots[1:]
		}
	}
	if left > 0 {
		settle(left, Value{})
	}
}

func (p *position) giveAverage(f *Flow, realize bool) {
	for u := range numUnits {
		q := &p.Pools[u]
		held := addUpTo(q.Amount, q.Unknown)
		given := min(f.Amount, held)
		known := muldiv(q.Amount, given, held) // the rest is of unknown cost
		known = max(known, given-min(given, q.Unknown))
		cost := muldiv(q.Cost, known, q.Amount)
		proceeds := muldiv(f.Value.Amount[u], known, f.Amount)
		q.Amount, q.Cost, q.Unknown = q.Amount-known, q.Cost-cost, q.Unknown-(given-known)
		p.realize(Average, u, f, known, proceeds, cost, true, realize)
		p.realize(Average, u, f, f.Amount-known, 0, 0, false, realize)
	}
}

// realize counts the gain of a part of what was given.
func (p *position) realize(m Method, u Unit, f *Flow, amount, proceeds, cost uint64, costKnown, counts bool) {
	switch {
	case !counts || amount == 0 || money(u, f.Mint):
	case costKnown && f.Value.Known[u]:
		p.Realized[m][u] = gain(p.Realized[m][u], proceeds, cost)
	default:
		p.Blind[m][u] = addUpTo(p.Blind[m][u], amount)
	}
}

// held is how much of an asset the events leave.
func (p *position) held() (amount uint64) {
	for i := range p.Lots {
		amount = addUpTo(amount, p.Lots[i].Amount)
	}
	return amount
}

// cost is what is held cost, and how much of it has no known cost.
func (p *position) cost(m Method, u Unit) (known, cost, unknown uint64) {
	if m == Average {
		q := &p.Pools[u]
		return q.Amount, q.Cost, q.Unknown
	}
	for i := range p.Lots {
		l := &p.Lots[i]
		if l.Cost.Known[u] {
			known, cost = addUpTo(known, l.Amount), addUpTo(cost, l.Cost.Amount[u])
		} else {
			unknown = addUpTo(unknown, l.Amount)
		}
	}
	return known, cost, unknown
}
