package geyser

import (
	"bytes"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gagliardetto/solana-go"
)

// sampleUpdates has one update of each kind, with something in every field
// that a decoder reads or must check.
func sampleUpdates() []*pb.SubscribeUpdate {
	full := sample()
	meta := full.Transaction.Meta
	meta.Err = &pb.TransactionError{Err: []byte{8, 0}}
	meta.Rewards = []*pb.Reward{{Pubkey: "p", Lamports: -1, Commission: "5"}}
	meta.ReturnData = &pb.ReturnData{ProgramId: key(1), Data: []byte{1}}
	meta.ComputeUnitsConsumed = ptr(uint64(1400000))
	meta.PreTokenBalances[0].UiTokenAmount.UiAmount = 1.5
	meta.PreTokenBalances[0].UiTokenAmount.UiAmountString = "1.5"
	full.Transaction.Transaction.Message.RecentBlockhash = key(7)
	full.Transaction.Transaction.Message.AddressTableLookups = []*pb.MessageAddressTableLookup{
		{AccountKey: key(5), WritableIndexes: []byte{1}, ReadonlyIndexes: []byte{2}},
	}
	v1 := sample()
	v1.Transaction.Meta.InnerInstructions[0].Instructions[0].StackHeight = ptr(uint32(1)) // nonsense
	v1.Transaction.Meta.InnerInstructions[0].Instructions[1].StackHeight = ptr(uint32(256))
	cfg := solana.TransactionConfig{}.WithPriorityFee(1)
	MarkV1(v1.Transaction.Transaction.Message, &cfg)
	vote := sample()
	vote.Transaction.IsVote = true
	vote.Transaction.Signature = nil // the first of the message's own stands in for it
	vote.Transaction.Transaction.Signatures = append(vote.Transaction.Transaction.Signatures, bytes.Repeat([]byte{8}, 64))
	vote.Transaction.Meta.InnerInstructions = nil
	vote.Transaction.Meta.LogMessages = nil
	us := []*pb.SubscribeUpdate{
		txUpdate(), pingUpdate(), slotUpdate(3, pb.SlotStatus_SLOT_CREATED_BANK), slotUpdate(4, pb.SlotStatus(-1)),
		{},
		{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: full}},
		{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: v1}},
		{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: vote}},
		{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{
			Slot: 77, Parent: ptr(uint64(76)), Status: pb.SlotStatus_SLOT_DEAD, DeadError: ptr("gone"),
		}}},
		{UpdateOneof: &pb.SubscribeUpdate_Pong{Pong: &pb.SubscribeUpdatePong{Id: 1}}},
		{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{
			Slot: 77, ParentSlot: 76, Blockhash: "h", ParentBlockhash: "p", ExecutedTransactionCount: 3, EntriesCount: 9,
			BlockTime: &pb.UnixTimestamp{Timestamp: 1764}, BlockHeight: &pb.BlockHeight{BlockHeight: 9},
			Rewards: &pb.Rewards{Rewards: meta.Rewards, NumPartitions: &pb.NumPartitions{NumPartitions: 2}},
		}}},
		{UpdateOneof: &pb.SubscribeUpdate_Account{Account: &pb.SubscribeUpdateAccount{
			Account: &pb.SubscribeUpdateAccountInfo{Pubkey: key(1), Data: []byte{1}}, Slot: 5,
		}}},
		{UpdateOneof: &pb.SubscribeUpdate_Entry{Entry: &pb.SubscribeUpdateEntry{Slot: 5, Hash: key(2)}}},
		{UpdateOneof: &pb.SubscribeUpdate_TransactionStatus{TransactionStatus: &pb.SubscribeUpdateTransactionStatus{
			Slot: 5, Signature: key(1), Err: meta.Err,
		}}},
		{UpdateOneof: &pb.SubscribeUpdate_Block{Block: &pb.SubscribeUpdateBlock{
			Slot: 5, Blockhash: "h", ParentBlockhash: "p", Transactions: []*pb.SubscribeUpdateTransactionInfo{full.Transaction},
			Rewards:  &pb.Rewards{Rewards: meta.Rewards},
			Accounts: []*pb.SubscribeUpdateAccountInfo{{Pubkey: key(1)}}, Entries: []*pb.SubscribeUpdateEntry{{Slot: 5}},
			BlockTime: &pb.UnixTimestamp{Timestamp: 1}, BlockHeight: &pb.BlockHeight{BlockHeight: 9},
		}}},
	}
	for i, u := range us {
		if i%3 > 0 {
			SetBank(u, uint64(i)<<33)
		}
		if i%2 == 1 {
			u.Filters = []string{"swapcast", "ü"}
			u.CreatedAt = &timestamppb.Timestamp{Seconds: 1764, Nanos: int32(i)}
		}
	}
	return us
}
