package main

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
)

// TestEachServer starts every Go server in this process and publishes slowly:
// each update must reach every follower of its token, once.
func TestEachServer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the client needs epoll")
	}
	const conns, tokens, each, updates = 12, 4, 2, 40
	for _, tg := range targets() {
		if tg.start == nil {
			continue
		}
		t.Run(tg.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			ln, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			publish, err := tg.start(ctx, ln, tokens)
			if err != nil {
				t.Fatal(err)
			}
			c, err := dial(ctx, clientOptions{
				addr: addr, protocol: tg.protocol, query: tg.query, conns: conns, tokens: tokens, each: each, loops: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			got := func() (n uint64) {
				for _, l := range c.loops {
					l.mu.Lock()
					n += l.times.n
					l.mu.Unlock()
				}
				return n
			}
			send := func(token int) {
				publish(token, &swapcast.Price{Mint: mintOf(token), USD: 1, Known: true, BlockTime: time.Now().UnixNano()})
			}
			// Subscriptions take a moment on servers that read them: publish until
			// every follower has heard, then count from there.
			c.record.Store(true)
			settled := func(want uint64) bool {
				for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
					if got() >= want {
						return true
					}
					time.Sleep(time.Millisecond)
				}
				return false
			}
			time.Sleep(200 * time.Millisecond)
			for token := range tokens {
				send(token)
			}
			const followers = conns * each / tokens
			if !settled(tokens * followers) {
				t.Fatalf("first round: %d of %d", got(), tokens*followers)
			}
			for i := range updates {
				send(i % tokens)
				if tg.query != "" || tg.name == "centrifuge-100ms" {
					time.Sleep(30 * time.Millisecond) // conflating: one of each token a window
				}
			}
			want := uint64((tokens + updates) * followers)
			if tg.query != "" || tg.name == "centrifuge-100ms" {
				if !settled(2 * tokens * followers) {
					t.Errorf("%d of at least %d", got(), 2*tokens*followers)
				}
				if n := got(); n >= want {
					t.Errorf("%d messages: nothing was conflated", n)
				}
			} else if !settled(want) || got() != want {
				t.Errorf("%d of %d", got(), want)
			}
			if n := c.closed.Load(); n > 0 {
				t.Errorf("%d connections closed", n)
			}
		})
	}
}
