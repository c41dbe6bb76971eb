package geyser

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// dictated is a stream whose updates a test hands in, one at a time.
type dictated struct {
	say   chan *pb.SubscribeUpdate
	open  chan struct{} // closed when the stream is there
	ended chan struct{} // closed when it has ended
	quit  chan error    // ends it from the server's side
}

func dictate() *dictated {
	return &dictated{make(chan *pb.SubscribeUpdate), make(chan struct{}), make(chan struct{}), make(chan error)}
}

func (d *dictated) play(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
	close(d.open)
	defer close(d.ended)
	for {
		select {
		case <-s.Context().Done():
			return nil
		case err := <-d.quit:
			return err
		case u := <-d.say:
			if err := say(s, u); err != nil {
				return err
			}
		}
	}
}

// TestReconnect: make before break. The old stream goes on until the new one
// covers what it has not confirmed, and is as far; only then it ends, and that
// is no failure.
func TestReconnect(t *testing.T) {
	old, next := dictate(), dictate()
	o := serve(t, old.play, next.play)
	o.Metrics = NewMetrics(prometheus.NewRegistry())
	r := start(t, o, 0)
	// step has a stream say something, upon which events come, in any order where
	// they are of two streams.
	step := func(d *dictated, u *pb.SubscribeUpdate, want ...string) {
		t.Helper()
		d.say <- u
		var got []string
		for range want {
			e := r.any(t)
			switch e.Kind {
			case KindStreamStart:
				got = append(got, fmt.Sprint("start ", e.From))
			case KindStreamEnd:
				got = append(got, "end "+e.Reason)
			default:
				got = append(got, fmt.Sprint("slot ", e.Slot.Slot))
			}
			e.Release()
		}
		if len(got) == 2 && got[0] == "end planned" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("events %q, want %q", got, want)
		}
	}
	step(old, begun(10), "start 10", "slot 10")
	r.sub.Reconnect()
	<-next.open
	r.sub.Reconnect() // one is at work
	step(old, begun(11), "slot 11")
	step(next, slotUpdate(11, pb.SlotStatus_SLOT_PROCESSED), "start 12", "slot 11")
	step(old, slotUpdate(10, pb.SlotStatus_SLOT_CONFIRMED), "slot 10")
	step(old, begun(12), "slot 12")
	step(old, slotUpdate(11, pb.SlotStatus_SLOT_CONFIRMED), "slot 11")
	select {
	case <-old.ended:
		t.Fatal("the old stream ended while the new one was behind it")
	default:
	}
	if st := r.sub.Status(); st.Streams != 2 || !st.Connected || st.Slot != 12 {
		t.Errorf("status: %+v", st)
	}
	step(next, begun(12), "slot 12", "end planned")
	<-old.ended
	step(next, begun(13), "slot 13")
	st := r.reconnected(1)
	if st.Streams != 1 || !st.Connected || st.Slot != 13 || st.Reconnects != 1 || st.Reason != "" {
		t.Errorf("status: %+v", st)
	}
	if n := value(t, o.Metrics.reconnects.WithLabelValues("fake", "planned")); n != 1 {
		t.Errorf("%v planned reconnects", n)
	}
}

// TestReconnectFails: a new stream that ends before it can take over costs
// nothing; if the old one ends first, the new one stays.
func TestReconnectFails(t *testing.T) {
	first, third := dictate(), dictate()
	var log lockedBuffer
	o := serve(t, first.play, refuse(codes.ResourceExhausted, "max subscription limit exceeded"), third.play)
	o.Logger = log.logger()
	r := start(t, o, 0)
	first.say <- begun(10)
	r.next(t).Release()
	r.sub.Reconnect()
	log.waitFor(t, "the old one stays", 1)
	first.say <- begun(11)
	if e := r.next(t); e.Slot.Slot != 11 {
		t.Errorf("event %+v", e)
	}
	r.sub.Reconnect()
	<-third.open
	if st := r.sub.Status(); st.Reconnects != 0 || !st.Connected {
		t.Errorf("status: %+v", st)
	}
	first.quit <- status.Error(codes.Unavailable, "bye")
	if e := r.any(t); e.Kind != KindStreamEnd {
		t.Errorf("event %+v", e)
	}
	third.say <- begun(20)
	if e := r.next(t); e.Slot.Slot != 20 {
		t.Errorf("event %+v", e)
	}
	if st := r.reconnected(1); st.Reconnects != 1 || !st.Connected || st.Breaker != BreakerClosed {
		t.Errorf("status: %+v", st)
	}
}

// TestReconnectWakes: where nothing is up, Reconnect tries at once.
func TestReconnectWakes(t *testing.T) {
	o := serve(t, refuse(codes.Unavailable, "x"), refuse(codes.Unavailable, "x"), tell(begun(1)))
	o.Backoff = Backoff{Base: time.Hour, Cap: time.Hour, OpenAfter: 2, OpenFor: time.Hour}
	var log lockedBuffer
	o.Logger = log.logger()
	r := start(t, o, 1)
	log.waitFor(t, "failures=1", 1)
	r.sub.Reconnect() // out of the backoff
	log.waitFor(t, "failures=2", 1)
	if st := r.sub.Status(); st.Breaker != BreakerOpen || st.Reason != string(ReasonUnavailable) {
		t.Errorf("status: %+v", st)
	}
	r.sub.Reconnect() // past the breaker
	r.next(t).Release()
	if st := r.sub.Status(); st.Breaker != BreakerClosed || st.Reason != "" {
		t.Errorf("status: %+v", st)
	}
}

// TestSeveral: several subscribers into one channel. One that is cut after each
// update, one that is dead and one whose token is wrong cost the others nothing,
// and a slow consumer is shared by all.
func TestSeveral(t *testing.T) {
	const each = 400
	count := func(first uint64) script {
		return func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
			for i := range uint64(each) {
				if err := say(s, slotUpdate(first+i, pb.SlotStatus_SLOT_CREATED_BANK)); err != nil {
					return err
				}
			}
			return hold(s)
		}
	}
	metrics := NewMetrics(prometheus.NewRegistry())
	events := make(chan *Event, 4)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	subs := map[string]*Subscriber{}
	for name, script := range map[string]script{
		"a": count(1000), "b": count(1000),
		"flapping": tellAndEnd(begun(5)),
		"dead":     refuse(codes.Unavailable, "x"),
		"token":    refuse(codes.Unauthenticated, "No valid auth token"),
	} {
		o := serve(t, script)
		o.Name, o.Metrics = name, metrics
		sub, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		subs[name] = sub
		wg.Go(func() {
			if err := sub.Run(ctx, events); err != nil {
				t.Error(err)
			}
		})
	}
	at := map[string]uint64{"a": 999, "b": 999}
	streams := map[uint64]string{}
	for at["a"] < 999+each || at["b"] < 999+each {
		var e *Event
		select {
		case e = <-events:
		case <-time.After(10 * time.Second):
			t.Fatalf("no event at %v", at)
		}
		if other, ok := streams[e.Stream]; ok && other != e.Endpoint || e.Stream == 0 {
			t.Fatalf("stream %d is of %s and of %s", e.Stream, other, e.Endpoint)
		}
		streams[e.Stream] = e.Endpoint
		if last, ok := at[e.Endpoint]; ok && e.Kind == KindSlot {
			if e.Slot.Slot != last+1 {
				t.Fatalf("%s: slot %d after %d", e.Endpoint, e.Slot.Slot, last)
			}
			at[e.Endpoint] = e.Slot.Slot
		}
		e.Release()
	}
	for name, st := range map[string]Status{"a": subs["a"].Status(), "b": subs["b"].Status()} {
		if !st.Connected || st.Reconnects != 0 || st.Slot != 999+each {
			t.Errorf("%s: %+v", name, st)
		}
	}
	if v := value(t, metrics.slot); v != 999+each {
		t.Errorf("slot of all endpoints: %v", v)
	}
	cancel()
	go func() { // those that wait for room must not need any
		wg.Wait()
		close(events)
	}()
	for e := range events {
		e.Release()
	}
}

// TestMetricsOfEndpoints: the gauges of an endpoint are there while it runs, and
// two of one name cannot.
func TestMetricsOfEndpoints(t *testing.T) {
	o := serve(t, tell(begun(7)))
	registry := prometheus.NewRegistry()
	o.Metrics = NewMetrics(registry)
	gauges := []string{"swapcast_geyser_connected", "swapcast_geyser_streams", "swapcast_geyser_endpoint_slot", "swapcast_geyser_breaker_state"}
	count := func(names ...string) (n int) {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if slices.Contains(names, f.GetName()) {
				n += len(f.GetMetric())
			}
		}
		return n
	}
	sub, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(gauges...); n != 0 {
		t.Errorf("%d gauges before Run", n)
	}
	r := start(t, o, 0)
	r.next(t).Release()
	if n := count(gauges...); n != len(gauges) {
		t.Errorf("%d gauges while it runs, want %d", n, len(gauges))
	}
	if err := sub.Run(t.Context(), nil); err == nil {
		t.Error("two endpoints of one name run")
	}
	r.cancel()
	if err := <-r.result; err != nil {
		t.Error(err)
	}
	r.result <- nil
	if n := count(gauges...); n != 0 {
		t.Errorf("%d gauges after Run", n)
	}
	if n := count("swapcast_geyser_updates_total"); n == 0 {
		t.Error("what it has done is forgotten")
	}
	o.Metrics.AddGap(3)
	(*Metrics)(nil).AddGap(3)
	if v := value(t, o.Metrics.gaps); v != 3 {
		t.Errorf("gaps: %v", v)
	}
}

// TestBreakerOpens: a server that refuses everybody opens the breaker, and one
// whose answers are about the replay does not.
func TestBreakerOpens(t *testing.T) {
	for name, c := range map[string]struct {
		refusal script
		want    BreakerState
	}{
		"down":     {refuse(codes.Unavailable, "x"), BreakerOpen},
		"limit":    {refuse(codes.ResourceExhausted, "rate limit exceeded"), BreakerOpen},
		"no range": {refuse(codes.OutOfRange, "broadcast from 1 is not available, last available: 900"), BreakerClosed},
	} {
		o := serve(t, c.refusal, c.refusal, c.refusal, c.refusal, tell(begun(500)))
		o.Backoff.OpenAfter, o.Backoff.OpenFor = 4, time.Hour
		o.Resume = func() uint64 { return 100 }
		o.Metrics = NewMetrics(prometheus.NewRegistry())
		var log lockedBuffer
		o.Logger = log.logger()
		r := start(t, o, 2)
		log.waitFor(t, "failures=4", 1)
		if c.want == BreakerClosed {
			r.next(t).Release()
		}
		if st := r.sub.Status(); st.Breaker != c.want || value(t, o.Metrics.breaker.WithLabelValues("fake")) != float64(c.want) {
			t.Errorf("%s: %+v", name, st)
		}
	}
}
