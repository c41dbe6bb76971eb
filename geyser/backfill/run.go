package backfill

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// run is the state of one Run, which alone touches it.
type run struct {
	f     *Filler
	wants map[uint64]*want
	order []uint64 // slots of wants, rising

	results   chan func() // what finished jobs have to say, run here
	running   int
	surveying bool
	fetching  map[uint64]struct{}  // slots whose block is on its way
	ready     map[uint64]*delivery // fetched, waiting for lower ones

	noAddresses bool // no endpoint offers getTransactionsForAddress

	expireAt time.Time // when to look for slots to give up again
	progress progress
	jobs     sync.WaitGroup
}

// Run answers wishes until ctx ends, which is no error.
func (f *Filler) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{
		f: f, wants: make(map[uint64]*want), fetching: make(map[uint64]struct{}), ready: make(map[uint64]*delivery),
		results: make(chan func(), f.o.Parallel),
	}
	defer r.jobs.Wait()
	defer cancel()
	tick := time.NewTicker(f.o.ProgressEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if !r.admit(ctx) || !r.expire(ctx) || !r.deliver(ctx) {
			break
		}
		next := r.start(ctx)
		r.f.note(func(s *Status) { s.Waiting = len(r.wants) })
		r.f.o.Metrics.waiting(len(r.wants))
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-due:
		case <-tick.C:
			r.progress.tell(r)
		case result := <-r.results:
			r.running--
			result()
		}
	}
	return nil
}

// job runs work in a goroutine of its own and then, in Run's, what it gives.
func (r *run) job(ctx context.Context, work func() func()) {
	r.running++
	r.jobs.Go(func() {
		result := work()
		select {
		case r.results <- result:
		case <-ctx.Done():
		}
	})
}

// admit takes in what was wished. False: ctx has ended.
func (r *run) admit(ctx context.Context) bool {
	ranges, refs := r.f.taken()
	before := len(r.wants)
	var lost []slotRange
	// Newest first: where there is too much, the oldest are lost.
	for _, x := range slices.Backward(ranges) {
		for slot := x.to; ; slot-- {
			if r.wants[slot] == nil && len(r.wants) >= r.f.o.Queue {
				lost = addRange(lost, slotRange{x.from, slot})
				break
			}
			r.want(slot).missing = true
			if slot == x.from {
				break
			}
		}
	}
	for _, ref := range refs {
		w := r.want(ref.Slot)
		if !slices.Contains(w.refs, ref.Signature) {
			w.refs = append(w.refs, ref.Signature)
		}
		if !w.missing {
			w.listed = true // ask for the block at once: the dispute does not wait for long
		}
	}
	if len(r.wants) != before {
		r.order = r.order[:0]
		for slot := range r.wants {
			r.order = append(r.order, slot)
		}
		slices.Sort(r.order)
	}
	for _, x := range lost {
		if !r.lost(ctx, x, reasonOverflow) {
			return false
		}
	}
	return true
}

// want gives the slot's entry, making it where there is none: order is then to be
// made anew.
func (r *run) want(slot uint64) *want {
	w := r.wants[slot]
	if w == nil {
		w = &want{slot: slot}
		r.wants[slot] = w
	}
	return w
}

// forget is the end of a slot.
func (r *run) forget(slot uint64) {
	delete(r.wants, slot)
	if at, ok := slices.BinarySearch(r.order, slot); ok {
		r.order = slices.Delete(r.order, at, at+1)
	}
}

// retry notes a failure of a slot and when it is tried again.
func (r *run) retry(w *want, reason string, wait time.Duration) {
	now := time.Now()
	w.reason, w.next = reason, now.Add(wait).UnixNano()
	if w.failed == 0 {
		w.failed = now.UnixNano()
	}
	w.tries++
}

// pause is the wait after a failure that is not a matter of time alone.
func (r *run) pause(w *want) time.Duration {
	const most = 15 * time.Second
	ceiling := min(most, r.f.o.PollEvery<<min(w.tries, 10))
	return ceiling/2 + rand.N(ceiling/2+1)
}

// expire gives up slots that have been failing for too long. False: ctx has
// ended.
func (r *run) expire(ctx context.Context) bool {
	const often = 200 * time.Millisecond
	now := time.Now()
	if now.Before(r.expireAt) {
		return true
	}
	r.expireAt = now.Add(often)
	since := now.Add(-r.f.o.GiveUpAfter).UnixNano()
	var gone []*want
	for _, slot := range r.order {
		if w := r.wants[slot]; w.failed != 0 && w.failed <= since && !w.busy {
			gone = append(gone, w)
		}
	}
	for _, w := range gone {
		if !r.giveUp(ctx, w, w.reason) {
			return false
		}
	}
	return true
}

// giveUp tells that a slot cannot be had. False: ctx has ended.
func (r *run) giveUp(ctx context.Context, w *want, reason string) bool {
	r.forget(w.slot)
	for range w.refs {
		r.f.o.Metrics.dispute("unresolved")
	}
	return !w.missing || r.lost(ctx, slotRange{w.slot, w.slot}, reason)
}

// lost tells that slots cannot be had. False: ctx has ended.
func (r *run) lost(ctx context.Context, x slotRange, reason string) bool {
	n := x.to - x.from + 1
	r.f.o.Metrics.lose(reason, n)
	r.f.note(func(s *Status) { s.Lost += n; s.LastLoss = reason })
	r.progress.lost(r, n)
	r.f.o.Logger.Error("slots cannot be had over RPC", "from", x.from, "to", x.to, "reason", reason)
	return r.send(ctx, &geyser.Event{Kind: geyser.KindLost, From: x.from, To: x.to, Reason: reason})
}

// skipped tells that the chain has no block in a slot. False: ctx has ended.
func (r *run) skipped(ctx context.Context, w *want) bool {
	r.forget(w.slot)
	if !r.absent(ctx, w.slot, w.refs) {
		return false
	}
	r.f.o.Metrics.slot("skipped")
	r.f.note(func(s *Status) { s.Skipped++ })
	r.progress.done(r)
	return r.send(ctx, &geyser.Event{Kind: geyser.KindSkipped, Slot: swapcast.SlotUpdate{Slot: w.slot}})
}

// absent tells that transactions are not in a slot. False: ctx has ended.
func (r *run) absent(ctx context.Context, slot uint64, refs []solana.Signature) bool {
	for _, signature := range refs {
		r.f.o.Metrics.dispute("absent")
		if !r.send(ctx, &geyser.Event{Kind: geyser.KindAbsent, Ref: swapcast.TxRef{Slot: slot, Signature: signature}}) {
			return false
		}
	}
	return true
}

// send hands an event over. False: ctx has ended.
func (r *run) send(ctx context.Context, e *geyser.Event) bool {
	e.Endpoint, e.Feed = Endpoint, r.f.o.Feed
	if e.ReceivedAt == 0 {
		e.ReceivedAt = time.Now().UnixNano()
	}
	select {
	case r.f.o.Out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// start starts the jobs that there is room for, and tells when the next one is
// due: zero where that depends on the end of another.
func (r *run) start(ctx context.Context) time.Time {
	now := time.Now().UnixNano()
	var next int64
	var unlisted *want // the lowest that a survey could ask for
	// Disputes first: they do not wait for long.
	for _, disputes := range [...]bool{true, false} {
		for _, slot := range r.order {
			w := r.wants[slot]
			switch {
			case w.busy || disputes != (len(w.refs) > 0):
			case w.next > now:
				if next == 0 || w.next < next {
					next = w.next
				}
			case !w.listed:
				if unlisted == nil || w.slot < unlisted.slot {
					unlisted = w
				}
			case len(r.fetching)+len(r.ready) < 2*r.f.o.Parallel && r.running < r.f.o.Parallel:
				r.fetch(ctx, w)
			default:
				return time.Time{} // no room: a result comes before anything can be done
			}
		}
	}
	if unlisted != nil && !r.surveying && r.running < r.f.o.Parallel {
		r.survey(ctx, unlisted.slot, now)
	}
	return instant(next)
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
