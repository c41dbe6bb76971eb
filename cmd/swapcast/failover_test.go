package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/stream/client"
)

// geyserForTest runs `swapcast geyser` until the test ends and returns where it
// listens, in the order of its flags.
func geyserForTest(t *testing.T, n int, args ...string) []string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	found := make(chan string, n)
	stdout := &lineWriter{line: func(line string) {
		if m := regexp.MustCompile(`^listening on (\S+)`).FindStringSubmatch(line); m != nil {
			found <- m[1]
		}
	}}
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() { code <- run(ctx, append([]string{"geyser"}, args...), strings.NewReader(""), stdout, &stderr) }()
	t.Cleanup(func() {
		stop()
		if c := <-code; c != exitOK {
			t.Errorf("exit code %d: %s", c, stderr.String())
		}
	})
	var addresses []string
	for range n {
		select {
		case a := <-found:
			addresses = append(addresses, a)
		case <-time.After(30 * time.Second):
			t.Fatal("geyser does not listen")
		}
	}
	return addresses
}

// adminPost posts to the admin listener with the token.
func adminPost(t *testing.T, s *server, path, token string) (status int, code, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.admin.Addr().String()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	var p struct{ Code string }
	if response.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return response.StatusCode, p.Code, string(text)
}

// waitUntil waits until ok, for as long as a busy machine may take.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestFailover takes the stream away from the endpoint that is first, then from
// the other one, and clients do not notice: every seq once, no gap.
func TestFailover(t *testing.T) {
	at := geyserForTest(t, 2, "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--source", "market:?seed=5&tps=100&speed=4",
		"--faults", scriptFile(t, "endpoints:\n  1:\n  - late: {by: 100ms}\n"))
	s := serveForTest(t, "--source", "grpc://"+at[0], "--source", "grpc://"+at[1], "--admin-token", "secret")
	source := func(name string) (one api.Source) {
		for _, source := range s.status().Sources {
			if source.Endpoint == name {
				one = source
			}
		}
		return one
	}
	first := func(name string) func() bool { return func() bool { return source(name).First > 50 } }
	waitUntil(t, "the first endpoint is first", first(at[0]))
	waitUntil(t, "both are connected", func() bool { return source(at[0]).Connected && source(at[1]).Connected })
	c, err := client.Dial(t.Context(), "ws://"+s.public.Addr().String()+"/ws", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), client.Confirmed(client.ChannelTrades), swapcast.NativeMintAddress); err != nil {
		t.Fatal(err)
	}
	var seq uint64
	read := func(slot uint64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for {
			e, err := c.Next(ctx)
			if err != nil {
				t.Fatalf("no trade after slot %d: %v", slot, err)
			}
			switch e := e.(type) {
			case *client.Gap:
				t.Fatalf("a gap: %+v", e)
			case *client.Trade:
				if seq != 0 && e.Seq != seq+1 {
					t.Fatalf("seq %d after %d", e.Seq, seq)
				}
				if seq = e.Seq; e.Slot > slot {
					return
				}
			}
		}
	}
	read(0)
	for _, refused := range []struct {
		path, token, code string
		status            int
	}{
		{"/admin/stream/failover", "wrong", "bad_token", http.StatusUnauthorized},
		{"/admin/stream/failover?endpoint=nobody:1", "secret", "unknown_endpoint", http.StatusNotFound},
	} {
		if status, code, body := adminPost(t, s, refused.path, refused.token); status != refused.status || code != refused.code {
			t.Errorf("%s: %d %s", refused.path, status, body)
		}
	}

	status, _, body := adminPost(t, s, "/admin/stream/failover", "secret")
	if status != http.StatusAccepted || !strings.HasPrefix(body, at[1]+" goes on; "+at[0]+" is left alone") {
		t.Fatalf("%d %s", status, body)
	}
	waitUntil(t, "the first endpoint is left", func() bool { return !source(at[0]).Connected && source(at[0]).Reason == "failover" })
	if st := s.status(); st.State != api.StateHealthy || !st.Degraded || !strings.Contains(st.Message, at[0]) {
		t.Errorf("%s %v %q", st.State, st.Degraded, st.Message)
	}
	read(s.feed.tipSlot.Load() + 5)
	for _, path := range []string{"/admin/stream/failover", "/admin/stream/failover?endpoint=" + at[1]} {
		if status, code, body := adminPost(t, s, path, "secret"); status != http.StatusConflict || code != "no_other_endpoint" {
			t.Errorf("%s while the other one rests: %d %s", path, status, body)
		}
	}

	if status, _, body := adminPost(t, s, "/admin/stream/reconnect?endpoint="+at[0], "secret"); status != http.StatusAccepted {
		t.Errorf("%d %s", status, body)
	}
	waitUntil(t, "the first endpoint is back", func() bool { return source(at[0]).Connected })
	status, _, body = adminPost(t, s, "/admin/stream/failover?endpoint="+at[1], "secret")
	if status != http.StatusAccepted || !strings.HasPrefix(body, at[0]+" goes on; "+at[1]+" is left alone") {
		t.Fatalf("%d %s", status, body)
	}
	waitUntil(t, "the other one is left", func() bool { return !source(at[1]).Connected })
	read(s.feed.tipSlot.Load() + 5)
	if gaps := s.status().Gaps; len(gaps) != 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

// TestFailoverAlone: nothing could take over, or nobody may ask for it.
func TestFailoverAlone(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=5&tps=100", "--admin-token", "secret")
	if status, code, body := adminPost(t, s, "/admin/stream/failover", "secret"); status != http.StatusConflict || code != "no_other_endpoint" {
		t.Errorf("%d %s", status, body)
	}
	s = serveForTest(t, "--source", "market:?seed=5&tps=100")
	if status, code, body := adminPost(t, s, "/admin/stream/failover", ""); status != http.StatusForbidden || code != "admin_token_not_set" {
		t.Errorf("%d %s", status, body)
	}
}
