package ledger

import (
	"math/bits"
	"slices"

	"github.com/swapcast/swapcast"
)

// Bounds of one slot, for masks of 64 bits. An endpoint that names more banks
// than that lies, and may not crowd out the others.
const (
	maxVersions         = 64
	maxEndpointVersions = 16
)

// statuses is how many stages of a slot there are.
const statuses = int(swapcast.SlotDead) + 1

// version is one endpoint's view of one bank of a slot. Where banks have no
// ids it is one stream's: another stream may replay a bank that died before it
// sends the one that lives.
type version struct {
	origin
	bank   uint64
	parent uint64 // 0 unknown
	dead   bool
}

// slotState is what is known of one slot.
type slotState struct {
	slot      uint64
	at        [statuses]int64 // when each stage was first heard of
	hint      uint64          // parent as told without a bank, 0 unknown
	blockTime int64

	vers      []version
	live      uint64 // versions that stand: born and not dead
	unborn    uint64 // came after a death, without a bank id and not yet processed
	confirmed uint64 // versions that their own endpoint confirmed
	rpc       uint64 // the filler's version
	confBy    uint64 // streams (by bit) that confirmed it and run

	entries []*entry
	fate    fate
	wait    waits
}

// fate is what has been decided of a slot.
type fate struct {
	chain   bool // in the confirmed chain
	walked  bool // its parent link has been followed
	aside   bool // proved not to be in it
	proved  bool // a stream brought all of it
	filled  bool // RPC brought all of it
	lost    bool // declared lost
	out     bool // confirmed to the outside
	settled bool // forgotten but for this
	dirty   bool // disputes have to be looked at again
}

// waits is since when a slot waits for what; Unix nanoseconds, 0 for not.
type waits struct {
	chain   int64
	others  int64
	dispute int64
	link    int64
	missing int64
	asked   int64
	asks    int // disputes asked of the filler
}

// complete reports whether nothing of the slot is owed any more.
func (s *slotState) complete() bool {
	return s.fate.proved || s.fate.filled || s.fate.lost || s.fate.aside
}

// good returns the versions that the confirmed block is made of, as far as
// their endpoints have said so.
func (s *slotState) good() uint64 {
	if s.fate.filled {
		return s.rpc
	}
	if m := s.confirmed & s.live; m != 0 {
		return m
	}
	return s.live
}

// included returns the versions whose transactions are confirmed with the slot:
// without a proof, everything that stands.
func (s *slotState) included() uint64 {
	if s.fate.proved || s.fate.filled {
		return s.good()
	}
	return s.live
}

// origin is where a version came from.
type origin struct {
	endpoint *endpoint
	stream   uint64
}

// last returns the origin's latest version of the bank, -1 for none.
func (s *slotState) last(o origin, bank uint64) int {
	for i := len(s.vers) - 1; i >= 0; i-- {
		if v := &s.vers[i]; v.endpoint == o.endpoint && v.bank == bank && (bank != 0 || v.stream == o.stream) {
			return i
		}
	}
	return -1
}

// of returns the endpoint's versions, as a mask, and whether one has a bank id.
func (s *slotState) of(e *endpoint) (mask uint64, banked bool) {
	for i := range s.vers {
		if s.vers[i].endpoint == e {
			mask |= 1 << i
			banked = banked || s.vers[i].bank != 0
		}
	}
	return mask, banked
}

// add makes a version, -1 where there are too many.
func (s *slotState) add(o origin, bank uint64) int {
	own, _ := s.of(o.endpoint)
	if len(s.vers) == maxVersions || bits.OnesCount64(own) == maxEndpointVersions {
		return -1
	}
	s.vers = append(s.vers, version{origin: o, bank: bank})
	return len(s.vers) - 1
}

// latest returns the endpoint's latest version that stands, -1 for none.
func (s *slotState) latest(e *endpoint) int {
	for i, v := range slices.Backward(s.vers) {
		if v.endpoint == e && s.live&(1<<i) != 0 {
			return i
		}
	}
	return -1
}

// txVersion returns the version that a transaction of the endpoint belongs to,
// -1 where there are too many. What comes without a bank id after the endpoint's
// version died is of another bank, which stands once it is processed.
func (s *slotState) txVersion(o origin, bank uint64) int {
	i := s.last(o, bank)
	if i >= 0 && (bank != 0 || !s.vers[i].dead) {
		return i
	}
	again := i >= 0
	if i = s.add(o, bank); i < 0 {
		if bank == 0 { // an endpoint that flaps: its streams are told apart no more
			return s.latest(o.endpoint)
		}
		return i
	}
	switch {
	case again:
		s.unborn |= 1 << i
	default:
		s.live |= 1 << i
	}
	if o.endpoint.rpc {
		s.rpc |= 1 << i
		s.confirmed |= 1 << i
	}
	return i
}

// parent returns the slot's parent, 0 unknown. Versions that disagree prove
// nothing.
func (s *slotState) parent() uint64 {
	for _, mask := range [...]uint64{s.rpc, s.confirmed & s.live, s.live} {
		var p uint64
		for m := mask; m != 0; m &= m - 1 {
			q := s.vers[bits.TrailingZeros64(m)].parent
			if q != 0 && p != 0 && p != q {
				return 0
			}
			p = max(p, q)
		}
		if p != 0 {
			return p
		}
	}
	return s.hint
}

// reset makes the state that of a fresh slot, keeping its memory.
func (s *slotState) reset(slot uint64) {
	clear(s.vers)
	clear(s.entries)
	*s = slotState{slot: slot, vers: s.vers[:0], entries: s.entries[:0]}
}

// window holds the slots from base on, by number.
type window struct {
	base uint64 // below it everything is settled
	ring []*slotState
	free []*slotState
	kept int
}

// get returns the state of a slot, nil where there is none.
func (w *window) get(slot uint64) *slotState {
	if slot < w.base || slot-w.base >= uint64(len(w.ring)) {
		return nil
	}
	return w.ring[slot&uint64(len(w.ring)-1)]
}

// ensure returns the state of a slot within the window.
func (w *window) ensure(slot uint64) *slotState {
	if s := w.get(slot); s != nil {
		return s
	}
	var s *slotState
	if n := len(w.free); n > 0 {
		s, w.free = w.free[n-1], w.free[:n-1]
	} else {
		s = new(slotState)
	}
	s.reset(slot)
	w.ring[slot&uint64(len(w.ring)-1)] = s
	w.kept++
	return s
}

// pop forgets the lowest slot.
func (w *window) pop() {
	i := w.base & uint64(len(w.ring)-1)
	if s := w.ring[i]; s != nil {
		w.ring[i] = nil
		w.kept--
		if len(w.free) < maxFree {
			s.reset(0)
			w.free = append(w.free, s)
		}
	}
	w.base++
}

// maxFree bounds what the pools keep, in objects: enough for the slots and
// transactions that come and go, not for a burst.
const maxFree = 1 << 15
