package backfill

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gagliardetto/solana-go/rpc"

	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/rpcpool"
)

const (
	// surveySpan is how many slots one survey spans. A skipped run costs a small
	// request where the block behind it is not wanted itself.
	surveySpan = 2_000
	// margin is how far above the highest wanted slot a survey looks for the next
	// block, and doubles with each try: leaders have four slots in a row, and some
	// are down for hours.
	margin    = 64
	maxMargin = 32_768
)

// survey starts the job that finds out which slots from first on have blocks.
func (r *run) survey(ctx context.Context, first uint64, now int64) {
	var asked []*want
	tries := 0
	for _, slot := range r.order {
		w := r.wants[slot]
		if slot < first || w.busy || w.listed || w.next > now {
			continue
		}
		if slot-first >= surveySpan {
			break
		}
		w.busy = true
		asked = append(asked, w)
		tries = max(tries, w.tries)
	}
	last := asked[len(asked)-1].slot
	top := last + min(maxMargin, uint64(margin)<<min(tries, 16))
	wanted := make([]uint64, 0, len(asked))
	for _, w := range asked {
		wanted = append(wanted, w.slot)
	}
	m := r.f.matcher.Load()
	addresses := m.byAddress() && !r.noAddresses
	r.surveying = true
	r.job(ctx, func() func() {
		l, err := r.f.list(ctx, wanted, first, top)
		var rows *rows
		var rowsErr error
		if err == nil && addresses && l.listed > 0 {
			rows, rowsErr = r.f.byAddress(ctx, m.list, l, wanted)
		}
		return func() {
			r.surveying = false
			for _, w := range asked {
				w.busy = false
			}
			if rowsErr != nil {
				r.addressesFailed(ctx, rowsErr)
			}
			r.surveyed(ctx, asked, l, err, rows)
		}
	})
}

// listing is what a survey found.
type listing struct {
	blocks  []uint64          // slots with blocks, rising
	parents map[uint64]uint64 // of some of them
	listed  int               // wanted ones that have a block
}

// has reports whether a slot has a block.
func (l *listing) has(slot uint64) bool {
	_, ok := slices.BinarySearch(l.blocks, slot)
	return ok
}

// next is the first block above a slot, 0 none.
func (l *listing) next(slot uint64) uint64 {
	at, _ := slices.BinarySearch(l.blocks, slot+1)
	if at == len(l.blocks) {
		return 0
	}
	return l.blocks[at]
}

// list asks which slots have blocks, and for the parents of the blocks behind
// wanted slots that have none.
func (f *Filler) list(ctx context.Context, wanted []uint64, first, top uint64) (*listing, error) {
	l := &listing{parents: make(map[uint64]uint64)}
	err := f.o.RPC.Do(ctx, rpcpool.Call{Method: "getBlocks"}, func(ctx context.Context, client *rpc.Client) error {
		blocks, err := client.GetBlocks(ctx, first, &top, rpc.CommitmentConfirmed)
		l.blocks = slices.DeleteFunc(blocks, func(slot uint64) bool { return slot < first || slot > top })
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(l.blocks)
	l.blocks = slices.Compact(l.blocks)
	for _, slot := range wanted {
		if err := f.prove(ctx, l, wanted, slot); err != nil {
			return nil, err
		}
		if l.has(slot) {
			l.listed++
		}
	}
	return l, nil
}

// maxLinks is how many parent links are followed for one slot.
const maxLinks = 8

// prove follows the parent links from the next block down to a slot that has
// none by the node's list. A block that only a link tells of is in the chain all
// the same: the node lacks it.
func (f *Filler) prove(ctx context.Context, l *listing, wanted []uint64, slot uint64) error {
	for range maxLinks {
		next := l.next(slot)
		if next == 0 || l.has(slot) {
			return nil
		}
		parent, known := l.parents[next]
		if !known {
			if _, own := slices.BinarySearch(wanted, next); own {
				return nil // its block tells, when it comes
			}
			var err error
			if parent, err = f.parent(ctx, next); err != nil {
				return ctx.Err() // not proved this time
			}
			l.parents[next] = parent
		}
		if parent < slot {
			return nil
		}
		at, listed := slices.BinarySearch(l.blocks, parent)
		if !listed {
			l.blocks = slices.Insert(l.blocks, at, parent)
		}
	}
	return nil
}

// parent asks for a block's parent alone.
func (f *Filler) parent(ctx context.Context, slot uint64) (uint64, error) {
	var parent uint64
	params := []any{slot, rpc.M{
		"transactionDetails": "none", "rewards": false, "commitment": rpc.CommitmentConfirmed, "maxSupportedTransactionVersion": maxVersion,
	}}
	err := f.o.RPC.Do(ctx, rpcpool.Call{Method: "getBlock", Elsewhere: elsewhere}, func(ctx context.Context, client *rpc.Client) error {
		return raw(ctx, client, "getBlock", params, func(resp *http.Response) error {
			var err error
			parent, err = capture.ReadParent(resp.Body, slot)
			return err
		})
	})
	return parent, err
}

// surveyed takes what a survey found.
func (r *run) surveyed(ctx context.Context, asked []*want, l *listing, err error, rows *rows) {
	if err != nil {
		for _, w := range asked {
			if ctx.Err() == nil {
				r.retry(w, "rpc_"+string(rpcpool.OutcomeOf(err)), r.pause(w))
			}
		}
		return
	}
	for _, w := range asked {
		if r.wants[w.slot] != w {
			continue
		}
		next := l.next(w.slot)
		parent, known := l.parents[next]
		switch {
		case l.has(w.slot):
			w.listed, w.next = true, 0
			if rows != nil {
				w.busy = true
				r.ready[w.slot] = rows.delivery(w.slot)
			}
		case known && parent < w.slot:
			if !r.skipped(ctx, w) {
				return
			}
		case next == 0:
			r.retry(w, reasonNotYet, r.f.o.PollEvery)
		case !known && r.wants[next] != nil:
			// The block behind it is on its way, and its parent link will tell: no
			// failure. If it does not come, another survey asks for the link alone.
			w.next = time.Now().Add(awaitNext).UnixNano()
		case w.slot < l.blocks[0]:
			// The node's list may begin above it, for what it has cleaned up: ask for
			// the block itself, of all nodes.
			w.listed, w.next = true, 0
			if w.tries > 0 {
				w.next = time.Now().Add(r.pause(w)).UnixNano()
			}
		default:
			r.retry(w, reasonUnproven, r.pause(w))
		}
	}
}

// awaitNext is how long a slot waits for the block behind it.
const awaitNext = 30 * time.Second
