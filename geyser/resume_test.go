package geyser

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refuse ends a stream at once.
func refuse(code codes.Code, text string) script {
	return func(*pb.SubscribeRequest, pb.Geyser_SubscribeServer) error { return status.Error(code, text) }
}

// tell sends updates and stays.
func tell(updates ...*pb.SubscribeUpdate) script {
	return func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		if err := say(s, updates...); err != nil {
			return err
		}
		return hold(s)
	}
}

// tellAndEnd sends updates and ends the stream.
func tellAndEnd(updates ...*pb.SubscribeUpdate) script {
	return func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return say(s, updates...) }
}

// replayed tells what a server with history does: it starts with the slot that
// was asked for, or live at the slot given.
func replayed(live uint64) script {
	return func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		from := live
		if req.FromSlot != nil {
			from = req.GetFromSlot()
		}
		if err := say(s, begun(from), slotUpdate(from, pb.SlotStatus_SLOT_PROCESSED)); err != nil {
			return err
		}
		return hold(s)
	}
}

func begun(slot uint64) *pb.SubscribeUpdate {
	return slotUpdate(slot, pb.SlotStatus_SLOT_CREATED_BANK)
}

// TestResume: what is asked of the server, stream by stream, and from where on
// the last stream is promised, for each answer that there is to from_slot.
func TestResume(t *testing.T) {
	available := func(slot uint64) func() (uint64, error) { return func() (uint64, error) { return slot, nil } }
	failed := refuse(codes.Internal, "failed to get replay response")
	unsupported := refuse(codes.Internal, "from_slot is not supported")
	late := func(slot uint64) script {
		return refuse(codes.OutOfRange, fmt.Sprintf("broadcast from 93 is not available, last available: %d", slot))
	}
	for name, c := range map[string]struct {
		checkpoint uint64
		first      func() (uint64, error)
		scripts    []script
		asked      []uint64
		from       uint64
		outcome    string // of the last stream
	}{
		"no checkpoint":        {0, nil, []script{replayed(500)}, []uint64{0}, 500, ""},
		"replayed":             {100, nil, []script{replayed(500)}, []uint64{93}, 93, resumeReplayed},
		"near the beginning":   {3, nil, []script{replayed(500)}, []uint64{1}, 1, resumeReplayed},
		"history is long":      {100, available(7), []script{replayed(500)}, []uint64{93}, 93, resumeReplayed},
		"within the margin":    {100, available(97), []script{replayed(500)}, []uint64{97}, 97, resumeReplayed},
		"history is short":     {100, available(140), []script{replayed(500)}, []uint64{140}, 140, resumeShort},
		"info fails":           {100, func() (uint64, error) { return 0, status.Error(codes.Internal, "x") }, []script{replayed(500)}, []uint64{93}, 93, resumeReplayed},
		"not supported":        {100, nil, []script{unsupported, tellAndEnd(begun(500)), replayed(600)}, []uint64{93, 0, 0}, 600, resumeLive},
		"out of range":         {100, nil, []script{late(140), replayed(500)}, []uint64{93, 140}, 140, resumeShort},
		"history moves on":     {100, nil, []script{late(140), late(141), late(149), replayed(500)}, []uint64{93, 140, 149, 213}, 213, resumeShort},
		"history runs away":    {100, nil, []script{late(140), late(141), late(200), late(300), replayed(500)}, []uint64{93, 140, 149, 264, 0}, 500, resumeLive},
		"no offer":             {100, nil, []script{refuse(codes.OutOfRange, "too old"), replayed(500)}, []uint64{93, 0}, 500, resumeLive},
		"replay fails":         {100, nil, []script{failed, failed, replayed(500)}, []uint64{93, 93, 0}, 500, resumeLive},
		"and is tried again":   {100, nil, []script{failed, failed, tellAndEnd(begun(500)), failed, failed, replayed(600)}, []uint64{93, 93, 0, 93, 93, 0}, 600, resumeLive},
		"fails in other words": {100, nil, []script{refuse(codes.InvalidArgument, "invalid from_slot"), refuse(codes.Internal, "boom"), replayed(500)}, []uint64{93, 93, 0}, 500, resumeLive},
		"ends without a word":  {100, nil, []script{tellAndEnd(), tellAndEnd(), replayed(500)}, []uint64{93, 93, 0}, 500, resumeLive},
		"ignored":              {100, nil, []script{tell(slotUpdate(500, pb.SlotStatus_SLOT_PROCESSED))}, []uint64{93}, 501, resumeIgnored},
		"lagged": {100, nil, []script{func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			if err := say(s, begun(93)); err != nil {
				return err
			}
			return status.Error(codes.Internal, "lagged to send an update")
		}, replayed(500)}, []uint64{93, 93}, 93, resumeReplayed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{scripts: c.scripts, first: c.first}
			o := serveFake(t, f)
			o.Resume = func() uint64 { return c.checkpoint }
			o.Metrics = NewMetrics(prometheus.NewRegistry())
			r := start(t, o, 0)
			var e *Event
			for n := 0; n < len(c.asked); {
				e = r.any(t)
				if e.Kind == KindStreamStart {
					n = len(f.asked())
				}
			}
			if asked := f.asked(); !slices.Equal(asked, c.asked) {
				t.Errorf("asked for %v, want %v", asked, c.asked)
			}
			if e.From != c.from || e.Part != 0 || e.Parts != 1 || e.Stream == 0 || e.Endpoint != "fake" {
				t.Errorf("promise %+v, want from %d", e, c.from)
			}
			stream := e.Stream
			if e = r.any(t); e.Kind != KindSlot || e.Stream != stream {
				t.Errorf("after the promise: %+v", e)
			}
			resumed := c.from
			if c.outcome != resumeReplayed && c.outcome != resumeShort {
				resumed = 0
			}
			if st := r.sub.Status(); st.ResumedFrom != resumed {
				t.Errorf("status: %+v, want resumed from %d", st, resumed)
			}
			if c.outcome != "" && value(t, o.Metrics.resumes.WithLabelValues("fake", c.outcome)) < 1 {
				t.Errorf("outcome %s was not counted", c.outcome)
			}
		})
	}
}

// TestResumeSilent: a replay that never comes, on a stream that stays open, is
// given up like one that is refused.
func TestResumeSilent(t *testing.T) {
	f := &fakeServer{scripts: []script{tell(), tell(), replayed(500)}}
	o := serveFake(t, f)
	o.Resume = func() uint64 { return 100 }
	o.StaleAfter = 300 * time.Millisecond
	r := start(t, o, 1)
	if e := r.any(t); e.Kind != KindStreamStart || e.From != 500 {
		t.Errorf("first: %+v", e)
	}
	if asked := f.asked(); len(asked) < 3 || slices.Max(asked[2:]) != 0 || asked[0] != 93 || asked[1] != 93 {
		t.Errorf("asked for %v", asked)
	}
}

// TestResumeInfoOnce: a server that has no SubscribeReplayInfo is not asked
// again, and one that has is asked before each stream.
func TestResumeInfoOnce(t *testing.T) {
	for want, first := range map[int]func() (uint64, error){1: nil, 3: func() (uint64, error) { return 1, nil }} {
		f := &fakeServer{first: first, scripts: []script{tellAndEnd(begun(93)), tellAndEnd(begun(93)), tell(begun(94))}}
		o := serveFake(t, f)
		o.Resume = func() uint64 { return 100 }
		r := start(t, o, 0)
		for e := r.next(t); e.Slot.Slot != 94; e = r.next(t) {
			e.Release()
		}
		f.mu.Lock()
		infos := f.infos
		f.mu.Unlock()
		if infos != want {
			t.Errorf("asked %d times, want %d", infos, want)
		}
	}
}

// TestResumeCheckpointMoves: each stream asks anew.
func TestResumeCheckpointMoves(t *testing.T) {
	var at atomic.Uint64
	f := &fakeServer{scripts: []script{tellAndEnd(begun(500)), replayed(0)}}
	o := serveFake(t, f)
	o.ResumeMargin = 2
	o.Resume = func() uint64 { return at.Swap(510) }
	r := start(t, o, 1)
	for e := r.any(t); e.From != 509; e = r.any(t) {
		e.Release()
	}
	if asked := f.asked(); !slices.Equal(asked, []uint64{0, 509}) {
		t.Errorf("asked for %v", asked)
	}
}

// TestStreamEvents: starts and ends frame the events of a stream, whose numbers
// rise, and an end says why.
func TestStreamEvents(t *testing.T) {
	r := start(t, serve(t,
		func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			if err := say(s, slotUpdate(9, pb.SlotStatus_SLOT_FINALIZED), begun(10), txUpdate()); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "server is shutting down try again later")
		},
		tellAndEnd(), // brings nothing: nobody hears of it
		tell(slotUpdate(20, pb.SlotStatus_SLOT_PROCESSED), begun(21), slotUpdate(21, pb.SlotStatus_SLOT_CONFIRMED)),
	), 0)
	var got []string
	var streams []uint64
	for range 9 {
		e := r.any(t)
		text := fmt.Sprint(e.Kind)
		switch e.Kind {
		case KindStreamStart:
			text = fmt.Sprint("start ", e.From)
		case KindStreamEnd:
			text = "end " + e.Reason
		case KindSlot:
			text = fmt.Sprint("slot ", e.Slot.Slot)
		case KindTx:
			text = "tx"
		}
		got = append(got, text)
		if n := len(streams); n == 0 || streams[n-1] != e.Stream {
			streams = append(streams, e.Stream)
		}
		e.Release()
	}
	if want := "slot 9, start 10, slot 10, tx, end shutting_down, start 21, slot 20, slot 21, slot 21"; strings.Join(got, ", ") != want {
		t.Errorf("events: %s\nwant:   %s", strings.Join(got, ", "), want)
	}
	if len(streams) != 2 || streams[0] >= streams[1] || streams[0] == 0 {
		t.Errorf("streams %v", streams)
	}
}
