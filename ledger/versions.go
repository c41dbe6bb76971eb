package ledger

import (
	"math/bits"

	"github.com/swapcast/swapcast"
)

// stage takes what an endpoint says of a slot's life.
func (l *Ledger) stage(from origin, st *stream, s *slotState, u *swapcast.SlotUpdate, out *Effects) {
	if s.fate.settled {
		l.confirmedBy(st, s, u.Status)
		return
	}
	i := -1
	switch u.Status {
	case swapcast.SlotFirstShred, swapcast.SlotCompleted:
		// Stages of the shreds, not of a bank.
	case swapcast.SlotCreatedBank:
		i = l.named(from, s, u.Bank)
	case swapcast.SlotProcessed:
		if i = l.named(from, s, u.Bank); i >= 0 && s.unborn&(1<<i) != 0 {
			s.unborn &^= 1 << i
			s.live |= 1 << i
			l.reassess(s, RetractDead, out)
		}
	case swapcast.SlotConfirmed, swapcast.SlotFinalized:
		i = l.confirmVersion(from, s, u.Bank, out)
	case swapcast.SlotDead:
		l.die(from, s, u.Bank, out)
	}
	l.linked(s, i, u.Parent, out)
	l.confirmedBy(st, s, u.Status)
	if u.Status == swapcast.SlotConfirmed || u.Status == swapcast.SlotFinalized {
		l.chain(s, out)
	}
}

// named returns the version that a stage of the endpoint speaks of, and makes
// it where it is new; -1 where it cannot be told.
func (l *Ledger) named(from origin, s *slotState, bank uint64) int {
	if bank == 0 {
		if _, banked := s.of(from.endpoint); banked {
			return -1
		}
	}
	return s.txVersion(from, bank)
}

// confirmVersion takes CONFIRMED (or FINALIZED) of an endpoint: that bank is
// the endpoint's true one, and its others die.
func (l *Ledger) confirmVersion(from origin, s *slotState, bank uint64, out *Effects) int {
	own, banked := s.of(from.endpoint)
	i := s.last(from, bank)
	if bank == 0 && banked {
		// It does not say which: clear only where one is left.
		if own &= s.live; bits.OnesCount64(own) != 1 {
			return -1
		}
		i = bits.TrailingZeros64(own)
	} else if i < 0 {
		i = s.txVersion(from, bank)
	}
	if i < 0 {
		return i
	}
	bit := uint64(1) << i
	if s.vers[i].dead {
		// Confirmed is the stronger word.
		s.vers[i].dead = false
		l.disagreed(from.endpoint, disagreeDead)
	}
	siblings := own & (s.live | s.unborn) &^ bit
	for m := siblings; m != 0; m &= m - 1 {
		switch j := bits.TrailingZeros64(m); {
		case s.vers[j].bank != 0:
		case bank != 0:
			siblings &^= 1 << j // what has no bank id may be of this one
			s.confirmed |= 1 << j
		case s.vers[j].stream != from.stream:
			siblings &^= 1 << j // nor can another stream's be told
		}
	}
	changed := s.live&bit == 0 || siblings != 0 || s.confirmed&bit == 0
	s.live = s.live&^siblings | bit
	s.unborn &^= siblings | bit
	s.confirmed |= bit
	for m := siblings; m != 0; m &= m - 1 {
		s.vers[bits.TrailingZeros64(m)].dead = true
	}
	if changed {
		l.reassess(s, RetractDead, out)
	}
	return i
}

// die takes DEAD of an endpoint: its versions of that bank stand no more. One
// that it has confirmed does, whatever it says.
func (l *Ledger) die(from origin, s *slotState, bank uint64, out *Effects) {
	own, banked := s.of(from.endpoint)
	var mask uint64
	switch i := s.last(from, bank); {
	case bank == 0 && banked:
		mask = own
	case i >= 0:
		mask = 1 << i
	default:
		if i = s.add(from, bank); i >= 0 { // so that what still comes of it is known as dead
			mask = 1 << i
		}
		if j := s.last(from, 0); j >= 0 && bank != 0 {
			mask |= 1 << j
		}
	}
	if mask&s.confirmed != 0 {
		l.disagreed(from.endpoint, disagreeDead)
		mask &^= s.confirmed
	}
	for m := mask; m != 0; m &= m - 1 {
		s.vers[bits.TrailingZeros64(m)].dead = true
	}
	changed := s.live&mask != 0
	s.live &^= mask
	s.unborn &^= mask
	if changed {
		l.reassess(s, RetractDead, out)
	}
}

// linked takes a parent link, told with a version or (i < 0) without.
func (l *Ledger) linked(s *slotState, i int, parent uint64, out *Effects) {
	if parent == 0 || parent >= s.slot {
		if parent != 0 {
			l.refuse(refuseParent)
		}
		return
	}
	switch {
	case i < 0:
		s.hint = parent
	case s.vers[i].parent == 0:
		s.vers[i].parent = parent
	case s.vers[i].parent != parent:
		l.refuse(refuseParent)
	}
	if s.fate.chain && !s.fate.walked {
		l.chain(s, out)
	}
}

// confirmedBy notes that a stream confirmed a slot: everything of it that the
// stream has came before.
func (l *Ledger) confirmedBy(st *stream, s *slotState, status swapcast.SlotStatus) {
	if st == nil || status != swapcast.SlotConfirmed && status != swapcast.SlotFinalized {
		return
	}
	st.maxConf = max(st.maxConf, s.slot)
	if !s.fate.out {
		st.slow = false
	}
	s.fate.dirty, l.front.moved = true, true // its word may be what the slot waits for
	s.confBy |= st.bit
	l.proveRange(st.endpoint, s.slot, s.slot)
}

// reassess judges all transactions of a slot anew, after what stands of it
// changed: first what is taken back, in one step, then what counts instead.
func (l *Ledger) reassess(s *slotState, reason string, out *Effects) {
	s.fate.dirty = true
	l.front.moved = true
	batch := l.batch[:0]
	for _, e := range s.entries {
		if e.counted && !e.told && !e.alive() {
			batch = append(batch, e)
		}
	}
	l.retract(s, batch, reason, out)
	l.batch = batch[:0]
	for _, e := range s.entries {
		if e.counted || e.alive() {
			l.judge(e, out)
		}
	}
}

// closed reports whether the slot has been confirmed to the outside or passed by.
func (l *Ledger) closed(s *slotState) bool { return s.fate.out || s.slot <= l.front.out }

// judge decides whether a transaction counts now, and with which content.
func (l *Ledger) judge(e *entry, out *Effects) {
	s := e.slot
	if l.closed(s) {
		l.judgeLate(e, out)
		return
	}
	if !e.alive() {
		if e.counted {
			l.retractOne(e, RetractDead, out)
		}
		return
	}
	best := e.best()
	switch {
	case e.counted && best != e.pick:
		// Where RPC will decide, what was told stands until it does.
		if !l.opt.Fills || !e.contested() {
			l.swap(e, best, out)
		}
	case !e.counted:
		e.pick = best
		if l.elsewhere(e) == nil {
			l.apply(e, out)
		}
	}
}

// swap replaces the content of a transaction that counts.
func (l *Ledger) swap(e *entry, best int, out *Effects) {
	l.pushRetract(e, RetractDisputed, out)
	e.pick = best
	l.apply(e, out)
}

// elsewhere returns the entry of the same signature that counts in another slot.
func (l *Ledger) elsewhere(e *entry) *entry {
	for o := l.idx.bySig[e.sig]; o != nil; o = o.next {
		if o != e && (o.counted || o.told) {
			return o
		}
	}
	return nil
}

// apply makes a transaction count.
func (l *Ledger) apply(e *entry, out *Effects) {
	e.counted = true
	l.stats.Applied++
	out.Steps = append(out.Steps, Step{Kind: StepApply, Slot: e.slot.slot, Tx: e.tx()})
}

// retractOne takes one transaction back, and applies it where else it lives.
func (l *Ledger) retractOne(e *entry, reason string, out *Effects) {
	l.pushRetract(e, reason, out)
	l.promote(e, out)
}

func (l *Ledger) pushRetract(e *entry, reason string, out *Effects) {
	e.counted = false
	l.retracted(reason, 1)
	start := len(out.txs)
	out.txs = append(out.txs, e.tx())
	out.Steps = append(out.Steps, Step{
		Kind: StepRetract, Slot: e.slot.slot, Txs: out.txs[start:len(out.txs):len(out.txs)], Reason: reason,
	})
}

// retract takes transactions of one slot back in one step, then applies those
// that live elsewhere.
func (l *Ledger) retract(s *slotState, batch []*entry, reason string, out *Effects) {
	if len(batch) == 0 {
		return
	}
	start := len(out.txs)
	for _, e := range batch {
		e.counted = false
		out.txs = append(out.txs, e.tx())
	}
	l.retracted(reason, len(batch))
	out.Steps = append(out.Steps, Step{
		Kind: StepRetract, Slot: s.slot, Txs: out.txs[start:len(out.txs):len(out.txs)], Reason: reason,
	})
	for _, e := range batch {
		l.promote(e, out)
	}
}

// promote applies the next living transaction of the signature.
func (l *Ledger) promote(e *entry, out *Effects) {
	if l.elsewhere(e) != nil {
		return
	}
	for o := l.idx.bySig[e.sig]; o != nil; o = o.next {
		if o != e && !l.closed(o.slot) && o.alive() {
			o.pick = o.best()
			l.apply(o, out)
			return
		}
	}
}
