package replay

import (
	"slices"
	"sync"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// level is a commitment level as an index: processed, confirmed, finalized.
type level = int

const levels = 3

// store holds what has been played: one log for each commitment level, and the
// slots that those updates belong to.
//
// PROCESSED gets each update as it comes. When a slot reaches CONFIRMED or
// FINALIZED, all that has come of it so far is appended to that level's log,
// then the status; what comes later of the slot follows at once. A slot that is
// confirmed confirms its ancestors with it, as far as they are known. A dead
// slot reaches nothing. Slot statuses themselves go to every level at once.
type store struct {
	maxSlots  int
	maxBytes  int64
	queueSize uint64
	lossless  bool

	mu   sync.Mutex
	logs [levels]updateLog
	// slots is the stored slots by number, order their numbers rising.
	slots map[uint64]*slotRecord
	order []uint64
	bytes int64
	// gone is the highest slot that was let go; valid where hasGone.
	gone    uint64
	hasGone bool
	// heavy is the highest slot that was let go for want of memory, 0 none:
	// its updates go even where a subscriber has yet to read them.
	heavy uint64
	heads heads
	// floor is the lowest slot that from_slot can ask for, where a fault has the
	// ones below it forgotten.
	floor uint64

	subs  map[*subscriber]struct{}
	ended bool // nothing more will come
	// space is signalled whenever a subscriber has read or gone, for a player
	// that waits.
	space chan struct{}

	incomplete uint64 // count of blocks let go without having become complete
}

// slotRecord is one stored slot.
type slotRecord struct {
	slot    uint64
	parent  uint64
	reached [levels]bool
	dead    bool
	banks   banks
	bytes   int64
	// updates is all data of the slot in the order in which it came: no slot
	// statuses, the assembled block among them.
	updates []*update
	// start is where the slot's first update stands in each log; valid where
	// started.
	start   [levels]uint64
	started [levels]bool
	blockParts
}

func newStore(o *Options) *store {
	return &store{
		maxSlots: max(o.StoredSlots, 1), maxBytes: o.StoredBytes,
		queueSize: uint64(o.QueueSize), lossless: o.Lossless,
		slots: make(map[uint64]*slotRecord),
		subs:  make(map[*subscriber]struct{}),
		space: make(chan struct{}, 1),
		heads: newHeads(),
	}
}

// publish puts u into the logs and wakes the subscribers that wait.
func (s *store) publish(u *update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.kind == kindSlot {
		s.publishStatus(u)
	} else {
		s.publishData(u)
	}
	s.evict()
	s.wake()
}

func (s *store) publishData(u *update) {
	rec := s.record(u.slot)
	s.heads.data(u)
	if rec == nil { // older than all that is stored
		s.logs[0].append(u)
		return
	}
	if u.kind == kindBlockMeta {
		rec.parent = u.parent
	}
	s.add(rec, u)
	if block := rec.banks.parts(&rec.blockParts, u.bank).collect(u); block != nil {
		s.add(rec, block)
	}
}

// add appends one update of a slot to the levels that the slot has reached.
func (s *store) add(rec *slotRecord, u *update) {
	rec.updates = append(rec.updates, u)
	n := int64(len(u.body)) + updateOverhead
	if u.tx != nil {
		n += int64(len(u.tx.keys)) * 32
	}
	rec.bytes += n
	s.bytes += n
	for l := range levels {
		if l == 0 || rec.reached[l] && rec.banks.holds(u.bank) {
			s.appendTo(l, rec, u)
		}
	}
}

// updateOverhead is roughly what one update weighs beside its bytes: the
// structs, slice headers and pointers to it.
const updateOverhead = 320

func (s *store) appendTo(l level, rec *slotRecord, u *update) {
	if !rec.started[l] {
		rec.start[l], rec.started[l] = s.logs[l].next, true
	}
	s.logs[l].append(u)
}

func (s *store) publishStatus(u *update) {
	var rec *slotRecord
	switch u.status {
	case pb.SlotStatus_SLOT_CONFIRMED, pb.SlotStatus_SLOT_FINALIZED, pb.SlotStatus_SLOT_DEAD:
		rec = s.slots[u.slot] // the end of a slot that was never seen is no stored slot
	default:
		rec = s.record(u.slot)
	}
	if rec != nil {
		if u.parent != 0 {
			rec.parent = u.parent
		}
		rec.banks.status(u)
		switch u.status {
		case pb.SlotStatus_SLOT_CONFIRMED:
			s.reach(rec, 1)
		case pb.SlotStatus_SLOT_FINALIZED:
			s.reach(rec, 1)
			s.reach(rec, 2)
		case pb.SlotStatus_SLOT_DEAD:
			rec.dead = rec.banks.allDead(u.bank)
		default:
		}
	}
	s.heads.status(u)
	for l := range levels {
		if rec != nil {
			s.appendTo(l, rec, u)
		} else {
			s.logs[l].append(u)
		}
	}
}

// reach delivers rec, and the ancestors that have not reached l yet, to level
// l: the oldest first.
func (s *store) reach(rec *slotRecord, l level) {
	var path []*slotRecord
	for rec != nil && !rec.reached[l] && !rec.dead {
		path = append(path, rec)
		if rec.parent >= rec.slot {
			break // not known, or nonsense: never walk in circles
		}
		rec = s.slots[rec.parent]
	}
	for _, rec := range slices.Backward(path) {
		rec.reached[l] = true
		s.heads.ancestor(rec.slot, l)
		for _, u := range rec.updates {
			if rec.banks.holds(u.bank) {
				s.appendTo(l, rec, u)
			}
		}
	}
}

// record finds or makes the slot's record. It is nil for slots that are older
// than what has been let go.
func (s *store) record(slot uint64) *slotRecord {
	if rec := s.slots[slot]; rec != nil {
		return rec
	}
	if s.hasGone && slot <= s.gone {
		return nil
	}
	rec := &slotRecord{slot: slot}
	s.slots[slot] = rec
	at, _ := slices.BinarySearch(s.order, slot)
	s.order = slices.Insert(s.order, at, slot)
	return rec
}

// evict lets the oldest slots go while there are too many or they weigh too
// much, then the updates that no subscriber has yet to read.
func (s *store) evict() {
	for len(s.order) > 1 {
		rec := s.slots[s.order[0]]
		settled := rec.reached[levels-1] || rec.dead || len(s.order) > s.maxSlots+unsettledSlots
		heavy := s.bytes > s.maxBytes
		if !heavy && (len(s.order) <= s.maxSlots || !settled) {
			break
		}
		if heavy {
			s.heavy = rec.slot
		}
		if heavy && !settled {
			s.cutWaiting(rec)
		}
		if rec.meta != nil && !rec.assembled {
			s.incomplete++
		}
		s.gone, s.hasGone = rec.slot, true
		s.bytes -= rec.bytes
		delete(s.slots, rec.slot)
		s.order = s.order[1:]
	}
	if s.hasGone {
		s.trim()
	}
}

// trim lets go of the updates of slots that have gone, as far as every
// subscriber that may still be waited for has read them. Memory goes first,
// unless the player is lossless: then it waits, and little piles up.
func (s *store) trim() {
	for l := range s.logs {
		log := &s.logs[l]
		if log.first == log.next || log.at(log.first).slot > s.gone {
			continue
		}
		keep := log.next
		for sub := range s.subs {
			if sub.level == l && sub.cut == nil && (sub.live || s.lossless) {
				keep = min(keep, sub.pos)
			}
		}
		to := log.first
		for to < log.next {
			slot := log.at(to).slot
			if slot > s.gone || to >= keep && (s.lossless || s.heavy == 0 || slot > s.heavy) {
				break
			}
			to++
		}
		log.dropTo(to)
	}
}

// cutWaiting cuts the subscribers that would never get the data of rec, which
// is let go for want of memory before it has reached their commitment.
func (s *store) cutWaiting(rec *slotRecord) {
	for sub := range s.subs {
		if sub.level > 0 && !rec.reached[sub.level] {
			sub.cutWith(errLaggedReceive)
		}
	}
}

// firstAvailable is the lowest slot that from_slot can ask for.
func (s *store) firstAvailable() (uint64, bool) {
	at, _ := slices.BinarySearch(s.order, s.floor)
	if at == len(s.order) {
		return 0, false
	}
	return s.order[at], true
}

// seek finds where reading at level l from slot on has to start. It is false
// where nothing of the slot or of a later one is there.
func (s *store) seek(l level, slot uint64) (uint64, bool) {
	at, _ := slices.BinarySearch(s.order, slot)
	pos, found := s.logs[l].next, false
	for _, n := range s.order[at:] {
		if rec := s.slots[n]; rec.started[l] {
			pos, found = min(pos, rec.start[l]), true
		}
	}
	return max(pos, s.logs[l].first), found
}
