package geyser

import (
	"context"
	"errors"
	"time"
)

// errFailover is the cause of a stream that ends because another endpoint does
// its work: Rest.
var errFailover = errors.New("another endpoint takes over")

// rest is how long an endpoint is left alone.
type rest struct {
	until  time.Time
	needed func() bool
}

func (r *rest) over() bool { return !time.Now().Before(r.until) || r.needed() }

// restLook is how often an endpoint that is left alone looks whether it is needed.
const restLook = time.Second

// TakesOver reports whether nothing is lost if old's streams end now: our own are
// complete from a slot on that is not above the first that old's have not
// confirmed, or old has none. Both must follow the same chain by the same filter.
func (s *Subscriber) TakesOver(old *Subscriber) bool {
	ours, others := s.reach(), old.reach()
	if !s.connected() || ours.from == 0 {
		return false
	}
	return old.live.Load() == 0 || ours.from <= others.confirmed+1
}

// reach is what an endpoint's streams bring, all parts taken together: what the
// least of them does.
type reach struct {
	from, confirmed uint64 // from is 0 where a part has no stream that promises
}

func (s *Subscriber) reach() (r reach) {
	s.partsMu.Lock()
	defer s.partsMu.Unlock()
	for i, p := range s.current {
		one := p.reach()
		if i == 0 {
			r = one
			continue
		}
		if r.from == 0 || one.from == 0 {
			r.from = 0
		} else {
			r.from = max(r.from, one.from)
		}
		r.confirmed = min(r.confirmed, one.confirmed)
	}
	return r
}

func (p *part) reach() (r reach) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ss := range p.sessions {
		if from := ss.from.Load(); from != 0 && (r.from == 0 || from < r.from) {
			r.from = from
		}
		r.confirmed = max(r.confirmed, ss.confirmed.Load())
	}
	return r
}

// Rest ends the endpoint's streams and leaves it alone for d, because others do
// its work (see TakesOver). It comes back sooner where needed, which is called
// about once a second, reports true, or when Reconnect is called.
func (s *Subscriber) Rest(d time.Duration, needed func() bool) {
	s.resting.Store(&rest{until: time.Now().Add(d), needed: needed})
	s.partsMu.Lock()
	defer s.partsMu.Unlock()
	for _, p := range s.current {
		p.mu.Lock()
		for _, ss := range p.sessions {
			ss.cancel(errFailover)
		}
		p.mu.Unlock()
	}
}

// Resting reports whether the endpoint is left alone.
func (s *Subscriber) Resting() bool { return s.resting.Load() != nil }

// rested waits while the endpoint is left alone, and reports whether ctx goes on.
func (p *part) rested(ctx context.Context) bool {
	for {
		r := p.resting.Load()
		if r == nil {
			return ctx.Err() == nil
		}
		if r.over() {
			p.resting.CompareAndSwap(r, nil)
			continue
		}
		if !p.sleep(ctx, min(restLook, time.Until(r.until))) {
			return false
		}
	}
}
