package geyser_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
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

// encoded gives the messages as they travel, and their size in all.
func encoded(b *testing.B, us []*pb.SubscribeUpdate) (raw [][]byte, size int) {
	b.Helper()
	for _, u := range us {
		m, err := proto.Marshal(u)
		if err != nil {
			b.Fatal(err)
		}
		raw = append(raw, m)
		size += len(m)
	}
	return raw, size
}

// perTransaction reports the figures that matter: the time between two, and
// the processor time of this process for one. began is cpuTime at the start.
func perTransaction(b *testing.B, n int, began time.Duration) {
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N)/float64(n), "cpu-ns/tx")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tx")
}

// BenchmarkDecode is from decoded protobuf to our view.
func BenchmarkDecode(b *testing.B) {
	us := block(b)
	d := geyser.NewDecoder()
	var tx swapcast.Transaction
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for _, u := range us {
			if err := d.Transaction(u.GetTransaction(), &tx); err != nil {
				b.Fatal(err)
			}
		}
	}
	perTransaction(b, len(us), began)
}

// BenchmarkUnmarshalDecode is from the message's bytes to our view.
func BenchmarkUnmarshalDecode(b *testing.B) {
	us := block(b)
	raw, size := encoded(b, us)
	d := geyser.NewDecoder()
	var tx swapcast.Transaction
	b.SetBytes(int64(size))
	b.ReportAllocs()
	began := cpuTime()
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
	perTransaction(b, len(us), began)
}

// BenchmarkWireDecode is the same without the generated code in between.
func BenchmarkWireDecode(b *testing.B) {
	us := block(b)
	raw, size := encoded(b, us)
	d := geyser.NewWireDecoder()
	var e geyser.Event
	b.SetBytes(int64(size))
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for _, m := range raw {
			if err := d.Update(m, &e); err != nil {
				b.Fatal(err)
			}
		}
	}
	perTransaction(b, len(us), began)
}

// replayer sends the same messages for ever.
type replayer struct {
	pb.UnimplementedGeyserServer
	messages []any
}

func (r *replayer) Subscribe(s pb.Geyser_SubscribeServer) error {
	for {
		for _, m := range r.messages {
			if err := s.SendMsg(m); err != nil {
				return err
			}
		}
	}
}

// encodedCodec sends what is encoded already as it is.
type encodedCodec struct{ encoding.CodecV2 }

func (c encodedCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// BenchmarkSubscriber is from a server's Send to the consumer's hands, both in
// this process; ns/tx is the time between events at full speed. With
// server=marshal the server's marshalling counts too, with server=encoded only
// its transport does.
func BenchmarkSubscriber(b *testing.B) {
	us := block(b)
	var plain, encoded []any
	for _, u := range us {
		m, err := proto.Marshal(u)
		if err != nil {
			b.Fatal(err)
		}
		plain, encoded = append(plain, u), append(encoded, m)
	}
	b.Run("server=marshal", func(b *testing.B) { subscribe(b, plain) })
	b.Run("server=encoded", func(b *testing.B) { subscribe(b, encoded) })
}

func subscribe(b *testing.B, messages []any) {
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(grpc.ForceServerCodecV2(encodedCodec{encoding.GetCodecV2("proto")}))
	pb.RegisterGeyserServer(srv, &replayer{messages: messages})
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
	began := cpuTime()
	for b.Loop() {
		(<-events).Release()
	}
	perTransaction(b, 1, began)
	cancel()
	<-ran
	srv.Stop()
	<-served
}
