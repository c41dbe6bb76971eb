package geyser

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"
)

// script is what the fake does with one stream: what it returns is the
// stream's status. req is the subscription that opened it.
type script func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error

// fakeServer is a Yellowstone server that plays one script for each stream,
// the last one for all further ones.
type fakeServer struct {
	pb.UnimplementedGeyserServer
	scripts []script

	mu      sync.Mutex
	streams int
}

func (f *fakeServer) Subscribe(s pb.Geyser_SubscribeServer) error {
	f.mu.Lock()
	play := f.scripts[min(f.streams, len(f.scripts)-1)]
	f.streams++
	f.mu.Unlock()
	req, err := s.Recv()
	if err != nil {
		return err
	}
	return play(req, s)
}

// hold keeps a stream open until the client leaves.
func hold(s pb.Geyser_SubscribeServer) error {
	<-s.Context().Done()
	return s.Context().Err()
}

// say sends updates and reports the first failure.
func say(s pb.Geyser_SubscribeServer, updates ...*pb.SubscribeUpdate) error {
	for _, u := range updates {
		if err := s.Send(u); err != nil {
			return err
		}
	}
	return nil
}

// serve starts the fake in memory and returns Options that reach it.
func serve(t *testing.T, scripts ...script) Options {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
	pb.RegisterGeyserServer(srv, &fakeServer{scripts: scripts})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(lis)
	}()
	t.Cleanup(func() {
		srv.Stop()
		<-done
	})
	return Options{
		Name:   "fake",
		Target: "passthrough:///fake",
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return lis.DialContext(ctx)
		})},
		Backoff: Backoff{Base: time.Millisecond, Cap: 2 * time.Millisecond},
		Logger:  slog.New(slog.DiscardHandler),
	}
}

// rawCodec lets a script send bytes that are no message.
type rawCodec struct{ encoding.CodecV2 }

type rawMessage []byte

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(rawMessage); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// running is a subscriber under test.
type running struct {
	sub    *Subscriber
	events chan *Event
	cancel context.CancelFunc
	result chan error
}

// start runs a subscriber until the test ends; buffer is the size of its out.
func start(t *testing.T, o Options, buffer int) *running {
	t.Helper()
	sub, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{sub: sub, events: make(chan *Event, buffer), cancel: cancel, result: make(chan error, 1)}
	go func() { r.result <- sub.Run(ctx, r.events) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-r.result:
		case <-time.After(10 * time.Second):
			t.Error("Run does not end")
		}
	})
	return r
}

// next waits for an event that came from the server.
func (r *running) next(t *testing.T) *Event {
	t.Helper()
	for {
		e := r.any(t)
		if e.Kind != KindStreamStart && e.Kind != KindStreamEnd {
			return e
		}
		e.Release()
	}
}

// any waits for an event.
func (r *running) any(t *testing.T) *Event {
	t.Helper()
	select {
	case e := <-r.events:
		return e
	case err := <-r.result:
		r.result <- err
		t.Fatalf("Run ended: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
	}
	return nil
}

func slotUpdate(slot uint64, status pb.SlotStatus) *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: slot, Status: status}}}
}

func txUpdate() *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: sample()}}
}

func pingUpdate() *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Ping{Ping: &pb.SubscribeUpdatePing{}}}
}
