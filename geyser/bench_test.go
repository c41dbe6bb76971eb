package geyser_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
)

// block gives the transactions of the corpus block of slot 361774429: 1,790,
// votes and failed ones included, as on the wire.
func block(b testing.TB) []*pb.SubscribeUpdate {
	b.Helper()
	dir := os.Getenv("SWAPCAST_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpus")
	}
	f, err := capture.OpenPlain(filepath.Join(dir, "blocks", "slot_361774429.getBlock.base64.json"), nil)
	if errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true" {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var us []*pb.SubscribeUpdate
	for {
		u, err := f.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return us
		}
		if err != nil {
			b.Fatal(err)
		}
		if u.GetTransaction() != nil {
			us = append(us, u)
		}
	}
}

// perTransaction reports the figure that matters.
func perTransaction(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tx")
}

// BenchmarkDecode is from decoded protobuf to our view.
func BenchmarkDecode(b *testing.B) {
	us := block(b)
	d := geyser.NewDecoder()
	var tx swapcast.Transaction
	b.ReportAllocs()
	for b.Loop() {
		for _, u := range us {
			if err := d.Transaction(u.GetTransaction(), &tx); err != nil {
				b.Fatal(err)
			}
		}
	}
	perTransaction(b, len(us))
}

// BenchmarkUnmarshalDecode is from the message's bytes to our view.
func BenchmarkUnmarshalDecode(b *testing.B) {
	us := block(b)
	var raw [][]byte
	size := 0
	for _, u := range us {
		m, err := proto.Marshal(u)
		if err != nil {
			b.Fatal(err)
		}
		raw = append(raw, m)
		size += len(m)
	}
	d := geyser.NewDecoder()
	var tx swapcast.Transaction
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range raw {
			var u pb.SubscribeUpdate
			if err := proto.Unmarshal(m, &u); err != nil {
				b.Fatal(err)
			}
			if err := d.Transaction(u.GetTransaction(), &tx); err != nil {
				b.Fatal(err)
			}
		}
	}
	perTransaction(b, len(us))
}

// BenchmarkWireDecode is the same without the generated code in between.
func BenchmarkWireDecode(b *testing.B) {
	us := block(b)
	var raw [][]byte
	size := 0
	for _, u := range us {
		m, err := proto.Marshal(u)
		if err != nil {
			b.Fatal(err)
		}
		raw = append(raw, m)
		size += len(m)
	}
	d := geyser.NewWireDecoder()
	var e geyser.Event
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range raw {
			if err := d.Update(m, &e); err != nil {
				b.Fatal(err)
			}
		}
	}
	perTransaction(b, len(us))
}

// replayer sends the same messages for ever.
type replayer struct {
	pb.UnimplementedGeyserServer
	us []*pb.SubscribeUpdate
}

func (r *replayer) Subscribe(s pb.Geyser_SubscribeServer) error {
	for {
		for _, u := range r.us {
			if err := s.Send(u); err != nil {
				return err
			}
		}
	}
}

// BenchmarkSubscriber is from a server's Send to the consumer's hands, both in
// this process, the server's marshalling included; ns/tx is the time between
// events at full speed.
func BenchmarkSubscriber(b *testing.B) {
	us := block(b)
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer()
	pb.RegisterGeyserServer(srv, &replayer{us: us})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	sub, err := geyser.New(geyser.Options{
		Target:      "passthrough:///bench",
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) })},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan *geyser.Event, 1024)
	ran := make(chan error, 1)
	go func() { ran <- sub.Run(ctx, events) }()
	(<-events).Release()
	b.ReportAllocs()
	for b.Loop() {
		(<-events).Release()
	}
	perTransaction(b, 1)
	cancel()
	<-ran
	srv.Stop()
	<-served
}
