package replay

import (
	"context"
	"time"
)

// This file is the subscribers' side of the store: each reads its level's log
// by position, and being behind is the only queue that it has.

func (s *store) attach(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[sub] = struct{}{}
}

func (s *store) detach(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subs, sub)
	close(sub.gone)
	s.hasSpace()
}

// apply gives sub a new set of filters. Without from_slot, reading goes on
// where it is, or with what comes next where the commitment changes; with it,
// reading starts at that slot.
func (s *store) apply(sub *subscriber, r *request, noReplay bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := r.filters.level
	first := !sub.subscribed
	if first || sub.level != l {
		sub.pos, sub.live = s.logs[l].next, true
		sub.fromSlot, sub.liveFrom = 0, 0
	}
	sub.level, sub.subscribed = l, true
	defer s.hasSpace()
	if r.fromSlot == nil {
		return nil
	}
	if noReplay {
		return errNoReplay
	}
	oldest, any := s.firstAvailable()
	if !any && *r.fromSlot >= s.floor {
		return nil // nothing played yet: all that comes is after from_slot
	}
	if *r.fromSlot < max(oldest, s.floor) {
		return outOfRange(*r.fromSlot, max(oldest, s.floor))
	}
	pos, found := s.seek(l, *r.fromSlot)
	if !found { // the slot is yet to come
		return errReplayFailed
	}
	sub.pos, sub.live = pos, false
	sub.fromSlot, sub.liveFrom = *r.fromSlot, s.logs[l].next
	return nil
}

// read copies what comes next for sub into its batch. It is false where there
// is nothing; the subscriber is then poked when there is. done says that
// nothing more will come. Updates that are younger than late are not there yet:
// whoever is late looks again by a clock of its own.
func (s *store) read(sub *subscriber, late time.Duration) (some, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.batch = sub.batch[:0]
	if sub.cut != nil {
		return false, false, sub.cut
	}
	if !sub.subscribed {
		return false, s.ended, nil
	}
	log := &s.logs[sub.level]
	if sub.pos < log.first {
		sub.cutWith(errLaggedReceive)
		return false, false, sub.cut
	}
	for sub.pos < log.next && len(sub.batch) < maxBatch {
		u := log.at(sub.pos)
		if late > 0 && time.Since(time.Unix(0, u.at)) < late {
			break
		}
		if sub.pos >= sub.liveFrom || u.slot >= sub.fromSlot {
			sub.batch = append(sub.batch, u)
		}
		sub.pos++
	}
	if sub.pos == log.next {
		sub.live = true
	}
	if len(sub.batch) > 0 || late == 0 && sub.pos < log.next {
		s.hasSpace()
		return true, false, nil
	}
	if sub.pos < log.next {
		return false, false, nil // late
	}
	sub.idle = true
	return false, s.ended, nil
}

// wake pokes those that wait for more and cuts those that are too far behind.
func (s *store) wake() {
	for sub := range s.subs {
		if sub.idle {
			sub.idle = false
			sub.poke()
		}
		if !s.lossless && sub.live && (s.behind(sub) > s.queueSize || sub.subscribed && sub.pos < s.logs[sub.level].first) {
			sub.cutWith(errLaggedSend)
		}
	}
}

func (s *store) behind(sub *subscriber) uint64 {
	if !sub.subscribed || sub.cut != nil {
		return 0
	}
	return s.logs[sub.level].next - sub.pos
}

func (s *store) hasSpace() {
	select {
	case s.space <- struct{}{}:
	default:
	}
}

// end says that nothing more will come.
func (s *store) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for sub := range s.subs {
		sub.idle = false
		sub.poke()
	}
}

// slowest returns the subscriber that is furthest behind, and how far.
func (s *store) slowest() (worst *subscriber, behind uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs {
		if n := s.behind(sub); n > behind {
			worst, behind = sub, n
		}
	}
	return worst, behind
}

// drain waits until no subscriber is limit updates behind or more. One that
// takes nothing for as long as patience is cut.
func (s *store) drain(ctx context.Context, limit uint64, patience time.Duration) error {
	worst, behind := s.slowest()
	if behind < limit {
		return nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for behind >= limit {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.space:
		case <-timer.C:
			s.mu.Lock()
			worst.cutWith(errLaggedSend)
			s.mu.Unlock()
		}
		last, was := worst, behind
		if worst, behind = s.slowest(); worst != last || behind != was {
			timer.Reset(patience)
		}
	}
	return nil
}

// cutAll ends every stream with err.
func (s *store) cutAll(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs {
		sub.cutWith(err)
	}
}

// forget lets from_slot reach back no further than the newest keep slots. What
// streams have yet to read stays.
func (s *store) forget(keep uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint64(len(s.order))
	switch {
	case n == 0 || keep >= n:
	case keep == 0:
		s.floor = s.order[n-1] + 1
	default:
		s.floor = max(s.floor, s.order[n-keep])
	}
}

func (s *store) cutReason(sub *subscriber) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sub.cut
}

// waitGone waits until every stream has ended. One that takes nothing for as
// long as patience is given up.
func (s *store) waitGone(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	last := -1
	var lastBehind uint64
	for {
		s.mu.Lock()
		n := len(s.subs)
		s.mu.Unlock()
		if n == 0 {
			return nil
		}
		if _, behind := s.slowest(); n != last || behind != lastBehind {
			last, lastBehind = n, behind
			timer.Reset(patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return context.DeadlineExceeded
		case <-s.space:
		}
	}
}

// partsOf tells what of a slot's block has been played.
func (s *store) partsOf(slot uint64) (has [kinds]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec := s.slots[slot]; rec != nil && rec.assembled {
		has = [kinds]bool{kindTx: true, kindAccount: true, kindEntry: true, kindBlockMeta: true}
	} else if rec != nil {
		has[kindTx] = len(rec.txs) > 0
		has[kindAccount] = len(rec.accounts) > 0
		has[kindEntry] = len(rec.entries) > 0
		has[kindBlockMeta] = rec.meta != nil
	}
	return has
}
