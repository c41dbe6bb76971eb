package ledger

import (
	"math/bits"

	"github.com/swapcast/swapcast"
)

// chain says that a slot is in the confirmed chain: so are its ancestors, and
// what lies between one and its parent is not.
func (l *Ledger) chain(s *slotState, out *Effects) {
	f := &l.front
	for {
		if s.fate.aside {
			l.refuse(refuseConflict) // two words about the chain contradict each other
			return
		}
		if !s.fate.chain {
			s.fate.chain, s.fate.dirty = true, true
			s.wait.chain = l.now
			f.maxChain = max(f.maxChain, s.slot)
			f.moved = true
			if l.closed(s) && !s.fate.out {
				l.lateSlot(s, out)
			}
		}
		parent := s.parent()
		if s.fate.walked || parent == 0 {
			return
		}
		owed := f.lowest // what nobody has told of, and nobody owes, is not made up
		if f.floor != 0 {
			owed = min(owed, f.floor)
		}
		low := max(parent+1, l.win.base, owed)
		if l.doubted(s, parent, low) {
			return
		}
		s.fate.walked = true
		for n := s.slot - 1; n >= low; n-- {
			l.setAside(l.win.ensure(n), RetractAside, out)
		}
		if parent < l.win.base || parent < owed {
			return
		}
		s = l.win.ensure(parent)
	}
}

// doubted reports whether a slot's link is one endpoint's word against another's:
// for DisputeFor it waits for more to be said, since what is set aside stays so.
// Slots from low on would be.
func (l *Ledger) doubted(s *slotState, parent, low uint64) bool {
	if s.wait.link != 0 && l.now-s.wait.link >= l.disputeFor() || !l.contradicted(s, parent, low) {
		return false
	}
	if s.wait.link == 0 {
		s.wait.link = l.now
		l.doubts = append(l.doubts, s.slot)
	}
	return true
}

// contradicted reports whether one endpoint at most gives the slot that parent,
// while another one that runs gives it another or has confirmed a slot between.
func (l *Ledger) contradicted(s *slotState, parent, low uint64) bool {
	var say, deny uint64 // endpoints, by bit
	for i := range s.vers {
		switch v := &s.vers[i]; {
		case v.parent == 0 || s.live&(1<<i) == 0:
		case v.parent == parent && v.endpoint.rpc:
			return false
		case v.parent == parent:
			say |= v.endpoint.bit()
		case v.endpoint.stats.Streams > 0:
			deny |= v.endpoint.bit()
		}
	}
	if bits.OnesCount64(say) > 1 {
		return false
	}
	for n := low; n < s.slot; n++ {
		if o := l.win.get(n); o != nil && o.confBy != 0 {
			deny |= l.src.confirmers(o.confBy)
		}
	}
	return deny&^say != 0
}

// tickDoubts looks again at links that were doubted.
func (l *Ledger) tickDoubts(out *Effects) {
	if len(l.doubts) == 0 {
		return
	}
	pending := l.doubts
	l.doubts = nil
	for _, slot := range pending {
		s := l.win.get(slot)
		if s == nil || s.fate.settled || s.fate.walked {
			continue
		}
		over := l.now-s.wait.link >= l.disputeFor()
		l.chain(s, out)
		if !over && !s.fate.walked {
			l.doubts = append(l.doubts, slot)
		}
	}
}

// setAside says that the confirmed chain does not hold the slot.
func (l *Ledger) setAside(s *slotState, reason string, out *Effects) {
	if s.fate.aside {
		return
	}
	if s.fate.chain || s.fate.out {
		l.refuse(refuseConflict)
		return
	}
	s.fate.aside = true
	l.front.moved = true
	batch := l.batch[:0]
	for _, e := range s.entries {
		if e.counted && !e.told {
			batch = append(batch, e)
		}
	}
	l.retract(s, batch, reason, out)
	l.batch = batch[:0]
}

// lateSlot takes a slot that turns out to be in the confirmed chain after
// later ones were confirmed to the outside.
func (l *Ledger) lateSlot(s *slotState, out *Effects) {
	s.fate.out = true
	if s.complete() {
		l.exclude(s, out)
	}
	for _, e := range s.entries {
		l.judgeLate(e, out)
	}
}

// judgeLate decides on a transaction of a slot that was confirmed or passed by
// without it: it is told once it is proved to belong there.
func (l *Ledger) judgeLate(e *entry, out *Effects) {
	s := e.slot
	if e.told || !e.alive() || !s.fate.chain {
		return
	}
	if e.seen&s.good() == 0 {
		return // its endpoint has not confirmed it
	}
	if o := l.elsewhere(e); o != nil {
		if o.told {
			l.refuse(refuseTwice)
			return
		}
		l.pushRetract(o, RetractMoved, out)
	}
	if !e.counted {
		e.pick = e.best()
		if l.opt.Fills && e.seen&s.rpc == 0 && !e.asked && s.wait.asks < l.opt.MaxDisputes {
			l.ask(e, out)
		}
		if e.asked && e.seen&s.rpc == 0 && l.now < s.wait.dispute+l.disputeFor() {
			if !e.queued {
				e.queued = true
				l.late = append(l.late, e.ref())
			}
			return
		}
	}
	l.tellLate(e, out)
}

// tellLate gives a transaction to the markets after its slot.
func (l *Ledger) tellLate(e *entry, out *Effects) {
	l.stats.Late++
	l.opt.Metrics.lateOne()
	out.Steps = append(out.Steps, Step{
		Kind: StepLate, Applied: e.counted, Slot: e.slot.slot, BlockTime: e.slot.blockTime, Tx: e.tx(),
	})
	e.counted, e.told = true, true
	l.findProvers(e.slot)
	l.omitted(e, true)
	l.idx.drop(e)
}

// ask asks the filler for one transaction.
func (l *Ledger) ask(e *entry, out *Effects) {
	e.asked = true
	e.slot.wait.asks++
	e.slot.wait.dispute = l.now
	out.Steps = append(out.Steps, Step{Kind: StepDisputed, Slot: e.slot.slot, Ref: e.ref()})
}

// tickLate looks again at what was asked about: without an answer it stands.
func (l *Ledger) tickLate(out *Effects) {
	l.late, l.later = l.later[:0], l.late
	for _, ref := range l.later {
		if e := l.idx.find(ref.Signature, ref.Slot); e != nil {
			e.queued = false
			l.judgeLate(e, out)
		}
	}
}

// Absent answers StepDisputed: RPC says that the slot holds no such
// transaction.
func (l *Ledger) Absent(ref swapcast.TxRef, out *Effects) {
	l.begin(l.now)
	e := l.idx.find(ref.Signature, ref.Slot)
	if e == nil || e.absent || e.seen&e.slot.rpc != 0 {
		return
	}
	l.blame(e, e.seen, disagreeInvented)
	if e.told {
		l.refuse(refuseConflict) // confirmed already: it stands
		return
	}
	e.absent = true
	e.slot.fate.dirty = true
	l.front.moved = true
	if e.counted {
		l.retractOne(e, RetractAbsent, out)
	}
	l.settleIfMoved(out)
}
