package replay

import (
	"strings"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// sampleUpdates is one update of each kind, ready for filters.
func sampleUpdates(tb testing.TB) []*update {
	key := make([]byte, 32)
	parent := uint64(4)
	var out []*update
	for _, u := range []*pb.SubscribeUpdate{
		{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{Slot: 5, Transaction: &pb.SubscribeUpdateTransactionInfo{
			Signature: make([]byte, 64), Transaction: &pb.Transaction{Message: &pb.Message{AccountKeys: [][]byte{key, key[:3]}}},
			Meta: &pb.TransactionStatusMeta{PostTokenBalances: []*pb.TokenBalance{{Owner: "11111111111111111111111111111111"}, {Owner: "?"}}},
		}}}},
		{UpdateOneof: &pb.SubscribeUpdate_TransactionStatus{TransactionStatus: &pb.SubscribeUpdateTransactionStatus{Slot: 5}}},
		{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: 5, Parent: &parent}}},
		{UpdateOneof: &pb.SubscribeUpdate_Account{Account: &pb.SubscribeUpdateAccount{Slot: 5, Account: &pb.SubscribeUpdateAccountInfo{Pubkey: key, Owner: key, Data: make([]byte, 200)}}}},
		{UpdateOneof: &pb.SubscribeUpdate_Account{Account: &pb.SubscribeUpdateAccount{Slot: 5}}},
		{UpdateOneof: &pb.SubscribeUpdate_Entry{Entry: &pb.SubscribeUpdateEntry{Slot: 5}}},
		{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{Slot: 5, ExecutedTransactionCount: 1}}},
	} {
		up, err := newUpdate(u, time.Unix(1, 2))
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, up)
	}
	var parts blockParts
	for _, u := range out {
		if b := parts.collect(u); b != nil {
			return append(out, b)
		}
	}
	tb.Fatal("no block came of the parts")
	return nil
}

// FuzzRequest gives compile any bytes that are a SubscribeRequest. Whatever it
// makes of them, it must not panic, must answer with one of two codes, and a
// filter set that it accepts must only make messages that can be read.
func FuzzRequest(f *testing.F) {
	yes := true
	for _, r := range []*pb.SubscribeRequest{
		{},
		{
			Transactions: map[string]*pb.SubscribeRequestFilterTransactions{"a": {}, "b": {Vote: &yes, AccountInclude: []string{"11111111111111111111111111111111"}}},
			Slots:        map[string]*pb.SubscribeRequestFilterSlots{"": {}}, BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{"m": nil},
			Blocks:            map[string]*pb.SubscribeRequestFilterBlocks{"b": {IncludeAccounts: &yes, IncludeEntries: &yes}},
			Accounts:          map[string]*pb.SubscribeRequestFilterAccounts{"a": {Owner: []string{"x"}}},
			AccountsDataSlice: []*pb.SubscribeRequestAccountsDataSlice{{Offset: 1, Length: 2}},
			Ping:              &pb.SubscribeRequestPing{Id: 1},
		},
	} {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	f.Add([]byte{0x1a, 0x08, 0x0a, 0x01, 'a', 0x12, 0x03, 0xf0, 0x01, 0x01}) // token_accounts
	updates := sampleUpdates(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var r pb.SubscribeRequest
		if proto.Unmarshal(b, &r) != nil {
			return
		}
		sub := newSubscriber()
		set, err := compile(&r)
		if err != nil {
			switch status.Code(err) {
			case codes.InvalidArgument, codes.Unimplemented:
			default:
				t.Fatalf("code %v: %v", status.Code(err), err)
			}
			if msg := status.Convert(err).Message(); len(msg) > 400 || strings.TrimSpace(msg) == "" {
				t.Fatalf("message of %d bytes: %q", len(msg), msg)
			}
			if r.GetPing() == nil && sub.take(&r) == nil {
				t.Fatal("a subscriber took what compile refuses")
			}
			return
		}
		var m matcher
		for _, u := range updates {
			err := set.each(u, &m, func(msg *Message) error {
				var got pb.SubscribeUpdate
				if err := proto.Unmarshal(msg.Body, &got); err != nil {
					t.Fatalf("%v: %v", u.kind, err)
				}
				if got.GetUpdateOneof() == nil || got.GetCreatedAt().GetSeconds() != 1 || len(msg.Filters) == 0 {
					t.Fatalf("%v became %v", u.kind, &got)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
