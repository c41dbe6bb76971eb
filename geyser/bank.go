package geyser

import (
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The field bank_id of the messages that have it, in the protos from plugin 16
// on. The stubs that we build with do not know it, so there it is among the
// unknown fields; older servers do not send it. A validator that makes two
// versions of a slot gives them two banks, and the numbers are its own.
const (
	bankInTransaction = 3
	bankInAccount     = 4
	bankInSlot        = 5
	bankInEntry       = 7
	bankInBlockMeta   = 10
)

// bankPlace is the message of u that has a bank, and the field's number; nil
// where u's kind has none.
func bankPlace(u *pb.SubscribeUpdate) (proto.Message, protowire.Number) {
	switch v := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		return v.Transaction, bankInTransaction
	case *pb.SubscribeUpdate_Account:
		return v.Account, bankInAccount
	case *pb.SubscribeUpdate_Slot:
		return v.Slot, bankInSlot
	case *pb.SubscribeUpdate_Entry:
		return v.Entry, bankInEntry
	case *pb.SubscribeUpdate_BlockMeta:
		return v.BlockMeta, bankInBlockMeta
	}
	return nil, 0
}

// Bank is the bank of an update that the generated code has decoded; 0 where
// the server named none.
func Bank(u *pb.SubscribeUpdate) uint64 {
	m, field := bankPlace(u)
	if m == nil {
		return 0
	}
	return unknownVarint(m, field)
}

// SetBank gives u a bank as a server of plugin 16 would; 0 takes it away. An
// update of a kind that has no bank it leaves alone.
func SetBank(u *pb.SubscribeUpdate, bank uint64) {
	m, field := bankPlace(u)
	if m == nil {
		return
	}
	var kept []byte
	for rest := m.ProtoReflect().GetUnknown(); len(rest) > 0; {
		num, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			break
		}
		if num != field {
			kept = append(kept, rest[:n]...)
		}
		rest = rest[n:]
	}
	if bank != 0 {
		kept = protowire.AppendVarint(protowire.AppendTag(kept, field, protowire.VarintType), bank)
	}
	m.ProtoReflect().SetUnknown(kept)
}

// unknownVarint is the last number that m has in a field that the stubs do
// not know, 0 for none.
func unknownVarint(m proto.Message, field protowire.Number) (v uint64) {
	for rest := m.ProtoReflect().GetUnknown(); len(rest) > 0; {
		num, typ, n := protowire.ConsumeField(rest)
		if n < 0 {
			break
		}
		if num == field && typ == protowire.VarintType {
			_, _, tag := protowire.ConsumeTag(rest)
			v, _ = protowire.ConsumeVarint(rest[tag:])
		}
		rest = rest[n:]
	}
	return v
}
