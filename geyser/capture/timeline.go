package capture

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// step is what a feed yields: a unit of RPC JSON to be converted, or an update
// that is ready.
type step struct {
	unit   *unit
	update *pb.SubscribeUpdate
}

// feed is an input. Its errors follow File.Next.
type feed interface {
	next() (step, error)
}

// slotTime is what a slot's updates are spread over. The chain's slots were
// that long when the transactions at hand were made (see Open).
const slotTime = 400 * time.Millisecond

// timeline turns units into updates. With slots set, it puts the updates
// around them that a server would have sent.
type timeline struct {
	in    feed
	slots bool

	queue []*pb.SubscribeUpdate // ready, oldest first
	unit  *unit                 // being converted
	at    int                   // next transaction of unit

	// The open slot, where slots is set.
	open     bool
	slot     uint64
	parent   *uint64
	block    *pb.SubscribeUpdateBlockMeta
	lastSlot uint64        // highest so far, for units without one
	base     time.Time     // zero: not known
	sent     int           // updates since base
	stride   time.Duration // between updates
	end      error         // the feed's last word, given once the queue is empty
}

func (t *timeline) next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(t.queue) > 0 {
			u := t.queue[0]
			t.queue[0] = nil
			t.queue = t.queue[1:]
			return u, nil
		}
		if t.end != nil {
			return nil, t.end
		}
		if t.unit != nil {
			if err := t.convert(); err != nil {
				return nil, err
			}
			continue
		}
		if err := t.pull(); err != nil {
			return nil, err
		}
	}
}

// convert takes the next transaction of the unit at hand.
func (t *timeline) convert() error {
	u := t.unit
	if t.at == len(u.txs) {
		if u.block != nil {
			t.block = u.block
			if !t.slots {
				t.emit(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: u.block}})
			}
		}
		t.unit = nil
		return nil
	}
	tx := &u.txs[t.at]
	t.at++
	info, err := transactionInfo(tx)
	if err != nil {
		return &ItemError{Where: u.place(t.at-1, tx), Err: err}
	}
	u.txs[t.at-1] = rpcTx{} // its JSON is not needed any more
	if info == nil {
		return nil
	}
	if u.block != nil {
		info.Index = uint64(t.at - 1)
	}
	t.emit(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{
		Transaction: &pb.SubscribeUpdateTransaction{Slot: u.slot, Transaction: info},
	}})
	return nil
}

// place names a transaction for an error, by signature where it has one.
func (u *unit) place(i int, t *rpcTx) string {
	where := u.where
	if u.block != nil {
		where = fmt.Sprintf("%s, transaction %d", where, i)
	}
	raw, parsed, err := rawTransaction(t)
	switch {
	case err != nil:
	case raw != nil && len(raw.Signatures) > 0:
		where += ", " + base58.Encode(raw.Signatures[0])
	case parsed != nil && len(parsed.Signatures) > 0:
		where += fmt.Sprintf(", %.88s", parsed.Signatures[0])
	}
	return where
}

// pull asks the feed for more.
func (t *timeline) pull() error {
	s, err := t.in.next()
	var item *ItemError
	switch {
	case errors.As(err, &item):
		return err
	case err != nil: // told once the queue is empty
		t.end = err
		t.closeSlot()
		return nil
	case s.update != nil:
		t.closeSlot()
		if slot, ok := slotOf(s.update); ok {
			t.lastSlot = max(t.lastSlot, slot)
		}
		t.queue = append(t.queue, s.update)
		return nil
	}
	t.unit, t.at = s.unit, 0
	if t.slots {
		t.enter(s.unit)
	}
	return nil
}

// enter opens the unit's slot unless it is open already.
func (t *timeline) enter(u *unit) {
	if !u.slotKnown {
		u.slot = t.lastSlot + 1
		if u.block != nil {
			u.block.Slot = u.slot
		}
	}
	if t.open && t.slot == u.slot {
		return
	}
	t.closeSlot()
	t.open, t.slot, t.block, t.parent = true, u.slot, nil, nil
	t.lastSlot = max(t.lastSlot, u.slot)
	if u.block != nil && u.block.ParentSlot != 0 {
		t.parent = &u.block.ParentSlot
	}
	t.setClock(u)
	t.status(pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED)
	t.status(pb.SlotStatus_SLOT_CREATED_BANK)
}

// setClock starts the slot at its block time. Several slots share one second,
// so a slot never starts before the one in front of it ended.
func (t *timeline) setClock(u *unit) {
	var end time.Time
	if !t.base.IsZero() {
		end = t.base.Add(slotTime)
	}
	t.base = end
	if at := time.Unix(u.blockTime, 0); u.blockTime > 0 && at.After(end) {
		t.base = at
	}
	t.sent = 0
	t.stride = time.Millisecond
	if u.block != nil {
		t.stride = slotTime / time.Duration(len(u.txs)+8)
	}
}

// closeSlot sends what follows a slot's last transaction, in the order in
// which a Yellowstone server sends it (read off a capture of February 2026).
func (t *timeline) closeSlot() {
	if !t.open {
		return
	}
	t.open = false
	t.status(pb.SlotStatus_SLOT_COMPLETED)
	if t.block != nil {
		t.emit(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: t.block}})
	}
	t.status(pb.SlotStatus_SLOT_PROCESSED)
	t.status(pb.SlotStatus_SLOT_CONFIRMED)
	t.status(pb.SlotStatus_SLOT_FINALIZED)
}

func (t *timeline) status(s pb.SlotStatus) {
	t.emit(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{
		Slot: &pb.SubscribeUpdateSlot{Slot: t.slot, Parent: t.parent, Status: s},
	}})
}

func (t *timeline) emit(u *pb.SubscribeUpdate) {
	if t.slots && !t.base.IsZero() {
		u.CreatedAt = timestamppb.New(t.base.Add(min(time.Duration(t.sent)*t.stride, slotTime-1)))
		t.sent++
	}
	t.queue = append(t.queue, u)
}
