package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast/geyser/capture"
)

// slotServer sends rising slots, each with a transaction, until its client
// leaves; of its first stream only the first three.
type slotServer struct {
	pb.UnimplementedGeyserServer
	requests chan *pb.SubscribeRequest
	streams  int
}

func (s *slotServer) Subscribe(stream pb.Geyser_SubscribeServer) error {
	req, err := stream.Recv()
	if err != nil {
		return err
	}
	s.streams++
	first := s.streams == 1
	select {
	case s.requests <- req:
	default:
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for slot := uint64(s.streams) * 1_000_000; ; slot++ {
		if first && slot == 1_000_003 {
			return status.Error(codes.Internal, "lagged to send an update")
		}
		for _, u := range []*pb.SubscribeUpdate{
			{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: slot}}},
			{UpdateOneof: &pb.SubscribeUpdate_Ping{Ping: &pb.SubscribeUpdatePing{}}},
			{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{
				Slot: slot, Transaction: &pb.SubscribeUpdateTransactionInfo{Signature: make([]byte, 64)},
			}}},
		} {
			if err := stream.Send(u); err != nil {
				return err
			}
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-tick.C:
		}
	}
}

// slotServerForTest serves it on a free port.
func slotServerForTest(t *testing.T) (address string, s *slotServer) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &slotServer{requests: make(chan *pb.SubscribeRequest, 1)}
	g := grpc.NewServer()
	pb.RegisterGeyserServer(g, s)
	done := make(chan error, 1)
	go func() { done <- g.Serve(lis) }()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	return lis.Addr().String(), s
}

// recordCommand reads a command line of `swapcast record`.
func recordCommand(t *testing.T, args ...string) *recordCmd {
	t.Helper()
	var c recordCmd
	k, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &c
}

// count reads a capture and counts its transactions and slots.
func count(t *testing.T, r io.Reader) (transactions, slots int, err error) {
	t.Helper()
	in, err := capture.NewReader(r)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	for {
		u, err := in.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return transactions, slots, nil
		}
		if err != nil {
			return transactions, slots, err
		}
		if u.CreatedAt == nil {
			t.Fatal("an update without a time")
		}
		switch u.UpdateOneof.(type) {
		case *pb.SubscribeUpdate_Transaction:
			transactions++
		case *pb.SubscribeUpdate_Slot:
			slots++
		default:
			t.Fatalf("recorded: %v", u)
		}
	}
}

// TestRecordLimit: the limit is exact, through a reconnect, and the file is
// whole.
func TestRecordLimit(t *testing.T) {
	address, s := slotServerForTest(t)
	name := filepath.Join(t.TempDir(), "x.zst")
	if err := recordCommand(t, "--source", "grpc://"+address, "-o", name, "--limit", "10").Run(t.Context(), testEnviron(t)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if txs, slots, err := count(t, f); txs != 10 || slots != 10 || err != nil {
		t.Errorf("%d transactions, %d slots, %v", txs, slots, err)
	}
	if include := (<-s.requests).Transactions["swapcast"].GetAccountInclude(); len(include) != len(dexPrograms()) || len(include) == 0 {
		t.Errorf("programs asked for: %v", include)
	}
	err = recordCommand(t, "--source", "grpc://"+address, "-o", name, "--limit", "1").Run(t.Context(), testEnviron(t))
	var usage usageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "exists") {
		t.Errorf("an existing file: %v", err)
	}
	if err := recordCommand(t, "--source", "grpc://"+address, "-o", name, "--limit", "1", "--force", "--all").Run(t.Context(), testEnviron(t)); err != nil {
		t.Errorf("with --force: %v", err)
	}
}

// TestRecordInterrupted: an interrupt and the end of --duration complete the
// file and are no error; standard output works as a file does.
func TestRecordInterrupted(t *testing.T) {
	address, _ := slotServerForTest(t)
	for name, args := range map[string][]string{
		"interrupt": {},
		"duration":  {"--duration", "300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			env := testEnviron(t)
			out := &signalled{first: make(chan struct{})}
			env.Stdout = out
			if name == "interrupt" {
				context.AfterFunc(t.Context(), cancel)
				go func() {
					<-out.first // the header is out, the stream may be or not
					cancel()
				}()
			}
			if err := recordCommand(t, append([]string{"--source", "grpc://" + address, "--output", "-"}, args...)...).Run(ctx, env); err != nil {
				t.Fatal(err)
			}
			txs, _, err := count(t, &out.Buffer)
			if err != nil {
				t.Errorf("after %d transactions: %v", txs, err)
			}
			if name == "duration" && txs == 0 {
				t.Error("nothing was recorded")
			}
		})
	}
}

// signalled tells of its first write.
type signalled struct {
	bytes.Buffer
	first chan struct{}
	told  bool
}

func (s *signalled) Write(p []byte) (int, error) {
	if !s.told {
		s.told = true
		close(s.first)
	}
	return s.Buffer.Write(p)
}

// fullDisk takes n bytes.
type fullDisk struct{ n int }

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

// TestRecordFullDisk: a write that fails ends the recording with the reason.
func TestRecordFullDisk(t *testing.T) {
	address, _ := slotServerForTest(t)
	env := testEnviron(t)
	env.Stdout = &fullDisk{n: 100}
	err := recordCommand(t, "--source", "grpc://"+address, "-o", "-").Run(t.Context(), env)
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}

func TestRecordRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--source market:":                           "only grpc://",
		"--source grpc://host":                       "port is missing",
		"--source grpcs://user:token@host":           "--geyser-token",
		"--source grpc://127.0.0.1:1 --duration=-1s": "negative",
	} {
		err := recordCommand(t, append(strings.Fields(args), "-o", filepath.Join(t.TempDir(), "x"))...).Run(t.Context(), testEnviron(t))
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a usage error with %q", args, err, want)
		}
	}
	err := recordCommand(t, "--source", "grpc://127.0.0.1:1", "-o", filepath.Join(t.TempDir(), "no", "x")).Run(t.Context(), testEnviron(t))
	if err == nil || !strings.Contains(err.Error(), "--output") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
