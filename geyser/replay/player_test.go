package replay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// paced plays updates with the given source times and returns when each was
// let through, both counted from the first.
func paced(t *testing.T, speed float64, source ...time.Duration) (out []time.Duration) {
	t.Helper()
	base := time.Date(2024, 8, 21, 0, 0, 0, 0, time.UTC)
	p := &pacer{speed: speed, maxPause: 2 * time.Second}
	begin := time.Now()
	for _, d := range source {
		u := &pb.SubscribeUpdate{}
		if d >= 0 {
			u.CreatedAt = timestamppb.New(base.Add(d))
		}
		if err := p.wait(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		out = append(out, time.Since(begin))
	}
	return out
}

func TestPace(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for name, c := range map[string]struct {
		speed        float64
		source, want []time.Duration
	}{
		"real time":                {1, []time.Duration{0, 400 * ms, 800 * ms, 1300 * ms}, []time.Duration{0, 400 * ms, 800 * ms, 1300 * ms}},
		"twice as fast":            {2, []time.Duration{0, 400 * ms, 800 * ms}, []time.Duration{0, 200 * ms, 400 * ms}},
		"half as fast":             {0.5, []time.Duration{0, 400 * ms}, []time.Duration{0, 800 * ms}},
		"as fast as read":          {0, []time.Duration{0, 400 * ms, 800 * ms}, []time.Duration{0, 0, 0}},
		"backwards a little":       {1, []time.Duration{0, 400 * ms, 300 * ms, 500 * ms}, []time.Duration{0, 400 * ms, 400 * ms, 500 * ms}},
		"backwards to another day": {1, []time.Duration{time.Hour, time.Hour + 400*ms, 0, 100 * ms}, []time.Duration{0, 400 * ms, 400 * ms, 500 * ms}},
		"a long silence":           {1, []time.Duration{0, time.Hour, time.Hour + 400*ms}, []time.Duration{0, 2 * s, 2400 * ms}},
		"no time of its own":       {1, []time.Duration{0, -1, 400 * ms, -1}, []time.Duration{0, 0, 400 * ms, 400 * ms}},
		"closer than a timer":      {1, []time.Duration{0, ms / 2, 10 * ms}, []time.Duration{0, 0, 10 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := paced(t, c.speed, c.source...)
				for i := range got {
					if got[i] != c.want[i] {
						t.Fatalf("got %v, want %v", got, c.want)
					}
				}
			})
		})
	}
}

// A player that was held up goes on at its speed from then on.
func TestPaceAfterBeingHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{speed: 1, maxPause: 2 * time.Second}
		at := func(d time.Duration) *pb.SubscribeUpdate {
			return &pb.SubscribeUpdate{CreatedAt: timestamppb.New(time.Unix(1000, 0).Add(d))}
		}
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(p.wait(t.Context(), at(0)))
		time.Sleep(time.Second) // little: it catches up
		begin := time.Now()
		must(p.wait(t.Context(), at(900*time.Millisecond)))
		must(p.wait(t.Context(), at(1100*time.Millisecond)))
		if d := time.Since(begin); d != 100*time.Millisecond {
			t.Errorf("caught up in %v", d)
		}
		time.Sleep(time.Hour)
		begin = time.Now()
		must(p.wait(t.Context(), at(1200*time.Millisecond)))
		must(p.wait(t.Context(), at(1500*time.Millisecond)))
		if d := time.Since(begin); d != 300*time.Millisecond {
			t.Errorf("went on after %v", d)
		}
	})
}

func TestPaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := &pacer{speed: 0.001, maxPause: time.Hour}
		_ = p.wait(ctx, &pb.SubscribeUpdate{CreatedAt: timestamppb.New(time.Unix(0, 1))})
		if err := p.wait(ctx, &pb.SubscribeUpdate{CreatedAt: timestamppb.New(time.Unix(60, 0))}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
