package quote

import (
	"slices"
	"sync"
	"time"
)

// hedgeSamples is how many of the last answers the delay is made of.
const hedgeSamples = 64

// hedge turns the times of the last answers into how long to wait for the next
// one alone: their 90th percentile, between two bounds. With no answer yet it is
// half way between them.
type hedge struct {
	least, most time.Duration // static

	mu    sync.Mutex // guards everything below
	ring  [hedgeSamples]time.Duration
	n     int // filled
	next  int
	value time.Duration
}

func newHedge(least, most time.Duration) *hedge {
	return &hedge{least: least, most: most, value: (least + most) / 2}
}

// add takes the time that an answer took.
func (h *hedge) add(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring[h.next] = took
	h.next = (h.next + 1) % hedgeSamples
	h.n = min(h.n+1, hedgeSamples)
	sorted := h.ring
	slices.Sort(sorted[:h.n])
	h.value = min(max(sorted[(h.n*9+9)/10-1], h.least), h.most)
}

func (h *hedge) delay() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.value
}
