package replay

import (
	"slices"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// banks is what is known of a slot's banks, where updates name them: a slot may
// have several, of which one at most is confirmed.
type banks struct {
	seen      []uint64
	dead      []uint64
	confirmed uint64 // 0 not known
	// others are the parts of the blocks of all banks but the first.
	others map[uint64]*blockParts
}

func (b *banks) see(bank uint64) {
	if bank != 0 && !slices.Contains(b.seen, bank) {
		b.seen = append(b.seen, bank)
	}
}

// parts returns where a bank's block is put together; first is that of the first
// bank, and of updates that name none.
func (b *banks) parts(first *blockParts, bank uint64) *blockParts {
	b.see(bank)
	if bank == 0 || bank == b.seen[0] {
		return first
	}
	if b.others == nil {
		b.others = make(map[uint64]*blockParts)
	}
	if b.others[bank] == nil {
		b.others[bank] = &blockParts{}
	}
	return b.others[bank]
}

// status takes note of a slot status that names a bank.
func (b *banks) status(u *update) {
	b.see(u.bank)
	switch {
	case u.bank == 0:
	case u.status == pb.SlotStatus_SLOT_DEAD:
		b.dead = append(b.dead, u.bank)
	case u.status == pb.SlotStatus_SLOT_CONFIRMED, u.status == pb.SlotStatus_SLOT_FINALIZED:
		b.confirmed = u.bank
	}
}

// allDead reports whether the slot dies with a bank: it does where no other is
// known to live.
func (b *banks) allDead(bank uint64) bool {
	if bank == 0 {
		return true
	}
	return !slices.ContainsFunc(b.seen, func(n uint64) bool { return !slices.Contains(b.dead, n) })
}

// holds reports whether a bank's data belongs to the slot as it is confirmed.
func (b *banks) holds(bank uint64) bool {
	if bank == 0 {
		return true
	}
	if b.confirmed != 0 {
		return bank == b.confirmed
	}
	return !slices.Contains(b.dead, bank)
}
