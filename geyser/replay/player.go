package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser/capture"
)

// progress is what the playing goroutine tells of itself.
type progress struct {
	played, skipped, passes atomic.Uint64
	ended                   atomic.Bool
}

// play reads the source to its end, or again and again.
func (s *Server) play(ctx context.Context) (err error) {
	src := s.opts.Source
	if src == nil {
		if src, err = s.opts.Reopen(); err != nil {
			return fmt.Errorf("open the source: %w", err)
		}
	}
	defer func() { err = errors.Join(err, closeSource(src)) }()
	if s.opts.WaitForClient {
		select {
		case <-s.came:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.faults != nil {
		s.faults.start()
		src = s.faults.feed(src)
	}
	p := &pacer{speed: s.opts.Speed, maxPause: s.opts.MaxPause}
	for shift := (shift{}); ; {
		before := s.progress.played.Load()
		if err := s.playOnce(ctx, src, p, &shift); err != nil {
			return err
		}
		s.progress.passes.Add(1)
		if s.progress.played.Load() == 0 && !s.opts.Loop {
			return fmt.Errorf("the source holds nothing that can be played (%d things in it could not be read)", s.progress.skipped.Load())
		}
		if !s.opts.Loop {
			s.progress.ended.Store(true)
			return nil
		}
		if s.progress.played.Load() == before {
			return errors.New("the source is empty: nothing to loop over")
		}
		if err := closeSource(src); err != nil {
			return err
		}
		if src, err = s.opts.Reopen(); err != nil {
			return fmt.Errorf("reopen the source: %w", err)
		}
		if s.faults != nil {
			src = s.faults.feed(src)
		}
		shift.again()
	}
}

// playOnce plays src to its end.
func (s *Server) playOnce(ctx context.Context, src Source, p *pacer, shift *shift) error {
	for {
		u, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var item *capture.ItemError
		if errors.As(err, &item) { // one item of a file; the source goes on behind it
			s.skip(item)
			continue
		}
		if err != nil {
			return err
		}
		if err := p.wait(ctx, u); err != nil {
			return err
		}
		if err := s.put(ctx, shift.apply(u)); err != nil {
			return err
		}
	}
}

// put publishes one update of the source; a whole block is taken apart first.
func (s *Server) put(ctx context.Context, u *pb.SubscribeUpdate) error {
	if b := u.GetBlock(); b != nil {
		return s.putBlock(ctx, b, u)
	}
	var now time.Time
	if !s.opts.KeepCreatedAt {
		now = s.opts.Now()
	}
	up, err := newUpdate(localBank(u, s.opts.Faults.Number), now)
	if errors.Is(err, errNothing) {
		return nil // pings of a recorded stream
	}
	if err != nil {
		s.skip(err)
		return nil
	}
	if s.faults != nil {
		up.at = time.Now().UnixNano()
		s.faults.played(up.slot)
	}
	s.store.publish(up)
	s.progress.played.Add(1)
	s.opts.Metrics.played(up.kind)
	if s.opts.Lossless {
		return s.store.drain(ctx, s.store.queueSize, s.opts.SlowWait)
	}
	return nil
}

// skip counts something of the source that cannot be played. The first few are
// logged.
func (s *Server) skip(err error) {
	const logged = 5
	if n := s.progress.skipped.Add(1); n <= logged {
		s.log.Warn("not played", "error", err, "more_are_only_counted", n == logged)
	}
	s.opts.Metrics.skipped()
}

// putBlock plays a block that the source has whole: first what is in it, then
// its meta, which completes it. Parts that came before it are not repeated.
func (s *Server) putBlock(ctx context.Context, b *pb.SubscribeUpdateBlock, u *pb.SubscribeUpdate) error {
	has := s.store.partsOf(b.GetSlot())
	var parts []*pb.SubscribeUpdate
	if !has[kindTx] {
		for _, tx := range b.GetTransactions() {
			parts = append(parts, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{
				Transaction: &pb.SubscribeUpdateTransaction{Transaction: tx, Slot: b.GetSlot()},
			}})
		}
	}
	if !has[kindAccount] {
		for _, a := range b.GetAccounts() {
			parts = append(parts, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Account{
				Account: &pb.SubscribeUpdateAccount{Account: a, Slot: b.GetSlot()},
			}})
		}
	}
	if !has[kindEntry] {
		for _, e := range b.GetEntries() {
			parts = append(parts, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Entry{Entry: e}})
		}
	}
	if !has[kindBlockMeta] {
		parts = append(parts, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{
			BlockMeta: &pb.SubscribeUpdateBlockMeta{
				Slot: b.GetSlot(), Blockhash: b.GetBlockhash(), Rewards: b.GetRewards(), BlockTime: b.GetBlockTime(),
				BlockHeight: b.GetBlockHeight(), ParentSlot: b.GetParentSlot(), ParentBlockhash: b.GetParentBlockhash(),
				ExecutedTransactionCount: b.GetExecutedTransactionCount(), EntriesCount: b.GetEntriesCount(),
			},
		}})
	}
	for _, part := range parts {
		part.CreatedAt = u.GetCreatedAt()
		if err := s.put(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// pacer holds updates back until their time has come.
type pacer struct {
	speed    float64
	maxPause time.Duration

	begun bool
	last  time.Time // source time of the last update
	due   time.Time // when it was due here
	timer *time.Timer
}

// minSleep is the shortest wait worth a timer; updates that are due sooner are
// sent at once, up to this much early.
const minSleep = time.Millisecond

// wait returns when u is due. An update without a time is due with the one
// before it, one from before the last at once. A player that has fallen behind
// by more than maxPause (a machine that slept, a subscriber that was waited
// for) goes on from now rather than rushing after.
func (p *pacer) wait(ctx context.Context, u *pb.SubscribeUpdate) error {
	if p.speed == 0 {
		return ctx.Err()
	}
	if u.GetCreatedAt() == nil {
		return ctx.Err()
	}
	at, now := u.GetCreatedAt().AsTime(), time.Now()
	if !p.begun {
		p.begun, p.last, p.due = true, at, now
		return ctx.Err()
	}
	step := at.Sub(p.last)
	switch {
	case step <= -p.maxPause: // another recording begins
		p.last = at
	case step > 0:
		p.last = at
		p.due = p.due.Add(time.Duration(float64(min(step, p.maxPause)) / p.speed))
	}
	if late := now.Sub(p.due); late > p.maxPause {
		p.due = now
	}
	early := p.due.Sub(now)
	if early < minSleep {
		return ctx.Err()
	}
	if p.timer == nil {
		p.timer = time.NewTimer(early)
	} else {
		p.timer.Reset(early)
	}
	select {
	case <-p.timer.C:
		return nil
	case <-ctx.Done():
		p.timer.Stop()
		return ctx.Err()
	}
}
