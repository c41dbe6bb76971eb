package replay

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// benchTx makes a transaction of the weight of a routed swap on mainnet: 30
// keys, 6 outer and 20 inner instructions, 12 token balances, 40 log lines;
// about 4 kB.
func benchTx(rng *rand.Rand, slot, index uint64) *pb.SubscribeUpdate {
	raw := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	msg := &pb.Message{Header: &pb.MessageHeader{NumRequiredSignatures: 1}, RecentBlockhash: raw(32), Versioned: true}
	for range 24 {
		msg.AccountKeys = append(msg.AccountKeys, raw(32))
	}
	meta := &pb.TransactionStatusMeta{Fee: 5000, LoadedWritableAddresses: [][]byte{raw(32), raw(32), raw(32)}, LoadedReadonlyAddresses: [][]byte{raw(32), raw(32), raw(32)}}
	for range 6 {
		msg.Instructions = append(msg.Instructions, &pb.CompiledInstruction{ProgramIdIndex: 20, Accounts: raw(12), Data: raw(24)})
	}
	inner := &pb.InnerInstructions{Index: 4}
	for range 20 {
		height := uint32(2)
		inner.Instructions = append(inner.Instructions, &pb.InnerInstruction{ProgramIdIndex: 21, Accounts: raw(5), Data: raw(17), StackHeight: &height})
	}
	meta.InnerInstructions = []*pb.InnerInstructions{inner}
	for i := range uint32(6) {
		b := &pb.TokenBalance{
			AccountIndex: i, Mint: solana.PublicKey(raw(32)).String(), Owner: solana.PublicKey(raw(32)).String(),
			ProgramId: solana.TokenProgramID.String(), UiTokenAmount: &pb.UiTokenAmount{Amount: "123456789012", Decimals: 6, UiAmount: 123456.789012, UiAmountString: "123456.789012"},
		}
		meta.PreTokenBalances, meta.PostTokenBalances = append(meta.PreTokenBalances, b), append(meta.PostTokenBalances, b)
	}
	for range 30 {
		meta.PreBalances, meta.PostBalances = append(meta.PreBalances, rng.Uint64()>>20), append(meta.PostBalances, rng.Uint64()>>20)
	}
	for range 40 {
		meta.LogMessages = append(meta.LogMessages, "Program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA invoke [2]")
	}
	sig := raw(64)
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{
		Slot: slot, Transaction: &pb.SubscribeUpdateTransactionInfo{
			Signature: sig, Index: index, Transaction: &pb.Transaction{Signatures: [][]byte{sig}, Message: msg}, Meta: meta,
		},
	}}}
}

func benchTxs(n int) []*pb.SubscribeUpdate {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]*pb.SubscribeUpdate, n)
	for i := range out {
		out[i] = benchTx(rng, 400_000_000+uint64(i/800), uint64(i%800))
	}
	return out
}

// dexFilter is what a client of this project asks for: ten programs, no votes,
// no failed transactions. include decides whether the benchmark's transactions
// match.
func dexFilter(include []byte) *pb.SubscribeRequest {
	no := false
	f := &pb.SubscribeRequestFilterTransactions{Vote: &no, Failed: &no}
	for range 9 {
		f.AccountInclude = append(f.AccountInclude, solana.NewWallet().PublicKey().String())
	}
	f.AccountInclude = append(f.AccountInclude, solana.PublicKey(include).String())
	return &pb.SubscribeRequest{Transactions: map[string]*pb.SubscribeRequestFilterTransactions{"dex": f}}
}

// BenchmarkIngest is the cost of one transaction before any subscriber: encode
// it and extract what filters need.
func BenchmarkIngest(b *testing.B) {
	us := benchTxs(1000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		u, err := newUpdate(us[n%len(us)], time.Unix(1, 2))
		if err != nil {
			b.Fatal(err)
		}
		n++
		b.SetBytes(int64(len(u.body)))
	}
}

// BenchmarkFilter is the cost of one filter on one transaction that does not
// match it.
func BenchmarkFilter(b *testing.B) {
	us := benchTxs(1000)
	ups := make([]*update, len(us))
	for i, u := range us {
		ups[i], _ = newUpdate(u, time.Unix(1, 2))
	}
	set, err := compile(dexFilter(make([]byte, 32)))
	if err != nil {
		b.Fatal(err)
	}
	var m matcher
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		_ = set.each(ups[n%len(ups)], &m, func(*Message) error { b.Fatal("matched"); return nil })
		n++
	}
}

// BenchmarkEncode compares encoding an update for each subscriber with copying
// the bytes that were encoded once, both through grpc's own codec.
func BenchmarkEncode(b *testing.B) {
	u := benchTxs(1)[0]
	up, err := newUpdate(u, time.Unix(1, 2))
	if err != nil {
		b.Fatal(err)
	}
	codec := encoding.GetCodecV2("proto")
	encode := func(b *testing.B, m proto.Message) {
		data, err := codec.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		data.Free()
	}
	b.Run("each", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encode(b, &pb.SubscribeUpdate{Filters: []string{"dex"}, UpdateOneof: u.GetUpdateOneof()})
		}
	})
	b.Run("shared", func(b *testing.B) {
		var out pb.SubscribeUpdate
		names := []string{"dex"}
		b.ReportAllocs()
		for b.Loop() {
			out.Filters = names
			out.ProtoReflect().SetUnknown(up.body)
			encode(b, &out)
		}
	})
}

// countCodec reads messages without decoding them, so that the benchmark is of
// the server.
type countCodec struct{}

func (countCodec) Name() string { return "proto" }
func (countCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, err := proto.Marshal(v.(proto.Message))
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}
func (countCodec) Unmarshal(data mem.BufferSlice, v any) error { return nil }

// repeat plays us again and again until n updates have been played.
type repeat struct {
	us   []*pb.SubscribeUpdate
	n, i int
}

func (r *repeat) Next(context.Context) (*pb.SubscribeUpdate, error) {
	if r.i == r.n {
		return nil, io.EOF
	}
	r.i++
	return r.us[(r.i-1)%len(r.us)], nil
}

// BenchmarkServe plays transactions to subscribers through gRPC in memory; the
// clients read the bytes and do not decode them. One operation is one
// transaction sent to all of them. With GOMAXPROCS=1 it tells what one core
// does, clients included:
//
//	go test ./geyser/replay -run '^$' -bench Serve -cpu 1
func BenchmarkServe(b *testing.B) {
	for _, subs := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("subscribers=%d", subs), func(b *testing.B) { benchServe(b, subs) })
	}
}

func benchServe(b *testing.B, subs int) {
	us := benchTxs(2000)
	key := us[0].GetTransaction().GetTransaction().GetTransaction().GetMessage().GetAccountKeys()[3]
	for _, u := range us { // all match
		u.GetTransaction().GetTransaction().GetTransaction().GetMessage().GetAccountKeys()[3] = key
	}
	begin := make(chan struct{})
	l, err := NewLocal(Options{Source: &held{repeat{us: us, n: b.N}, begin}, EndWithSource: true, StoredSlots: 2})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	var wg sync.WaitGroup
	for range subs {
		conn, err := grpc.NewClient(l.Target(), append(l.DialOptions(), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(countCodec{})))...)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		stream, err := pb.NewGeyserClient(conn).Subscribe(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := stream.Send(dexFilter(key)); err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			n := 0
			for ; ; n++ {
				if err := stream.RecvMsg(&pb.SubscribeUpdate{}); err != nil {
					break
				}
			}
			if n != b.N {
				b.Errorf("received %d of %d", n, b.N)
			}
		})
	}
	for l.Stats().Subscribers < subs { //nolint:revive // takes microseconds
	}
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	close(begin)
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N), "cpu-ns/tx")
	cancel()
	<-done
}

// cpuTime is what this process has used of the processor: on a busy machine it
// tells more than the time that passes.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// held is a source that begins when it is told to.
type held struct {
	repeat
	begin chan struct{}
}

func (h *held) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	<-h.begin
	return h.repeat.Next(ctx)
}
