package main

import (
	"context"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestEachServer builds and starts every server and has it publish slowly: each
// update must reach every follower of its token, once.
func TestEachServer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the client needs epoll")
	}
	const conns, tokens, each = 12, 4, 2
	o := runOptions{mode: quick, dir: "servers", bin: t.TempDir(), log: io.Discard}
	var names []string
	for _, tg := range targets() {
		if _, err := exec.LookPath("npm"); tg.dir == nodeDir && err != nil {
			t.Logf("%s is left out: %v", tg.name, err)
			continue
		}
		names = append(names, tg.name)
	}
	if err := o.prepare(t.Context(), []scenario{{name: "test", conns: conns, servers: names}}); err != nil {
		t.Fatal(err)
	}
	for _, tg := range targets() {
		if !slices.Contains(names, tg.name) {
			continue
		}
		t.Run(tg.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			server, err := o.spawn(ctx, tg, tokens)
			if err != nil {
				t.Fatal(err)
			}
			defer server.end()
			c, err := dial(ctx, clientOptions{
				addr: server.addr, protocol: tg.protocol, query: tg.query, conns: conns, tokens: tokens, each: each, loops: 2,
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
			settled := func(want uint64) bool {
				for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
					if got() >= want {
						return true
					}
					time.Sleep(time.Millisecond)
				}
				return false
			}
			tell := func(line string) {
				if err := server.command(line); err != nil {
					t.Fatal(err)
				}
			}
			// Subscriptions take a moment on servers that read them: count from where
			// every follower has heard.
			const followers = conns * each / tokens
			c.record.Store(true)
			tell("start 200")
			if !settled(10 * tokens * followers) {
				t.Fatalf("%d messages", got())
			}
			tell("stop")
			quiet := func() (heard, published uint64) {
				for last := uint64(0); ; {
					time.Sleep(300 * time.Millisecond)
					if heard = got(); heard == last {
						break
					}
					last = heard
				}
				published, err := server.published()
				if err != nil {
					t.Fatal(err)
				}
				return heard, published
			}
			heard, published := quiet()
			tell("start 200")
			if !settled(heard + 10*tokens*followers) {
				t.Fatalf("%d messages after %d", got(), heard)
			}
			tell("stop")
			more, all := quiet()
			delivered, want := more-heard, (all-published)*followers
			switch {
			case tg.conflates() && delivered >= want:
				t.Errorf("%d messages: nothing was conflated", delivered)
			case !tg.conflates() && delivered != want:
				t.Errorf("%d of %d", delivered, want)
			}
			if n := c.closed.Load(); n > 0 {
				t.Errorf("%d connections closed", n)
			}
		})
	}
}
