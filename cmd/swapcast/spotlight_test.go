package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast/report/reporttest"
)

// startSpotlight runs Sentry's local sidecar (report/spotlight) and returns its
// address once it answers.
func startSpotlight(t *testing.T) (address string) {
	t.Helper()
	folder := filepath.Join("..", "..", "report", "spotlight")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: scripts/test-deps.sh installs it", err)
		}
		t.Skipf("%v: make test-deps installs it", err)
	}
	address = freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	// offline.cjs: it is to talk to this machine alone.
	run := exec.Command(tool(t, "node"), "--require", "./offline.cjs", "node_modules/.bin/spotlight", "server", "-p", port)
	run.Dir = folder
	// On standard error it complains that exceptions are a list, as the protocol also
	// allows; it keeps them all the same.
	run.Stdout = t.Output()
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/health", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		status, _, err := fetch(request)
		if err == nil && status == http.StatusOK {
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("Spotlight does not answer: %d, %v", status, err)
		}
	}
}

// spotlightEvents reads back what Spotlight has and gets, until ok.
func spotlightEvents(t *testing.T, address string, ok func([]reporttest.Event) bool) []reporttest.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	var events []reporttest.Event
	for !ok(events) && lines.Scan() {
		data, isData := strings.CutPrefix(lines.Text(), "data:")
		if !isData {
			continue
		}
		// An envelope: its header, and the items, each a header and a payload.
		var envelope []json.RawMessage
		var items [][]json.RawMessage
		if err := json.Unmarshal([]byte(data), &envelope); err != nil || len(envelope) != 2 {
			t.Fatalf("%v: %s", err, data)
		}
		if err := json.Unmarshal(envelope[1], &items); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		for _, item := range items {
			event := reporttest.Event{Raw: string(item[1])}
			var head struct{ Type string }
			if err := json.Unmarshal(item[0], &head); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(item[1], &event); err != nil {
				t.Fatal(err)
			}
			event.Kind = head.Type
			events = append(events, event)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("after %d events: %v", len(events), err)
	}
	return events
}

// Spotlight, which is not of our making, has the events of 50 users of two test
// runs, each with its own tags: what the receiver of the other tests reads is what
// the protocol says.
func TestSpotlight(t *testing.T) {
	spotlight := startSpotlight(t)
	s := serveForTest(t, "--sentry-dsn", "http://public@"+spotlight+"/1", "--sentry-sample-rate", "0")
	const users = 50
	virtualUsers(t, s.public.Addr().String(), users)
	judgeUsers(t, users, spotlightEvents(t, spotlight, func(events []reporttest.Event) bool {
		n := 0
		for _, e := range events {
			if e.Tags["test_id"] != "" {
				n++
			}
		}
		return n >= 2*users+users/2
	}))
}
