package replay_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/swapcast/swapcast/geyser/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// list is a Source in memory.
type list struct {
	updates []*pb.SubscribeUpdate
	at      int
	err     error // at the end; nil is io.EOF
}

func (l *list) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.at == len(l.updates) {
		if l.err != nil {
			return nil, l.err
		}
		return nil, io.EOF
	}
	l.at++
	return l.updates[l.at-1], nil
}

func key(n uint64) (k solana.PublicKey) {
	binary.BigEndian.PutUint64(k[:], n)
	k[31] = 1
	return k
}

func signature(slot, index uint64) (s solana.Signature) {
	binary.BigEndian.PutUint64(s[:], slot)
	binary.BigEndian.PutUint64(s[8:], index)
	return s
}

// start is the first update's time in tests that look at times.
var start = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) //nolint:gochecknoglobals // constant

func at(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(start.Add(d)) }

// txn makes a transaction whose static keys are keys.
func txn(slot, index uint64, keys ...solana.PublicKey) *pb.SubscribeUpdate {
	sig := signature(slot, index)
	msg := &pb.Message{Header: &pb.MessageHeader{NumRequiredSignatures: 1}}
	for _, k := range keys {
		msg.AccountKeys = append(msg.AccountKeys, k[:])
	}
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{
		Slot: slot,
		Transaction: &pb.SubscribeUpdateTransactionInfo{
			Signature: sig[:], Index: index,
			Transaction: &pb.Transaction{Signatures: [][]byte{sig[:]}, Message: msg},
			Meta:        &pb.TransactionStatusMeta{Fee: 5000},
		},
	}}}
}

func slot(n uint64, st pb.SlotStatus) *pb.SubscribeUpdate {
	parent := n - 1
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{
		Slot: &pb.SubscribeUpdateSlot{Slot: n, Parent: &parent, Status: st},
	}}
}

func blockMeta(n, txs uint64) *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{
		Slot: n, Blockhash: key(n).String(), ParentSlot: n - 1, ParentBlockhash: key(n - 1).String(),
		BlockHeight: &pb.BlockHeight{BlockHeight: n - 10}, BlockTime: &pb.UnixTimestamp{Timestamp: 1_700_000_000 + int64(n)},
		ExecutedTransactionCount: txs,
	}}}
}

// fullSlot is all that a slot is on a good day, up to PROCESSED.
func fullSlot(n, txs uint64) []*pb.SubscribeUpdate {
	out := []*pb.SubscribeUpdate{slot(n, pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED), slot(n, pb.SlotStatus_SLOT_CREATED_BANK)}
	for i := range txs {
		out = append(out, txn(n, i, key(100+i), key(7)))
	}
	return append(out, blockMeta(n, txs), slot(n, pb.SlotStatus_SLOT_PROCESSED))
}

// chain is a stream of slots in which each is confirmed 2 slots and finalized
// 5 slots after it was processed.
func chain(from, to, txs uint64) []*pb.SubscribeUpdate {
	var out []*pb.SubscribeUpdate
	for n := from; n <= to; n++ {
		out = append(out, fullSlot(n, txs)...)
		if n >= from+2 {
			out = append(out, slot(n-2, pb.SlotStatus_SLOT_CONFIRMED))
		}
		if n >= from+5 {
			out = append(out, slot(n-5, pb.SlotStatus_SLOT_FINALIZED))
		}
	}
	return out
}

// serve runs a server in process and returns a client of it. Everything ends
// with the test.
func serve(t testing.TB, o replay.Options) (*replay.Local, pb.GeyserClient) {
	t.Helper()
	if o.PingInterval == 0 {
		o.PingInterval = time.Hour // no pings among the updates, however slow the machine
	}
	l, err := replay.NewLocal(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return l, dialLocal(t, l)
}

// dialLocal returns a client of l.
func dialLocal(t testing.TB, l *replay.Local, calls ...grpc.CallOption) pb.GeyserClient {
	t.Helper()
	conn, err := grpc.NewClient(l.Target(), append(l.DialOptions(), grpc.WithDefaultCallOptions(calls...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewGeyserClient(conn)
}

// open subscribes; the stream ends with the test.
func open(t testing.TB, c pb.GeyserClient, r *pb.SubscribeRequest) pb.Geyser_SubscribeClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	stream, err := c.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// EOF: the server has ended the stream already, and Recv tells why.
	if err := stream.Send(r); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return stream
}

// all reads a stream to its end: io.EOF is nil.
func all(stream pb.Geyser_SubscribeClient) (out []*pb.SubscribeUpdate, err error) {
	for {
		u, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, u)
	}
}

// everything is a request for transactions, slots and blocks_meta.
func everything() *pb.SubscribeRequest {
	yes := true
	return &pb.SubscribeRequest{
		Transactions: map[string]*pb.SubscribeRequestFilterTransactions{"t": {}},
		Slots:        map[string]*pb.SubscribeRequestFilterSlots{"s": {InterslotUpdates: &yes}},
		BlocksMeta:   map[string]*pb.SubscribeRequestFilterBlocksMeta{"m": {}},
	}
}

func TestPlaysASourceToItsEnd(t *testing.T) {
	src := chain(100, 110, 3)
	_, c := serve(t, replay.Options{Source: &list{updates: src}, WaitForClient: true, EndWithSource: true})
	got, err := all(open(t, c, everything()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(src) {
		t.Fatalf("got %d updates of %d", len(got), len(src))
	}
	for i, u := range got {
		if u.GetCreatedAt() == nil || len(u.GetFilters()) != 1 {
			t.Fatalf("update %d lacks created_at or filters: %v", i, u)
		}
	}
}
