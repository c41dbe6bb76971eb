package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache/cachetest"
)

// nginxForTest runs nginx before some edges, with the configuration that is shipped
// but for ports and the number of workers, and returns its address.
func nginxForTest(t *testing.T, edges ...*server) string {
	t.Helper()
	program := tool(t, "nginx")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // nginx does not take a port that is open already
	config, err := os.ReadFile(deployFile("nginx", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("listen 8000 ", "listen "+address+" ", "worker_processes auto", "worker_processes 1").Replace(string(config))
	if !strings.Contains(text, address) {
		t.Fatal("nginx.conf does not listen on 8000")
	}
	var list strings.Builder
	for _, e := range edges {
		list.WriteString("server " + e.public.Addr().String() + " max_fails=0;\n")
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"nginx.conf": text, "edges.conf": list.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command(program, "-p", dir, "-c", "nginx.conf", "-g", "daemon off;") //nolint:gosec,noctx // a test's own arguments; killed, it would leave its workers behind
	run.Stderr = t.Output()
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGTERM) // it has ended
		_ = run.Wait()                          // by a signal
	})
	within(t, "nginx listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return address
}

// proxiedEvents is a stream of events as it comes through a proxy.
type proxiedEvents struct {
	t      *testing.T
	body   io.ReadCloser
	lines  *bufio.Scanner
	lastID string
	retry  string
}

// proxiedMessage is what the test looks at of a message.
type proxiedMessage struct {
	Type, Epoch string
	Recovered   bool
	Seq         uint64
	Price       *float64
}

func throughNginx(t *testing.T, address, lastID string, query url.Values) *proxiedEvents {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // nothing comes where nginx keeps it back
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/stream?"+query.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("%s %q", answer.Status, kind)
	}
	return &proxiedEvents{t: t, body: answer.Body, lines: bufio.NewScanner(answer.Body)}
}

// next is the next message; false where the stream has ended.
func (e *proxiedEvents) next() (m proxiedMessage, ok bool) {
	e.t.Helper()
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch name {
		case "id":
			e.lastID = value
		case "retry":
			e.retry = value
		case "data":
			if err := json.Unmarshal([]byte(value), &m); err != nil {
				e.t.Fatalf("%q: %v", value, err)
			}
			return m, true
		}
	}
	return m, false
}

// TestEventsThroughNginx: through nginx with the configuration that is shipped, events
// come when they are told and not when a buffer is full, and a stream whose edge ends
// goes on at the other one behind the last event, none missing and none twice.
func TestEventsThroughNginx(t *testing.T) {
	t.Parallel()
	redis := cachetest.StartRedis(t)
	fleet := func(role string, more ...string) []string {
		return append([]string{"--role", role, "--redis-url", "redis://" + redis.Addr}, more...)
	}
	ingest := serveForTest(t, fleet("ingest", "--source", "market:?seed=11&tps=60")...)
	within(t, "the ingest leads", ingest.relay.Leads)
	one, endOne := stoppable(t, fleet("edge")...)
	other, endOther := stoppable(t, fleet("edge")...)
	for _, e := range []*server{one, other} {
		within(t, "the edges are ready", func() bool {
			return askFleet(t, "http://"+e.public.Addr().String()+"/readyz", nil) == http.StatusOK
		})
	}
	address := nginxForTest(t, one, other)

	// Nothing happens to this mint: what comes of it would wait in a buffer for ever.
	quiet := throughNginx(t, address, "", url.Values{"assets": {"So11111111111111111111111111111111111111111"}})
	for _, want := range []string{"subscribed", "price"} {
		if m, ok := quiet.next(); !ok || m.Type != want || m.Price != nil {
			t.Fatalf("%+v, want %s", m, want)
		}
	}
	quiet.body.Close()
	within(t, "it is gone", func() bool { return one.stream.Stats().Connections+other.stream.Stats().Connections == 0 })

	trades := url.Values{"channel": {"trades"}, "assets": {swapcast.NativeMintAddress}}
	first := throughNginx(t, address, "", trades)
	begin, ok := first.next()
	if !ok || begin.Type != "subscribed" {
		t.Fatalf("%+v", begin)
	}
	var last uint64
	for range 5 {
		m, ok := first.next()
		if !ok || m.Type != "trade" || last != 0 && m.Seq != last+1 {
			t.Fatalf("%+v after %d", m, last)
		}
		last = m.Seq
	}
	end := endOne
	if other.stream.Stats().Connections == 1 {
		end = endOther
	}
	ended := make(chan struct{})
	go func() { defer close(ended); end() }()
	for {
		m, ok := first.next()
		if !ok {
			break
		}
		if m.Type != "trade" || m.Seq != last+1 {
			t.Fatalf("%+v after %d", m, last)
		}
		last = m.Seq
	}
	if first.retry == "" {
		t.Error("it ends without a word on when to come back")
	}
	<-ended
	second := throughNginx(t, address, first.lastID, trades)
	if m, ok := second.next(); !ok || m.Type != "subscribed" || !m.Recovered || m.Epoch != begin.Epoch {
		t.Fatalf("at the other edge: %+v, was %+v", m, begin)
	}
	for range 10 {
		m, ok := second.next()
		if !ok || m.Type != "trade" || m.Seq != last+1 {
			t.Fatalf("at the other edge %+v after %d", m, last)
		}
		last = m.Seq
	}
}
