package faults

import (
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Where bank_id stands (geyser.proto of yellowstone-grpc 16, the branch
// 4.3-transition); the stubs that we build with do not know it, so it is among
// the unknown fields. Slot updates of FIRST_SHRED_RECEIVED and COMPLETED, which
// concern no bank, have none.
const (
	bankOfTransaction = 3
	bankOfSlot        = 5
	bankOfEntry       = 7
	bankOfAccount     = 4
	bankOfBlockMeta   = 10
)

// part is the message inside an update and the number of its bank_id.
func part(u *pb.SubscribeUpdate) (m protoreflect.Message, field protowire.Number) {
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		return m.Transaction.ProtoReflect(), bankOfTransaction
	case *pb.SubscribeUpdate_Slot:
		return m.Slot.ProtoReflect(), bankOfSlot
	case *pb.SubscribeUpdate_BlockMeta:
		return m.BlockMeta.ProtoReflect(), bankOfBlockMeta
	case *pb.SubscribeUpdate_Entry:
		return m.Entry.ProtoReflect(), bankOfEntry
	case *pb.SubscribeUpdate_Account:
		return m.Account.ProtoReflect(), bankOfAccount
	default:
		return nil, 0
	}
}

// Bank reads the bank_id of an update, 0 where it has none.
func Bank(u *pb.SubscribeUpdate) uint64 {
	m, field := part(u)
	if m == nil {
		return 0
	}
	var bank uint64
	for b := m.GetUnknown(); len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return bank
		}
		b = b[n:]
		if num == field && typ == protowire.VarintType {
			if bank, n = protowire.ConsumeVarint(b); n < 0 {
				return 0
			}
		} else if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return bank
		}
		b = b[n:]
	}
	return bank
}

// SetBank gives u, which is nobody else's, a bank_id; 0 takes it away.
func SetBank(u *pb.SubscribeUpdate, bank uint64) {
	m, field := part(u)
	if m == nil {
		return
	}
	var out []byte
	for b := []byte(m.GetUnknown()); len(b) > 0; {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			break
		}
		if num != field {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	if bank > 0 {
		out = protowire.AppendVarint(protowire.AppendTag(out, field, protowire.VarintType), bank)
	}
	m.SetUnknown(out)
}

// SlotOf is the slot that an update belongs to, 0 none.
func SlotOf(u *pb.SubscribeUpdate) uint64 {
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		return m.Transaction.GetSlot()
	case *pb.SubscribeUpdate_TransactionStatus:
		return m.TransactionStatus.GetSlot()
	case *pb.SubscribeUpdate_Account:
		return m.Account.GetSlot()
	case *pb.SubscribeUpdate_Slot:
		return m.Slot.GetSlot()
	case *pb.SubscribeUpdate_Entry:
		return m.Entry.GetSlot()
	case *pb.SubscribeUpdate_BlockMeta:
		return m.BlockMeta.GetSlot()
	case *pb.SubscribeUpdate_Block:
		return m.Block.GetSlot()
	default:
		return 0
	}
}

// moved returns u with its own slot replaced and its parent mapped. u itself, and
// what is below its own message, is shared and never written to.
func moved(u *pb.SubscribeUpdate, slot uint64, parent func(uint64) uint64) *pb.SubscribeUpdate {
	out := Shallow(u)
	switch m := out.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		m.Transaction.Slot = slot
	case *pb.SubscribeUpdate_TransactionStatus:
		m.TransactionStatus.Slot = slot
	case *pb.SubscribeUpdate_Account:
		m.Account.Slot = slot
	case *pb.SubscribeUpdate_Slot:
		m.Slot.Slot = slot
		if m.Slot.Parent != nil {
			p := parent(m.Slot.GetParent())
			m.Slot.Parent = &p
		}
	case *pb.SubscribeUpdate_Entry:
		m.Entry.Slot = slot
	case *pb.SubscribeUpdate_BlockMeta:
		m.BlockMeta.Slot, m.BlockMeta.ParentSlot = slot, parent(m.BlockMeta.GetParentSlot())
	case *pb.SubscribeUpdate_Block:
		m.Block.Slot, m.Block.ParentSlot = slot, parent(m.Block.GetParentSlot())
		m.Block.Entries = append([]*pb.SubscribeUpdateEntry(nil), m.Block.GetEntries()...)
		for i, e := range m.Block.GetEntries() {
			e = shallowMessage(e)
			e.Slot = slot
			m.Block.Entries[i] = e
		}
	}
	return out
}

// Shallow copies an update and the message in it, so that their own fields can be
// written to; what is below stays shared.
func Shallow(u *pb.SubscribeUpdate) *pb.SubscribeUpdate {
	out := &pb.SubscribeUpdate{CreatedAt: u.GetCreatedAt()}
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		out.UpdateOneof = &pb.SubscribeUpdate_Transaction{Transaction: shallowMessage(m.Transaction)}
	case *pb.SubscribeUpdate_TransactionStatus:
		out.UpdateOneof = &pb.SubscribeUpdate_TransactionStatus{TransactionStatus: shallowMessage(m.TransactionStatus)}
	case *pb.SubscribeUpdate_Account:
		out.UpdateOneof = &pb.SubscribeUpdate_Account{Account: shallowMessage(m.Account)}
	case *pb.SubscribeUpdate_Slot:
		out.UpdateOneof = &pb.SubscribeUpdate_Slot{Slot: shallowMessage(m.Slot)}
	case *pb.SubscribeUpdate_Entry:
		out.UpdateOneof = &pb.SubscribeUpdate_Entry{Entry: shallowMessage(m.Entry)}
	case *pb.SubscribeUpdate_BlockMeta:
		out.UpdateOneof = &pb.SubscribeUpdate_BlockMeta{BlockMeta: shallowMessage(m.BlockMeta)}
	case *pb.SubscribeUpdate_Block:
		out.UpdateOneof = &pb.SubscribeUpdate_Block{Block: shallowMessage(m.Block)}
	default:
		return u
	}
	return out
}

// shallowMessage copies a message's own fields.
func shallowMessage[M interface {
	*T
	protoreflect.ProtoMessage
}, T any](m M) M {
	from, to := m.ProtoReflect(), M(new(T)).ProtoReflect()
	from.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(fd, v)
		return true
	})
	to.SetUnknown(from.GetUnknown())
	return to.Interface().(M)
}
