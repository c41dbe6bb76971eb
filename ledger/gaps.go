package ledger

// maxGaps bounds the gaps that are kept for readers.
const maxGaps = 256

// GapRange is a range of slots that was declared lost, both ends included.
type GapRange struct {
	From, To uint64
	Reason   string
	At       int64 // Unix nanoseconds
}

// Gaps returns the recorded gaps, oldest first; the newest 256 are kept.
func (l *Ledger) Gaps() []GapRange { return append([]GapRange(nil), l.gaps...) }

// Filled says that RPC has told everything of the slot that the filters want,
// through Tx (and Block, for its parent): it is in the confirmed chain, complete,
// and nothing else is in it.
func (l *Ledger) Filled(slot uint64, out *Effects) {
	l.begin(l.now)
	if s := l.answered(slot, out); s != nil {
		s.fate.filled, s.fate.dirty = true, true
		l.chain(s, out)
		if l.closed(s) {
			l.exclude(s, out)
		}
		l.front.moved = true
	}
	l.settleIfMoved(out)
}

// Skipped says that the chain has no block in the slot.
func (l *Ledger) Skipped(slot uint64, out *Effects) {
	l.begin(l.now)
	if s := l.answered(slot, out); s != nil {
		l.setAside(s, RetractSkipped, out)
	}
	l.settleIfMoved(out)
}

// answered returns the slot that the filler speaks of, nil where it is settled.
func (l *Ledger) answered(slot uint64, out *Effects) *slotState {
	s := l.slotFor(slot, nil, out)
	if s == nil || s.fate.settled {
		return nil
	}
	return s
}

// Lost says that the slots from..to cannot be had.
func (l *Ledger) Lost(from, to uint64, reason string, out *Effects) {
	l.begin(l.now)
	if from > maxSlot {
		return
	}
	l.place(from)
	last := l.win.base + uint64(len(l.win.ring)) - 1
	l.lose(max(from, l.win.base), min(to, last), reason, out)
	l.settleIfMoved(out)
}

// lose declares what is not complete of a range lost.
func (l *Ledger) lose(from, to uint64, reason string, out *Effects) {
	var start uint64
	for n := from; n <= to; n++ {
		s := l.win.ensure(n)
		if !s.complete() {
			s.fate.lost, s.fate.dirty = true, true
			if start == 0 {
				start = n
			}
			continue
		}
		if start != 0 {
			l.gap(start, n-1, reason, out)
			start = 0
		}
	}
	if start != 0 {
		l.gap(start, to, reason, out)
	}
}

// gap records a gap and tells of it.
func (l *Ledger) gap(from, to uint64, reason string, out *Effects) {
	out.Steps = append(out.Steps, Step{Kind: StepGap, Slot: from, To: to, Reason: reason})
	if len(l.gaps) == maxGaps {
		l.gaps = append(l.gaps[:0], l.gaps[1:]...)
	}
	l.gaps = append(l.gaps, GapRange{From: from, To: to, Reason: reason, At: l.now})
	l.stats.GapSlots += to - from + 1
	l.opt.Metrics.gapSlots(reason, to-from+1)
	l.front.moved = true
}

// Tick lets time pass: called a few times a second.
func (l *Ledger) Tick(now int64, out *Effects) {
	l.begin(now)
	l.tickLate(out)
	l.tickDoubts(out)
	l.missing(out)
	l.findOverdue()
	l.advance(out)
	l.opt.Metrics.sizes(l)
}

// missing asks for the slots that no running stream can prove any more, or
// declares them lost where there is nobody to ask. While no endpoint is whole,
// nothing is lost yet: the streams that are not there may replay it.
func (l *Ledger) missing(out *Effects) {
	f := &l.front
	l.stats.MissingSlots = 0
	if f.floor == 0 || !l.src.anyWhole() && !(l.opt.Fills && l.src.anyBegan()) {
		return
	}
	var r missingRange
	for n := max(f.checkpoint+1, l.win.base); n <= f.maxChain; n++ {
		s := l.win.ensure(n)
		if s.complete() || l.src.hope(n, s.confBy) {
			s.wait.missing = 0
			r.flush(l, out)
			continue
		}
		if s.wait.missing == 0 {
			s.wait.missing = l.now
		}
		if s.wait.asked != 0 {
			l.stats.MissingSlots++
		}
		if l.now-s.wait.missing < int64(l.opt.MissingGrace) ||
			l.opt.Fills && s.wait.asked != 0 && l.now-s.wait.asked < int64(l.opt.AskAgain) {
			r.flush(l, out)
			continue
		}
		s.wait.asked = l.now
		r.add(n)
	}
	r.flush(l, out)
}

// missingRange is a run of slots to ask for; from is 0 for none.
type missingRange struct{ from, to uint64 }

func (r *missingRange) add(n uint64) {
	if r.from == 0 {
		r.from = n
	}
	r.to = n
}

func (r *missingRange) flush(l *Ledger, out *Effects) {
	if r.from == 0 {
		return
	}
	if l.opt.Fills {
		out.Steps = append(out.Steps, Step{Kind: StepMissing, Slot: r.from, To: r.to})
		l.opt.Metrics.missing(r.to - r.from + 1)
	} else {
		l.lose(r.from, r.to, GapNoFiller, out)
	}
	*r = missingRange{}
}

// full reports whether no further transaction may be kept.
func (l *Ledger) full() bool {
	return l.idx.count >= l.opt.MaxTxs || l.idx.bytes >= l.opt.MaxBytes
}

// makeRoom gives up the oldest slots until there is room for one more
// transaction of s. Where s itself is the oldest, s is lost.
func (l *Ledger) makeRoom(s *slotState, out *Effects) bool {
	for l.full() && l.win.base < s.slot {
		l.giveUp(l.win.base+1, out)
	}
	if !l.full() {
		return true
	}
	l.refuse(refuseFull)
	if !s.fate.lost {
		l.gap(s.slot, s.slot, GapOverflow, out)
		s.fate.lost = true
	}
	return false
}

// giveUp settles everything below slot base, whatever its state: what is in the
// confirmed chain is confirmed as it is, what is not decided is a gap.
func (l *Ledger) giveUp(base uint64, out *Effects) {
	f := &l.front
	var start, end uint64
	for l.win.base < base && l.win.kept > 0 {
		n := l.win.base
		s := l.win.get(n)
		if f.floor != 0 && n >= f.floor && !l.decided(n) && (s == nil || !s.complete()) {
			if start == 0 {
				start = n
			}
			end = n
		} else if start != 0 {
			l.gap(start, end, GapOverflow, out)
			start = 0
		}
		if s != nil {
			if s.fate.chain && !l.closed(s) {
				l.confirm(s, out)
			}
			if !s.fate.settled && n >= f.floor {
				l.refuse(refuseOverflow)
			}
			l.settle(s)
		}
		l.win.pop()
	}
	if l.win.base < base { // nothing is known of the rest
		if f.floor != 0 {
			if start == 0 {
				start = max(l.win.base, f.floor)
			}
			end = base - 1
		}
		l.win.base = base
	}
	if start != 0 && start <= end {
		l.gap(start, end, GapOverflow, out)
	}
	low := base - 1
	f.out, f.swept = max(f.out, low), max(f.swept, low)
	f.checkpoint, f.settled = max(f.checkpoint, low), max(f.settled, low)
	f.moved = true
}
