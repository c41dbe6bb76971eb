package backfill

import (
	"context"
	"slices"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
)

// delivery is what was fetched of one slot.
type delivery struct {
	slot   uint64
	parent uint64
	// whole: everything that the filter selects is in events. Else only disputed
	// ones were looked for.
	whole  bool
	asked  int  // how many disputed ones were looked for
	broken bool // something that should be in events could not be decoded
	events []*geyser.Event
	block  *geyser.Event      // its meta; nil where it was not asked for
	absent []solana.Signature // disputed and not in the block
	found  int                // disputed and in it
}

// pick decodes what is asked for of a block.
func (f *Filler) pick(b *capture.Block, m *matcher, missing bool, refs []solana.Signature, at int64) *delivery {
	d := &delivery{slot: b.Meta.GetSlot(), parent: b.Meta.GetParentSlot(), whole: missing, asked: len(refs), absent: slices.Clone(refs)}
	meta := b.Meta
	d.block = &geyser.Event{Kind: geyser.KindBlock, ReceivedAt: at, Block: swapcast.BlockMeta{
		Slot: d.slot, ParentSlot: d.parent, Blockhash: meta.GetBlockhash(), ParentHash: meta.GetParentBlockhash(),
		BlockTime: meta.GetBlockTime().GetTimestamp(), BlockHeight: meta.GetBlockHeight().GetBlockHeight(),
		Transactions: meta.GetExecutedTransactionCount(),
	}}
	decoder := geyser.NewDecoder()
	for i := range b.Len() {
		info, err := b.Transaction(i)
		if err != nil {
			// Whether the filter wants it cannot be told.
			f.undecodable(d, err)
			continue
		}
		if info == nil {
			continue
		}
		disputed := slices.Index(d.absent, solana.Signature(info.GetSignature()))
		if disputed < 0 && !(missing && m.selects(info)) {
			continue
		}
		if disputed >= 0 {
			d.absent = slices.Delete(d.absent, disputed, disputed+1)
			d.found++
		}
		f.add(d, decoder, info, d.block.Block.BlockTime, at)
	}
	return d
}

// add decodes one transaction.
func (f *Filler) add(d *delivery, decoder *geyser.Decoder, info *pb.SubscribeUpdateTransactionInfo, blockTime, at int64) {
	tx := &swapcast.Transaction{}
	err := decoder.Transaction(&pb.SubscribeUpdateTransaction{Slot: d.slot, Transaction: info}, tx)
	if err != nil {
		f.undecodable(d, err)
		return
	}
	tx.BlockTime, tx.ReceivedAt = blockTime, at
	d.events = append(d.events, &geyser.Event{Kind: geyser.KindTx, Tx: tx, ReceivedAt: at})
}

func (f *Filler) undecodable(d *delivery, err error) {
	d.broken = true
	f.o.Metrics.undecodable()
	f.o.Logger.Error("a transaction of a fetched block could not be decoded", "slot", d.slot, "error", err)
}

// deliver hands over what is ready and has no lower slot on its way, lowest
// first. False: ctx has ended.
func (r *run) deliver(ctx context.Context) bool {
	for len(r.ready) > 0 {
		lowest := lowestKey(r.ready)
		if len(r.fetching) > 0 && lowestKey(r.fetching) < lowest {
			return true
		}
		d := r.ready[lowest]
		delete(r.ready, lowest)
		if !r.hand(ctx, d) {
			return false
		}
	}
	return true
}

func lowestKey[V any](m map[uint64]V) uint64 {
	lowest := ^uint64(0)
	for k := range m {
		lowest = min(lowest, k)
	}
	return lowest
}

// hand sends the events of one slot, and settles the slots that its parent link
// passes over. False: ctx has ended.
func (r *run) hand(ctx context.Context, d *delivery) bool {
	w := r.wants[d.slot]
	if d.block != nil && !r.passedOver(ctx, d.parent, d.slot) {
		return false
	}
	for _, e := range d.events {
		r.f.o.Metrics.transaction()
		if !r.send(ctx, e) {
			return false
		}
	}
	if d.block != nil && !r.send(ctx, d.block) {
		return false
	}
	if d.broken { // what could not be decoded may be one of them
		for range d.absent {
			r.f.o.Metrics.dispute("unresolved")
		}
	} else if !r.absent(ctx, d.slot, d.absent) {
		return false
	}
	for range d.found {
		r.f.o.Metrics.dispute("found")
	}
	return r.close(ctx, w, d)
}

// close ends a slot that was delivered, unless more was asked of it meanwhile.
// False: ctx has ended.
func (r *run) close(ctx context.Context, w *want, d *delivery) bool {
	w.busy = false
	w.refs = w.refs[d.asked:]
	if d.whole {
		w.missing = false
	}
	if len(w.refs) == 0 && !w.missing {
		r.forget(d.slot)
	}
	switch {
	case !d.whole:
		return true
	case d.broken:
		return r.lost(ctx, slotRange{d.slot, d.slot}, reasonUndecodable)
	default:
		return r.filled(ctx, d.slot)
	}
}

func (r *run) filled(ctx context.Context, slot uint64) bool {
	r.f.o.Metrics.slot("filled")
	r.f.note(func(s *Status) { s.Filled++ })
	r.progress.done(r)
	return r.send(ctx, &geyser.Event{Kind: geyser.KindFilled, Slot: swapcast.SlotUpdate{Slot: slot, Status: swapcast.SlotConfirmed}})
}

// passedOver settles what is wanted between a block and its parent: the
// confirmed chain has nothing there. False: ctx has ended.
func (r *run) passedOver(ctx context.Context, parent, slot uint64) bool {
	for _, w := range r.between(parent, slot) {
		if !w.busy && !r.skipped(ctx, w) {
			return false
		}
	}
	return true
}

// between lists what is wanted of the slots between two.
func (r *run) between(low, high uint64) []*want {
	var out []*want
	at, _ := slices.BinarySearch(r.order, low+1)
	for ; at < len(r.order) && r.order[at] < high; at++ {
		out = append(out, r.wants[r.order[at]])
	}
	return out
}
