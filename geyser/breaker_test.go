package geyser

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
)

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Backoff{OpenAfter: 3, OpenFor: 10 * time.Second, OpenCap: 40 * time.Second}.withDefaults()
		var shown []BreakerState
		b := newBreaker(o, func(s BreakerState) { shown = append(shown, s) })
		ctx := t.Context()
		try := func() time.Duration {
			began := time.Now()
			if !b.admit(ctx) {
				t.Fatal("not admitted")
			}
			return time.Since(began)
		}
		for range 3 {
			if d := try(); d != 0 {
				t.Errorf("closed: waited %v", d)
			}
			b.failure()
		}
		if b.current() != BreakerOpen {
			t.Fatalf("state %v after 3 failures", b.current())
		}
		for _, pause := range []time.Duration{10, 20, 40, 40, 40} {
			pause *= time.Second
			if d := try(); d < pause/2 || d > pause {
				t.Errorf("open: waited %v, want between %v and %v", d, pause/2, pause)
			}
			if b.current() != BreakerHalfOpen {
				t.Errorf("state %v while trying", b.current())
			}
			b.failure()
		}

		// While one tries, another waits; an abandoned try is another's turn.
		try()
		second := make(chan bool)
		go func() { second <- b.admit(ctx) }()
		synctest.Wait()
		select {
		case <-second:
			t.Error("two tries at once")
		default:
		}
		b.abandon()
		<-second
		b.success()
		if d := try(); d != 0 || b.current() != BreakerClosed {
			t.Errorf("closed again: waited %v, state %v", d, b.current())
		}

		// Somebody who asks does not wait; nor does one whose context ends.
		for range 3 {
			b.failure()
		}
		b.urge()
		if d := try(); d != 0 {
			t.Errorf("urged: waited %v", d)
		}
		b.failure()
		ending, cancel := context.WithCancel(ctx)
		cancel()
		if b.admit(ending) {
			t.Error("admitted although the context has ended")
		}
		if len(shown) == 0 || shown[0] != BreakerOpen {
			t.Errorf("shown: %v", shown)
		}
	})
}

// TestNoHotLoop: an endpoint that is dead for a day is tried some thousand
// times, never many at once, and a second subscriber beside it does not slow
// down. Time is made up.
func TestNoHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		sub, err := New(Options{
			Name: "dead", Target: "passthrough:///dead",
			DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
				dials.Add(1)
				return nil, errors.New("nobody is there")
			})},
			Resume: func() uint64 { return 1000 },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sub.Run(ctx, make(chan *Event)) }()
		most, last := int64(0), int64(0)
		for range 24 * 60 {
			time.Sleep(time.Minute)
			n := dials.Load()
			most, last = max(most, n-last), n
		}
		st := sub.Status()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		t.Logf("%d tries in a day, %d in the busiest minute, reason %s", last, most, st.Reason)
		// Several calls of one try share a connection, which may dial twice.
		if last > 2*24*60*3 || last < 24*60/2 || most > 30 {
			t.Errorf("%d tries in a day, %d in the busiest minute", last, most)
		}
		if st.Breaker == BreakerClosed || st.Reason != string(ReasonConnect) || st.Connected || st.Streams != 0 {
			t.Errorf("status: %+v", st)
		}
	})
}
