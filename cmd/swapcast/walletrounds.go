package main

import (
	"context"
	"time"

	"github.com/gagliardetto/solana-go"
)

// run invalidates what has changed and looks wallets over, until ctx ends.
func (w *wallets) run(ctx context.Context) error {
	tick := time.NewTicker(walletTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
			w.invalidate(ctx)
		case now := <-tick.C:
			w.lookOver(now)
		}
	}
}

// invalidate drops what is cached of wallets that have changed, here and elsewhere.
func (w *wallets) invalidate(ctx context.Context) {
	w.mu.Lock()
	tags := make([]string, 0, len(w.dirty))
	var snapped []chan struct{}
	for owner := range w.dirty {
		tags = append(tags, walletTag(owner))
		if f := w.followed[owner]; f != nil && f.snapped != nil {
			if slot, _ := w.books[0].Complete(owner); slot != 0 {
				snapped, f.snapped = append(snapped, f.snapped), nil
			}
		}
	}
	clear(w.dirty)
	w.mu.Unlock()
	if len(tags) == 0 {
		return
	}
	w.metrics.invalidations.Add(float64(len(tags)))
	if err := w.cache.InvalidateTag(ctx, tags...); err != nil {
		w.log.Debug("invalidation of wallets is on its way", "wallets", len(tags), "error", err)
	}
	for _, c := range snapped { // now that what was cached before is gone
		close(c)
	}
}

// await waits for what a wallet holds, where it is not followed for long: a node
// that is quick makes the first answer whole.
func (w *wallets) await(ctx context.Context, owner solana.PublicKey) {
	if w.keeper == nil {
		return
	}
	w.mu.Lock()
	f := w.followed[owner]
	if f == nil || f.snapped == nil {
		w.mu.Unlock()
		return
	}
	snapped, left := f.snapped, time.Until(f.since.Add(w.waits))
	w.mu.Unlock()
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-snapped:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// settling tells whether a wallet is so new that it need not be certain yet that all
// that happens to it comes.
func (w *wallets) settling(owner solana.PublicKey) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.followed[owner]
	return f != nil && !f.settled
}

func walletTag(owner solana.PublicKey) string { return "portfolio:" + owner.String() }

// lookOver drops wallets that nobody has asked about for a while, and says of the
// new ones from when on nothing of them is missed.
func (w *wallets) lookOver(now time.Time) {
	slot := w.slot()
	w.mu.Lock()
	defer w.mu.Unlock()
	for first := w.spare.Front(); first != nil; first = w.spare.Front() {
		owner := first.Value.(solana.PublicKey)
		if !now.After(w.followed[owner].until) {
			break
		}
		w.drop(owner, "idle")
	}
	for owner, f := range w.followed {
		if !f.settled {
			_, f.settled = w.books[0].Complete(owner)
			if late := now.Sub(f.since) >= walletProves; late && !f.settled {
				f.settled, w.dirty[owner] = true, struct{}{}
				w.nudge()
			}
		}
		if f.sure || slot == 0 || now.Sub(f.since) < w.settles {
			continue
		}
		f.sure = true
		for _, b := range w.books {
			b.Needs(owner, slot)
		}
		if w.keeper != nil {
			w.positions.Join(owner, slot)
			w.keeper.Want(owner)
		}
	}
}
