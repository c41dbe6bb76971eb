package replay_test

import (
	"slices"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/swapcast/swapcast/geyser/replay"
)

// heavy makes a transaction of about n bytes.
func heavy(slot, index uint64, n int) *pb.SubscribeUpdate {
	u := txn(slot, index, key(1))
	u.GetTransaction().GetTransaction().GetTransaction().GetMessage().RecentBlockhash = make([]byte, n)
	return u
}

func TestMemoryIsBounded(t *testing.T) {
	const limit = 1 << 20
	src := newGated()
	l, c := serve(t, replay.Options{Source: src, StoredBytes: limit})
	live := open(t, c, everything())
	settle(t, live)
	for n := uint64(100); n < 200; n++ {
		src.put(heavy(n, 0, 100_000), slot(n, pb.SlotStatus_SLOT_FINALIZED))
		words(t, live, 1)
		if s := l.Stats(); s.StoredBytes > limit+110_000 {
			t.Fatalf("%d bytes are stored", s.StoredBytes)
		}
		if n > 100 {
			words(t, live, 1) // the status of the slot before
		}
	}
	if first := l.Stats().FirstSlot; first < 180 {
		t.Errorf("slots from %d are stored", first)
	}
}

// Streams that wait for a slot's commitment are cut when the slot has to go
// first: a hole would be worse.
func TestCutRatherThanLeftWithAHole(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src, StoredBytes: 1 << 20})
	live := open(t, c, everything())
	settle(t, live)
	waiting := open(t, c, atLevel(pb.CommitmentLevel_FINALIZED))
	settle(t, waiting)
	for n := uint64(100); n < 115; n++ {
		src.put(heavy(n, 0, 100_000))
	}
	words(t, live, 14)
	_, err := all(waiting)
	wantCode(t, err, codes.Internal, "lagged to receive geyser messages")
}

// Slots are kept for their commitment even where few are stored.
func TestUnsettledSlotsAreKept(t *testing.T) {
	src := chain(100, 150, 1)
	r := atLevel(pb.CommitmentLevel_FINALIZED)
	r.Slots = nil
	_, c := serve(t, replay.Options{Source: &list{updates: src}, WaitForClient: true, EndWithSource: true, StoredSlots: 1})
	got, err := all(open(t, c, r))
	if err != nil || len(got) != 2*(150-5-100+1) {
		t.Errorf("%d updates, %v", len(got), err)
	}
}

func TestIncompleteBlocksAreCounted(t *testing.T) {
	src := newGated()
	l, c := serve(t, replay.Options{Source: src, StoredSlots: 1})
	live := open(t, c, everything())
	settle(t, live)
	src.put(blockMeta(5, 3), slot(5, pb.SlotStatus_SLOT_FINALIZED), blockMeta(6, 0), slot(6, pb.SlotStatus_SLOT_FINALIZED), blockMeta(7, 0), slot(7, pb.SlotStatus_SLOT_DEAD))
	words(t, live, 5)
	if n := l.Stats().IncompleteBlocks; n != 1 {
		t.Errorf("%d incomplete blocks", n)
	}
}

func TestCreatedAt(t *testing.T) {
	u := blockMeta(5, 0)
	u.CreatedAt = at(0)
	now := start.Add(1000*time.Hour + 123)
	for _, keep := range []bool{false, true} {
		_, c := serve(t, replay.Options{
			Source: &list{updates: []*pb.SubscribeUpdate{u}}, WaitForClient: true, EndWithSource: true,
			KeepCreatedAt: keep, Now: func() time.Time { return now },
		})
		got, err := all(open(t, c, everything()))
		if err != nil || len(got) != 1 {
			t.Fatalf("%d updates, %v", len(got), err)
		}
		want := now
		if keep {
			want = start
		}
		if created := got[0].GetCreatedAt().AsTime(); !created.Equal(want) {
			t.Errorf("created at %v, want %v", created, want)
		}
	}
}

func TestEverySubscriberGetsTheSame(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src, EndWithSource: true})
	var streams []pb.Geyser_SubscribeClient
	for range 4 {
		stream := open(t, c, everything())
		settle(t, stream)
		streams = append(streams, stream)
	}
	us := chain(100, 130, 5)
	go func() {
		src.put(us...)
		close(src.updates)
	}()
	var first []string
	for i, stream := range streams {
		got, err := all(stream)
		if err != nil || len(got) != len(us) {
			t.Fatalf("stream %d: %d updates of %d, %v", i, len(got), len(us), err)
		}
		var list []string
		for _, u := range got {
			list = append(list, word(u))
		}
		if i == 0 {
			first = list
		} else if !slices.Equal(list, first) {
			t.Errorf("stream %d differs from the first", i)
		}
	}
}

func TestSnapshotsAreRefused(t *testing.T) {
	_, c := serve(t, replay.Options{Source: newGated()})
	stream, err := c.Subscribe(metadata.AppendToOutgoingContext(t.Context(), "x-request-snapshot", "true"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = all(stream)
	wantCode(t, err, codes.Unimplemented, "x-request-snapshot")
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	src := &list{}
	for name, o := range map[string]replay.Options{
		"no source":             {},
		"loop over one source":  {Source: src, Loop: true},
		"speed below 0":         {Source: src, Speed: -1},
		"queue below 0":         {Source: src, QueueSize: -1},
		"ping interval below 0": {Source: src, PingInterval: -time.Second},
		"unknown compressor":    {Source: src, SendCompression: "lz77"},
	} {
		if _, err := replay.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A slow client may hold back no more memory than is allowed for stored slots.
func TestSlowSubscriberHoldsNoMemory(t *testing.T) {
	const limit = 1 << 20
	full := make(chan struct{})
	defer close(full)
	src := newGated()
	l, c := serve(t, replay.Options{
		Source: src, Speed: 1, StoredBytes: limit,
		Wrap: func(s replay.Stream, next replay.Sink) replay.Sink {
			if s.ID != 1 {
				return next
			}
			return &hook{Sink: next, send: func(*replay.Message) error { <-full; return nil }}
		},
	})
	slow := open(t, c, everything())
	for l.Stats().Subscribers == 0 {
		time.Sleep(time.Millisecond)
	}
	quick := open(t, c, everything())
	settle(t, quick)
	for n := uint64(100); n < 140; n++ {
		src.put(heavy(n, 0, 100_000), slot(n, pb.SlotStatus_SLOT_FINALIZED))
		words(t, quick, 1)
		if n > 100 {
			words(t, quick, 1)
		}
	}
	_, err := all(slow)
	wantCode(t, err, codes.Internal, "lagged to send an update")
}
