package geyser

import pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

// coverage finds out from which slot on a stream is complete.
//
// With a replay that is the slot that was asked for, once the first data shows
// that the server did replay: servers of before from_slot ignore it.
//
// A live stream begins in the middle of a slot. What it heard of first is not
// complete, unless that was the slot's beginning; the next slot is. But a
// higher slot may have passed as well by then: on a fork, banks run side by
// side. So for the first slots the stream listens for each one's beginning, and
// where it hears of one whose beginning it missed, the promise is moved up
// behind it, before that word is passed on.
type coverage struct {
	asked  uint64 // from_slot of the request, 0: none
	proved uint64 // the checkpoint that it came of

	from    uint64 // the promise, 0: none yet
	ignored bool   // the replay that was asked for did not come
	settled bool   // the promise stays
	begun   map[uint64]struct{}
	blind   int // slots that were moved behind before any beginning was heard of
}

// blindSlots is how many slots in a row may come without a beginning until the
// server counts as one that tells of none, as before 2025. The promise is moved
// up behind each of them; then it stays.
const blindSlots = 4

// settledAfter is how many slots after the promised one no fork of before it
// can still be executed: far more than are ever open at once.
const settledAfter = 64

// heard takes what a message tells and reports whether the promise is new or
// another one.
func (c *coverage) heard(h heard) bool {
	if c.settled {
		return false
	}
	begins := h.kind == KindSlot &&
		(h.status == pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED || h.status == pb.SlotStatus_SLOT_CREATED_BANK)
	if c.from == 0 {
		return c.first(h, begins)
	}
	if begins {
		if c.begun == nil {
			c.begun = make(map[uint64]struct{})
		}
		c.begun[h.slot] = struct{}{}
	}
	if h.slot >= c.from+settledAfter {
		c.settled, c.begun = true, nil
		return false
	}
	if h.slot < c.from {
		return false
	}
	if len(c.begun) == 0 {
		if c.blind == blindSlots {
			c.settled = true
			return false
		}
		c.blind++
	}
	if _, ok := c.begun[h.slot]; ok {
		return false
	}
	c.from = h.slot + 1
	return true
}

// first is heard for the first message that tells where the stream is.
func (c *coverage) first(h heard, begins bool) bool {
	if h.kind == KindSlot && !atTip(h.status) {
		return false
	}
	if c.asked != 0 && h.slot >= c.asked {
		// All from asked up to proved is there if it was ever: the replay begins
		// with the first of them that the chain did not skip.
		if h.slot <= max(c.asked, c.proved+1) {
			c.from, c.settled = c.asked, true
			return true
		}
		c.ignored = true
	}
	c.from = h.slot + 1
	if begins {
		c.from = h.slot
		c.begun = map[uint64]struct{}{h.slot: {}}
	}
	return true
}
