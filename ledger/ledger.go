package ledger

import (
	"hash/maphash"
	"math/bits"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Ledger hears sources and decides. See the package's comment.
type Ledger struct {
	opt Options // fixed

	// Owned by the goroutine that calls.
	now     int64 // newest time heard of, Unix nanoseconds
	down    bool  // the filler cannot answer
	win     window
	idx     index
	src     sources
	front   frontier
	pace    pace
	gaps    []GapRange
	doubts  []uint64         // slots whose links wait for a second word
	late    []swapcast.TxRef // asked about after their slot was confirmed
	batch   []*entry         // scratch, as is the next
	later   []swapcast.TxRef
	provers []prover
	stats   Stats
	dropped refusals
}

// frontier is how far things are decided.
type frontier struct {
	floor      uint64 // slots from here on are owed, 0 unknown
	lowest     uint64 // lowest slot heard of
	head       uint64 // newest slot heard of
	maxChain   uint64 // newest slot of the confirmed chain
	out        uint64 // newest slot confirmed to the outside
	overdue    uint64 // what is up to it waits no longer
	swept      uint64 // slots up to it are forgotten once they are decided
	checkpoint uint64
	settled    uint64
	moved      bool // something changed that may let slots out
}

// New returns an empty ledger.
func New(o Options) *Ledger {
	o = o.withDefaults()
	size := uint64(1) << bits.Len64(o.MaxSlots-1)
	l := &Ledger{opt: o}
	l.win.ring = make([]*slotState, size)
	l.idx.bySig = make(map[solana.Signature]*entry)
	l.idx.seed = maphash.MakeSeed()
	l.src.endpoints = make(map[string]*endpoint)
	return l
}

// Start says where an earlier run ended: every slot up to checkpoint is done,
// and everything above it is owed. Called before anything else, or not at all.
// A checkpoint of 0 is none.
func (l *Ledger) Start(checkpoint uint64) {
	if checkpoint == 0 {
		return
	}
	l.win.base = checkpoint + 1
	l.front = frontier{
		floor: checkpoint + 1, lowest: checkpoint + 1, head: checkpoint,
		out: checkpoint, swept: checkpoint, checkpoint: checkpoint, settled: checkpoint,
	}
}

// Began says that the stream's filters are complete from slot from on. Said
// again, the last one counts.
func (l *Ledger) Began(src Source, from uint64, now int64) { l.BeganPart(src, from, 0, 1, now) }

// BeganPart is Began of a stream that asks for a part of the endpoint's keys only:
// part 0 to parts-1 of parts, 64 at most. The endpoint's keys are divided as the
// last call of any of its streams says.
func (l *Ledger) BeganPart(src Source, from uint64, part, parts int, now int64) {
	l.at(now)
	ep, st := l.src.of(src, l.opt.Metrics)
	if st == nil || from > maxSlot || parts > maxParts || part < 0 || part >= parts {
		return
	}
	st.began, st.from, st.part, st.parts = true, from, part, parts
	ep.parts = parts
	f := &l.front
	if f.floor == 0 { // what came before the first streams were whole is owed to nobody
		l.place(from)
		if whole, ok := l.src.whole(ep); ok {
			f.floor = max(whole, l.win.base)
			f.checkpoint = f.floor - 1
		}
	}
	l.proveRange(ep, l.win.base, f.head)
	f.moved = true
}

// Ended says that the stream was cut: it proves nothing more.
func (l *Ledger) Ended(src Source, now int64) {
	l.at(now)
	_, st := l.src.of(src, l.opt.Metrics)
	if st == nil {
		return
	}
	for n := l.win.base; n <= l.front.head; n++ {
		if s := l.win.get(n); s != nil {
			s.confBy &^= st.bit
			s.fate.dirty = true
		}
	}
	l.src.end(st)
	l.front.moved = true
}

// FillerDown says whether the filler can answer now. What is disputed is not
// waited for long while it cannot.
func (l *Ledger) FillerDown(down bool) { l.down = down }

// at lets time pass: it never goes back.
func (l *Ledger) at(now int64) { l.now = max(l.now, now) }

// begin is the first thing that every call with an Effects does.
func (l *Ledger) begin(now int64) {
	l.at(now)
	l.idx.recycle()
}

// place sets the window around the first slot heard of: others may tell of
// older ones.
func (l *Ledger) place(slot uint64) {
	if l.win.base == 0 {
		l.win.base = max(slot-min(slot, uint64(len(l.win.ring)/2)), 1)
	}
}

// maxSlot is far above any real slot, so that sums of slots do not overflow.
const maxSlot = 1 << 60

// slotFor returns the state of a slot that a source tells of, nil for one that
// is settled or makes no sense.
func (l *Ledger) slotFor(slot uint64, st *stream, out *Effects) *slotState {
	if slot == 0 || slot > maxSlot {
		l.refuse(refuseSlot)
		return nil
	}
	l.place(slot)
	f := &l.front
	if slot < l.win.base {
		l.refuse(refuseSettled)
		return nil
	}
	leaps := st != nil && st.src.Leaps && f.head != 0 && slot > f.head+1
	if leaps && slot-f.head > uint64(len(l.win.ring)/2) {
		f.floor = slot
		l.giveUp(slot, out)
		f.head = slot
	}
	// A server that names a slot of the far future must not make the ledger
	// forget the present.
	if far := uint64(len(l.win.ring) / 2); f.head != 0 && slot > f.head && slot-f.head > far &&
		(st == nil || !st.began || slot < st.from || slot-st.from > far) {
		l.refuse(refuseFar)
		return nil
	}
	if slot-l.win.base >= uint64(len(l.win.ring)) {
		l.giveUp(slot-uint64(len(l.win.ring))+1, out)
	}
	if f.lowest == 0 || slot < f.lowest {
		f.lowest = slot
	}
	if leaps {
		for n := f.head + 1; n < slot; n++ {
			l.win.ensure(n).fate.lost = true
		}
	}
	if slot > f.head {
		l.pace.advance(f.head, slot, l.now)
		f.head = slot
	}
	return l.win.ensure(slot)
}

// Known reports whether this endpoint has brought the transaction in that bank
// before (or its slot is settled): there is nothing to parse, and Tx need not
// be called. It notes the arrival. It allocates nothing.
func (l *Ledger) Known(src Source, ref swapcast.TxRef, bank uint64) bool {
	ep, st := l.src.of(src, l.opt.Metrics)
	if s := l.win.get(ref.Slot); ref.Slot < l.win.base || s != nil && s.fate.settled {
		l.refuse(refuseSettled)
		l.arrived(st, ref.Slot)
		return true
	}
	e := l.idx.find(ref.Signature, ref.Slot)
	if e == nil {
		return false
	}
	i := e.slot.last(origin{ep, src.Stream}, bank)
	if i < 0 || e.seen&(1<<i) == 0 || (bank == 0 && e.slot.vers[i].dead) {
		return false
	}
	ep.stats.Duplicates++
	ep.metrics.duplicate()
	l.arrived(st, ref.Slot)
	return true
}

// arrived notes that the stream brought a transaction of the slot.
func (l *Ledger) arrived(st *stream, slot uint64) {
	if st == nil || slot <= st.maxTx {
		return
	}
	// Slots of the far future are refused, but for what Began said.
	if slot > l.front.head && l.front.head != 0 && slot-l.front.head > uint64(len(l.win.ring)) {
		return
	}
	before := st.maxTx
	st.maxTx = slot
	st.endpoint.stats.Slot = max(st.endpoint.stats.Slot, slot)
	l.proveRange(st.endpoint, before+1, slot)
}

// proveRange proves what the endpoint has brought all of by now, among the slots
// from..to.
func (l *Ledger) proveRange(ep *endpoint, from, to uint64) {
	for n := max(from, l.win.base); n <= min(to, l.front.head); n++ {
		if s := l.win.get(n); s != nil && s.confBy != 0 && !s.fate.proved && l.src.proved(ep, n, s.confBy) {
			l.prove(s)
		}
	}
}

// prove marks a slot as complete.
func (l *Ledger) prove(s *slotState) {
	s.fate.proved, s.fate.dirty = true, true
	l.front.moved = true
}

// Tx hears a transaction; what is kept of t is copied.
func (l *Ledger) Tx(src Source, t *Tx, out *Effects) {
	l.begin(t.ReceivedAt)
	ep, st := l.src.of(src, l.opt.Metrics)
	if s := l.slotFor(t.Slot, st, out); s != nil {
		l.arrived(st, t.Slot)
		l.hear(origin{ep, src.Stream}, s, t, out)
	} else if t.Slot < l.win.base {
		l.arrived(st, t.Slot)
	}
	l.settleIfMoved(out)
}

// hear takes a transaction of a slot that is kept.
func (l *Ledger) hear(from origin, s *slotState, t *Tx, out *Effects) {
	ep := from.endpoint
	if s.fate.settled {
		l.refuse(refuseSettled)
		return
	}
	e := l.idx.find(t.Signature, t.Slot)
	if e == nil && l.full() && !l.makeRoom(s, out) {
		return
	}
	i := s.txVersion(from, t.Bank)
	if i < 0 {
		l.refuse(refuseBanks)
		return
	}
	hash := l.idx.hash(t)
	switch {
	case e == nil:
		e = l.idx.insert(t.Signature, s)
		e.variants = append(e.variants, variant{hash: hash, seen: 1 << i, tx: l.idx.copyOf(t)})
		s.fate.dirty = true
	case e.seen&(1<<i) != 0:
		ep.stats.Duplicates++
		ep.metrics.duplicate()
		return // an endpoint that contradicts itself is believed the first time
	default:
		l.another(e, i, hash, t)
	}
	e.seen |= 1 << i
	l.raced(e, ep, t.ReceivedAt)
	if ep.rpc {
		s.fate.dirty, l.front.moved = true, true // it may be what the slot waits for
		l.chain(s, out)                          // the filler tells of the confirmed chain only
	}
	l.judge(e, out)
}

// another takes a further copy of a transaction.
func (l *Ledger) another(e *entry, version int, hash uint64, t *Tx) {
	for i := range e.variants {
		v := &e.variants[i]
		if v.hash != hash {
			continue
		}
		v.seen |= 1 << version
		if v.tx != nil && !e.told {
			// What one source does not tell another one may.
			if v.tx.Index == 0 {
				v.tx.Index = t.Index
			}
			if v.tx.BlockTime == 0 {
				v.tx.BlockTime = t.BlockTime
			}
		}
		return
	}
	v := variant{hash: hash, seen: 1 << version}
	if !e.told {
		v.tx = l.idx.copyOf(t)
	}
	e.variants = append(e.variants, v)
	e.slot.fate.dirty = true
	if !e.argued && len(e.variants) > 1 {
		e.argued = true
		l.stats.Disputed++
		l.opt.Metrics.disputed()
	}
	if e.told {
		l.disagreed(e.slot.vers[version].endpoint, disagreeContent)
	}
}

// Slot hears that a slot entered a stage.
func (l *Ledger) Slot(src Source, u *swapcast.SlotUpdate, now int64, out *Effects) {
	l.begin(now)
	ep, st := l.src.of(src, l.opt.Metrics)
	if s := l.slotFor(u.Slot, st, out); s != nil && int(u.Status) < statuses {
		ep.stats.Slot = max(ep.stats.Slot, u.Slot)
		if s.at[u.Status] == 0 {
			s.at[u.Status] = now
		}
		l.stage(origin{ep, src.Stream}, st, s, u, out)
	}
	l.settleIfMoved(out)
}

// Block hears of a whole block: its parent and its time.
func (l *Ledger) Block(src Source, b *swapcast.BlockMeta, now int64, out *Effects) {
	l.begin(now)
	ep, st := l.src.of(src, l.opt.Metrics)
	if s := l.slotFor(b.Slot, st, out); s != nil && !s.fate.settled {
		ep.stats.Slot = max(ep.stats.Slot, b.Slot)
		if b.BlockTime != 0 && (s.blockTime == 0 || ep.rpc) {
			s.blockTime = b.BlockTime
		}
		l.linked(s, s.txVersion(origin{ep, src.Stream}, b.Bank), b.ParentSlot, out)
	}
	l.settleIfMoved(out)
}

// settleIfMoved lets out what may go, after a call that changed something.
func (l *Ledger) settleIfMoved(out *Effects) {
	if l.front.moved {
		l.advance(out)
	}
}
