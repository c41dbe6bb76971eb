package ledger

import (
	"cmp"
	"math/bits"
	"slices"
)

// advance confirms to the outside what may be, then moves the checkpoint and
// forgets what is old.
func (l *Ledger) advance(out *Effects) {
	l.front.moved = false
	for {
		s, clear := l.next()
		if s == nil {
			break
		}
		if !l.ready(s, clear, out) {
			l.askAhead(s.slot+1, out)
			break
		}
		l.confirm(s, out)
	}
	l.moveCheckpoint()
	l.sweep()
}

// next returns the next slot of the confirmed chain to go out, and whether all
// between the last one and it is decided.
func (l *Ledger) next() (s *slotState, clear bool) {
	f := &l.front
	from := f.out + 1
	clear = true
	if f.out == 0 {
		from, clear = max(l.win.base, min(f.lowest, f.floor)), f.floor != 0
	}
	for n := from; n <= f.maxChain; n++ {
		s := l.win.get(n)
		if s != nil && s.fate.chain && !s.fate.out {
			return s, clear
		}
		if n >= f.floor && (s == nil || !s.fate.aside && !s.fate.lost) {
			clear = false
		}
	}
	return nil, false
}

// ready reports whether a slot goes out now.
func (l *Ledger) ready(s *slotState, clear bool, out *Effects) bool {
	if s.slot <= l.front.overdue || l.heldOut(s) {
		return true
	}
	if !clear || !s.complete() && s.slot >= l.front.floor {
		return false
	}
	return !l.uncorroborated(s) && !l.disputed(s, out)
}

// heldOut reports whether the slot has waited for as long as any may.
func (l *Ledger) heldOut(s *slotState) bool { return l.now-s.wait.chain >= int64(l.opt.HoldFor) }

// findOverdue finds the newest slot that has waited for HoldFor: nothing older
// holds it any longer, though it was filled a moment ago itself and has others
// before it that are not. A fill of hours would hold all that is new else.
func (l *Ledger) findOverdue() {
	f := &l.front
	for n := f.maxChain; n > max(f.out, f.overdue) && n >= l.win.base; n-- {
		if s := l.win.get(n); s != nil && s.fate.chain && !s.fate.out && l.heldOut(s) {
			f.overdue = n
			return
		}
	}
}

// uncorroborated reports whether a slot waits for the word of other streams: one
// that lies must not be alone in being heard.
func (l *Ledger) uncorroborated(s *slotState) bool {
	if l.opt.Corroborate < 0 || !l.src.prompt(s.slot, s.confBy) {
		return false
	}
	if s.wait.others == 0 {
		s.wait.others = l.now
	}
	if l.now-s.wait.others < int64(l.opt.Corroborate) {
		return true
	}
	l.src.lagging(s.slot, s.confBy)
	return false
}

// disputeFor is how long the word on what is disputed is waited for, in
// nanoseconds: RPC's while it answers, else that of the endpoints.
func (l *Ledger) disputeFor() int64 {
	if l.down {
		return int64(min(l.opt.DisputeFor, defaultDisputeFor))
	}
	return int64(l.opt.DisputeFor)
}

// disputed reports whether a slot waits for the word on some transactions, and
// asks for it.
func (l *Ledger) disputed(s *slotState, out *Effects) bool {
	if s.wait.dispute != 0 && l.now-s.wait.dispute >= l.disputeFor() {
		return false
	}
	if !s.fate.dirty {
		return s.wait.dispute != 0
	}
	s.fate.dirty = false
	l.findProvers(s)
	waits := false
	for _, e := range s.entries {
		if !l.suspect(e) {
			continue
		}
		if l.opt.Fills && !e.asked && s.wait.asks < l.opt.MaxDisputes {
			since := s.wait.dispute
			l.ask(e, out)
			if since != 0 {
				s.wait.dispute = since // the slot waits once
			}
		}
		waits = waits || e.asked || l.awaited(e)
	}
	switch {
	case !waits:
		s.wait.dispute = 0
	case s.wait.dispute == 0:
		s.wait.dispute = l.now
	}
	return waits
}

// aheadSlots is how far behind a slot that waits others are looked at.
const aheadSlots = 64

// askAhead asks about what is disputed in slots behind one that waits: their time
// runs meanwhile, and would be over when their turn comes.
func (l *Ledger) askAhead(from uint64, out *Effects) {
	if !l.opt.Fills {
		return
	}
	for n := from; n <= min(l.front.maxChain, from+aheadSlots); n++ {
		s := l.win.get(n)
		if s != nil && s.fate.chain && !s.fate.out && s.fate.dirty && s.complete() && !l.uncorroborated(s) {
			l.disputed(s, out)
		}
	}
}

// suspect reports whether endpoints differ about a transaction: over its
// content, or over whether it is there at all.
func (l *Ledger) suspect(e *entry) bool {
	s := e.slot
	if s.fate.filled || !e.alive() || e.seen&s.rpc != 0 {
		return false
	}
	return e.contested() || e.seen&s.included() == 0 || l.opt.Fills && l.omitted(e, false)
}

// prover is an endpoint that vouches for all of a slot, and its versions of it.
type prover struct {
	endpoint *endpoint
	versions uint64
	proved   bool // it brought all of it, beyond doubt
}

// findProvers finds the endpoints that vouch for all of a slot.
func (l *Ledger) findProvers(s *slotState) {
	l.provers = l.provers[:0]
	for _, ep := range l.src.list {
		if l.src.vouches(ep, s.slot, s.confBy) {
			versions, _ := s.of(ep)
			l.provers = append(l.provers, prover{ep, versions & s.live, l.src.proved(ep, s.slot, s.confBy)})
		}
	}
}

// omitted reports whether an endpoint that vouches for the slot did not bring the
// transaction, and blames those that proved it. Called after findProvers.
func (l *Ledger) omitted(e *entry, blame bool) bool {
	any := false
	for _, p := range l.provers {
		if e.seen&p.versions != 0 {
			continue
		}
		any = true
		if blame && p.proved {
			l.disagreed(p.endpoint, disagreeOmitted)
		}
	}
	return any
}

// awaited reports whether an endpoint has yet to say what decides about a
// suspect: any, where the content is in question, else one that brought it.
func (l *Ledger) awaited(e *entry) bool {
	s := e.slot
	if e.contested() {
		return l.src.outstanding(nil, s.slot, s.confBy)
	}
	for m := e.seen & s.live &^ s.confirmed; m != 0; m &= m - 1 {
		if l.src.outstanding(s.vers[bits.TrailingZeros64(m)].endpoint, s.slot, s.confBy) {
			return true
		}
	}
	return false
}

// confirm lets a slot out: what is not in it is taken back, what is in it and
// does not count yet is applied, then it is confirmed.
func (l *Ledger) confirm(s *slotState, out *Effects) {
	l.front.out = max(l.front.out, s.slot) // from here on nothing is promoted into it
	s.fate.out = true
	l.exclude(s, out)
	mask := s.included()
	batch := l.batch[:0]
	for _, e := range s.entries {
		if e.alive() && e.seen&mask != 0 && l.take(e, out) {
			batch = append(batch, e)
		}
	}
	l.tell(s, batch, out)
	l.batch = batch[:0]
	if !s.complete() && s.slot >= l.front.floor {
		l.stats.Unproved++
		l.opt.Metrics.unproved()
	}
}

// exclude takes back what counts in a slot that is confirmed without it.
func (l *Ledger) exclude(s *slotState, out *Effects) {
	mask := s.included()
	reason := RetractUnconfirmed
	if s.fate.filled {
		reason = RetractAbsent
	}
	batch := l.batch[:0]
	for _, e := range s.entries {
		if e.counted && !e.told && (!e.alive() || e.seen&mask == 0) {
			batch = append(batch, e)
			if s.fate.filled {
				l.blame(e, e.seen&s.live, disagreeInvented)
			}
		}
	}
	l.retract(s, batch, reason, out)
	l.batch = batch[:0]
}

// take makes a transaction of a slot that goes out count there and nowhere else.
func (l *Ledger) take(e *entry, out *Effects) bool {
	if o := l.elsewhere(e); o != nil {
		if o.told {
			l.refuse(refuseTwice)
			if e.counted {
				l.pushRetract(e, RetractMoved, out)
			}
			return false
		}
		l.pushRetract(o, RetractMoved, out)
	}
	switch best := e.best(); {
	case !e.counted:
		e.pick = best
		l.apply(e, out)
	case best != e.pick:
		l.swap(e, best, out)
	}
	return true
}

// tell gives the step that confirms a slot with its transactions.
func (l *Ledger) tell(s *slotState, batch []*entry, out *Effects) {
	l.findProvers(s)
	start := len(out.txs)
	time := s.blockTime
	for _, e := range batch {
		e.told = true
		tx := e.tx()
		out.txs = append(out.txs, tx)
		if s.blockTime == 0 {
			time = max(time, tx.BlockTime)
		}
		if len(e.variants) > 1 {
			for i, v := range e.variants {
				if i != e.pick {
					l.blame(e, v.seen&s.live, disagreeContent)
				}
			}
		}
		l.omitted(e, true)
	}
	txs := out.txs[start:len(out.txs):len(out.txs)]
	if !slices.IsSortedFunc(txs, byIndex) {
		slices.SortStableFunc(txs, byIndex)
	}
	out.Steps = append(out.Steps, Step{Kind: StepConfirm, Slot: s.slot, BlockTime: time, Txs: txs})
	l.stats.Confirmed = s.slot
	for _, e := range batch {
		l.idx.drop(e)
	}
}

func byIndex(a, b *Tx) int { return cmp.Compare(a.Index, b.Index) }

// blame counts against the endpoints of some versions of a transaction.
func (l *Ledger) blame(e *entry, versions uint64, reason disagreement) {
	var done uint64
	for m := versions &^ e.slot.rpc; m != 0; m &= m - 1 {
		if ep := e.slot.vers[bits.TrailingZeros64(m)].endpoint; done&ep.bit() == 0 {
			done |= ep.bit()
			l.disagreed(ep, reason)
		}
	}
}

// decided reports whether nothing is open about a slot.
func (l *Ledger) decided(slot uint64) bool {
	if slot < l.front.floor {
		return true
	}
	s := l.win.get(slot)
	switch {
	case s == nil:
		return false
	case s.fate.aside:
		return true
	case s.fate.chain:
		return s.fate.out && s.complete()
	default:
		return s.fate.lost
	}
}

// moveCheckpoint moves the checkpoint over what is decided, and Settled over
// what will not be retracted.
func (l *Ledger) moveCheckpoint() {
	f := &l.front
	if f.floor == 0 {
		return
	}
	for f.checkpoint < f.out && l.decided(f.checkpoint+1) {
		f.checkpoint++
	}
	for f.settled < f.out {
		n := f.settled + 1
		if n < l.win.base {
			f.settled = min(l.win.base-1, f.out)
			continue
		}
		if s := l.win.get(n); s != nil && !s.fate.settled && open(s) {
			return
		}
		f.settled++
	}
}

// open reports whether a transaction of the slot counts that nobody confirmed.
func open(s *slotState) bool {
	return slices.ContainsFunc(s.entries, func(e *entry) bool { return e.counted && !e.told })
}

// awaitsLate reports whether a transaction of the slot waits to be told late.
func awaitsLate(s *slotState) bool {
	return !s.fate.settled && slices.ContainsFunc(s.entries, func(e *entry) bool { return e.queued })
}

// sweep forgets slots that are old and decided.
func (l *Ledger) sweep() {
	f := &l.front
	if f.out <= l.opt.KeepSlots {
		return
	}
	for target := f.out - l.opt.KeepSlots; f.swept < target; f.swept++ {
		if f.swept+1 < l.win.base {
			f.swept = min(l.win.base-1, target) - 1
			continue
		}
		if s := l.win.get(f.swept + 1); s != nil && l.decided(s.slot) && !awaitsLate(s) {
			l.settle(s)
		}
	}
	for l.win.base <= f.swept && l.decided(l.win.base) {
		if s := l.win.get(l.win.base); s != nil {
			if awaitsLate(s) {
				return // for DisputeFor at most
			}
			l.settle(s)
		}
		l.win.pop()
	}
}

// settle forgets the transactions of a slot.
func (l *Ledger) settle(s *slotState) {
	if s.fate.settled {
		return
	}
	s.fate.settled = true
	for _, e := range s.entries {
		if e.counted && !e.told {
			l.refuse(refuseUndetermined) // it stands in the processed market
		}
		l.idx.remove(e)
	}
	clear(s.entries)
	s.entries = s.entries[:0]
}
