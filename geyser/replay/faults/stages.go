package faults

import (
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
)

// nonceStage has a transaction land in two slots, as one with a durable nonce can
// be seen to. The copy is the last of its slot.
type nonceStage struct {
	chain   *Chain
	trigger *Trigger

	want    uint64        // a transaction of this slot is copied, 0 none
	waiting []secondNonce // to be put into a slot
	into    map[uint64]*secondSlot
}

type secondNonce struct {
	info *pb.SubscribeUpdateTransactionInfo
	from uint64 // not before this slot
}

// secondSlot is a slot that gets copies.
type secondSlot struct {
	infos []*pb.SubscribeUpdateTransactionInfo
	next  uint64 // index after the slot's last transaction
	added uint64
}

func (s *nonceStage) begin(now time.Duration, slot uint64) {
	if s.into == nil {
		s.into = make(map[uint64]*secondSlot)
	}
	rest := s.waiting[:0]
	for _, w := range s.waiting {
		if slot < w.from {
			rest = append(rest, w)
			continue
		}
		if s.into[slot] == nil {
			s.into[slot] = &secondSlot{}
		}
		s.into[slot].infos = append(s.into[slot].infos, w.info)
	}
	s.waiting = rest
	if s.trigger.Advance(now, slot) {
		s.want = slot
	}
	for n := range s.into {
		if n+keptSlots < slot {
			delete(s.into, n)
		}
	}
}

func (s *nonceStage) step(u *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate)) {
	slot := SlotOf(u)
	into := s.into[slot]
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		info := m.Transaction.GetTransaction()
		if into != nil {
			into.next = max(into.next, info.GetIndex()+1)
		}
		// One that moves tokens: nobody would notice another counted twice.
		if slot == s.want && !info.GetIsVote() && info.GetMeta().GetErr() == nil && len(movesOf(info)) > 0 {
			s.want = 0
			s.waiting = append(s.waiting, secondNonce{info, slot + s.trigger.f.Count})
		}
	case *pb.SubscribeUpdate_Slot:
		if st := m.Slot.GetStatus(); into != nil && (st == pb.SlotStatus_SLOT_COMPLETED || st == pb.SlotStatus_SLOT_PROCESSED) {
			s.put(slot, into, u, emit)
		}
	case *pb.SubscribeUpdate_BlockMeta:
		if into == nil {
			break
		}
		s.put(slot, into, u, emit)
		u = Shallow(u)
		u.GetBlockMeta().ExecutedTransactionCount += into.added
	}
	emit(u)
}

// put lets the copies out, before the update that ends the slot's transactions.
func (s *nonceStage) put(slot uint64, into *secondSlot, end *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate)) {
	for _, info := range into.infos {
		second := shallowInfo(info)
		second.Index = into.next
		into.next++
		into.added++
		s.chain.again[second] = struct{}{}
		s.chain.struck(s.trigger.f, s.chain.number(slot))
		emit(&pb.SubscribeUpdate{CreatedAt: end.GetCreatedAt(), UpdateOneof: &pb.SubscribeUpdate_Transaction{
			Transaction: &pb.SubscribeUpdateTransaction{Slot: slot, Transaction: second},
		}})
	}
	into.infos = nil
}

// messageConfig is the number of Message.config, a TransactionConfig that only v1
// messages have (solana-storage.proto of yellowstone-grpc-proto 12); the stubs
// that we build with do not know it. Without fields it means the defaults.
const messageConfig = 7

// v1Stage makes v1 messages of transactions that load no addresses, which v1
// messages cannot.
type v1Stage struct {
	chain   *Chain
	trigger *Trigger
	now     time.Duration
}

func (s *v1Stage) begin(now time.Duration, slot uint64) {
	s.now = now
	s.trigger.Advance(now, slot)
}

func (s *v1Stage) step(u *pb.SubscribeUpdate, emit func(*pb.SubscribeUpdate)) {
	info := u.GetTransaction().GetTransaction()
	msg := info.GetTransaction().GetMessage()
	slot := SlotOf(u)
	if msg == nil || len(msg.GetAddressTableLookups()) > 0 || info.GetIsVote() ||
		!s.trigger.Hit(s.now, slot, 1+mix(slot)^info.GetIndex()) {
		emit(u)
		return
	}
	u = Shallow(u)
	out := shallowInfo(info)
	v1 := shallowMessage(msg)
	v1.Versioned = true
	v1.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, messageConfig, protowire.BytesType), nil))
	out.Transaction = &pb.Transaction{Signatures: info.GetTransaction().GetSignatures(), Message: v1}
	u.GetTransaction().Transaction = out
	s.chain.struck(s.trigger.f, s.chain.number(slot))
	emit(u)
}
