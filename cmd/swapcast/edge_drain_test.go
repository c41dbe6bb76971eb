package main

import (
	"net/http"
	"testing"

	"github.com/swapcast/swapcast/cache/cachetest"
)

// POST /admin/drain ends an edge as it ends a server of any other role: that is how an
// edge is taken out of a fleet.
func TestEdgeDrainsWhenAsked(t *testing.T) {
	redis := cachetest.StartRedis(t)
	s, err := newServer(t.Context(), parseServe(t, "--role", "edge", "--redis-url", "redis://"+redis.Addr, "--admin-token", "secret"), testEnviron(t))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(t.Context()) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.admin.Addr().String()+"/admin/drain", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer secret")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Errorf("answered %s", answer.Status)
	}
	within(t, "the edge ends", func() bool {
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("ended with %v", err)
			}
			return true
		default:
			return false
		}
	})
}
