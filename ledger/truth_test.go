package ledger_test

import (
	"fmt"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
)

// bankTx is a transaction in a bank.
type bankTx struct {
	name          string
	index, amount uint64
}

// bank is one block of a slot.
type bank struct {
	slot, parent uint64
	txs          []bankTx
	main         bool // in the chain that is confirmed
	dead         bool // it will be said to have died
}

// truth is a chain as it was, with the banks that came to nothing.
type truth struct {
	first, last, end uint64 // slots; those after last are there to prove it
	banks            map[uint64][]bank
}

// main returns the bank of the slot that the chain holds, nil where it has none.
func (c *truth) main(slot uint64) *bank {
	for i := range c.banks[slot] {
		if c.banks[slot][i].main {
			return &c.banks[slot][i]
		}
	}
	return nil
}

// want returns what counts in the end, up to the last slot.
func (c *truth) want() map[solana.Signature]counted {
	m := make(map[solana.Signature]counted)
	for s := c.first; s <= c.last; s++ {
		if b := c.main(s); b != nil {
			for _, tx := range b.txs {
				m[sig(tx.name)] = counted{slot: s, amount: tx.amount}
			}
		}
	}
	return m
}

// drawTruth draws a chain with skipped slots, forks, banks that die, and
// signatures that stand in several of them.
func drawTruth(t *rapid.T) *truth {
	c := &truth{first: 100, banks: make(map[uint64][]bank)}
	c.last = c.first + uint64(rapid.IntRange(1, 14).Draw(t, "slots"))
	c.end = c.last + 4
	parent, serial := c.first-1, 0
	var landed, died []bankTx
	fresh := func(n int) (txs []bankTx) {
		for i := range n {
			serial++
			txs = append(txs, bankTx{fmt.Sprintf("t%d", serial), uint64(i), uint64(serial)})
		}
		return txs
	}
	for s := c.first; s <= c.end; s++ {
		tail := s > c.last
		kind := "main"
		if !tail {
			kind = rapid.SampledFrom([]string{"main", "main", "main", "skip", "fork", "two"}).Draw(t, "kind")
		}
		if kind == "skip" {
			continue
		}
		if kind == "fork" || kind == "two" {
			b := bank{slot: s, parent: parent, txs: fresh(rapid.IntRange(0, 3).Draw(t, "txs"))}
			b.dead = kind == "two" || rapid.Bool().Draw(t, "dead")
			if len(landed) > 0 && rapid.Bool().Draw(t, "again") { // landed before
				b.txs = append(b.txs, bankTx{rapid.SampledFrom(landed).Draw(t, "tx").name, 8, 1})
			}
			died = append(died, b.txs...)
			c.banks[s] = append(c.banks[s], b)
		}
		if kind == "main" || kind == "two" {
			b := bank{slot: s, parent: parent, main: true, txs: fresh(rapid.IntRange(0, 3).Draw(t, "txs"))}
			for i, tx := range died { // some of what died lands after all, once
				if !tail && !isIn(landed, tx.name) && rapid.IntRange(0, 2).Draw(t, "lands") == 0 {
					b.txs = append(b.txs, bankTx{tx.name, uint64(10 + i), uint64(900 + i)})
					landed = append(landed, tx)
				}
			}
			if tail && len(b.txs) == 0 {
				b.txs = fresh(1)
			}
			landed = append(landed, b.txs...)
			c.banks[s] = append(c.banks[s], b)
			parent = s
		}
	}
	return c
}

func isIn(txs []bankTx, name string) bool {
	for _, tx := range txs {
		if tx.name == name {
			return true
		}
	}
	return false
}

// event is one thing that a server says.
type event struct {
	slot   uint64
	tx     *bankTx
	status swapcast.SlotStatus
	parent uint64
	bank   uint64
	block  bool
	begin  uint64 // the stream is complete from here on
	end    bool   // it is cut
	soon   bool   // no time passes between the one before and it
}

// server is one endpoint: what it says, in order.
type server struct {
	endpoint string
	stream   int
	part     int // of its keys, where they are split over streams
	parts    int
	banked   bool // it names banks
	events   []event
	ids      map[string]uint64
}

func (v *server) id(t *rapid.T, slot uint64, i int) uint64 {
	if !v.banked {
		return 0
	}
	key := fmt.Sprint(slot, i)
	if v.ids[key] == 0 {
		v.ids[key] = slot*100 + uint64(rapid.IntRange(1, 9).Draw(t, "bank")*10+i)
	}
	return v.ids[key]
}

// drawServer draws the order in which a server tells of the chain.
func drawServer(t *rapid.T, c *truth, endpoint string) *server {
	v := &server{endpoint: endpoint, parts: 1, banked: rapid.Bool().Draw(t, "banked"), ids: make(map[string]uint64)}
	lag := uint64(rapid.IntRange(0, 3).Draw(t, "confirm after"))
	for s := c.first; s <= c.end+lag; s++ {
		if s <= c.end {
			v.say(t, c.banks[s])
		}
		if s < c.first+lag {
			continue
		}
		if b := c.main(s - lag); b != nil {
			v.confirm(t, c, b)
		}
	}
	return v
}

// say tells of the banks of one slot.
func (v *server) say(t *rapid.T, banks []bank) {
	var lists [][]event
	for i := range banks {
		b := &banks[i]
		id := v.id(t, b.slot, i)
		one := []event{{slot: b.slot, status: swapcast.SlotCreatedBank, parent: b.parent, bank: id}}
		var mid []event
		for j := range b.txs {
			mid = append(mid, event{slot: b.slot, tx: &b.txs[j], bank: id})
		}
		mid = append(mid, event{slot: b.slot, block: true, parent: b.parent, bank: id})
		one = append(one, rapid.Permutation(mid).Draw(t, "order")...)
		if b.dead {
			one = append(one, event{slot: b.slot, status: swapcast.SlotDead, bank: id})
		} else {
			one = append(one, event{slot: b.slot, status: swapcast.SlotProcessed, bank: id, parent: v.maybe(t, b.parent)})
		}
		lists = append(lists, one)
	}
	if len(lists) == 2 && v.banked && rapid.Bool().Draw(t, "at once") {
		v.events = append(v.events, merge(t, lists)...)
		return
	}
	for _, l := range lists {
		v.events = append(v.events, l...)
	}
}

func (v *server) maybe(t *rapid.T, parent uint64) uint64 {
	if rapid.Bool().Draw(t, "parent") {
		return parent
	}
	return 0
}

func (v *server) confirm(t *rapid.T, c *truth, b *bank) {
	id := v.id(t, b.slot, len(c.banks[b.slot])-1) // the one that lives comes last
	status := rapid.SampledFrom([]swapcast.SlotStatus{swapcast.SlotConfirmed, swapcast.SlotConfirmed, swapcast.SlotFinalized}).Draw(t, "status")
	e := event{slot: b.slot, status: status, bank: id, parent: v.maybe(t, b.parent)}
	v.events = append(v.events, e)
	// Out of order with the one before, sometimes.
	if n := len(v.events); n > 1 && v.events[n-2].tx == nil && v.events[n-2].status == status &&
		!v.events[n-2].block && rapid.Bool().Draw(t, "swap") {
		v.events[n-1], v.events[n-2] = v.events[n-2], v.events[n-1]
		v.events[n-2].soon, v.events[n-1].soon = v.events[n-1].soon, true
	}
}

// merge interleaves lists, each in its own order.
func merge(t *rapid.T, lists [][]event) (out []event) {
	for {
		var left []int
		for i := range lists {
			if len(lists[i]) > 0 {
				left = append(left, i)
			}
		}
		if len(left) == 0 {
			return out
		}
		i := rapid.SampledFrom(left).Draw(t, "next")
		out, lists[i] = append(out, lists[i][0]), lists[i][1:]
	}
}

// cut draws a cut and what the server does after it: it replays from a slot, or
// goes on live after some silence (where fills may make up for it).
func (v *server) cut(t *rapid.T, live bool) {
	all := v.events
	at := rapid.IntRange(1, len(all)-1).Draw(t, "cut at")
	for all[at].soon {
		at--
	}
	v.events = append([]event(nil), all[:at]...)
	v.events = append(v.events, event{end: true})
	if live && rapid.Bool().Draw(t, "live") {
		resume := rapid.IntRange(at, len(all)-1).Draw(t, "resume at")
		var heard uint64
		for _, e := range all[:resume] {
			heard = max(heard, e.slot)
		}
		v.events = append(v.events, event{begin: heard + 1})
		v.events = append(v.events, all[resume:]...)
		return
	}
	first, last := all[0].slot, all[at-1].slot
	from := rapid.Uint64Range(first, max(first, last)).Draw(t, "from_slot")
	if !live { // without fills a replay must reach back to what is not proved
		from = first
	}
	v.events = append(v.events, event{begin: from})
	for i, e := range all {
		if i >= at || e.slot >= from {
			v.events = append(v.events, e)
		}
	}
}

// split draws the streams of an endpoint that lets one ask for some keys only: each
// tells of all slots, and of the transactions that name a key of its part, which
// some do of several. Of the slots that prove the others, each has one.
func (v *server) split(t *rapid.T, last uint64) []*server {
	out := []*server{v}
	if rapid.Bool().Draw(t, "split") {
		out = make([]*server, rapid.IntRange(2, 3).Draw(t, "parts"))
	}
	if len(out) == 1 {
		return out
	}
	keys := make(map[string]int)
	for i := range out {
		p := *v
		p.part, p.parts, p.stream, p.events = i, len(out), 3*i, nil
		for _, e := range v.events {
			if e.tx != nil && e.slot <= last {
				if keys[e.tx.name] == 0 {
					keys[e.tx.name] = rapid.IntRange(1, 1<<len(out)-1).Draw(t, "keys")
				}
				if keys[e.tx.name]&(1<<i) == 0 {
					continue
				}
			}
			p.events = append(p.events, e)
		}
		out[i] = &p
	}
	return out
}

// repeat tells some transactions twice.
func (v *server) repeat(t *rapid.T) {
	var out []event
	for _, e := range v.events {
		out = append(out, e)
		if e.tx != nil && rapid.IntRange(0, 4).Draw(t, "twice") == 0 {
			out = append(out, e)
		}
	}
	v.events = out
}

// lie alters and leaves out transactions, and makes some up.
func (v *server) lie(t *rapid.T, invent bool) {
	var out []event
	for _, e := range v.events {
		if e.tx == nil {
			out = append(out, e)
			continue
		}
		switch rapid.IntRange(0, 5).Draw(t, "lie") {
		case 0:
			continue
		case 1:
			tx := *e.tx
			tx.amount += 1_000_000
			e.tx = &tx
		case 2:
			if invent {
				ghost := e
				ghost.tx = &bankTx{name: "ghost" + v.endpoint + e.tx.name, index: 5, amount: 7}
				out = append(out, ghost)
			}
		}
		out = append(out, e)
	}
	v.events = out
}
