package main

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/swapcast/swapcast"
)

// hub is what a simple server does: who follows which token.
type hub[C comparable] struct {
	mu   sync.RWMutex
	subs []map[C]struct{}
	seq  uint64 // owned by the publisher
}

func newHub[C comparable](tokens int) *hub[C] {
	h := &hub[C]{subs: make([]map[C]struct{}, tokens)}
	for i := range h.subs {
		h.subs[i] = make(map[C]struct{})
	}
	return h
}

// tokens reads ?tokens=1,2.
func (h *hub[C]) tokens(r *http.Request) []int {
	var list []int
	for s := range strings.SplitSeq(r.URL.Query().Get("tokens"), ",") {
		if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(h.subs) {
			list = append(list, n)
		}
	}
	return list
}

func (h *hub[C]) add(c C, tokens []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range tokens {
		h.subs[t][c] = struct{}{}
	}
}

func (h *hub[C]) remove(c C) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.subs {
		delete(m, c)
	}
}

// each calls send for every follower of a token, with the message encoded once.
func (h *hub[C]) each(token int, p *swapcast.Price, send func(C, []byte)) {
	h.seq++
	msg := encode(p, h.seq)
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.subs[token] {
		send(c, msg)
	}
}

// outbox is a bounded queue for one connection; the newest is dropped where it
// is full.
type outbox chan []byte

const outboxSize = 256

func (o outbox) offer(msg []byte) {
	select {
	case o <- msg:
	default:
	}
}

func serve(ln net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(ln) }()
}
