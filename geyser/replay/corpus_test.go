package replay_test

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// corpus returns the path of a file of real mainnet data, or ends the test as
// parsertest.CorpusDir says.
func corpus(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(parsertest.CorpusDir(t), name)
}

// A capture of a real Yellowstone server comes out of ours as it went in.
func TestRealCapturePassesUnchanged(t *testing.T) {
	path := corpus(t, "blocks/streams/yellowstone_vixen_slots_entries_blockmeta_20260205.bin")
	file, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	played, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	l, c := serve(t, replay.Options{Source: played, WaitForClient: true, EndWithSource: true})
	r := everything()
	r.Entry = map[string]*pb.SubscribeRequestFilterEntry{"e": {}}
	stream := open(t, c, r)
	n := 0
	for {
		want, err := file.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if want.GetPing() != nil || want.GetPong() != nil {
			continue
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d updates: %v", n, err)
		}
		want.Filters, got.Filters, want.CreatedAt, got.CreatedAt = nil, nil, nil, nil
		if !proto.Equal(want, got) {
			t.Fatalf("update %d:\n got %v\nwant %v", n, got, want)
		}
		n++
	}
	if rest, err := all(stream); err != nil || len(rest) != 0 || n < 40_000 {
		t.Errorf("%d updates, %d more, %v", n, len(rest), err)
	}
	if s := l.Stats(); s.Played != uint64(n) || s.Skipped != 0 {
		t.Errorf("%+v", s)
	}
}

// A real block comes as its transactions, and whole.
func TestRealBlock(t *testing.T) {
	src, err := capture.Open(corpus(t, "blocks/slot_361774429.getBlock.base64.json"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := replay.NewLocal(replay.Options{Source: src, WaitForClient: true, EndWithSource: true, PingInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := dialLocal(t, l, grpc.MaxCallRecvMsgSize(64<<20))
	done := make(chan error, 1)
	go func() { done <- l.Run(t.Context()) }()
	r := everything()
	r.Blocks = map[string]*pb.SubscribeRequestFilterBlocks{"b": {}}
	r.TransactionsStatus = map[string]*pb.SubscribeRequestFilterTransactions{"f": {Failed: ptr(true)}, "v": {Vote: ptr(true)}}
	got, err := all(open(t, c, r))
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	var txs []*pb.SubscribeUpdateTransactionInfo
	var block *pb.SubscribeUpdateBlock
	failed, votes := 0, 0
	for _, u := range got {
		if u.GetTransaction() != nil {
			txs = append(txs, u.GetTransaction().GetTransaction())
			if u.GetTransaction().GetTransaction().GetMeta().GetErr() != nil {
				failed++
			}
			if u.GetTransaction().GetTransaction().GetIsVote() {
				votes++
			}
		}
		if u.GetTransactionStatus() != nil {
			for _, f := range u.GetFilters() {
				if f == "f" {
					failed--
				} else {
					votes--
				}
			}
		}
		if u.GetBlock() != nil {
			block = u.GetBlock()
		}
	}
	const slot, count = 361774429, 1790
	if len(txs) != count || block.GetSlot() != slot || len(block.GetTransactions()) != count || block.GetExecutedTransactionCount() != count {
		t.Fatalf("%d transactions, block %d of %d", len(txs), block.GetSlot(), len(block.GetTransactions()))
	}
	if failed != 0 || votes != 0 {
		t.Errorf("failed ones differ by %d, votes by %d", failed, votes)
	}
	for i, tx := range block.GetTransactions() {
		if !proto.Equal(tx, txs[i]) {
			t.Fatalf("transaction %d differs", i)
		}
	}
}

func TestDeshredIsNotThere(t *testing.T) {
	l, _ := serve(t, replay.Options{Source: newGated()})
	conn, err := grpc.NewClient(l.Target(), l.DialOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/geyser.Geyser/SubscribeDeshred")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, stream.RecvMsg(&pb.SubscribeUpdate{}), codes.Unimplemented, "SubscribeDeshred")
}
