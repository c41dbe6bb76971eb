package geyser

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func never() bool { return false }

// idle is a stream that brings nothing: Reconnect may open one more than it must,
// where the part has begun anew before it heard of it.
func idle(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return hold(s) }

// told reads events until one of the stream's end comes, and returns its reason.
func (r *running) told(t *testing.T) string {
	t.Helper()
	for {
		e := r.any(t)
		kind, reason := e.Kind, e.Reason
		e.Release()
		if kind == KindStreamEnd {
			return reason
		}
	}
}

// TestRest: the stream ends, no other is opened, and this is no failure;
// Reconnect ends the rest.
func TestRest(t *testing.T) {
	first, second := dictate(), dictate()
	o := serve(t, first.play, second.play, idle)
	o.Metrics = NewMetrics(prometheus.NewRegistry())
	r := start(t, o, 8)
	first.say <- begun(10)
	r.next(t).Release()
	r.sub.Rest(time.Hour, never)
	if reason := r.told(t); reason != "failover" {
		t.Errorf("the stream ended with %q", reason)
	}
	<-first.ended
	select {
	case <-second.open:
		t.Fatal("another stream was opened")
	default:
	}
	if !r.sub.Resting() {
		t.Error("it does not rest")
	}
	r.sub.Reconnect()
	<-second.open
	second.say <- begun(11)
	r.next(t).Release()
	st := r.reconnected(1)
	if r.sub.Resting() || !st.Connected || st.Reconnects != 1 || st.Breaker != BreakerClosed {
		t.Errorf("%+v", st)
	}
	if n := value(t, o.Metrics.reconnects.WithLabelValues("fake", "failover")); n != 1 {
		t.Errorf("%v ends counted as failover", n)
	}
}

// TestRestEnds: by its time, and where the endpoint is needed.
func TestRestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		d      time.Duration
		needed bool
	}{"time": {time.Millisecond, false}, "needed": {time.Hour, true}} {
		t.Run(name, func(t *testing.T) {
			first, second := dictate(), dictate()
			r := start(t, serve(t, first.play, second.play, idle), 8)
			first.say <- begun(10)
			r.next(t).Release()
			r.sub.Rest(c.d, func() bool { return c.needed })
			if reason := r.told(t); reason != "failover" {
				t.Errorf("the stream ended with %q", reason)
			}
			<-second.open
			second.say <- begun(11)
			r.next(t).Release()
		})
	}
}

// TestRestDuringHandover: both streams end, and the newer one does not take over.
func TestRestDuringHandover(t *testing.T) {
	first, second, third := dictate(), dictate(), dictate()
	r := start(t, serve(t, first.play, second.play, third.play, idle), 8)
	first.say <- begun(10)
	r.next(t).Release()
	r.sub.Reconnect()
	<-second.open
	second.say <- slotUpdate(10, pb.SlotStatus_SLOT_PROCESSED)
	r.next(t).Release()
	r.sub.Rest(time.Hour, never)
	for range 2 {
		if reason := r.told(t); reason != "failover" {
			t.Errorf("a stream ended with %q", reason)
		}
	}
	<-first.ended
	<-second.ended
	r.sub.Reconnect()
	<-third.open
	third.say <- begun(12)
	r.next(t).Release()
}

// TestTakesOver: who covers what another one has not confirmed.
func TestTakesOver(t *testing.T) {
	begin := func() (*dictated, *running) {
		d := dictate()
		r := start(t, serve(t, d.play, refuse(codes.Unavailable, "down")), 64)
		<-d.open
		return d, r
	}
	say := func(d *dictated, r *running, u *pb.SubscribeUpdate) {
		t.Helper()
		d.say <- u
		r.next(t).Release()
	}
	a, old := begin()
	b, heir := begin()
	check := func(step string, want bool) {
		t.Helper()
		if got := heir.sub.TakesOver(old.sub); got != want {
			t.Errorf("%s: %v", step, got)
		}
	}
	check("nothing came", false)
	say(b, heir, begun(12))
	check("the old one has no stream", true)
	say(a, old, begun(10))
	check("what is before 12 is not confirmed", false)
	say(a, old, slotUpdate(10, pb.SlotStatus_SLOT_CONFIRMED))
	check("11 is not", false)
	say(a, old, slotUpdate(11, pb.SlotStatus_SLOT_CONFIRMED))
	check("all before 12 is", true)
	b.quit <- status.Error(codes.Unavailable, "bye")
	heir.told(t)
	for deadline := time.Now().Add(10 * time.Second); heir.sub.Status().Connected && time.Now().Before(deadline); { // the end is told first
		time.Sleep(time.Millisecond)
	}
	check("its stream has ended", false)
}
