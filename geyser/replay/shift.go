package replay

import (
	"math"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// shift moves the updates of a later pass on, so that slots, block heights and
// block times keep rising over the loop. Signatures and hashes stay.
type shift struct {
	slot, height uint64
	seconds      int64

	slots, heights span[uint64]
	times          span[int64]
}

// span is the range of the values seen in the first pass.
type span[T uint64 | int64] struct {
	low, high T
	any       bool
}

func (s *span[T]) see(v T) {
	if !s.any {
		s.low, s.high, s.any = v, v, true
		return
	}
	s.low, s.high = min(s.low, v), max(s.high, v)
}

// length is how far the next pass has to be moved on.
func (s *span[T]) length() T {
	if !s.any {
		return 0
	}
	return s.high - s.low + 1
}

// again begins the next pass.
func (s *shift) again() {
	s.slot += s.slots.length()
	s.height += s.heights.length()
	s.seconds += s.times.length()
}

// apply returns u as the pass has it. The update itself is never changed.
func (s *shift) apply(u *pb.SubscribeUpdate) *pb.SubscribeUpdate {
	if s.slot == 0 { // first pass
		s.see(u)
		return u
	}
	out := &pb.SubscribeUpdate{CreatedAt: u.GetCreatedAt()}
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		out.UpdateOneof = &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{
			Transaction: m.Transaction.GetTransaction(), Slot: s.up(m.Transaction.GetSlot()),
		}}
	case *pb.SubscribeUpdate_TransactionStatus:
		t := m.TransactionStatus
		out.UpdateOneof = &pb.SubscribeUpdate_TransactionStatus{TransactionStatus: &pb.SubscribeUpdateTransactionStatus{
			Slot: s.up(t.GetSlot()), Signature: t.GetSignature(), IsVote: t.GetIsVote(), Index: t.GetIndex(), Err: t.GetErr(),
		}}
	case *pb.SubscribeUpdate_Account:
		out.UpdateOneof = &pb.SubscribeUpdate_Account{Account: &pb.SubscribeUpdateAccount{
			Account: m.Account.GetAccount(), Slot: s.up(m.Account.GetSlot()), IsStartup: m.Account.GetIsStartup(),
		}}
	case *pb.SubscribeUpdate_Slot:
		slot := &pb.SubscribeUpdateSlot{Slot: s.up(m.Slot.GetSlot()), Status: m.Slot.GetStatus(), DeadError: m.Slot.DeadError}
		if m.Slot.Parent != nil {
			parent := s.up(m.Slot.GetParent())
			slot.Parent = &parent
		}
		out.UpdateOneof = &pb.SubscribeUpdate_Slot{Slot: slot}
	case *pb.SubscribeUpdate_Entry:
		out.UpdateOneof = &pb.SubscribeUpdate_Entry{Entry: s.entry(m.Entry)}
	case *pb.SubscribeUpdate_BlockMeta:
		b := m.BlockMeta
		out.UpdateOneof = &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{
			Slot: s.up(b.GetSlot()), Blockhash: b.GetBlockhash(), Rewards: b.GetRewards(), BlockTime: s.time(b.GetBlockTime()),
			BlockHeight: s.blockHeight(b.GetBlockHeight()), ParentSlot: s.up(b.GetParentSlot()), ParentBlockhash: b.GetParentBlockhash(),
			ExecutedTransactionCount: b.GetExecutedTransactionCount(), EntriesCount: b.GetEntriesCount(),
		}}
	case *pb.SubscribeUpdate_Block:
		out.UpdateOneof = &pb.SubscribeUpdate_Block{Block: s.block(m.Block)}
	default:
		return u
	}
	return out
}

func (s *shift) block(b *pb.SubscribeUpdateBlock) *pb.SubscribeUpdateBlock {
	out := &pb.SubscribeUpdateBlock{
		Slot: s.up(b.GetSlot()), Blockhash: b.GetBlockhash(), Rewards: b.GetRewards(), BlockTime: s.time(b.GetBlockTime()),
		BlockHeight: s.blockHeight(b.GetBlockHeight()), ParentSlot: s.up(b.GetParentSlot()), ParentBlockhash: b.GetParentBlockhash(),
		ExecutedTransactionCount: b.GetExecutedTransactionCount(), Transactions: b.GetTransactions(),
		UpdatedAccountCount: b.GetUpdatedAccountCount(), Accounts: b.GetAccounts(), EntriesCount: b.GetEntriesCount(),
	}
	for _, e := range b.GetEntries() {
		out.Entries = append(out.Entries, s.entry(e))
	}
	return out
}

func (s *shift) entry(e *pb.SubscribeUpdateEntry) *pb.SubscribeUpdateEntry {
	return &pb.SubscribeUpdateEntry{
		Slot: s.up(e.GetSlot()), Index: e.GetIndex(), NumHashes: e.GetNumHashes(), Hash: e.GetHash(),
		ExecutedTransactionCount: e.GetExecutedTransactionCount(), StartingTransactionIndex: e.GetStartingTransactionIndex(),
	}
}

// up moves a slot on; 0 is "not known" and stays.
func (s *shift) up(slot uint64) uint64 {
	if slot == 0 || slot > math.MaxUint64-s.slot {
		return slot
	}
	return slot + s.slot
}

func (s *shift) time(t *pb.UnixTimestamp) *pb.UnixTimestamp {
	if t == nil {
		return nil
	}
	return &pb.UnixTimestamp{Timestamp: t.GetTimestamp() + s.seconds}
}

func (s *shift) blockHeight(h *pb.BlockHeight) *pb.BlockHeight {
	if h == nil {
		return nil
	}
	return &pb.BlockHeight{BlockHeight: h.GetBlockHeight() + s.height}
}

// see takes note of the first pass's ranges.
func (s *shift) see(u *pb.SubscribeUpdate) {
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		s.slots.see(m.Transaction.GetSlot())
	case *pb.SubscribeUpdate_TransactionStatus:
		s.slots.see(m.TransactionStatus.GetSlot())
	case *pb.SubscribeUpdate_Account:
		s.slots.see(m.Account.GetSlot())
	case *pb.SubscribeUpdate_Slot:
		s.slots.see(m.Slot.GetSlot())
	case *pb.SubscribeUpdate_Entry:
		s.slots.see(m.Entry.GetSlot())
	case *pb.SubscribeUpdate_BlockMeta:
		s.seeBlock(m.BlockMeta.GetSlot(), m.BlockMeta.GetBlockTime(), m.BlockMeta.GetBlockHeight())
	case *pb.SubscribeUpdate_Block:
		s.seeBlock(m.Block.GetSlot(), m.Block.GetBlockTime(), m.Block.GetBlockHeight())
	}
}

func (s *shift) seeBlock(slot uint64, t *pb.UnixTimestamp, h *pb.BlockHeight) {
	s.slots.see(slot)
	if t != nil {
		s.times.see(t.GetTimestamp())
	}
	if h != nil {
		s.heights.see(h.GetBlockHeight())
	}
}
