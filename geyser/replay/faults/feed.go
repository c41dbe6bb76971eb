package faults

import (
	"context"
	"errors"
	"io"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// FeedOptions are what a Feed needs of its server.
type FeedOptions struct {
	// Clock is the time since the server began.
	Clock func() time.Duration
	// OnFault is told of each strike, from within Next. May be nil.
	OnFault func(Event)
	Now     func() time.Time
}

// Feed is a Source as one endpoint has it: with the faults of its own feed. What
// is left is the source's, so that a replay of it shows the same faults again.
type Feed struct {
	src    Source
	opts   FeedOptions
	stages []feedStage
	out    []*pb.SubscribeUpdate
	head   int
	err    error
}

// feedStage is one fault on the way. flush lets out what is still held.
type feedStage interface {
	step(u *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate))
	flush(emit func(*pb.SubscribeUpdate))
}

// Feed bends src by the faults of the endpoint's feed. It is src itself where
// there are none.
func (e *Endpoint) Feed(src Source, o FeedOptions) Source {
	f := &Feed{src: src, opts: o}
	// Lies first: they come out of order, and after the block meta, as truths do.
	for _, kind := range []Kind{Lying, Reorder, BlockMetaEarly} {
		for i := range e.Faults {
			if e.Faults[i].Kind != kind {
				continue
			}
			base := feedBase{feed: f, trigger: NewTrigger(&e.Faults[i], e.Seed, uint64(i))}
			switch kind {
			case Lying:
				f.stages = append(f.stages, &lyingStage{feedBase: base})
			case Reorder:
				f.stages = append(f.stages, &reorderStage{feedBase: base})
			default:
				f.stages = append(f.stages, &earlyStage{feedBase: base})
			}
		}
	}
	if len(f.stages) == 0 {
		return src
	}
	return f
}

// Next returns the next update of the feed.
func (f *Feed) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	for f.head == len(f.out) {
		if f.err != nil {
			return nil, f.err
		}
		f.out, f.head = f.out[:0], 0
		u, err := f.src.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			f.err = err
			for i, s := range f.stages {
				s.flush(func(u *pb.SubscribeUpdate) { f.through(i+1, u) })
			}
		case err != nil:
			return nil, err // one item; the source goes on behind it
		default:
			f.through(0, u)
		}
	}
	u := f.out[f.head]
	f.out[f.head] = nil
	f.head++
	return u, nil
}

// Close closes the source.
func (f *Feed) Close() error {
	if closer, ok := f.src.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func (f *Feed) through(stage int, u *pb.SubscribeUpdate) {
	if stage == len(f.stages) {
		f.out = append(f.out, u)
		return
	}
	f.stages[stage].step(u, func(u *pb.SubscribeUpdate) { f.through(stage+1, u) })
}

// feedBase is what the stages share.
type feedBase struct {
	feed    *Feed
	trigger *Trigger
	now     time.Duration
	slot    uint64 // highest so far
	on      bool   // the fault strikes that slot
}

// hitsSlot tells whether the fault is on for a slot. Only the highest slot so far
// can be struck; updates of older ones pass as they are.
func (b *feedBase) hitsSlot(slot uint64) bool {
	b.now = b.feed.opts.Clock()
	if slot < b.slot || slot == 0 {
		return false
	}
	w := &b.trigger.f.When
	hit := b.trigger.Advance(b.now, slot) || w.always() || w.Lasts() && b.trigger.Active(b.now, slot)
	if slot > b.slot {
		b.slot, b.on = slot, false
	}
	if hit && !b.on {
		b.on = true
		b.struck(slot, "")
	}
	return b.on
}

func (b *feedBase) struck(slot uint64, detail string) {
	b.struckAt(Event{Slot: slot, Detail: detail})
}

func (b *feedBase) struckAt(e Event) {
	if b.feed.opts.OnFault != nil {
		f := b.trigger.f
		e.Time, e.Kind, e.Line = b.feed.opts.Now(), f.Kind, f.Line
		b.feed.opts.OnFault(e)
	}
}

// lyingStage alters, invents or leaves out transactions.
type lyingStage struct{ feedBase }

func (s *lyingStage) flush(func(*pb.SubscribeUpdate)) {}

func (s *lyingStage) step(u *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate)) {
	slot := SlotOf(u)
	s.now = s.feed.opts.Clock()
	s.trigger.Advance(s.now, slot)
	info := u.GetTransaction().GetTransaction()
	// A transaction that moves no tokens is not worth a lie, and leaves one that
	// is due to the next.
	item := 1 + mix(slot) ^ info.GetIndex()
	if _, ok := pickMove(info, item); !ok || !s.trigger.Hit(s.now, slot, item) {
		emit(u)
		return
	}
	strike := Event{Slot: slot, Detail: s.trigger.f.How}
	if strike.Detail == "altered" {
		copy(strike.Signature[:], info.GetSignature())
	}
	s.struckAt(strike)
	lie, _ := altered(info, item) // a transfer to alter was found
	out := Shallow(u)
	out.GetTransaction().Transaction = lie
	switch s.trigger.f.How {
	case "altered":
		emit(out)
	case "invented":
		emit(u)
		resigned(lie, item)
		lie.Index += inventedIndex
		emit(out)
	default: // left out
	}
}

// inventedIndex keeps the indexes of invented transactions apart from those that
// a slot has.
const inventedIndex = 1 << 20

// reorderStage lets a slot's transactions out in another order.
type reorderStage struct {
	feedBase
	window []*pb.SubscribeUpdate
	of     uint64 // their slot
}

func (s *reorderStage) step(u *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate)) {
	slot := SlotOf(u)
	on := s.hitsSlot(slot)
	if u.GetTransaction() == nil || !on || slot != s.of {
		s.flush(emit)
	}
	if u.GetTransaction() == nil || !on {
		emit(u)
		return
	}
	s.of = slot
	s.window = append(s.window, u)
	if uint64(len(s.window)) >= s.trigger.f.Count {
		s.flush(emit)
	}
}

// flush lets the window out, shuffled by slot and first index.
func (s *reorderStage) flush(emit func(*pb.SubscribeUpdate)) {
	if len(s.window) == 0 {
		return
	}
	salt := mix(s.trigger.salt ^ mix(s.of) ^ s.window[0].GetTransaction().GetTransaction().GetIndex())
	for i := len(s.window) - 1; i > 0; i-- {
		salt = mix(salt + golden)
		j := int(salt % uint64(i+1))
		s.window[i], s.window[j] = s.window[j], s.window[i]
	}
	for i, u := range s.window {
		emit(u)
		s.window[i] = nil
	}
	s.window = s.window[:0]
}

// earlyStage lets a slot's block meta out before its last transactions.
type earlyStage struct {
	feedBase
	line []*pb.SubscribeUpdate // the slot's last transactions so far
	of   uint64
}

func (s *earlyStage) step(u *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate)) {
	slot := SlotOf(u)
	on := s.hitsSlot(slot)
	switch {
	case u.GetTransaction() != nil && on:
		if slot != s.of {
			s.flush(emit)
			s.of = slot
		}
		s.line = append(s.line, u)
		if uint64(len(s.line)) > s.trigger.f.Count {
			emit(s.line[0])
			s.line[0] = nil
			s.line = s.line[1:]
		}
		return
	case u.GetBlockMeta() != nil && slot == s.of:
		emit(u)
		s.flush(emit)
		return
	case u.GetSlot().GetStatus() != pb.SlotStatus_SLOT_COMPLETED && slot == s.of && u.GetSlot() != nil,
		slot > s.of && len(s.line) > 0:
		s.flush(emit)
	}
	emit(u)
}

func (s *earlyStage) flush(emit func(*pb.SubscribeUpdate)) {
	for _, u := range s.line {
		emit(u)
	}
	s.line = nil
}
