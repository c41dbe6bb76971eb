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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
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
	first   func() (uint64, error) // of SubscribeReplayInfo; nil: unimplemented
	version string                 // of GetVersion; "": unimplemented

	mu       sync.Mutex
	requests []*pb.SubscribeRequest // the first of each stream
	infos    int                    // calls of SubscribeReplayInfo
}

func (f *fakeServer) Subscribe(s pb.Geyser_SubscribeServer) error {
	req, err := s.Recv()
	if err != nil {
		return err
	}
	f.mu.Lock()
	play := f.scripts[min(len(f.requests), len(f.scripts)-1)]
	f.requests = append(f.requests, req)
	f.mu.Unlock()
	return play(req, s)
}

func (f *fakeServer) SubscribeReplayInfo(context.Context, *pb.SubscribeReplayInfoRequest) (*pb.SubscribeReplayInfoResponse, error) {
	f.mu.Lock()
	f.infos++
	f.mu.Unlock()
	if f.first == nil {
		return nil, status.Error(codes.Unimplemented, "method disabled")
	}
	slot, err := f.first()
	if err != nil {
		return nil, err
	}
	return &pb.SubscribeReplayInfoResponse{FirstAvailable: &slot}, nil
}

func (f *fakeServer) GetVersion(context.Context, *pb.GetVersionRequest) (*pb.GetVersionResponse, error) {
	if f.version == "" {
		return nil, status.Error(codes.Unimplemented, "method disabled")
	}
	return &pb.GetVersionResponse{Version: f.version}, nil
}

// asked gives the from_slot of each stream's first request, 0 for none.
func (f *fakeServer) asked() (out []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		out = append(out, r.GetFromSlot())
	}
	return out
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
	return serveFake(t, &fakeServer{scripts: scripts})
}

func serveFake(t *testing.T, f *fakeServer) Options {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
	pb.RegisterGeyserServer(srv, f)
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
		if e.Kind != KindStreamStart && e.Kind != KindPartStart && e.Kind != KindStreamEnd {
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

// reconnected returns the status once so many streams have ended: an end is counted
// after it is told, and while another stream goes on.
func (r *running) reconnected(n uint64) Status {
	st := r.sub.Status()
	for deadline := time.Now().Add(10 * time.Second); st.Reconnects != n && time.Now().Before(deadline); st = r.sub.Status() {
		time.Sleep(time.Millisecond)
	}
	return st
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
