package yardstick

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/swapcast/swapcast"
)

// Hub is what a simple server does: who follows which token.
type Hub[C comparable] struct {
	mu   sync.RWMutex
	subs []map[C]struct{}
	seq  uint64 // owned by the publisher
}

// NewHub returns a hub of that many tokens.
func NewHub[C comparable](tokens int) *Hub[C] {
	h := &Hub[C]{subs: make([]map[C]struct{}, tokens)}
	for i := range h.subs {
		h.subs[i] = make(map[C]struct{})
	}
	return h
}

// Tokens reads ?tokens=1,2.
func (h *Hub[C]) Tokens(r *http.Request) []int {
	var list []int
	for s := range strings.SplitSeq(r.URL.Query().Get("tokens"), ",") {
		if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(h.subs) {
			list = append(list, n)
		}
	}
	return list
}

// Add lets a connection follow tokens.
func (h *Hub[C]) Add(c C, tokens []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range tokens {
		h.subs[t][c] = struct{}{}
	}
}

// Remove forgets a connection.
func (h *Hub[C]) Remove(c C) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.subs {
		delete(m, c)
	}
}

// Each calls send for every follower of a token, with the message encoded once.
func (h *Hub[C]) Each(token int, p *swapcast.Price, send func(C, []byte)) {
	msg := h.Next(p)
	h.Followers(token, func(c C) { send(c, msg) })
}

// Next encodes a price with the next number. The publisher calls it.
func (h *Hub[C]) Next(p *swapcast.Price) []byte {
	h.seq++
	return Encode(p, h.seq)
}

// Followers calls f for every follower of a token.
func (h *Hub[C]) Followers(token int, f func(C)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.subs[token] {
		f(c)
	}
}

// OutboxSize is how many messages wait for one connection of a server that has a
// queue for each; the newest is dropped where it is full.
const OutboxSize = 256

// Offer puts a message into a connection's queue, if there is room.
func Offer[M any](box chan M, m M) {
	select {
	case box <- m:
	default:
	}
}

// Serve answers on ln until the program ends.
func Serve(ln net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(ln) }()
}
