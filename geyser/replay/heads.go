package replay

import pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

const (
	// maxRecentBlockhashes is how many blocks a blockhash is good for
	// (MAX_PROCESSING_AGE of the Solana runtime).
	maxRecentBlockhashes = 150
	// keptBlocks is how many blocks' heads are kept: those whose hashes are
	// good, and the ones on forks beside them.
	keptBlocks = 512
)

// heads knows the newest slot and block of each commitment level, for the
// unary methods. Guarded by the store's lock.
type heads struct {
	slot     [levels]uint64
	known    [levels]bool
	statuses bool // a PROCESSED status was seen; until then data makes a slot processed
	newest   [levels]*blockHead
	bySlot   map[uint64]*blockHead
	byHash   map[string]*blockHead
	queue    []*blockHead // oldest first
}

// blockHead is what the unary methods tell of a block.
type blockHead struct {
	slot, height uint64
	hasHeight    bool
	hash         string
	reached      [levels]bool
}

func newHeads() heads {
	return heads{bySlot: make(map[uint64]*blockHead), byHash: make(map[string]*blockHead)}
}

// data takes note of an update that is no slot status.
func (h *heads) data(u *update) {
	if !h.statuses && (!h.known[0] || u.slot > h.slot[0]) {
		h.slot[0], h.known[0] = u.slot, true
	}
	if u.kind != kindBlockMeta {
		return
	}
	b := &blockHead{
		slot: u.slot, hash: u.meta.GetBlockhash(),
		height: u.meta.GetBlockHeight().GetBlockHeight(), hasHeight: u.meta.GetBlockHeight() != nil,
	}
	if old := h.bySlot[u.slot]; old != nil {
		b.reached = old.reached
	}
	for l := range levels {
		if h.known[l] && h.slot[l] == u.slot { // the status came first
			b.reached[l] = true
		}
		if b.reached[l] {
			h.newest[l] = b
		}
	}
	h.bySlot[u.slot], h.byHash[b.hash] = b, b
	if h.queue = append(h.queue, b); len(h.queue) > keptBlocks {
		old := h.queue[0]
		h.queue = h.queue[1:]
		if h.bySlot[old.slot] == old {
			delete(h.bySlot, old.slot)
		}
		if h.byHash[old.hash] == old {
			delete(h.byHash, old.hash)
		}
	}
}

// status takes note of a slot status.
func (h *heads) status(u *update) {
	var l level
	switch u.status {
	case pb.SlotStatus_SLOT_PROCESSED:
		l, h.statuses = 0, true
	case pb.SlotStatus_SLOT_CONFIRMED:
		l = 1
	case pb.SlotStatus_SLOT_FINALIZED:
		l = 2
	default:
		return
	}
	h.slot[l], h.known[l] = u.slot, true
	if b := h.bySlot[u.slot]; b != nil {
		b.reached[l], h.newest[l] = true, b
	}
}

// ancestor notes that a slot reached a level with one of its descendants.
func (h *heads) ancestor(slot uint64, l level) {
	if b := h.bySlot[slot]; b != nil {
		b.reached[l] = true
	}
}

// valid tells whether a transaction with this blockhash could still land at
// level l, as far as the kept blocks tell.
func (h *heads) valid(hash string, l level) bool {
	b, head := h.byHash[hash], h.newest[l]
	if b == nil || head == nil || !b.reached[l] {
		return false
	}
	if b.hasHeight && head.hasHeight {
		return head.height < b.height || head.height-b.height <= maxRecentBlockhashes
	}
	return head.slot < b.slot || head.slot-b.slot <= maxRecentBlockhashes
}
