package ledger

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"unsafe" // for sizes alone

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// variant is one content of a transaction, and the versions that brought it.
type variant struct {
	hash uint64
	seen uint64
	tx   *Tx // nil once it has been given back
}

// entry is a transaction in a slot.
type entry struct {
	slot *slotState
	sig  solana.Signature
	next *entry // the same signature in another slot, in order of arrival

	seen     uint64 // versions that brought it
	variants []variant
	one      [1]variant // what variants begins as
	pick     int        // the variant that is believed

	firstAt int64
	from    uint64 // endpoints (by bit) that brought it

	counted bool // the processed market has it
	told    bool // the confirmed market has it
	absent  bool // RPC says that its slot does not hold it
	asked   bool // RPC has been asked
	queued  bool // in Ledger.late
	argued  bool // it was counted as disputed
}

// alive reports whether the transaction counts as far as its slot is known.
func (e *entry) alive() bool {
	return !e.slot.fate.aside && !e.absent && e.seen&e.slot.live != 0
}

// tx is the content that is believed.
func (e *entry) tx() *Tx { return e.variants[e.pick].tx }

// ref names the entry.
func (e *entry) ref() swapcast.TxRef { return swapcast.TxRef{Slot: e.slot.slot, Signature: e.sig} }

// contested reports whether endpoints differ about the content: two banks of
// one endpoint may differ truly.
func (e *entry) contested() bool {
	if len(e.variants) == 1 || e.seen&e.slot.rpc != 0 {
		return false
	}
	var first *endpoint
	var which int
	for i, v := range e.variants {
		for m := v.seen & e.slot.live; m != 0; m &= m - 1 {
			ep := e.slot.vers[bits.TrailingZeros64(m)].endpoint
			if first == nil {
				first, which = ep, i
			}
			if ep != first && i != which {
				return true
			}
		}
	}
	return false
}

// best returns the variant to believe: the filler's, else of those that an
// endpoint confirmed (else all that stand) the one of most endpoints, then of
// the highest authority, then the first.
func (e *entry) best() int {
	s := e.slot
	if len(e.variants) == 1 {
		return 0
	}
	var all uint64
	for i, v := range e.variants {
		if v.seen&s.rpc != 0 {
			return i
		}
		all |= v.seen
	}
	mask := all & s.live & s.confirmed
	if mask == 0 {
		mask = all & s.live
	}
	best, bestVotes, bestAuthority := e.pick, 0, uint8(0)
	for i, v := range e.variants {
		votes, authority := 0, uint8(0)
		var voted uint64
		for m := v.seen & mask; m != 0; m &= m - 1 {
			ep := s.vers[bits.TrailingZeros64(m)].endpoint
			if voted&ep.bit() == 0 {
				voted |= ep.bit()
				votes++
			}
			authority = max(authority, ep.authority)
		}
		if votes > bestVotes || votes == bestVotes && authority > bestAuthority {
			best, bestVotes, bestAuthority = i, votes, authority
		}
	}
	return best
}

// index holds the entries by signature, and the memory of those that were.
type index struct {
	bySig map[solana.Signature]*entry
	count int
	bytes int // of the contents that entries hold, 2 to 3 kB each where it swaps twice
	seed  maphash.Seed

	freeEntries []*entry
	freeTxs     []*Tx
	limbo       []*Tx // given back, but steps may still point at them
	scratch     []byte
}

// find returns the entry of a signature in a slot.
func (x *index) find(sig solana.Signature, slot uint64) *entry {
	e := x.bySig[sig]
	for e != nil && e.slot.slot != slot {
		e = e.next
	}
	return e
}

// insert makes the entry of a signature in a slot.
func (x *index) insert(sig solana.Signature, s *slotState) *entry {
	var e *entry
	if n := len(x.freeEntries); n > 0 {
		e, x.freeEntries = x.freeEntries[n-1], x.freeEntries[:n-1]
	} else {
		e = new(entry)
	}
	e.slot, e.sig = s, sig
	e.variants = e.one[:0]
	if first := x.bySig[sig]; first != nil {
		for first.next != nil {
			first = first.next
		}
		first.next = e
	} else {
		x.bySig[sig] = e
	}
	s.entries = append(s.entries, e)
	x.count++
	return e
}

// remove forgets an entry.
func (x *index) remove(e *entry) {
	first := x.bySig[e.sig]
	switch {
	case first == e && e.next == nil:
		delete(x.bySig, e.sig)
	case first == e:
		x.bySig[e.sig] = e.next
	default:
		for first.next != e {
			first = first.next
		}
		first.next = e.next
	}
	x.drop(e)
	*e = entry{}
	x.count--
	if len(x.freeEntries) < maxFree {
		x.freeEntries = append(x.freeEntries, e)
	}
}

// drop gives the contents of an entry back and keeps their hashes.
func (x *index) drop(e *entry) {
	for i := range e.variants {
		if tx := e.variants[i].tx; tx != nil {
			x.bytes -= sizeOf(tx)
			x.limbo = append(x.limbo, tx)
			e.variants[i].tx = nil
		}
	}
}

// recycle makes what was given back ready for reuse: the steps that pointed at
// it are done.
func (x *index) recycle() {
	for i, tx := range x.limbo {
		if len(x.freeTxs) < maxFree {
			clear(tx.Swaps)
			x.freeTxs = append(x.freeTxs, tx)
		}
		x.limbo[i] = nil
	}
	x.limbo = x.limbo[:0]
}

// copyOf copies a transaction into memory of the index's own.
func (x *index) copyOf(t *Tx) *Tx {
	var c *Tx
	if n := len(x.freeTxs); n > 0 {
		c, x.freeTxs = x.freeTxs[n-1], x.freeTxs[:n-1]
	} else {
		c = new(Tx)
	}
	swaps, changes := c.Swaps[:0], c.Changes[:0]
	*c = *t
	c.Swaps = append(swaps, t.Swaps...)
	c.Changes = append(changes, t.Changes...)
	x.bytes += sizeOf(c)
	return c
}

// sizeOf is the memory of a content, in bytes.
func sizeOf(t *Tx) int {
	return int(unsafe.Sizeof(*t)) + cap(t.Swaps)*int(unsafe.Sizeof(swapcast.Swap{})) +
		cap(t.Changes)*int(unsafe.Sizeof(swapcast.BalanceChange{}))
}

// hash is of what a transaction did, without when and from where it came. The
// position in the block is left out too: not all sources know it.
func (x *index) hash(t *Tx) uint64 {
	b := x.scratch[:0]
	for i := range t.Swaps {
		b = appendSwap(b, &t.Swaps[i])
	}
	b = append(b, 0xff)
	for i := range t.Changes {
		b = appendChange(b, &t.Changes[i])
	}
	x.scratch = b
	return maphash.Bytes(x.seed, b)
}

func appendSwap(b []byte, s *swapcast.Swap) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Index))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Path.Outer))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Path.Inner))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.DEX)))
	b = append(b, s.DEX...)
	for _, k := range [...]*solana.PublicKey{&s.Program, &s.Pool, &s.Trader, &s.MintIn, &s.MintOut} {
		b = append(b, k[:]...)
	}
	for _, v := range [...]uint64{
		s.AmountIn, s.AmountOut, s.UserAmountIn, s.UserAmountOut, s.ReserveIn, s.ReserveOut,
		s.VirtualIn, s.VirtualOut, math.Float64bits(s.Spot),
	} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(s.FeeBps))
	return append(b, s.DecimalsIn, s.DecimalsOut,
		flags(s.ReservesKnown, s.VirtualKnown, s.SpotKnown, s.Interim))
}

func appendChange(b []byte, c *swapcast.BalanceChange) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Index))
	b = append(b, c.Owner[:]...)
	b = append(b, c.Mint[:]...)
	b = append(b, c.Account[:]...)
	b = binary.LittleEndian.AppendUint64(b, c.Fee)
	b = binary.LittleEndian.AppendUint64(b, c.Pre)
	b = binary.LittleEndian.AppendUint64(b, c.Post)
	return append(b, c.Decimals, flags(c.Native))
}

func flags(set ...bool) byte {
	var b byte
	for i, on := range set {
		if on {
			b |= 1 << i
		}
	}
	return b
}
