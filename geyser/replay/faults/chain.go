package faults

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Source is what the updates come from, as geyser/replay has it.
type Source interface {
	Next(ctx context.Context) (*pb.SubscribeUpdate, error)
}

// ChainOptions are the ears of a Chain. All may be nil.
type ChainOptions struct {
	// OnTruth is told what is true, from within Next.
	OnTruth func(Truth)
	// OnFault is told of each strike, from within Next.
	OnFault func(Event)
	// Now is the clock of events. Default time.Now.
	Now func() time.Time
}

// Chain is a Source bent by the chain's faults of a script. It must be played
// once: a second pass would have the same slots.
//
// Slots are renumbered: each fork, dead slot and skipped slot moves the later ones
// on. A slot that has a losing fork or bank before it is held back until it is
// processed, since the loser is made of its transactions.
type Chain struct {
	src    Source
	opts   ChainOptions
	forks  []*Trigger // Fork, Dead, Banks
	skips  []*Trigger
	stages []stage // before slots are renumbered
	banks  bool    // slots have bank ids

	out  []*pb.SubscribeUpdate
	head int
	err  error // the source's, once out is empty

	at    *timestamppb.Timestamp // of the source's last update
	start time.Time              // the source's clock when it began
	clock time.Duration
	slots map[uint64]*chainSlot // by the source's number
	order []uint64              // their numbers, rising
	shift uint64
	bank  uint64
	held  *chainSlot
	ends  []loserEnd
	// again is the second landings that are on their way out.
	again map[*pb.SubscribeUpdateTransactionInfo]struct{}
}

// stage changes updates of the source before slots are renumbered.
type stage interface {
	step(u *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate))
	begin(now time.Duration, slot uint64) // a slot's first update comes
}

// chainSlot is one slot of the source.
type chainSlot struct {
	src, slot     uint64 // in the source, in the chain
	shift         uint64 // how far slots after it have moved
	bank          uint64
	parent        uint64 // in the chain, 0 not known
	before, after []loser
	txs           []*pb.SubscribeUpdateTransaction // kept where a loser needs them
	count         uint64
	meta          *pb.SubscribeUpdateBlockMeta
	held          []*pb.SubscribeUpdate // not let out yet; valid while Chain.held
	done          bool                  // processed
}

// loser is a fork or bank that does not survive.
type loser struct {
	f    *Fault
	slot uint64 // in the chain
	bank uint64
	salt uint64
}

const (
	// keptSlots is how many slots are remembered for updates that come late.
	keptSlots = 1024
	// maxHeld bounds the updates, and maxHeldSlots the slots, that are held back
	// for one that is not processed.
	maxHeld      = 200_000
	maxHeldSlots = 8
)

// Chain bends src. src is closed with the chain, where it can be closed.
func (s *Script) Chain(src Source, o ChainOptions) *Chain {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Chain{
		src: src, opts: o, slots: make(map[uint64]*chainSlot),
		again: make(map[*pb.SubscribeUpdateTransactionInfo]struct{}),
	}
	if s == nil {
		return c
	}
	for i := range s.chain {
		f := &s.chain[i]
		t := NewTrigger(f, s.Seed, uint64(i))
		switch f.Kind {
		case SkipSlots:
			c.skips = append(c.skips, t)
		case NonceTwice:
			c.stages = append(c.stages, &nonceStage{chain: c, trigger: t})
		case V1:
			// Before the others: a transaction that lands twice is one version twice.
			c.stages = slices.Insert(c.stages, 0, stage(&v1Stage{chain: c, trigger: t}))
		default:
			c.forks = append(c.forks, t)
			c.banks = c.banks || f.Kind == Banks
		}
	}
	return c
}

// Next returns the next update of the chain, and io.EOF at the source's end.
func (c *Chain) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	for c.head == len(c.out) {
		if c.err != nil {
			err := c.err
			if !errors.Is(err, io.EOF) {
				c.err = nil // an item that could not be read: the source goes on
			}
			return nil, err
		}
		c.out, c.head = c.out[:0], 0
		u, err := c.src.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			c.release()
			c.endLosers(nil)
			c.err = io.EOF
		case err != nil:
			c.err = err
		default:
			c.take(u)
		}
	}
	u := c.out[c.head]
	c.out[c.head] = nil
	c.head++
	return u, nil
}

// Close closes the source.
func (c *Chain) Close() error {
	if closer, ok := c.src.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// take puts one update of the source through the stages.
func (c *Chain) take(u *pb.SubscribeUpdate) {
	if at := u.GetCreatedAt(); at != nil {
		c.at = at
		if c.start.IsZero() {
			c.start = at.AsTime()
		}
		c.clock = max(c.clock, at.AsTime().Sub(c.start))
	}
	slot := SlotOf(u)
	if slot == 0 {
		c.emit(nil, u)
		return
	}
	if c.slots[slot] == nil {
		c.begin(slot)
		for _, s := range c.stages {
			s.begin(c.clock, slot)
		}
	}
	c.through(c.stages, u)
}

func (c *Chain) through(stages []stage, u *pb.SubscribeUpdate) {
	if len(stages) == 0 {
		c.chain(u)
		return
	}
	stages[0].step(u, func(u *pb.SubscribeUpdate) { c.through(stages[1:], u) })
}

// begin numbers a slot of the source that has not been seen before. One that
// comes out of order fits between those that were.
func (c *Chain) begin(slot uint64) {
	i, _ := slices.BinarySearch(c.order, slot)
	if i < len(c.order) {
		c.add(i, slot, &chainSlot{src: slot, slot: c.number(slot), shift: c.shiftOf(slot), bank: c.nextBank()})
		return
	}
	if c.held != nil && slot > c.held.src+maxHeldSlots {
		c.release() // a source without statuses: the slot is as whole as it gets
	}
	c.skip(slot)
	st := &chainSlot{src: slot}
	for _, t := range c.forks {
		if !t.Advance(c.clock, slot) {
			continue
		}
		l := loser{f: t.f, salt: mix(t.salt ^ slot)}
		if t.f.Order == "before" {
			if l.bank = c.nextBank(); t.f.Kind != Banks {
				l.slot = slot + c.shift
				c.shift++
			}
			st.before = append(st.before, l)
		} else {
			st.after = append(st.after, l)
		}
	}
	st.slot, st.bank = slot+c.shift, c.nextBank()
	for i := range st.before {
		if st.before[i].slot == 0 {
			st.before[i].slot = st.slot
		}
	}
	for i := range st.after {
		l := &st.after[i]
		l.slot, l.bank = st.slot, c.nextBank()
		if l.f.Kind != Banks {
			c.shift++
			l.slot = slot + c.shift
		}
	}
	st.shift = c.shift
	c.add(i, slot, st)
	if len(st.before) > 0 {
		c.release()
		c.held = st
	}
}

// skip moves the numbers on where slots are skipped before this one.
func (c *Chain) skip(slot uint64) {
	for _, t := range c.skips {
		if !t.Advance(c.clock, slot) {
			continue
		}
		first := slot + c.shift
		c.struck(t.f, first)
		for n := range t.f.Count {
			c.tell(Truth{Kind: TruthSlot, Slot: first + n, Fate: FateSkipped})
		}
		c.shift += t.f.Count
	}
}

func (c *Chain) add(at int, slot uint64, st *chainSlot) {
	c.slots[slot] = st
	c.order = slices.Insert(c.order, at, slot)
	if len(c.order) > keptSlots {
		delete(c.slots, c.order[0])
		c.order = c.order[1:]
	}
}

// nextBank numbers a bank, where slots have bank ids at all.
func (c *Chain) nextBank() uint64 {
	if !c.banks {
		return 0
	}
	c.bank++
	return c.bank
}

// number is the chain's number of a slot of the source.
func (c *Chain) number(slot uint64) uint64 {
	if st := c.slots[slot]; st != nil {
		return st.slot
	}
	return slot + c.shiftOf(slot)
}

// shiftOf is how far a slot that has not been seen has moved.
func (c *Chain) shiftOf(slot uint64) uint64 {
	i, _ := slices.BinarySearch(c.order, slot)
	if i == 0 {
		return 0 // before all that was seen: nothing had moved yet
	}
	return c.slots[c.order[i-1]].shift
}

// chain renumbers an update and lets it out, or holds it back.
func (c *Chain) chain(u *pb.SubscribeUpdate) {
	src := SlotOf(u)
	st := c.slots[src]
	if st == nil { // it was forgotten between the stages
		st = &chainSlot{slot: c.number(src)}
	}
	v := moved(u, st.slot, func(p uint64) uint64 {
		if p == 0 {
			return 0
		}
		return c.number(p)
	})
	if c.banks && hasBank(v) {
		SetBank(v, st.bank)
	}
	processed := st.note(v, c)
	if c.held != nil {
		c.held.held = append(c.held.held, v)
		if st == c.held && processed || len(c.held.held) > maxHeld {
			c.release()
		}
		return
	}
	c.emit(st, v)
}

// hasBank reports whether an update is of the kinds that carry a bank id.
func hasBank(u *pb.SubscribeUpdate) bool {
	switch s := u.GetSlot(); {
	case s != nil:
		return s.GetStatus() != pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED && s.GetStatus() != pb.SlotStatus_SLOT_COMPLETED
	default:
		return true
	}
}

// note keeps of an update what losers are made of, and reports whether it says
// that the slot is processed.
func (st *chainSlot) note(u *pb.SubscribeUpdate, c *Chain) (processed bool) {
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		st.count++
		if len(st.before)+len(st.after) > 0 && !c.isAgain(m.Transaction.GetTransaction()) {
			st.txs = append(st.txs, m.Transaction)
		}
	case *pb.SubscribeUpdate_Slot:
		if m.Slot.GetParent() != 0 {
			st.parent = m.Slot.GetParent()
		}
		return m.Slot.GetStatus() == pb.SlotStatus_SLOT_PROCESSED || m.Slot.GetStatus() == pb.SlotStatus_SLOT_DEAD
	case *pb.SubscribeUpdate_BlockMeta:
		st.parent, st.meta = m.BlockMeta.GetParentSlot(), m.BlockMeta
	}
	return false
}

func (c *Chain) isAgain(info *pb.SubscribeUpdateTransactionInfo) bool {
	_, is := c.again[info]
	return is
}

// release lets the held slot out, its losers before it.
func (c *Chain) release() {
	st := c.held
	if st == nil {
		return
	}
	c.held = nil
	list := st.held
	st.held = nil
	var at *timestamppb.Timestamp
	if len(list) > 0 {
		at = list[0].GetCreatedAt()
	}
	// A slot's first shred is that of all its banks.
	if len(list) > 0 && list[0].GetSlot().GetStatus() == pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED && SlotOf(list[0]) == st.slot {
		c.emit(st, list[0])
		list = list[1:]
	}
	for _, l := range st.before {
		c.lose(l, st, at)
	}
	for _, u := range list {
		c.emitAny(u, st)
	}
}

// emitAny lets out an update that was held together with a slot's.
func (c *Chain) emitAny(u *pb.SubscribeUpdate, st *chainSlot) {
	slot := SlotOf(u)
	if st.slot == slot {
		c.emit(st, u)
		return
	}
	for _, n := range slices.Backward(c.order) {
		if other := c.slots[n]; other.slot == slot {
			c.emit(other, u)
			return
		}
	}
	c.emit(nil, u)
}

// emit lets an update of the surviving chain out, tells its truth, and what
// follows from it. st is its slot, nil for none.
func (c *Chain) emit(st *chainSlot, u *pb.SubscribeUpdate) {
	c.out = append(c.out, u)
	if st == nil {
		return
	}
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		info := m.Transaction.GetTransaction()
		t := txTruth(TruthTx, st.slot, st.bank, info)
		t.Again = c.isAgain(info)
		delete(c.again, info)
		c.tell(t)
	case *pb.SubscribeUpdate_Block:
		for _, info := range m.Block.GetTransactions() {
			if st.count == 0 {
				c.tell(txTruth(TruthTx, st.slot, st.bank, info))
			}
		}
	case *pb.SubscribeUpdate_Slot:
		c.fate(st, m.Slot, u.GetCreatedAt())
	}
}

func (c *Chain) fate(st *chainSlot, s *pb.SubscribeUpdateSlot, at *timestamppb.Timestamp) {
	t := Truth{Kind: TruthSlot, Slot: st.slot, Bank: st.bank, Parent: st.parent, Transactions: st.count}
	switch s.GetStatus() {
	case pb.SlotStatus_SLOT_DEAD: // the source's own
		t.Fate = FateDead
		c.tell(t)
	case pb.SlotStatus_SLOT_PROCESSED:
		if st.done {
			return
		}
		st.done = true
		t.Fate = FateLanded
		c.tell(t)
		c.endLosers(st)
		for _, l := range st.after {
			c.lose(l, st, at)
		}
		st.txs, st.meta = nil, nil
	default:
	}
}

func (c *Chain) tell(t Truth) {
	if c.opts.OnTruth != nil {
		c.opts.OnTruth(t)
	}
}

func (c *Chain) struck(f *Fault, slot uint64) {
	if c.opts.OnFault != nil {
		c.opts.OnFault(Event{Time: c.opts.Now(), Kind: f.Kind, Line: f.Line, Slot: slot})
	}
}
