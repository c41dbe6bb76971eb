package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"
)

// trial kills one part after the other and judges.
type trial struct {
	// static after construction
	fleet    *fleet
	settings *settings
	log      io.Writer
	watchers []*watcher
	order    order
	began    time.Time // everybody is subscribed

	mu sync.Mutex
	// guarded by mu: since when, and until when last, somebody was behind
	behindSince, behindLast time.Time
	quiet                   time.Duration // the longest since forget
}

// row is what became of a fault.
type row struct {
	name                         string
	trades                       int
	unseen, twice, foreign, gaps int
	recover, quiet               time.Duration
	moved                        int
}

// fault is one kill, and what makes all well again.
type fault struct {
	name string
	kill func(ctx context.Context) (heal func(ctx context.Context) error, err error)
}

// late is by how much a client may be behind.
const late = time.Second

// settle is how long repair may take.
const settle = time.Minute

// faults are all, in order.
func (d *trial) faults() []fault {
	f := d.fleet
	crash := func(p func(ctx context.Context) (*process, error)) func(context.Context) (func(context.Context) error, error) {
		return func(ctx context.Context) (func(context.Context) error, error) {
			q, err := p(ctx)
			if err != nil {
				return nil, err
			}
			return q.start, q.kill()
		}
	}
	ingest := func(lead bool) func(context.Context) (*process, error) {
		return func(ctx context.Context) (*process, error) {
			i, err := f.leader(ctx)
			if !lead {
				i = 1 - i
			}
			return f.ingests[i], err
		}
	}
	list := []fault{
		{"nothing", func(context.Context) (func(context.Context) error, error) { return nil, nil }},
		{"ingest that leads", crash(ingest(true))},
		{"ingest that stands by", crash(ingest(false))},
		{"ingest that leads, stopped for 10 s (SIGSTOP)", func(ctx context.Context) (func(context.Context) error, error) {
			p, err := ingest(true)(ctx)
			if err != nil {
				return nil, err
			}
			return func(context.Context) error { return p.signal(syscall.SIGCONT) }, p.signal(syscall.SIGSTOP)
		}},
		{"ingest that leads, told to end (SIGTERM)", func(ctx context.Context) (func(context.Context) error, error) {
			p, err := ingest(true)(ctx)
			if err != nil {
				return nil, err
			}
			return p.start, p.leave(30 * time.Second)
		}},
	}
	for _, p := range f.edges {
		list = append(list, fault{strings.Replace(p.name, "edge", "edge ", 1), crash(func(context.Context) (*process, error) { return p, nil })})
	}
	list = append(list, fault{"edge 1, told to end (SIGTERM)", func(context.Context) (func(context.Context) error, error) {
		return f.edges[0].start, f.edges[0].leave(30 * time.Second)
	}})
	for i, p := range f.redis {
		list = append(list, fault{fmt.Sprintf("Redis master %d, back after %s", i+1, d.settings.calm), func(context.Context) (func(context.Context) error, error) {
			return func(ctx context.Context) error {
				if err := p.start(ctx); err != nil {
					return err
				}
				return f.redisWell(ctx)
			}, p.kill()
		}})
	}
	return append(list,
		fault{"nginx, reload", func(context.Context) (func(context.Context) error, error) {
			return nil, f.nginx.signal(syscall.SIGHUP)
		}},
		fault{"nginx", func(ctx context.Context) (func(context.Context) error, error) {
			// Its workers end by themselves once the master has gone.
			return f.nginx.start, f.nginx.leave(30 * time.Second)
		}})
}

// run does all faults.
func (d *trial) run(ctx context.Context) ([]row, error) {
	var rows []row
	for _, x := range d.faults() {
		if !strings.Contains(x.name, d.settings.only) && x.name != "nothing" {
			continue
		}
		fmt.Fprintln(d.log, time.Now().UTC().Format(time.TimeOnly), x.name)
		r, err := d.one(ctx, &x)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", x.name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// one does a fault and judges it.
func (d *trial) one(ctx context.Context, x *fault) (row, error) {
	r := row{name: x.name}
	began := time.Now()
	if began.Before(d.began) {
		began = d.began
	}
	gaps, moved := d.counts()
	if err := pause(ctx, d.settings.calm); err != nil {
		return r, err
	}
	d.forget()
	killed := time.Now()
	heal, err := x.kill(ctx)
	if err != nil {
		return r, err
	}
	after := d.settings.calm
	if strings.Contains(x.name, "SIGSTOP") {
		after = 10 * time.Second
	}
	if err := pause(ctx, after); err != nil {
		return r, err
	}
	if heal != nil {
		if err := heal(ctx); err != nil {
			return r, fmt.Errorf("heal: %w", err)
		}
	}
	if err := pause(ctx, d.settings.calm); err != nil {
		return r, err
	}
	until := time.Now()
	if err := d.settled(ctx, began, until); err != nil {
		return r, err
	}
	d.judge(&r, began, until)
	d.mu.Lock()
	if !d.behindLast.IsZero() {
		r.recover = d.behindLast.Sub(killed)
	}
	r.quiet = d.quiet
	d.mu.Unlock()
	d.tellGaps()
	nowGaps, nowMoved := d.counts()
	r.gaps, r.moved = nowGaps-gaps, nowMoved-moved
	return r, nil
}

// judge counts what clients were told of a time.
func (d *trial) judge(r *row, from, to time.Time) {
	keys := d.order.between(from, to)
	r.trades = len(keys)
	d.order.mu.Lock()
	all := make(map[string]struct{}, len(d.order.keys))
	for _, key := range d.order.keys {
		all[key] = struct{}{}
	}
	d.order.mu.Unlock()
	for _, w := range d.watchers {
		w.mu.Lock()
		for _, key := range keys {
			switch n := w.trades[key]; {
			case n == 0:
				r.unseen++
				d.tell(r.unseen, w.name+" was not told: "+key)
			case n > 1:
				r.twice++
				d.tell(r.twice, w.name+" was told twice: "+key)
			}
		}
		w.mu.Unlock()
	}
	// A client may be ahead of the yardstick by what is under way: what it was told by
	// the end of the time, the other one has been told by now.
	for _, w := range d.watchers {
		w.mu.Lock()
		for key, n := range w.trades {
			if _, there := all[key]; !there && n > 0 && d.old(w, key) {
				r.foreign++
				d.tell(r.foreign, w.name+" alone was told: "+key)
			}
		}
		w.mu.Unlock()
	}
}

// old tells whether a trade was there at the judgement before, too: then it is not
// just under way.
func (d *trial) old(w *watcher, key string) bool {
	if w.strange == nil {
		w.strange = make(map[string]int)
	}
	w.strange[key]++
	return w.strange[key] == 2
}

// tell logs the first examples.
func (d *trial) tell(n int, text string) {
	if n <= 5 {
		fmt.Fprintln(d.log, " ", text)
	}
}

// settled waits until clients were told all of a time, or repair has had its time.
func (d *trial) settled(ctx context.Context, from, to time.Time) error {
	for deadline := time.Now().Add(settle); time.Now().Before(deadline); {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		if !d.missing(d.order.between(from, to)) {
			return nil
		}
	}
	return nil // judge counts it
}

// missing tells whether any client lacks any of some trades.
func (d *trial) missing(keys []string) bool {
	for _, w := range d.watchers {
		w.mu.Lock()
		for _, key := range keys {
			if w.trades[key] == 0 {
				w.mu.Unlock()
				return true
			}
		}
		w.mu.Unlock()
	}
	return false
}

// sample looks all the time whether somebody is behind.
func (d *trial) sample(ctx context.Context) {
	for pause(ctx, 100*time.Millisecond) == nil {
		now := time.Now()
		from := now.Add(-settle)
		if from.Before(d.began) {
			from = d.began
		}
		behind := d.missing(d.order.between(from, now.Add(-late)))
		d.mu.Lock()
		switch {
		case behind && d.behindSince.IsZero():
			d.behindSince, d.behindLast = now, now
		case behind:
			d.behindLast = now
		default:
			d.behindSince = time.Time{}
		}
		if behind {
			d.quiet = max(d.quiet, d.behindLast.Sub(d.behindSince))
		}
		d.mu.Unlock()
	}
}

// forget begins to look anew.
func (d *trial) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.behindSince, d.behindLast, d.quiet = time.Time{}, time.Time{}, 0
}

// tellGaps logs the first gaps that were not logged yet.
func (d *trial) tellGaps() {
	n := 0
	for _, w := range d.watchers {
		w.mu.Lock()
		for _, text := range w.gaps[w.logged:] {
			n++
			d.tell(n, w.name+" has a gap: "+text)
		}
		w.logged = len(w.gaps)
		w.mu.Unlock()
	}
}

// counts are gaps and ended connections of all clients so far.
func (d *trial) counts() (gaps, moved int) {
	for _, w := range d.watchers {
		w.mu.Lock()
		gaps += len(w.gaps)
		moved += w.ended
		w.mu.Unlock()
	}
	return gaps, moved
}

func pause(ctx context.Context, t time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t):
		return nil
	}
}
