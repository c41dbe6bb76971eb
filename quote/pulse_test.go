package quote_test

import (
	"runtime"
	"sync"
	"time"
)

// pulse notes when this process did not get the processor: by how much a timer of its
// own thread was late. What a busy machine takes from a measurement can be told by it.
type pulse struct {
	quit, ended chan struct{}

	mu    sync.Mutex
	beats []beat
}

// beat is one that came late.
type beat struct {
	due  time.Time
	late time.Duration
}

func newPulse() *pulse {
	p := &pulse{quit: make(chan struct{}), ended: make(chan struct{})}
	go p.run()
	return p
}

func (p *pulse) run() {
	defer close(p.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const every = 5 * time.Millisecond
	for {
		due := time.Now().Add(every)
		select {
		case <-time.After(every):
		case <-p.quit:
			return
		}
		if late := time.Since(due); late > every {
			p.mu.Lock()
			p.beats = append(p.beats, beat{due, late})
			p.mu.Unlock()
		}
	}
}

// stop ends it and waits.
func (p *pulse) stop() {
	close(p.quit)
	<-p.ended
}

// lost is for how much of a time the process stood still.
func (p *pulse) lost(from, to time.Time) (sum time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.beats {
		begin, end := b.due, b.due.Add(b.late)
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		sum += max(0, end.Sub(begin))
	}
	return sum
}

// less is how long a request took without that.
func (p *pulse) less(r *matrixResult) time.Duration {
	return r.took - p.lost(r.start, r.start.Add(r.took))
}
